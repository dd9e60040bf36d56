// Checks parsed bodies against their schemas and says, field by field, what is wrong.
import { z } from "@hono/zod-openapi";
import { nearestName } from "../config/nearest-name.js";
import { BridleError } from "../errors/error.js";

export interface FieldProblem {
  /** JSON pointer of the field, as a URI fragment (RFC 6901). */
  readonly pointer: string;
  readonly detail: string;
}

/** Rides on a FIELDS_INVALID error as its cause. */
export class FieldProblems {
  readonly problems: readonly FieldProblem[];
  constructor(problems: readonly FieldProblem[]) {
    this.problems = problems;
  }
}

const mostProblems = 100;

/**
 * Checks a value and gives it back as the schema's output.
 * @throws FIELDS_INVALID with the problems as cause
 */
export function checkFields<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const checked = schema.safeParse(value, { reportInput: true });
  if (checked.success) return checked.data;
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const problems = checked.error.issues
    .flatMap((issue) => describeIssue(issue, known))
    .slice(0, mostProblems);
  const summary = problems
    .slice(0, 5)
    .map(({ pointer, detail }) => `${pointer === "#" ? "the body" : pointer.slice(2)} ${detail}`)
    .join("; ");
  throw new BridleError(
    "FIELDS_INVALID",
    { problems: `${summary}.` },
    { cause: new FieldProblems(problems) },
  );
}

function describeIssue(issue: z.core.$ZodIssue, known: readonly string[]): FieldProblem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, mostProblems).map((key) => {
      const nearest = nearestName(key, known);
      const detail = `is not a field of this request${nearest === undefined ? "" : `; did you mean ${nearest}?`}`;
      return { pointer: pointerTo([...issue.path, key]), detail };
    });
  }
  return [{ pointer: pointerTo(issue.path), detail: detailOf(issue) }];
}

function detailOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") {
    if (issue.input === undefined) return "is missing";
    return `must be of type ${issue.expected}`;
  }
  if (issue.code === "too_small") {
    const bound = `${issue.inclusive === false ? "above" : "at least"} ${issue.minimum}`;
    return boundedBy(issue.origin, bound, issue.minimum);
  }
  if (issue.code === "too_big") {
    const bound = `${issue.inclusive === false ? "below" : "at most"} ${issue.maximum}`;
    return boundedBy(issue.origin, bound, issue.maximum);
  }
  if (issue.code === "invalid_union") {
    const wanted = issue.errors.flatMap(([first]) => (first ? [wantedBy(first)] : []));
    return `must be ${wanted.join(" or ")}`;
  }
  return issue.message.replace(/^Invalid (input|option): /, "must be otherwise: ");
}

/** What is counted of things that are no numbers. */
const counted = new Map([
  ["array", "item"],
  ["set", "item"],
  ["string", "character"],
]);

function boundedBy(origin: string, bound: string, limit: number | bigint): string {
  const unit = counted.get(origin);
  return unit === undefined
    ? `must be ${bound}`
    : `must have ${bound} ${unit}${limit === 1 ? "" : "s"}`;
}

/** What one branch of a choice wants, in the schema library's words. */
function wantedBy(issue: z.core.$ZodIssue): string {
  if (issue.code === "too_small" || issue.code === "too_big") {
    const bound = detailOf(issue).replace(/^must (be|have) /, "");
    return counted.has(issue.origin) ? `one with ${bound}` : bound;
  }
  return issue.message
    .replace(/^Invalid (input|option): expected /, "")
    .replace(/, received .*$/s, "");
}

/**
 * The field that an error of the model is about, where it is about one of `parameters`.
 * A summarizer names its parameters as a request does, parts of a list by dots.
 */
export function parameterProblems({ code, details }: BridleError): FieldProblem[] {
  const { parameter, expected, model } = details;
  if (typeof parameter !== "string") return [];
  const pointer = (steps: readonly string[]) => pointerTo(["parameters", ...steps]);
  if (code === "PARAMETER_NOT_SUPPORTED") {
    return [{ pointer: pointer([parameter]), detail: `does not apply to the model ${model}` }];
  }
  if (code !== "INVALID_PARAMETER" || !/^[a-z][a-z\d.]*$/i.test(parameter)) return [];
  return [{ pointer: pointer(parameter.split(".")), detail: `must be ${expected}` }];
}

/** Long names are cut: a pointer is to be found by, not to hold a document. */
function pointerTo(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => {
    const escaped = String(step).slice(0, 100).replaceAll("~", "~0").replaceAll("/", "~1");
    return `/${encodeURI(Buffer.from(escaped).toString())}`;
  });
  return `#${steps.join("")}`;
}
