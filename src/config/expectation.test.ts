// What a schema objects to, in words that go behind "it must be".
import { expect, it } from "vitest";
import { z } from "zod";
import { expectationOf } from "./expectation.js";

it.each<[z.ZodType, unknown, string]>([
  [z.number().int().min(1), 0, "at least 1"],
  [z.number().int().min(1), 1.5, "a whole number"],
  [z.number().positive(), 0, "above 0"],
  [z.number().max(1), 2, "at most 1"],
  [z.number(), "x", "a number"],
  [z.array(z.number()).min(1), [], "a list of at least 1"],
  [z.tuple([z.number(), z.number()]), [1], "a list of at least 2"],
  [z.union([z.boolean(), z.literal("never")]), "always", 'true or false or "never"'],
  [z.number().lt(5), 5, "below 5"],
])("%# is told", (schema, value, expected) => {
  const { error } = schema.safeParse(value);
  expect(expectationOf(error?.issues[0])).toBe(expected);
});
