// Says in words what a value should have been, from what the schema objected to.
import type { z } from "zod";

const kinds: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
  string: "a text",
  array: "a list",
  tuple: "a list",
  object: "an object",
};

/** `least` and `most` of a list are counts of its entries. */
const isList = (origin: string) => origin === "array" || origin === "tuple";

/** What goes behind "it must be", such as `a whole number` or `above 0`. */
export function expectationOf(issue: z.core.$ZodIssue | undefined): string {
  switch (issue?.code) {
    case "too_small":
      if (isList(issue.origin)) return `a list of at least ${issue.minimum}`;
      return `${issue.inclusive === false ? "above" : "at least"} ${issue.minimum}`;
    case "too_big":
      if (isList(issue.origin)) return `a list of at most ${issue.maximum}`;
      return `${issue.inclusive === false ? "below" : "at most"} ${issue.maximum}`;
    case "invalid_type":
      return kinds[issue.expected] ?? `of type ${issue.expected}`;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(" or ");
    case "invalid_union":
      return [...new Set(issue.errors.map((of) => expectationOf(of[0])))].join(" or ");
    default:
      return "valid";
  }
}
