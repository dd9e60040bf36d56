// Holds the incremental gap-sentence scores to their definition, to the last bit, on random documents.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseSequentially, principalScores } from "./gap-sentence-scores.js";
import { rougeN } from "./rouge/rouge.js";
import { countSentences, postingsOf } from "./sentence-counts.js";

type Tokens = readonly (readonly string[])[];

/** The score by its definition: ROUGE-1 F of the chosen sentences' tokens against all others'. */
function byDefinition(document: Tokens, chosen: ReadonlySet<number>, unique: boolean): number {
  const side = (inside: boolean) => {
    const tokens = document.filter((_, index) => chosen.has(index) === inside).flat();
    return unique ? [...new Set(tokens)] : tokens;
  };
  return rougeN(side(false), side(true), 1).fmeasure;
}

function sequenceByDefinition(document: Tokens, count: number, unique: boolean) {
  const order: number[] = [];
  const scores: number[] = [];
  while (order.length < Math.min(count, document.length)) {
    const rest = [...document.keys()].filter((index) => !order.includes(index));
    const scored = rest.map((index) => byDefinition(document, new Set([...order, index]), unique));
    const best = Math.max(...scored);
    order.push(rest[scored.indexOf(best)]!);
    scores.push(best);
  }
  return { order, scores };
}

const documents = [3, 12, 80].map((kinds) =>
  fc.array(
    fc.array(
      fc.integer({ min: 1, max: kinds }).map((n) => `w${n}`),
      { maxLength: 14, size: "max" },
    ),
    { maxLength: 14, size: "max" },
  ),
);

describe.each([false, true])("with unique %s", (unique) => {
  it.each(documents)("principalScores are those of the definition, to the last bit", (document) => {
    fc.assert(
      fc.property(document, (tokens) => {
        const scores = principalScores(countSentences(tokens), { unique });
        expect(Array.from(scores)).toEqual(
          tokens.map((_, index) => byDefinition(tokens, new Set([index]), unique)),
        );
      }),
    );
  });

  it.each(documents)("chooseSequentially chooses as the definition does", (document) => {
    fc.assert(
      fc.property(document, fc.nat({ max: 16 }), (tokens, count) => {
        expect(chooseSequentially(countSentences(tokens), count, { unique })).toEqual(
          sequenceByDefinition(tokens, count, unique),
        );
      }),
    );
  });
});

describe("countSentences", () => {
  it("counts tokens by sentence and over the document, and turns the entries round", () => {
    const counted = countSentences([["b", "a", "b"], [], ["a", "c"]]);
    expect(counted).toMatchObject({ sentences: 3, kinds: 3, totalTokens: 5 });
    expect(Array.from(counted.offsets)).toEqual([0, 2, 2, 4]);
    expect(Array.from(counted.tokens)).toEqual([0, 1, 1, 2]);
    expect(Array.from(counted.counts)).toEqual([2, 1, 1, 1]);
    expect(Array.from(counted.inDocument)).toEqual([2, 2, 1]);
    expect(Array.from(counted.inSentences)).toEqual([1, 2, 1]);
    const postings = postingsOf(counted);
    expect(Array.from(postings.starts)).toEqual([0, 1, 3, 4]);
    expect(Array.from(postings.sentences)).toEqual([0, 0, 2, 2]);
    expect(Array.from(postings.counts)).toEqual([2, 1, 1, 1]);
  });

  it("takes a document without sentences", () => {
    const empty = countSentences([]);
    expect(Array.from(principalScores(empty))).toEqual([]);
    expect(chooseSequentially(empty, 3)).toEqual({ order: [], scores: [] });
  });
});
