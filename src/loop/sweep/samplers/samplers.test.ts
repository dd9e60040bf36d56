// Samplers: what each one tries, that constraints hold, and that a sweep taken up again goes on as before.
import { describe, expect, it } from "vitest";
import type { SamplerOptions } from "../../../config/sweep-config.js";
import type { SearchSpace } from "../../../config/sweep-space.js";
import { seededRandom } from "../../../text/seeded-random.js";
import { type Allows, createConstraints } from "../constraints.js";
import { openSpace } from "../dimension.js";
import type { SweepTrial } from "../trial.js";
import { createSampler } from "./create.js";
import { ageWeights, bandwidths } from "./parzen.js";
import { createSobolSequence, mostDimensions, primitivePolynomials } from "./sobol-sequence.js";
import { goodTrials, splitTrials } from "./tpe.js";

const step = (size: number) => ({ spacing: { step: size, of: "distance" } }) as const;
const space: SearchSpace = {
  rate: { kind: "uniform", low: 1e-5, high: 1e-1, log: true },
  layers: { kind: "uniform", low: 1, high: 4, log: false, ...step(1) },
  kind: { kind: "choice", values: ["a", "b", "c"] },
};
const cost = ({ rate, layers, kind }: Record<string, unknown>) =>
  (Math.log10(rate as number) + 3) ** 2 + (layers as number) + (kind === "b" ? 0 : 1);

const tpe = { name: "tpe", startupTrials: 10, candidates: 24, together: "numbers" } as const;

function search(options: SamplerOptions, trials: number, allows: Allows = () => true, seed = 3) {
  const sampler = createSampler(options, { dimensions: openSpace(space).dimensions, allows, seed });
  const seen: SweepTrial[] = [];
  for (let number = 0; number < trials; number++) {
    const parameters = sampler.suggest(number, seen);
    seen.push({ number, parameters, state: "complete", cost: cost(parameters), reports: [] });
  }
  return seen;
}

describe("every sampler", () => {
  const all: SamplerOptions[] = [
    { name: "random" },
    { name: "sobol", scramble: true },
    tpe,
    { ...tpe, together: "all" },
    { ...tpe, together: "none" },
  ];

  it.each(all)("%j stays within the space and its constraints", (options) => {
    const allows = createConstraints(
      ["layers < 4 or kind != 'a'", "rate * layers < 0.05"],
      ["rate", "layers", "kind"],
    );
    const trials = search(options, 40, allows);
    for (const { parameters } of trials) {
      expect(parameters.rate).toBeGreaterThanOrEqual(1e-5);
      expect(parameters.rate).toBeLessThanOrEqual(0.1);
      expect([1, 2, 3, 4]).toContain(parameters.layers);
      expect(["a", "b", "c"]).toContain(parameters.kind);
      expect(allows(parameters)).toBe(true);
    }
    expect(new Set(trials.map(({ parameters }) => parameters.kind))).toHaveProperty("size", 3);
  });

  it.each(all)("%j names the same trial again from the same trials before", (options) => {
    const trials = search(options, 20);
    const { dimensions } = openSpace(space);
    const fresh = createSampler(options, { dimensions, allows: () => true, seed: 3 });
    expect(fresh.suggest(17, trials.slice(0, 17))).toEqual(trials[17]!.parameters);
    expect(search(options, 20, () => true, 4)[15]!.parameters).not.toEqual(trials[15]!.parameters);
  });

  it.each(all)("%j says when the constraints leave nothing", (options) => {
    expect(() => search(options, 1, () => false)).toThrow(
      expect.objectContaining({ code: "SWEEP_SPACE_EMPTY" }),
    );
  });
});

describe("grid", () => {
  const { rate: _, ...whole } = space;
  const { dimensions } = openSpace(whole);
  const context = { dimensions, allows: () => true, seed: 0 };

  it("goes through every combination once, the last key's first", () => {
    const sampler = createSampler({ name: "grid" }, context);
    expect(sampler.size).toBe(12);
    const tried = Array.from({ length: 12 }, (_, number) => sampler.suggest(number, []));
    expect(tried.slice(0, 4)).toEqual([
      { layers: 1, kind: "a" },
      { layers: 1, kind: "b" },
      { layers: 1, kind: "c" },
      { layers: 2, kind: "a" },
    ]);
    expect(new Set(tried.map((each) => JSON.stringify(each))).size).toBe(12);
  });

  it("leaves out what is not allowed", () => {
    const allows: Allows = ({ kind }) => kind !== "a";
    expect(createSampler({ name: "grid" }, { ...context, allows }).size).toBe(8);
    expect(() => createSampler({ name: "grid" }, { ...context, allows: () => false })).toThrow(
      expect.objectContaining({ code: "SWEEP_SPACE_EMPTY" }),
    );
  });

  it("needs an end of values, and not too many", () => {
    const grid = (given: SearchSpace) =>
      createSampler({ name: "grid" }, { ...context, dimensions: openSpace(given).dimensions });
    expect(() => grid(space)).toThrow("rate is a range without a step");
    const many: SearchSpace = Object.fromEntries(
      ["a", "b", "c"].map((key) => [
        key,
        { kind: "uniform", low: 1, high: 100, log: false, ...step(1) },
      ]),
    );
    expect(() => grid(many)).toThrow("1000000 combinations");
  });
});

