// Search beside recorded figures of Optuna, SciPy and W&B's sweeps; scripts/parity/sweep.py records them.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { PrunerOptions } from "../../config/sweep-config.js";
import { readSpace } from "../../config/sweep-space.js";
import { type Dimension, openSpace, type Parameters } from "./dimension.js";
import { createPruner } from "./pruners/create.js";
import { createParzen } from "./samplers/parzen.js";
import { createSobolSequence } from "./samplers/sobol-sequence.js";
import type { SweepTrial, TrialReport } from "./trial.js";

interface Recorded {
  readonly parzen: readonly {
    readonly keys: readonly string[];
    readonly seen: readonly Parameters[];
    readonly points: readonly Parameters[];
    readonly logs: readonly number[];
  }[];
  readonly pruners: readonly {
    readonly pruner: string;
    readonly curves?: readonly (readonly (number | null)[])[];
    readonly ends: readonly (number | null)[];
  }[];
  readonly sobol: readonly { readonly points: readonly (readonly number[])[] }[];
  readonly spaces: readonly {
    readonly form: Readonly<Record<string, unknown>>;
    readonly places: readonly number[];
    readonly values: readonly unknown[];
  }[];
}

const recorded = JSON.parse(
  readFileSync(new URL("../../../test/golden/sweep.json", import.meta.url), "utf8"),
) as Recorded;

function dimensionsOf(given: unknown, written?: string): readonly Dimension[] {
  const space = readSpace(given, [], {
    problem: (_, told) => expect.fail(told),
    writtenAt: () => written,
    checkKey: () => undefined,
  });
  return openSpace(space).dimensions;
}

describe("a Parzen estimator", () => {
  const dimensions = dimensionsOf({
    a: { distribution: "uniform", min: -2, max: 3 },
    b: { min: 1e-5, max: 0.1, log: true },
    c: { min: 0, max: 1, step: 0.1 },
    d: { min: 1, max: 9, step: 2 },
    e: { min: 1, max: 100, log: true },
    f: ["x", "y", "z"],
  });
  // Densities are over the unit interval here, and over a key's own scale at Optuna's.
  const scale: Readonly<Record<string, number>> = { a: 5, b: Math.log(1e4) };

  it("has Optuna's densities", () => {
    expect(recorded.parzen).toHaveLength(16);
    for (const { keys, seen, points, logs } of recorded.parzen) {
      const parzen = createParzen(
        dimensions.filter(({ key }) => keys.includes(key)),
        seen,
      );
      const offset = keys.reduce((sum, key) => sum + Math.log(scale[key] ?? 1), 0);
      for (const [at, point] of points.entries()) {
        expect(parzen.logDensity(point) - offset).toBeCloseTo(logs[at]!, 7);
      }
    }
  });
});

