// Holds every ROUGE type to rouge_score's figures and to plain counting.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RecordedScores, recorded } from "../../../test/golden/recorded.js";
import { splitSentences } from "../sentences.js";
import { isRougeType, type RougeType, rouge, rougeLsum, rougeN, scoreMulti } from "./rouge.js";
import type { RougeScore } from "./score.js";

const { pairs, scores, multi, sentence_split } = recorded.files["rouge/rouge.json"];
const types = ["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"] as const;

function expectScores(actual: Record<string, RougeScore>, expected: RecordedScores) {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [type, [precision, recall, fmeasure]] of Object.entries(expected)) {
    expect(actual[type]?.precision).toBeCloseTo(precision, 12);
    expect(actual[type]?.recall).toBeCloseTo(recall, 12);
    expect(actual[type]?.fmeasure).toBeCloseTo(fmeasure, 12);
  }
}

describe("rouge", () => {
  it.each([false, true])("gives rouge_score's figures, stemmer %s", (stemmer) => {
    const expected = scores[`stemmer=${stemmer},split_summaries=false`] ?? [];
    for (const [index, { target, prediction }] of pairs.entries()) {
      expectScores(rouge(target, prediction, { types, stemmer }), expected[index]!);
    }
  });

  it.each([false, true])("splits summaries by a function of the caller, stemmer %s", (stemmer) => {
    const expected = scores[`stemmer=${stemmer},split_summaries=true`] ?? [];
    const known = new Map(sentence_split.map(({ text, sentences }) => [text, sentences]));
    let compared = 0;
    for (const [index, { target, prediction }] of pairs.entries()) {
      if (!known.has(target) || !known.has(prediction)) continue;
      compared++;
      const splitSummaries = (text: string) => known.get(text) ?? [];
      const options = { types: ["rougeLsum"] as const, stemmer, splitSummaries };
      expectScores(rouge(target, prediction, options), expected[index]!);
    }
    expect(compared).toBeGreaterThan(3);
  });

  it("splits summaries into Bridle's own sentences on request", () => {
    const target = "The dam burst. Dr. Lee saw it.";
    const prediction = "Dr. Lee saw it. The dam burst.";
    const lines = (text: string) =>
      splitSentences(text).map(({ start, end }) => text.slice(start, end));
    const { rougeLsum: split } = rouge(target, prediction, { splitSummaries: true });
    expect(split).toEqual(rouge(target, prediction, { splitSummaries: lines }).rougeLsum);
    expect(split.fmeasure).toBe(1);
    expect(rouge(target, prediction).rougeLsum.fmeasure).toBeLessThan(1);
  });

  it("computes rouge1, rouge2, rougeL and rougeLsum unless told", () => {
    expect(Object.keys(rouge("a b", "a b"))).toEqual(["rouge1", "rouge2", "rougeL", "rougeLsum"]);
  });

  it("gives nothing in mode google and something in mode unicode for other scripts", () => {
    const texts = ["東京は日本の首都", "日本の首都は東京"] as const;
    expect(rouge(...texts).rouge1.fmeasure).toBe(0);
    expect(rouge(...texts, { mode: "unicode" }).rouge1.fmeasure).toBe(1);
    expect(rouge(...texts, { mode: "unicode" }).rougeL.fmeasure).toBe(0.625);
  });

  it.each(multi)("takes the best of several targets, case $prediction", (recordedCase) => {
    const { targets, prediction, scores: expected } = recordedCase;
    expectScores(rouge(targets, prediction, { types }), expected);
    expectScores(scoreMulti(targets, prediction, { types }), expected);
  });

  it.each([
    ["an empty list of targets", () => rouge([], "a")],
    ["a target that is no text", () => rouge(3 as unknown as string, "a")],
    ["a target among others that is no text", () => rouge(["a", null as unknown as string], "a")],
    ["a prediction that is no text", () => rouge("a", undefined as unknown as string)],
    ["an unknown type", () => rouge("a", "a", { types: ["rougeX" as RougeType] })],
    ["n of 0", () => rouge("a", "a", { types: ["rouge0"] })],
    ["a mode of another name", () => rouge("a", "a", { mode: "x" as "google" })],
  ])("refuses %s", (_, call) => {
    expect(call).toThrow(expect.objectContaining({ code: "INVALID_PARAMETER" }));
  });
});

describe("isRougeType", () => {
  it("knows n-grams of any length, L and Lsum", () => {
    expect(["rouge1", "rouge12", "rougeL", "rougeLsum"].every(isRougeType)).toBe(true);
    expect(
      ["rouge", "rouge0", "rouge01", "rougel", "rougeLsums", "toString"].some(isRougeType),
    ).toBe(false);
  });
});

describe("rougeN", () => {
  /** Counts n-grams as joined texts, one by one. */
  function naive(target: readonly string[], prediction: readonly string[], n: number) {
    const grams = (tokens: readonly string[]) =>
      tokens.slice(n - 1).map((_, i) => tokens.slice(i, i + n).join(" "));
    const left = grams(target);
    let shared = 0;
    for (const gram of grams(prediction)) {
      const at = left.indexOf(gram);
      if (at >= 0) {
        shared++;
        left.splice(at, 1);
      }
    }
    return {
      precision: shared / Math.max(grams(prediction).length, 1),
      recall: shared / Math.max(grams(target).length, 1),
    };
  }

  it("counts n-grams of any n as often as both sides have them", () => {
    const tokens = fc.array(fc.constantFrom("a", "b", "c", "dd"), { maxLength: 30 });
    fc.assert(
      fc.property(tokens, tokens, fc.integer({ min: 1, max: 12 }), (target, prediction, n) => {
        expect(rougeN(target, prediction, n)).toMatchObject(naive(target, prediction, n));
      }),
    );
  });

  it("is 1 for a text against itself and symmetric in F", () => {
    const tokens = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(tokens, tokens, (a, b) => {
        expect(rougeN(a, a, 2)).toEqual({ precision: 1, recall: 1, fmeasure: 1 });
        expect(rougeN(a, b, 1).fmeasure).toBe(rougeN(b, a, 1).fmeasure);
      }),
    );
  });
});

describe("rougeLsum", () => {
  it("counts no token more often than either side has it", () => {
    const sentence = ["a", "b"];
    expect(rougeLsum([sentence, sentence], [sentence])).toEqual({
      precision: 1,
      recall: 0.5,
      fmeasure: 2 / 3,
    });
  });

  it("is 0 where one side has no tokens", () => {
    const zero = { precision: 0, recall: 0, fmeasure: 0 };
    expect(rougeLsum([], [])).toEqual(zero);
    expect(rougeLsum([["a"]], [[]])).toEqual(zero);
    expect(rougeLsum([[]], [["a"]])).toEqual(zero);
  });
});
