// Reads a checkpoint's config.json field by field, naming the key that is wrong.
import { BridleError } from "../errors/error.js";

type Json = Readonly<Record<string, unknown>>;

/** Readers of single keys of config.json; each throws CONFIG_INVALID with the key, its value and what it must be. */
export function readFields(json: Json) {
  const fail = (key: string, expected: string): BridleError =>
    new BridleError("CONFIG_INVALID", {
      key,
      value: JSON.stringify(json[key]) ?? "missing",
      expected,
    });
  const isWhole = (value: unknown, least: number, most: number): value is number =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
  const whole = (key: string, least: number, most: number, fallback?: number): number => {
    const value = json[key] ?? fallback;
    if (!isWhole(value, least, most)) throw fail(key, `a whole number from ${least} to ${most}`);
    return value;
  };
  return {
    /** How many layers; each is built, so that their number is bounded before anything of the weights is known. */
    layers: (key: string) => whole(key, 1, 1000),
    /** The size of a dimension. */
    size: (key: string) => whole(key, 1, 2 ** 24),
    /** A number of things from 1, with a default. */
    count: (key: string, most: number, fallback: number) => whole(key, 1, most, fallback),
    /** A number above 0. */
    positive(key: string, fallback: number): number {
      const value = json[key] ?? fallback;
      if (typeof value !== "number" || !(value > 0 && Number.isFinite(value))) {
        throw fail(key, "a number above 0");
      }
      return value;
    },
    /** The rows of a table that may have to be computed, with so many columns. */
    rows: (key: string, columns: number) => whole(key, 1, Math.floor(2 ** 28 / columns)),
    /** The id of a token out of so many. */
    token: (key: string, vocabulary: number, fallback: number) =>
      whole(key, 0, vocabulary - 1, fallback),
    /** The id of a token, or the first of a list of them. */
    firstToken(key: string, vocabulary: number, fallback: number): number {
      const value = json[key] ?? fallback;
      const ids: unknown[] = Array.isArray(value) ? value : [value];
      const [first] = ids;
      if (!isWhole(first, 0, vocabulary - 1) || !ids.every((id) => isWhole(id, 0, vocabulary - 1)))
        throw fail(key, `a whole number from 0 to ${vocabulary - 1}, or a list of them`);
      return first;
    },
    /** A positive number that divides `total` without rest. */
    divisor(key: string, total: number): number {
      const value = whole(key, 1, total);
      if (total % value !== 0) throw fail(key, `a divisor of ${total}`);
      return value;
    },
    /** A number from 0 to below 1. */
    share(key: string, fallback: number): number {
      const value = json[key] ?? fallback;
      if (typeof value !== "number" || !(value >= 0 && value < 1)) {
        throw fail(key, "a number from 0 to below 1");
      }
      return value;
    },
    flag(key: string, fallback: boolean): boolean {
      const value = json[key] ?? fallback;
      if (typeof value !== "boolean") throw fail(key, "true or false");
      return value;
    },
    oneOf<T extends string>(key: string, allowed: readonly T[], fallback: T): T {
      const value = json[key] ?? fallback;
      if (!allowed.includes(value as T)) throw fail(key, `one of ${allowed.join(", ")}`);
      return value as T;
    },
  };
}
