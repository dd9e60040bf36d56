// What is made of trials: the best so far, how good each is, and where it stands on the axes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Trial, TrialState } from "../api/sweeps.js";
import { linearTicks, logTicks } from "../charts/ticks.js";
import { axisOf, isWithin, numberAxis, placesOf, withBrush } from "./axes.js";
import { bestSoFar, inOrder, shortKeys, standingOf, triedKeys } from "./trials.js";

const trial = (
  number: number,
  value: number | null,
  { state = "complete", parameters = {} }: { state?: TrialState; parameters?: object } = {},
): Trial => ({
  ...{ number, state, value, parameters: { ...parameters } },
  ...{ step: null, error: null, run: null, beganAtMs: null, endedAtMs: null, reports: [] },
});

describe("trials", () => {
  it("tells the best so far, to which pruned and failed trials add nothing", () => {
    const trials = [
      trial(3, 1),
      trial(0, 5),
      trial(1, 2, { state: "pruned" }),
      trial(2, null, { state: "failed" }),
      trial(4, 3),
    ];
    expect(bestSoFar(trials, "minimize")).toEqual([
      { trial: 0, best: 5 },
      { trial: 1, best: 5 },
      { trial: 3, best: 1 },
      { trial: 4, best: 1 },
    ]);
    expect(bestSoFar(trials, "maximize").at(-1)).toEqual({ trial: 4, best: 5 });
    expect(bestSoFar([], "minimize")).toEqual([]);
  });

  it("puts those with a rank first", () => {
    const trials = [trial(0, 5), trial(1, null, { state: "failed" }), trial(2, 1)];
    expect(inOrder({ trials, ranked: [2, 0] }).map(({ number }) => number)).toEqual([2, 0, 1]);
  });

  it("says how good a value is, and tells apart what a trial that went astray would make alike", () => {
    const values = Array.from({ length: 20 }, (_, index) => 1 + index / 10);
    const standing = standingOf([...values, 1e9], "minimize");
    expect(standing).toMatchObject({ best: 1, isCut: true });
    expect(standing?.of(1)).toBe(1);
    expect(standing?.of(1e9)).toBe(0);
    expect(standing?.of(1.5)).toBeGreaterThan(0.5);
    expect(standingOf([2, 2], "maximize")?.of(2)).toBe(1);
    expect(standingOf([], "maximize")).toBeUndefined();
  });

  it("leaves constants out and calls keys by their ends, unless two would be called the same", () => {
    const space = {
      "train.learningRate": { kind: "uniform", low: 0, high: 1, log: false },
      "train.optimizer.name": { kind: "choice", values: ["adamw"] },
      "train.seed": { kind: "constant", value: 1 },
    } as const;
    const keys = triedKeys({ space });
    expect([...shortKeys(keys).values()]).toEqual(["learningRate", "optimizer.name"]);
    expect([...shortKeys(["train.a.b", "model.x.a.b"]).values()]).toEqual([
      "train.a.b",
      "model.x.a.b",
    ]);
  });
});

describe("axes", () => {
  it("places numbers from end to end, by their logarithm where that is what was tried", () => {
    const axis = axisOf("a", { kind: "uniform", low: 1e-4, high: 1e-2, log: true }, []);
    expect(axis.placeOf(1e-3)).toBeCloseTo(0.5);
    expect(axis.textAt(0.5)).toBe("0.001");
    expect(axis.ticks.map(({ text }) => text)).toContain("0.001");
    expect(axis.placeOf("x")).toBeUndefined();
    expect(numberAxis("b", [3, 3]).placeOf(3)).toBeCloseTo(0.5);
    expect(axisOf("c", { kind: "normal", log: false }, [-1, 3]).placeOf(1)).toBeCloseTo(0.5);
  });

  it("has whole ticks alone where all that was tried is whole, and ticks that differ", () => {
    const texts = (axis: ReturnType<typeof numberAxis>) => axis.ticks.map(({ text }) => text);
    expect(texts(numberAxis("epochs", [1, 2, 3]))).toEqual(["1", "2", "3"]);
    expect(texts(numberAxis("epochs", [3, 3]))).toEqual(["3"]);
    const rate = { kind: "uniform", low: 0, high: 1, log: false } as const;
    expect(texts(axisOf("rate", rate, [0.3, 0.7]))).toContain("0.2");
    const loss = texts(numberAxis("loss", [1.234561, 1.234564]));
    expect(new Set(loss).size).toBe(loss.length);
  });

  it("spreads choices evenly, and keys go from one to the next", () => {
    const axis = axisOf("a", { kind: "choice", values: ["x", true, [1]] }, []);
    expect(["x", true, [1], "none"].map(axis.placeOf)).toEqual([0, 0.5, 1, undefined]);
    expect(axis.textAt(axis.move(0, 1, false))).toBe("true");
    expect(axis.move(1, 1, false)).toBe(1);
    const single = axisOf("a", { kind: "choice", values: ["x"] }, []);
    expect(single.placeOf("x")).toBe(0.5);
  });

  it("has round ticks within any range", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        (low, width) => {
          const ticks = linearTicks(low, low + width);
          expect(ticks.length).toBeGreaterThan(1);
          expect(ticks.length).toBeLessThan(12);
          for (const tick of ticks) {
            expect(tick).toBeGreaterThanOrEqual(low - width * 0.01);
            expect(tick).toBeLessThanOrEqual(low + width * 1.01);
          }
        },
      ),
    );
    expect(logTicks(1e-5, 1e-1)).toEqual([1e-5, 1e-4, 1e-3, 1e-2, 1e-1]);
    expect(logTicks(3, 3.5)).toEqual([3, 3.5]);
  });

  it("chooses the trials that go through every brush", () => {
    const axes = [
      axisOf("a", { kind: "uniform", low: 0, high: 10, log: false }, []),
      numberAxis("objective", [0, 1]),
    ];
    const places = placesOf(trial(0, 1, { parameters: { a: 5 } }), axes);
    expect(places).toEqual([0.5, 1]);
    expect(isWithin(places, [[0.5, 0.6], undefined])).toBe(true);
    expect(
      isWithin(places, [
        [0.5, 0.6],
        [0, 0.9],
      ]),
    ).toBe(false);
    expect(isWithin([undefined, 1], [[0, 0.5], undefined])).toBe(false);
    expect(withBrush({ a: [0, 0.5] }, "a", [0, 1])).toEqual({});
    expect(withBrush({}, "a", [0.1, 1])).toEqual({ a: [0.1, 1] });
  });
});
