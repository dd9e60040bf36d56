// What of a search space may be tried: every constraint of a sweep as one question about a trial's parameters.
import type { ConstraintOptions } from "../../config/sweep-config.js";
import { isRecord } from "../../config/yaml-file.js";
import { BridleError } from "../../errors/error.js";
import { type Constraint, isSame, readConstraint } from "./constraint-expression.js";
import type { Parameters } from "./dimension.js";

export type Allows = (parameters: Parameters) => boolean;

/**
 * @param fixed values of the keys that are not tried, which constraints may name too
 * @param keys those that are tried
 * @throws SWEEP_CONSTRAINT_INVALID
 */
export function createConstraints(
  constraints: readonly ConstraintOptions[],
  keys: readonly string[],
  fixed: Parameters = {},
): Allows {
  const known = (key: string) => keys.includes(key) || Object.hasOwn(fixed, key);
  const read = constraints.map((each) =>
    typeof each === "string" ? readConstraint(each, known) : forbidden(each.forbid, known),
  );
  if (read.length === 0) return () => true;
  return (parameters) => {
    const all = { ...fixed, ...parameters };
    return read.every((each) => each.holds(all));
  };
}

/** Holds unless every key has a value that is named for it. */
function forbidden(
  combination: Readonly<Record<string, unknown>>,
  known: (key: string) => boolean,
): Constraint {
  const text = JSON.stringify({ forbid: combination });
  const tests = Object.entries(combination).map(([key, named]) => {
    if (!known(key)) {
      throw new BridleError("SWEEP_CONSTRAINT_INVALID", {
        constraint: text,
        problem: `${key} is neither a key of the space nor set in params.yaml`,
      });
    }
    return [key, matcher(named, text)] as const;
  });
  return {
    text,
    keys: Object.keys(combination),
    holds: (parameters) => !tests.every(([key, matches]) => matches(parameters[key])),
  };
}

/** A list names any of its values, {min, max} a range with both ends, and anything else itself. */
function matcher(named: unknown, text: string): (value: unknown) => boolean {
  if (Array.isArray(named)) return (value) => named.some((each) => isSame(each, value));
  if (!isRecord(named) || !("min" in named || "max" in named)) {
    return (value) => isSame(named, value);
  }
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, ...rest } = named;
  if (typeof min !== "number" || typeof max !== "number" || Object.keys(rest).length > 0) {
    throw new BridleError("SWEEP_CONSTRAINT_INVALID", {
      constraint: text,
      problem: "a range has min, max or both, and they are numbers",
    });
  }
  return (value) => typeof value === "number" && value >= min && value <= max;
}
