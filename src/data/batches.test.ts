// Tests batches: for any lengths every row is in just one batch that holds it, within the budget, in repeatable order.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Batch, planEpoch, planShapes, planSteps, type ShapeOptions } from "./batches.js";

const row = fc.record({
  source: fc.integer({ min: 1, max: 300 }),
  target: fc.integer({ min: 1, max: 60 }),
});
const rows = fc.array(row, { minLength: 1, maxLength: 120 });
const options: fc.Arbitrary<ShapeOptions> = fc.record({
  tokenBudget: fc.integer({ min: 500, max: 3000 }),
  maxRows: fc.integer({ min: 1, max: 20 }),
  sourceMultiple: fc.constantFrom(1, 8, 32),
  targetMultiple: fc.constantFrom(1, 8),
  maxShapes: fc.integer({ min: 1, max: 6 }),
});
const lengthsOf = (given: readonly { source: number; target: number }[]) => ({
  source: given.map(({ source }) => source),
  target: given.map(({ target }) => target),
});
const batchesOf = (plan: { length: number; batch(index: number): Batch }) =>
  Array.from({ length: plan.length }, (_, index) => plan.batch(index));
const rowsOf = (batches: readonly Batch[]) => batches.flatMap((batch) => [...batch.rows]);

describe("planShapes and planEpoch", () => {
  it("put every row into one batch that holds it, within the budget", () => {
    fc.assert(
      fc.property(rows, options, fc.nat(), fc.nat(9), (given, asked, seed, epoch) => {
        const shapes = planShapes(lengthsOf(given), asked);
        const batches = batchesOf(planEpoch(shapes, { seed, epoch }));
        expect(rowsOf(batches).sort((a, b) => a - b)).toEqual([...given.keys()]);
        for (const { rows, shape } of batches) {
          expect(rows.length).toBeGreaterThan(0);
          expect(rows.length).toBeLessThanOrEqual(shape.rows);
          expect(shape.rows).toBeLessThanOrEqual(asked.maxRows!);
          expect(shape.rows * (shape.source + shape.target)).toBeLessThanOrEqual(asked.tokenBudget);
          expect(shape.source % asked.sourceMultiple!).toBe(0);
          expect(shape.target % asked.targetMultiple!).toBe(0);
          for (const row of rows) {
            expect(given[row]!.source).toBeLessThanOrEqual(shape.source);
            expect(given[row]!.target).toBeLessThanOrEqual(shape.target);
          }
        }
        // At most one batch of each shape is not full.
        const short = batches.filter(({ rows, shape }) => rows.length < shape.rows);
        expect(new Set(short.map(({ shape }) => shape)).size).toBe(short.length);
      }),
    );
  });

  it("keep to as many shapes as are allowed, unless the budget forbids joining them", () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 6 }), (given, maxShapes) => {
        const { shapes, paddedShare } = planShapes(lengthsOf(given), {
          tokenBudget: 400,
          sourceMultiple: 1,
          targetMultiple: 1,
          maxShapes,
        });
        expect(shapes.length).toBeLessThanOrEqual(maxShapes);
        expect(paddedShare).toBeGreaterThanOrEqual(0);
        expect(paddedShare).toBeLessThan(1);
      }),
    );
    const apart = { source: [300, 10], target: [10, 300] };
    expect(planShapes(apart, { tokenBudget: 400, maxShapes: 1 }).shapes).toHaveLength(2);
  });

  it("join the shapes that lose least", () => {
    const lengths = { source: [10, 20, 500, 500], target: [8, 8, 8, 8] };
    const { shapes, shapeOf } = planShapes(lengths, {
      tokenBudget: 2000,
      sourceMultiple: 1,
      maxShapes: 2,
    });
    expect(shapes).toEqual([
      { rows: 2, source: 20, target: 8 },
      { rows: 2, source: 500, target: 8 },
    ]);
    expect([...shapeOf]).toEqual([0, 0, 1, 1]);
  });

  it("handle as many different lengths as there are", () => {
    const count = 3000;
    const lengths = {
      source: Array.from({ length: count }, (_, index) => 1 + index),
      target: Array.from({ length: count }, (_, index) => 1 + (index % 97)),
    };
    const shapes = planShapes(lengths, { tokenBudget: 3200, sourceMultiple: 1, targetMultiple: 1 });
    expect(shapes.shapes.length).toBeLessThanOrEqual(12);
    const batches = batchesOf(planEpoch(shapes, { seed: 1, epoch: 0 }));
    expect(rowsOf(batches).sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
    for (const { rows, shape } of batches) {
      for (const row of rows) expect(lengths.source[row]).toBeLessThanOrEqual(shape.source);
    }
  });

  it("give another order in each epoch and for each seed, and the same one again", () => {
    const lengths = { source: Array(200).fill(10), target: Array(200).fill(5) };
    const shapes = planShapes(lengths, { tokenBudget: 200 });
    const order = (seed: number, epoch: number) =>
      rowsOf(batchesOf(planEpoch(shapes, { seed, epoch }))).join();
    expect(order(3, 4)).toBe(order(3, 4));
    const orders = [order(3, 4), order(3, 5), order(4, 4), order(4, 3), order(0, 0)];
    expect(new Set(orders).size).toBe(orders.length);
  });

  it("refuse a row that is over the budget by itself, by its number", () => {
    const lengths = { source: [10, 90], target: [8, 8] };
    expect(() => planShapes(lengths, { tokenBudget: 100 })).toThrow(
      "Row 1 alone has 104 tokens with padding; a batch may have 100.",
    );
    expect(() => planShapes(lengths, { tokenBudget: 0 })).toThrow("tokenBudget is 0");
  });
});

describe("planSteps", () => {
  it("goes on from any position as if it had never stopped", () => {
    fc.assert(
      fc.property(rows, options, fc.integer({ min: 1, max: 4 }), (given, asked, accumulate) => {
        const shapes = planShapes(lengthsOf(given), asked);
        const take = (count: number, from?: { epoch: number; batch: number }) => {
          const steps = [];
          for (const step of planSteps(shapes, { seed: 9, accumulate }, from)) {
            if (steps.length === count) break;
            steps.push(step);
          }
          return steps;
        };
        const whole = take(12);
        for (const [index, step] of whole.entries()) {
          expect(take(11 - index, step.next)).toEqual(whole.slice(index + 1));
        }
        const first = whole.filter(({ epoch }) => epoch === 0);
        if (first.length < whole.length) {
          const all = rowsOf(first.flatMap(({ batches }) => batches));
          expect(all.sort((a, b) => a - b)).toEqual([...given.keys()]);
        }
        for (const { batches } of whole) expect(batches.length).toBeLessThanOrEqual(accumulate);
      }),
      { numRuns: 40 },
    );
  });

  it("has nothing to give for no rows", () => {
    const shapes = planShapes({ source: [], target: [] }, { tokenBudget: 10 });
    expect(() => planSteps(shapes, { seed: 0 }).next()).toThrow("lengths is empty");
  });
});
