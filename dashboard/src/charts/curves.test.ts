// The axis, what is smoothed and what a zoom asks for.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChartPoint } from "../api/runs.js";
import { lineOf, nearest, smooth, stepsWithin, toCsv } from "./curves.js";

const point = (step: number, more: Partial<ChartPoint> = {}): ChartPoint => ({
  step,
  lastStep: step,
  epoch: step / 10,
  at: 1000 + step * 500,
  mean: step * 2,
  min: step,
  max: step * 3,
  count: 1,
  notFinite: 0,
  ...more,
});

describe("lineOf", () => {
  const points = [point(0), point(10, { lastStep: 14, epoch: null }), point(20, { mean: null })];

  it("lays points by step, in the middle of what they stand for", () => {
    expect(lineOf(points, "step", 0)).toEqual({
      xs: [0, 12, 20],
      ys: [0, 20, null],
      low: [0, 10, 20],
      high: [0, 30, 60],
    });
  });

  it("leaves out what has no epoch, and counts time from the beginning", () => {
    expect(lineOf(points, "epoch", 0).xs).toEqual([0, 2]);
    expect(lineOf(points, "time", 1000).xs).toEqual([0, 5, 10]);
  });

  it("never goes back", () => {
    expect(lineOf([point(5), point(3), point(5), point(9)], "step", 0).xs).toEqual([5, 9]);
  });
});

describe("stepsWithin", () => {
  const points = [point(0), point(10, { lastStep: 19 }), point(20, { lastStep: 29 }), point(30)];

  it("gives the steps that lie there, by any axis", () => {
    expect(stepsWithin(points, "step", 0, [11, 26])).toEqual([10, 29]);
    expect(stepsWithin(points, "epoch", 0, [1, 2])).toEqual([10, 29]);
    expect(stepsWithin(points, "time", 1000, [9, 16])).toEqual([20, 30]);
    expect(stepsWithin(points, "step", 0, [40, 50])).toBeUndefined();
  });
});

describe("smooth", () => {
  it("leaves a level line as it is, and everything without weight", () => {
    const xs = [0, 1, 2, 50, 51];
    expect(smooth(xs, [3, 3, 3, 3, 3], 0.9)).toEqual([3, 3, 3, 3, 3].map((v) => expect.closeTo(v)));
    expect(smooth(xs, [1, 5, 2, 8, 1], 0)).toEqual([1, 5, 2, 8, 1]);
  });

  it("stays between what it averages and keeps gaps", () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.double({ min: -1e6, max: 1e6, noNaN: true })), { minLength: 3 }),
        fc.double({ min: 0.01, max: 0.999, noNaN: true }),
        (ys, weight) => {
          const smoothed = smooth(
            ys.map((_, x) => x),
            ys,
            weight,
          );
          let low = Number.POSITIVE_INFINITY;
          let high = Number.NEGATIVE_INFINITY;
          for (const [index, y] of ys.entries()) {
            if (y === null) {
              expect(smoothed[index]).toBeNull();
              continue;
            }
            low = Math.min(low, y);
            high = Math.max(high, y);
            expect(smoothed[index]).toBeGreaterThanOrEqual(low - 1e-6);
            expect(smoothed[index]).toBeLessThanOrEqual(high + 1e-6);
          }
        },
      ),
    );
  });

  it("is the average of all where nothing fades, and the last value where all does", () => {
    const xs = [0, 1, 2];
    expect(smooth(xs, [0, 0, 9], 1e-9)[2]).toBeCloseTo(9);
    const dense = Array.from({ length: 1001 }, (_, x) => x);
    const steps = dense.map((x) => (x < 990 ? 0 : 1));
    const last = smooth(dense, steps, 0.998).at(-1) as number;
    // Weights are 0.999^age: the eleven latest points out of a thousand and one.
    const mass = (n: number) => (1 - 0.998 ** (n / 2)) / (1 - 0.998 ** 0.5);
    expect(last).toBeCloseTo(mass(11) / mass(1001), 6);
  });
});

describe("nearest", () => {
  it("finds what a scan finds", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer(), { minLength: 1 }), fc.integer(), (all, x) => {
        const xs = all.sort((a, b) => a - b);
        const found = Math.abs((xs[nearest(xs, x)] as number) - x);
        expect(found).toBe(Math.min(...xs.map((each) => Math.abs(each - x))));
      }),
    );
    expect(nearest([], 1)).toBe(-1);
  });
});

describe("toCsv", () => {
  it("puts curves of different places into one table", () => {
    const csv = toCsv("step", [
      { label: 'a "b", c', line: { xs: [1, 3], ys: [0.5, null] } },
      { label: "d", line: { xs: [2, 3], ys: [7, 8] } },
    ]);
    expect(csv).toBe('"step","a ""b"", c","d"\r\n1,0.5,\r\n2,,7\r\n3,,8\r\n');
  });
});
