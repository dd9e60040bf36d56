// Holds means, intervals and quantiles to what rouge_score and numpy computed.
import { describe, expect, it } from "vitest";
import { recorded } from "../../../test/golden/recorded.js";
import { aggregateRouge, meanRouge, quantile } from "./aggregate.js";
import { rouge } from "./rouge.js";
import type { RougeScore } from "./score.js";

const file = recorded.files["rouge/rouge.json"];
const score = (value: number): RougeScore => ({
  precision: value,
  recall: value / 2,
  fmeasure: 1 - value,
});
const scores = [0.1, 0.4, 0.4, 0.7, 0.9].map((value) => ({ rouge1: score(value) }));

function expectScore(actual: RougeScore | undefined, expected: readonly number[]) {
  const values = [actual?.precision, actual?.recall, actual?.fmeasure];
  for (const [index, value] of values.entries()) expect(value).toBeCloseTo(expected[index]!, 12);
}

describe("aggregateRouge", () => {
  it.each([false, true])(
    "gives rouge_score's intervals on its resamples, stemmer %s",
    (stemmer) => {
      const expected = file.aggregate[`stemmer=${stemmer},split_summaries=false`]!;
      const { rows } = file.bootstrap_indices;
      const own = file.pairs.map(({ target, prediction }) =>
        rouge(target, prediction, { types: ["rouge1", "rougeLsum"], stemmer }),
      );
      const result = aggregateRouge(own, {
        confidence: expected.confidence_interval,
        resamples: {
          rouge1: rows.slice(0, expected.n_samples),
          rougeLsum: rows.slice(expected.n_samples),
        },
      });
      for (const type of ["rouge1", "rougeLsum"] as const) {
        for (const bound of ["low", "mid", "high"] as const) {
          expectScore(result[type][bound], expected.result[type]![bound]);
        }
        expectScore(result[type].mean, expected.mean[type]!);
        expectScore(meanRouge(own)[type], expected.mean[type]!);
      }
    },
  );

  it("draws the same for the same seed and otherwise for another", () => {
    expect(aggregateRouge(scores, { seed: 3 })).toEqual(aggregateRouge(scores, { seed: 3 }));
    expect(aggregateRouge(scores, { seed: 3 })).not.toEqual(aggregateRouge(scores, { seed: 4 }));
  });

  it("brackets the mean, closer for less confidence", () => {
    const wide = aggregateRouge(scores, { confidence: 0.99 }).rouge1;
    const narrow = aggregateRouge(scores, { confidence: 0.5 }).rouge1;
    expect(wide.mean).toEqual(narrow.mean);
    expect(wide.mean.precision).toBeCloseTo(0.5, 12);
    expect(wide.low.precision).toBeLessThan(narrow.low.precision);
    expect(narrow.low.precision).toBeLessThan(0.5);
    expect(narrow.high.precision).toBeGreaterThan(0.5);
    expect(wide.high.precision).toBeGreaterThan(narrow.high.precision);
  });

  it("has the mean everywhere where all scores are alike", () => {
    const { mean, low, mid, high } = aggregateRouge([{ rougeL: score(0.25) }], {
      samples: 3,
    }).rougeL;
    expect([mean, low, mid, high]).toEqual(new Array(4).fill(score(0.25)));
  });

  it("takes one list of resamples for all types", () => {
    const { rouge1 } = aggregateRouge(scores, { resamples: [[0], [4], [0, 4]] });
    expect(rouge1.mid.precision).toBeCloseTo(0.5, 12);
  });

  it.each([
    ["no scores", () => aggregateRouge([])],
    ["no scores to take the mean of", () => meanRouge([])],
    ["a score without the type", () => aggregateRouge([scores[0]!, {} as (typeof scores)[0]])],
    ["a figure that is not finite", () => meanRouge([{ rouge1: score(Number.NaN) }])],
    ["no samples", () => aggregateRouge(scores, { samples: 0 })],
    ["half a sample", () => aggregateRouge(scores, { samples: 1.5 })],
    ["confidence above 1", () => aggregateRouge(scores, { confidence: 95 })],
    [
      "confidence that is a text",
      () => aggregateRouge(scores, { confidence: "0.9" as unknown as number }),
    ],
    ["confidence that is no number", () => aggregateRouge(scores, { confidence: Number.NaN })],
    ["a negative seed", () => aggregateRouge(scores, { seed: -1 })],
    ["an empty list of resamples", () => aggregateRouge(scores, { resamples: [] })],
    ["an empty resample", () => aggregateRouge(scores, { resamples: [[]] })],
    ["an index beyond the scores", () => aggregateRouge(scores, { resamples: [[5]] })],
    ["resamples that lack a type", () => aggregateRouge(scores, { resamples: { rouge2: [[0]] } })],
  ])("refuses %s", (_, call) => {
    expect(call).toThrow(expect.objectContaining({ code: "INVALID_PARAMETER" }));
  });
});

describe("quantile", () => {
  // From numpy.percentile([1, 2, 3, 4, 9], 100 * q).
  it.each([
    [0, 1],
    [0.025, 1.1],
    [0.5, 3],
    [0.6, 3.4],
    [0.9, 7],
    [1, 9],
  ])("interpolates linearly at %d", (q, expected) => {
    expect(quantile([1, 2, 3, 4, 9], q)).toBeCloseTo(expected, 12);
  });
});
