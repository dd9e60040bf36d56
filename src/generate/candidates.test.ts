// A few candidates of each row decide what all scores would: the same tokens and scores, whatever is forbidden.
import { describe, expect, it } from "vitest";
import type { ModelConfig } from "../model/family.js";
import { createBeamSearch } from "./beam.js";
import { createGreedySearch } from "./greedy.js";
import { logSoftmax } from "./math.js";
import { type GenerateOptions, resolveOptions } from "./options.js";
import { createRandom } from "./random.js";
import type { Search } from "./search.js";

const vocabSize = 60;
const config = {
  ...{ family: "test", vocabSize, maxPositions: 64, padTokenId: 0, eosTokenId: 1 },
  ...{
    prefix: "",
    decoderStartTokenId: 0,
    encoderLayers: 1,
    decoderLayers: 1,
    encoderHeads: 1,
    decoderHeads: 1,
    headWidth: 4,
  },
} satisfies ModelConfig;
const source = [5, 6, 7, 8, 5, 6, 9, 1];

/** Scores that depend on the step and the row's last token, as a model's do. */
function scoresOf(step: number, token: number): Float32Array {
  const random = createRandom(1000 * step + token, 0);
  // Coarse, so that some are equal.
  return Float32Array.from({ length: vocabSize }, () => Math.round(40 * random()) / 8);
}

function runAll(search: Search) {
  for (let step = 0; !search.done; step++)
    search.advance(search.rows.map(({ token }) => scoresOf(step, token)));
  return search.result();
}

function runFew(search: Search) {
  let few = 0;
  for (let step = 0; !search.done; step++) {
    const scores = search.rows.map(({ token }) => scoresOf(step, token));
    const { needs } = search;
    if (needs === undefined) search.advance(scores);
    else {
      few += 1;
      search.choose(
        scores.map((row) => {
          const probabilities = logSoftmax(row);
          const order = Array.from(row, (_, i) => i).sort(
            (a, b) => (row[b] as number) - (row[a] as number) || a - b,
          );
          const tokens = order.slice(0, needs);
          return { tokens, logProbabilities: tokens.map((t) => probabilities[t] as number) };
        }),
      );
    }
  }
  return { found: search.result(), few };
}

const options: [string, GenerateOptions][] = [
  ["nothing", {}],
  ["repeated pairs", { noRepeatNgramSize: 2 }],
  ["single tokens again", { noRepeatNgramSize: 1 }],
  ["the document's pairs", { encoderNoRepeatNgramSize: 2 }],
  ["words and an early end", { badWordsIds: [[7], [8, 9]], minLength: 8 }],
  ["tokens at the start and everywhere", { suppressTokens: [3, 4], beginSuppressTokens: [5, 1] }],
  ["all but the forced first and last token", { forcedBosTokenId: 12, forcedEosTokenId: 1 }],
  ["all but two last tokens", { forcedEosTokenId: [9, 1], eosTokenId: [1, 9, 11] }],
  ["a last token that is named twice", { forcedEosTokenId: [1, 1] }],
  ["a last token that is suppressed too", { forcedEosTokenId: [9, 1], suppressTokens: [9] }],
  ["little of two kinds", { noRepeatNgramSize: 3, minNewTokens: 6, lengthPenalty: 0.6 }],
];

describe("a few candidates decide what all scores would", () => {
  it.each(options)("greedily, with %s forbidden", (_, asked) => {
    const resolved = resolveOptions({ maxLength: 16, ...asked }, config);
    const all = runAll(createGreedySearch(resolved, source, 0));
    const { found, few } = runFew(createGreedySearch(resolved, source, 0));
    expect(few).toBeGreaterThan(2);
    expect(found.map(({ ids }) => ids)).toEqual(all.map(({ ids }) => ids));
    if (asked.forcedBosTokenId === undefined)
      expect(found[0]?.score).toBeCloseTo(all[0]?.score as number, 5);
  });

  it.each(options)("in a beam search, with %s forbidden", (_, asked) => {
    const resolved = resolveOptions({ maxLength: 16, numBeams: 4, ...asked }, config);
    const all = runAll(createBeamSearch(resolved, source, 0));
    const { found, few } = runFew(createBeamSearch(resolved, source, 0));
    expect(few).toBeGreaterThan(2);
    expect(found.map(({ ids, beams }) => ({ ids, beams }))).toEqual(
      all.map(({ ids, beams }) => ({ ids, beams })),
    );
    for (const [i, { score }] of found.entries())
      expect(score).toBeCloseTo(all[i]?.score as number, 5);
  });

  it.each([1, 4])("a forced token needs no scores with %i beams", (numBeams) => {
    const asked = { maxLength: 3, numBeams, forcedBosTokenId: 12, forcedEosTokenId: 1 };
    const resolved = resolveOptions(asked, config);
    const search = numBeams === 1 ? createGreedySearch : createBeamSearch;
    const { few, found } = runFew(search(resolved, source, 0));
    expect(few).toBe(2);
    expect(found[0]?.ids).toEqual([0, 12, 1]);
    // One that ends at its beginning is left to the rules in their order.
    const ending = resolveOptions({ ...asked, forcedBosTokenId: 1 }, config);
    expect(search(ending, source, 0).needs).toBeUndefined();
  });

  it.each<[string, GenerateOptions]>([
    ["drawing", { doSample: true }],
    ["a penalty for repetition", { repetitionPenalty: 1.2 }],
    ["a bias", { sequenceBias: [[[4], 2]] }],
    ["scores made to sum to one", { renormalizeLogits: true }],
  ])("%s takes all scores", (_, asked) => {
    const resolved = resolveOptions({ maxLength: 16, ...asked }, config);
    expect(createGreedySearch(resolved, source, 0).needs).toBeUndefined();
    expect(
      createBeamSearch(resolveOptions({ ...asked, maxLength: 16, numBeams: 2 }, config), source, 0)
        .needs,
    ).toBeUndefined();
  });
});
