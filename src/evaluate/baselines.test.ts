// The baselines on documents small enough to reason about.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { documentGrams, novelty } from "../text/novelty.js";
import { tokenize } from "../text/rouge/tokenize.js";
import { type BaselineName, baselineSummaries, checkBaselines } from "./baselines.js";
import { greedyOracle } from "./oracle.js";
import { highest, maxTextRankSentences, textRank } from "./textrank.js";

const words = (text: string) => tokenize(text, { mode: "unicode" });

function summary(name: BaselineName, document: string, references: string[], sentences = 2) {
  const input = { document, references, sentences, language: "en", tokens: words };
  return baselineSummaries([name], input).get(name);
}

const document = "The cat sat. A dog ran. Rain fell on the cat. The sun rose.";

describe("baselineSummaries", () => {
  it("lead takes the first sentences, or all there are", () => {
    expect(summary("lead1", document, ["x"])).toBe("The cat sat.");
    expect(summary("lead3", document, ["x"])).toBe("The cat sat. A dog ran. Rain fell on the cat.");
    expect(summary("leadK", document, ["x"], 2)).toBe("The cat sat. A dog ran.");
    expect(summary("leadK", document, ["x"], 99)).toBe(document);
  });

  it("oracle finds the sentences of the reference, in document order", () => {
    expect(summary("oracle3", document, ["the sun rose, a dog ran"])).toBe(
      "A dog ran. The sun rose.",
    );
    expect(summary("oracle3", document, ["nothing shared here"])).toBe("");
  });

  it("textrank prefers sentences that share words with the others", () => {
    expect(summary("textrankK", document, ["x"], 2)).toBe("The cat sat. Rain fell on the cat.");
  });

  it("refuses a name that is none", () => {
    expect(() => checkBaselines(["lead1", "leed3"])).toThrow(/leed3/);
  });
});

describe("textRank", () => {
  it("ranks equal sentences equally, and loners lowest", () => {
    const ranks = textRank([
      ["a", "b"],
      ["a", "b"],
      ["c", "d"],
    ]);
    expect(ranks[0]).toBe(ranks[1]);
    expect(ranks[2]).toBeCloseTo(0.15, 12);
    expect(highest(ranks, 1)).toEqual([0]);
  });

  it("stands at the fixed point of its equation", () => {
    const sentence = fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(sentence, { maxLength: 8 }), (sentences) => {
        const ranks = textRank(sentences);
        const weight = (i: number, j: number) => {
          const [a, b] = [new Set(sentences[i]), new Set(sentences[j])];
          const logs = Math.log(a.size) + Math.log(b.size);
          const shared = [...a].filter((word) => b.has(word)).length;
          return i === j || !(logs > 0) ? 0 : shared / logs;
        };
        const all = sentences.map((_, index) => index);
        for (const j of all) {
          let expected = 0.15;
          for (const i of all) {
            const total = all.reduce((sum, k) => sum + weight(i, k), 0);
            if (total > 0) expected += (0.85 * ranks[i]! * weight(i, j)) / total;
          }
          expect(ranks[j]).toBeCloseTo(expected, 4);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("looks at the first sentences of a document that is too long to compare all", () => {
    expect(textRank(new Array(maxTextRankSentences + 50).fill([]))).toHaveLength(
      maxTextRankSentences,
    );
  });
});

describe("greedyOracle", () => {
  it("never takes a sentence that lowers the sum of ROUGE-1 and ROUGE-2", () => {
    const sentences = [
      ["a", "b"],
      ["a", "b", "x", "y", "z"],
      ["c", "d"],
    ];
    expect(greedyOracle(sentences, ["a", "b", "c", "d"], 3)).toEqual([0, 2]);
    expect(greedyOracle(sentences, ["a", "b", "c", "d"], 1)).toEqual([0]);
  });

  it("counts a word no oftener than the reference has it", () => {
    expect(greedyOracle([["a", "a", "a"], ["a"]], ["a"], 3)).toEqual([1]);
  });
});

describe("novelty", () => {
  it("is the share of words and word pairs that the document lacks", () => {
    const grams = documentGrams(["a", "b", "c"]);
    expect(novelty(["a", "c", "x", "x"], grams)).toEqual({ unigrams: 0.5, bigrams: 1 });
    expect(novelty(["a", "b", "c"], grams)).toEqual({ unigrams: 0, bigrams: 0 });
    expect(novelty(["a"], grams)).toEqual({ unigrams: 0, bigrams: undefined });
    expect(novelty([], grams)).toEqual({ unigrams: undefined, bigrams: undefined });
  });
});
