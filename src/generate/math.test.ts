// Tests which values rank, and in which order, few and many of them.
import fc from "fast-check";
import { expect, it } from "vitest";
import { largest } from "./math.js";

it("ranks the largest, of equal ones the earlier, and never what is no number", () => {
  const value = fc.oneof(
    fc.integer({ min: -5, max: 5 }),
    fc.constantFrom(Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, -0),
  );
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 400 }),
      fc.integer({ min: 1, max: 420 }),
      (values, k) => {
        const row = Float32Array.from(values);
        const expected = [...row]
          .map((value, index) => ({ index, value }))
          .filter(({ value }) => !Number.isNaN(value))
          // Infinities of one sign are equal, and their difference is no number.
          .sort((a, b) => (a.value === b.value ? a.index - b.index : b.value - a.value))
          .slice(0, k);
        expect(largest(row, k)).toEqual(expected);
      },
    ),
    { numRuns: 300, seed: 1 },
  );
});
