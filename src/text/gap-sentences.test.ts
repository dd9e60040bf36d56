// Holds the choice of gap sentences to recorded choices of every strategy, and its options to their ranges.
import { describe, expect, it } from "vitest";
import { recorded } from "../../test/golden/recorded.js";
import { type GapStrategy, gapSentenceExample, selectGapSentences } from "./gap-sentences.js";

const { documents } = recorded.files["gsg/gsg.json"];

describe("selectGapSentences", () => {
  it.each(documents)("chooses as recorded, case %#", ({ sentences, selections, ...document }) => {
    const select = (strategy: GapStrategy, ratio: number) =>
      selectGapSentences(sentences, { strategy, ratio });
    for (const { ratio, m, ...expected } of selections) {
      expect(select("ind-orig", ratio).indices).toEqual(expected.ind_orig);
      expect(select("ind-uniq", ratio).indices).toEqual(expected.ind_uniq);
      expect(select("lead", ratio).indices).toEqual(expected.lead);
      for (const [strategy, pairs] of [
        ["seq-orig", expected.seq_orig_scores],
        ["seq-uniq", expected.seq_uniq_scores],
      ] as const) {
        const { order, scores } = select(strategy, ratio);
        expect(order).toHaveLength(m);
        expect(order).toEqual(pairs.map(([index]) => index));
        for (const [step, [, score]] of pairs.entries()) {
          expect(scores[step]).toBeCloseTo(score, 12);
        }
      }
    }
    for (const [strategy, expected] of [
      ["ind-orig", document.ind_orig_scores],
      ["ind-uniq", document.ind_uniq_scores],
    ] as const) {
      const { order, scores } = select(strategy, 1);
      for (const [step, index] of order.entries()) {
        expect(scores[step]).toBeCloseTo(expected[index]!, 12);
      }
    }
  });

  it("orders by score, the earlier sentence first on a tie", () => {
    const { indices, order, scores } = selectGapSentences(["a b", "x", "a b", "a y z"], {
      count: 3,
    });
    expect(order).toEqual([0, 2, 3]);
    expect(indices).toEqual([0, 2, 3]);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  });

  it.each([
    [5, 0.5, 2],
    [7, 0.5, 4],
    [10, 0.15, 2],
    [10, 0.25, 2],
    [3, 0, 1],
    [3, 1, 3],
    [0, 0.5, 0],
  ])("of %i sentences at ratio %d takes %i", (n, ratio, m) => {
    const sentences = Array.from({ length: n }, (_, index) => `s${index}`);
    expect(selectGapSentences(sentences, { ratio, strategy: "lead" }).indices).toHaveLength(m);
  });

  it("takes 30 % of the sentences by ind-orig unless told", () => {
    const sentences = documents.at(-1)!.sentences;
    const explicit = selectGapSentences(sentences, { ratio: 0.3, strategy: "ind-orig" });
    expect(selectGapSentences(sentences)).toEqual(explicit);
  });

  it("draws at random by seed, without scores", () => {
    const sentences = Array.from({ length: 40 }, (_, index) => `s${index}`);
    const draw = (seed: number) =>
      selectGapSentences(sentences, { count: 12, strategy: "random", seed });
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1).indices).not.toEqual(draw(2).indices);
    expect(new Set(draw(1).order)).toEqual(new Set(draw(1).indices));
    expect(draw(1).indices).toHaveLength(12);
    expect(draw(1).scores).toEqual([]);
  });

  it("scores other scripts in mode unicode", () => {
    const sentences = ["猫が好き。", "犬が好き。", "雨。"];
    const { scores } = selectGapSentences(sentences, { count: 3, mode: "unicode" });
    expect(scores[0]).toBeGreaterThan(0);
    expect(selectGapSentences(sentences, { count: 3 }).scores).toEqual([0, 0, 0]);
  });

  it.each([
    ["a ratio above 1", { ratio: 1.2 }],
    ["a ratio that is no number", { ratio: Number.NaN }],
    ["a ratio that is a text", { ratio: "0.3" as unknown as number }],
    ["a count of 0", { count: 0 }],
    ["half a sentence", { count: 1.5 }],
    ["both ratio and count", { count: 1, ratio: 0.3 }],
    ["a strategy of another name", { strategy: "best" as GapStrategy }],
    ["a seed below 0", { strategy: "random" as const, seed: -1 }],
    ["a mode of another name", { mode: "latin" as "google" }],
  ])("refuses %s", (_, options) => {
    expect(() => selectGapSentences(["a", "b"], options)).toThrow(
      expect.objectContaining({ code: "INVALID_PARAMETER" }),
    );
  });
});

describe("gapSentenceExample", () => {
  it.each(documents)("masks and joins as recorded, case %#", ({ sentences, example }) => {
    const { indices } = selectGapSentences(sentences, { ratio: example.m_of_ratio });
    const { input, target } = example;
    expect(gapSentenceExample(sentences, indices)).toEqual({ input, target });
  });

  it("takes another mask token, and indices in any order", () => {
    expect(gapSentenceExample(["a.", "b.", "c."], [2, 0, 2], "[M]")).toEqual({
      input: "[M] b. [M]",
      target: "a. c.",
    });
  });

  it.each([-1, 3, 0.5])("refuses the index %d of three sentences", (index) => {
    expect(() => gapSentenceExample(["a", "b", "c"], [index])).toThrow(
      expect.objectContaining({ code: "INVALID_PARAMETER" }),
    );
  });
});
