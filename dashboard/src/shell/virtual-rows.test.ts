// What is in sight lies among what is drawn, and little else is drawn.
import fc from "fast-check";
import { expect, it } from "vitest";
import { rowsInSight } from "./virtual-rows.js";

it("draws every row in sight and few more", () => {
  fc.assert(
    fc.property(
      fc.nat(100_000),
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 10, max: 80 }),
      fc.integer({ min: 1, max: 5000 }),
      (scrollTop, height, rowHeight, count) => {
        const { first, end } = rowsInSight(scrollTop, height, rowHeight, count);
        expect(first).toBeGreaterThanOrEqual(0);
        expect(end).toBeLessThanOrEqual(count);
        expect(end - first).toBeLessThanOrEqual(height / rowHeight + 18);
        for (let row = 0; row < count; row += 1) {
          const seen = (row + 1) * rowHeight > scrollTop && row * rowHeight < scrollTop + height;
          if (seen) {
            expect(row).toBeGreaterThanOrEqual(first);
            expect(row).toBeLessThan(end);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
  expect(rowsInSight(0, 500, 40, 0)).toEqual({ first: 0, end: 0 });
});