describe("Sobol", () => {
  it("is made of the primitive polynomials", () => {
    const polynomials = primitivePolynomials();
    const found = Array.from({ length: 18 }, () => polynomials.next().value!.polynomial);
    // Source: Joe and Kuo's own list, dimensions 2 to 19.
    expect(found).toEqual([
      3, 7, 11, 13, 19, 25, 37, 41, 47, 55, 59, 61, 67, 91, 97, 103, 109, 115,
    ]);
  });

  it("scrambled fills every interval as evenly as plain", () => {
    const sequence = createSobolSequence(5, seededRandom(1));
    const points = Array.from({ length: 64 }, (_, index) => sequence.point(index));
    for (let dimension = 0; dimension < 5; dimension++) {
      const cells = points.map((point) => Math.floor(point[dimension]! * 64));
      expect(new Set(cells).size).toBe(64);
    }
    const other = createSobolSequence(5, seededRandom(2));
    expect(other.point(3)).not.toEqual(sequence.point(3));
  });

  it("is not known for more dimensions than it has numbers for", () => {
    expect(() => createSobolSequence(mostDimensions + 1)).toThrow(
      expect.objectContaining({ code: "SWEEP_SAMPLER_UNFIT" }),
    );
  });
});

describe("TPE", () => {
  it("finds more than chance does", () => {
    const best = (trials: readonly SweepTrial[]) => Math.min(...trials.map((each) => each.cost!));
    const found = [1, 2, 3].map((seed) => best(search(tpe, 60, () => true, seed)));
    const drawn = [1, 2, 3].map((seed) => best(search({ name: "random" }, 60, () => true, seed)));
    const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b);
    expect(sum(found)).toBeLessThan(sum(drawn));
  });

  const trial = (number: number, of: Partial<SweepTrial>): SweepTrial => ({
    number,
    parameters: {},
    state: "complete",
    reports: [],
    ...of,
  });

  it("ranks complete trials before pruned ones, and counts running ones as bad", () => {
    const trials = [
      trial(0, { state: "pruned", reports: [{ step: 2, cost: 1 }] }),
      trial(1, { state: "pruned", reports: [{ step: 3, cost: 9 }] }),
      trial(2, { cost: 5 }),
      trial(3, { state: "running" }),
      trial(4, { state: "failed" }),
      ...Array.from({ length: 8 }, (_, index) =>
        trial(5 + index, {
          state: "pruned",
          reports: index === 0 ? [] : [{ step: 1, cost: Number.NaN }],
        }),
      ),
    ];
    const { good, others } = splitTrials(trials);
    expect(good.map(({ number }) => number)).toEqual([1, 2]);
    expect(others.map(({ number }) => number)).toEqual([0, 3, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it("ranks a complete trial whose cost is no number behind all others that are complete", () => {
    const costs = [Number.NaN, 3, Number.NaN, 1, 2, Number.NaN, 9, 8, 7, 6, 5];
    const { good } = splitTrials(costs.map((cost, number) => trial(number, { cost })));
    expect(good.map(({ number }) => number)).toEqual([3, 4]);
  });

  it("takes a tenth as good, at most 25", () => {
    expect([0, 1, 10, 11, 240, 1000].map(goodTrials)).toEqual([0, 1, 1, 2, 24, 25]);
  });

  it("weighs old trials less", () => {
    expect(ageWeights(3)).toEqual([1, 1, 1]);
    const weights = ageWeights(28);
    expect(weights.slice(0, 4)).toEqual([1 / 28, (1 + 1 / 28) / 2, 1, 1]);
    expect(weights).toHaveLength(28);
    expect(ageWeights(26)[0]).toBe(1 / 26);
  });

  it("makes kernels as wide as the way to the farther neighbour", () => {
    expect(bandwidths([])).toEqual([]);
    expect(bandwidths([0.2])).toEqual([0.8]);
    const widths = bandwidths([0.9, 0.1, 0.4]);
    expect(widths[0]).toBeCloseTo(0.5);
    expect(widths[1]).toBeCloseTo(0.3);
    expect(widths[2]).toBeCloseTo(0.5);
    expect(bandwidths([0.5, 0.5])).toEqual([0.25, 0.25]);
  });
});
