// The double-array trie: every key is found with its value, and nothing else is.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildDoubleArray } from "./double-array.js";

/** The value of a key, or undefined, as darts-clone's exactMatchSearch goes. */
function find(units: Uint32Array, key: string): number | undefined {
  const offset = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);
  let node = 0;
  let unit = units[0] as number;
  for (let i = 0; i < key.length; i++) {
    node = (node ^ offset(unit) ^ key.charCodeAt(i)) >>> 0;
    unit = units[node] as number;
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== key.charCodeAt(i)) return undefined;
  }
  if (((unit >>> 8) & 1) === 0) return undefined;
  return (units[(node ^ offset(unit)) >>> 0] as number) & 0x7fffffff;
}

const keys = fc.uniqueArray(
  fc
    .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 6 })
    .map((bytes) => String.fromCharCode(...bytes)),
  { maxLength: 300 },
);

describe("a double array", () => {
  it("finds every key and no other", () => {
    fc.assert(
      fc.property(keys, keys, fc.integer({ min: 1, max: 5 }), (given, others, values) => {
        const pairs = given.map((key, i) => ({ key, value: i % values }));
        const units = buildDoubleArray(pairs);
        expect(units.length % 256).toBe(0);
        for (const { key, value } of pairs) expect(find(units, key)).toBe(value);
        for (const other of others) {
          if (!given.includes(other)) expect(find(units, other)).toBeUndefined();
        }
      }),
      { numRuns: 60 },
    );
  });

  it("has room for more keys than its open blocks hold", () => {
    const pairs = Array.from({ length: 30_000 }, (_, i) => ({
      key: String.fromCharCode(1 + (i % 251), 1 + (Math.floor(i / 251) % 249), 1 + (i % 7)),
      value: i,
    }));
    const units = buildDoubleArray(pairs);
    for (const { key, value } of pairs) expect(find(units, key)).toBe(value);
  });

  it("of no keys finds nothing", () => expect(find(buildDoubleArray([]), "a")).toBeUndefined());
});
