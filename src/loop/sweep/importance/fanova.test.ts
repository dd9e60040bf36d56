// Importance: which keys decide an objective that is known.
import { describe, expect, it } from "vitest";
import type { SearchSpace } from "../../../config/sweep-space.js";
import { seededRandom } from "../../../text/seeded-random.js";
import { openSpace } from "../dimension.js";
import { drawUnit } from "../samplers/sampler.js";
import type { SweepTrial } from "../trial.js";
import { importances } from "./fanova.js";

const space: SearchSpace = {
  rate: { kind: "uniform", low: 1e-5, high: 1e-1, log: true },
  share: { kind: "uniform", low: 0, high: 1, log: false },
  kind: { kind: "choice", values: ["a", "b", "c"] },
};
const { dimensions } = openSpace(space);

function trials(cost: (of: { rate: number; share: number; kind: string }) => number): SweepTrial[] {
  const random = seededRandom(5);
  return Array.from({ length: 150 }, (_, number) => {
    const parameters = Object.fromEntries(
      dimensions.map((dimension) => [dimension.key, dimension.fromUnit(drawUnit(random))]),
    ) as { rate: number; share: number; kind: string };
    return { number, parameters, state: "complete", cost: cost(parameters), reports: [] };
  });
}

describe("importance", () => {
  it("is all of the key that alone decides, on its own scale", async () => {
    const found = (await importances(
      trials(({ rate }) => Math.log10(rate)),
      dimensions,
    ))!;
    expect(Object.keys(found)[0]).toBe("rate");
    expect(found.rate).toBeGreaterThan(0.97);
    expect(Object.values(found).reduce((sum, each) => sum + each)).toBeCloseTo(1);
  });

  it("is shared as the variances are", async () => {
    // Variances of the terms: 1/12 · 6² = 3 and 2/9 · 3² = 2.
    const found = (await importances(
      trials(({ share, kind }) => 6 * share + (kind === "b" ? 3 : 0)),
      dimensions,
    ))!;
    expect(found.share).toBeGreaterThan(0.52);
    expect(found.share).toBeLessThan(0.68);
    expect(found.kind).toBeGreaterThan(0.32);
    expect(found.rate).toBeLessThan(0.02);
  });

  it("is the same every time, and lets others have a turn meanwhile", async () => {
    const seen = trials(({ share }) => share ** 2);
    let turns = 0;
    const counting = setInterval(() => {
      turns += 1;
    });
    const first = await importances(seen, dimensions);
    clearInterval(counting);
    expect(turns).toBeGreaterThan(3);
    expect(await importances(seen, dimensions)).toEqual(first);
  });

  it("is none where nothing can be told", async () => {
    const same = trials(() => 1);
    expect(await importances([], dimensions)).toBeUndefined();
    expect(await importances(same, dimensions)).toBeUndefined();
    expect(
      await importances(
        trials(({ share }) => share),
        [],
      ),
    ).toBeUndefined();
    const failed = trials(({ share }) => share).map((each) => ({
      ...each,
      state: "failed" as const,
    }));
    expect(await importances(failed, dimensions)).toBeUndefined();
  });
});
