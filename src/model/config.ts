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
  const whole = (key: string, least: number, fallback?: number): number => {
    const value = json[key] ?? fallback;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least) {
      throw fail(key, `a whole number from ${least}`);
    }
    return value;
  };
  return {
    positive: (key: string, fallback?: number) => whole(key, 1, fallback),
    count: (key: string, fallback?: number) => whole(key, 0, fallback),
    /** A number of 0 or more, or the first of a list of them. */
    firstCount(key: string, fallback: number): number {
      const value = json[key] ?? fallback;
      const isId = (id: unknown) => typeof id === "number" && Number.isSafeInteger(id) && id >= 0;
      const ids: unknown[] = Array.isArray(value) ? value : [value];
      if (ids.length === 0 || !ids.every(isId)) throw fail(key, "a whole number from 0, or a list");
      return ids[0] as number;
    },
    /** A positive number that divides `total` without rest. */
    divisor(key: string, total: number): number {
      const value = whole(key, 1);
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