describe("pruners decide as Optuna's and W&B's", () => {
  const halving = { name: "asha", minEarlyStoppingRate: 0, bootstrapCount: 0 } as const;
  const hyperband = { name: "hyperband", bootstrapCount: 0 } as const;
  const options: Readonly<Record<string, PrunerOptions>> = {
    median: { name: "median", startupTrials: 5, warmupSteps: 0, intervalSteps: 1, minTrials: 1 },
    "median 3,2,2,2": {
      name: "median",
      startupTrials: 3,
      warmupSteps: 2,
      intervalSteps: 2,
      minTrials: 2,
    },
    asha: { ...halving, minResource: 1, reductionFactor: 4 },
    "asha 2,3,1": { ...halving, minResource: 2, reductionFactor: 3, minEarlyStoppingRate: 1 },
    "asha bootstrap": { ...halving, minResource: 1, reductionFactor: 2, bootstrapCount: 2 },
    hyperband: { ...hyperband, minResource: 1, maxResource: 27, reductionFactor: 3 },
    "hyperband 2,16,2": { ...hyperband, minResource: 2, maxResource: 16, reductionFactor: 2 },
    "asha auto": { ...halving, minResource: "auto", reductionFactor: 4 },
    "hyperband auto": { ...hyperband, minResource: 1, maxResource: "auto", reductionFactor: 3 },
    bands: { name: "bands", bands: [1, 3, 9, 27, 81], factor: 3, strict: true },
    "bands 2,2": { name: "bands", bands: [2, 4, 8, 16, 32], factor: 2, strict: false },
    "bands max": { name: "bands", bands: [3, 9], factor: 3, strict: true },
  };
  const { curves = [] } = recorded.pruners[0]!;

  it("over the curves that were recorded, of every pruner", () => {
    expect(recorded.pruners.map(({ pruner }) => pruner)).toEqual(Object.keys(options));
    expect(curves).toHaveLength(40);
    for (const { ends } of recorded.pruners) expect(ends).toHaveLength(40);
  });

  it.each(recorded.pruners)("$pruner", ({ pruner: name, ends }) => {
    const pruner = createPruner(options[name]!, "parity");
    const done: SweepTrial[] = [];
    const found = curves.map((curve, number) => {
      const reports: TrialReport[] = [];
      // As scripts/parity/sweep.py has it.
      const length = name.endsWith("auto") ? 27 - ((number * 7) % 20) : 27;
      const end = curve.slice(0, length).findIndex((cost, at) => {
        reports.push({ step: at + 1, cost: cost ?? Number.NaN });
        const running: SweepTrial = { number, parameters: {}, state: "running", reports };
        return pruner.prunes(running, done);
      });
      const state = end === -1 ? "complete" : "pruned";
      done.push({ number, parameters: {}, state, cost: 1, reports });
      return end === -1 ? null : end + 1;
    });
    expect(found).toEqual(ends);
    expect(ends.some((end) => end !== null)).toBe(true);
  });

  it("ask nothing of a trial that has reported nothing, and prune none with none", () => {
    const trial: SweepTrial = { number: 0, parameters: {}, state: "running", reports: [] };
    for (const each of Object.values(options)) {
      expect(createPruner(each, "x").prunes(trial, [])).toBe(false);
    }
    const reports = [{ step: 1, cost: 9 }];
    expect(createPruner({ name: "none" }, "x").prunes({ ...trial, reports }, [trial])).toBe(false);
  });

  it("find the rungs by the first complete trial where they are to, once and for all", () => {
    const auto = createPruner({ ...halving, minResource: "auto", reductionFactor: 4 }, "x");
    const running: SweepTrial = {
      number: 3,
      parameters: {},
      state: "running",
      reports: [{ step: 1, cost: 9 }],
    };
    const complete = (number: number, steps: number): SweepTrial => ({
      ...{ number, parameters: {}, state: "complete" },
      reports: Array.from({ length: steps }, (_, at) => ({ step: at + 1, cost: 1 })),
    });
    const failed = { ...complete(0, 4), state: "failed" } as const;
    expect(auto.prunes(running, [failed, { ...complete(1, 4), state: "pruned" }])).toBe(false);
    // The first complete trial settles them, and has reached none; the one after it has.
    expect(auto.prunes(running, [complete(0, 4)])).toBe(false);
    expect(auto.prunes(running, [complete(0, 4), complete(1, 4)])).toBe(true);
    // A hundredth of 400 steps is more than the one of the running trial, which of the two is longer does not count.
    expect(auto.prunes(running, [complete(1, 4), complete(0, 400)])).toBe(false);
    expect(auto.prunes(running, [complete(1, 400), complete(0, 4)])).toBe(true);
    const brackets = createPruner(
      { ...hyperband, minResource: 1, maxResource: "auto", reductionFactor: 6 },
      "x",
    );
    expect(brackets.prunes(running, [])).toBe(false);
    expect(brackets.prunes(running, [complete(0, 4), complete(1, 4)])).toBe(true);
  });
});

describe("the Sobol sequence", () => {
  it("is SciPy's in all dimensions", () => {
    const [{ points }] = recorded.sobol as [Recorded["sobol"][number]];
    expect(points).toHaveLength(16);
    const sequence = createSobolSequence(37);
    for (const [index, point] of points.entries()) {
      expect(point).toHaveLength(37);
      for (const [at, value] of sequence.point(index).entries()) {
        expect(value).toBeCloseTo(point[at]!, 11);
      }
    }
  });
});

describe("spaces in W&B's words", () => {
  it("are all nineteen that were recorded", () => {
    expect(recorded.spaces).toHaveLength(19);
    for (const { places, values } of recorded.spaces) {
      expect(places).toHaveLength(9);
      expect(values).toHaveLength(9);
    }
  });

  it.each(recorded.spaces)("$form", ({ form, places, values }) => {
    // What was 1.0 there has come here as 1.
    const isFloat = !("distribution" in form) && values.some((value) => Number(value) % 1 !== 0);
    const [dimension] = dimensionsOf({ p: form }, isFloat ? "1.0" : undefined);
    for (const [at, place] of places.entries()) {
      const value = dimension!.fromUnit(place);
      if (typeof value === "number") expect(value).toBeCloseTo(values[at] as number, 8);
      else expect(value).toBe(values[at]);
    }
  });
});
