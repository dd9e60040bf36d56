// No point is missed and none drawn twice, in whatever order charts and events come.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Chart, NewPoint } from "../api/runs.js";
import {
  behind,
  chartPointOf,
  isBehind,
  isTooLong,
  longer,
  noTail,
  withTail,
} from "./live-tail.js";

const told = (step: number): NewPoint => ({
  key: "loss",
  step,
  epoch: null,
  at: step,
  value: step,
});
const chart = (steps: number): Chart => ({
  runId: "aaaa2222",
  key: "loss",
  isExact: true,
  points: Array.from({ length: steps }, (_, step) => chartPointOf(told(step))),
});

describe("a tail", () => {
  it("joins what was looked up and what came, each step once", () => {
    fc.assert(
      fc.property(fc.nat(30), fc.nat(30), fc.nat(30), (looked, heard, lookedAgain) => {
        const all = Math.max(looked, heard, lookedAgain);
        const tail = longer(
          noTail,
          Array.from({ length: all - heard }, (_, offset) => told(heard + offset)),
        );
        for (const found of [chart(looked), chart(lookedAgain)]) {
          const left = behind(tail, [found]);
          const steps = withTail([found], left)[0]?.points.map(({ step }) => step);
          const expected = Array.from({ length: all }, (_, step) => step).filter(
            (step) => step < found.points.length || step >= heard,
          );
          expect(steps).toEqual(expected);
          expect(withTail([found], tail)).toEqual(withTail([found], left));
        }
      }),
    );
  });

  it("is too long once a chart would be better gathered anew", () => {
    const steps = (count: number) => Array.from({ length: count }, (_, step) => told(step));
    expect(isTooLong(longer(noTail, steps(400)))).toBe(false);
    expect(isTooLong(longer(noTail, steps(401)))).toBe(true);
  });

  it("knows when something was missed", () => {
    expect(isBehind([chart(5)], noTail, { loss: 4, other: 9 })).toBe(false);
    expect(isBehind([chart(5)], noTail, { loss: 5 })).toBe(true);
    expect(isBehind([chart(5)], longer(noTail, [told(5)]), { loss: 5 })).toBe(false);
  });

  it("has a gap where a value is not finite", () => {
    expect(chartPointOf({ ...told(3), value: null })).toMatchObject({ mean: null, notFinite: 1 });
  });
});
