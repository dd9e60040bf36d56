// Each logits processor on figures small enough to work out by hand, and their order; the golden suites have the rest.
import { describe, expect, it } from "vitest";
import type { ModelConfig } from "../model/family.js";
import { type GenerateOptions, resolveOptions } from "./options.js";
import { type Context, type LogitsProcessor, processorsOf } from "./processors.js";

const config = {
  vocabSize: 6,
  eosTokenId: 1,
  padTokenId: 0,
  decoderStartTokenId: 0,
  maxPositions: 64,
} as ModelConfig;

const never = Number.NEGATIVE_INFINITY;

function processors(options: GenerateOptions): LogitsProcessor[] {
  return processorsOf(resolveOptions(options, config));
}

/** Scores after all processors of the options, from the given ones. */
function apply(
  options: GenerateOptions,
  { ids = [0], source = [] }: Partial<Context>,
  scores = [1, 2, -1, 0.5, 0, 3],
): number[] {
  const row = Float32Array.from(scores);
  for (const processor of processors(options)) processor({ ids, source }, row);
  return [...row];
}

it("change nothing unless they are asked for", () => {
  expect(processors({})).toEqual([]);
  expect(apply({}, { ids: [0, 1, 2], source: [3] })).toEqual([1, 2, -1, 0.5, 0, 3]);
});

describe("penalties", () => {
  it("divide what is above zero and multiply what is below, once for each token", () => {
    expect(apply({ repetitionPenalty: 2 }, { ids: [0, 2, 2, 5] })).toEqual([
      0.5, 2, -2, 0.5, 0, 1.5,
    ]);
  });

  it("of the document do the opposite, for its tokens", () => {
    expect(apply({ encoderRepetitionPenalty: 2 }, { source: [2, 5, 5] })).toEqual([
      1, 2, -0.5, 0.5, 0, 6,
    ]);
  });

  it("leave alone tokens that the scores do not have", () => {
    expect(apply({ repetitionPenalty: 2 }, { ids: [9] })).toEqual([1, 2, -1, 0.5, 0, 3]);
  });
});

describe("n-grams", () => {
  it.each([
    ["completes a pair that stands there", 2, [0, 3, 4, 3], [4]],
    ["completes each triple that stands there", 3, [3, 4, 5, 3, 4, 2, 3, 4], [5, 2]],
    ["has nothing to repeat", 2, [0, 3, 4], []],
    ["is shorter than the n-gram", 4, [0, 3, 3], []],
    ["may not repeat a single token", 1, [0, 3, 3], [0, 3]],
  ])("ban what %s", (_, noRepeatNgramSize, ids, banned) => {
    const scores = apply({ noRepeatNgramSize }, { ids });
    expect(scores.flatMap((score, id) => (score === never ? [id] : [])).sort()).toEqual(
      banned.toSorted(),
    );
  });

  it("of the document are banned by what has been written", () => {
    const source = [2, 3, 4, 2, 3, 5];
    expect(apply({ encoderNoRepeatNgramSize: 3 }, { ids: [0, 2, 3], source })).toEqual([
      1,
      2,
      -1,
      0.5,
      never,
      never,
    ]);
    expect(apply({ encoderNoRepeatNgramSize: 3 }, { ids: [0], source })).not.toContain(never);
  });
});

describe("biases and bans", () => {
  it("count for the token that completes a sequence", () => {
    const sequenceBias: GenerateOptions["sequenceBias"] = [
      [[3], 10],
      [[2, 4], -5],
      [[5, 2, 4], 100],
    ];
    expect(apply({ sequenceBias }, { ids: [0, 2] })).toEqual([1, 2, -1, 10.5, -5, 3]);
    expect(apply({ sequenceBias }, { ids: [0] })[4]).toBe(0);
    expect(apply({ sequenceBias }, { ids: [0, 5, 2] })[4]).toBe(95);
  });

  it("ban bad words, but not the end", () => {
    const badWordsIds = [[1], [3], [2, 4]];
    expect(apply({ badWordsIds }, { ids: [0, 2] })).toEqual([1, 2, -1, never, never, 3]);
    expect(apply({ badWordsIds }, { ids: [0, 5] })).toEqual([1, 2, -1, never, 0, 3]);
  });

  it("suppress everywhere, or at the first free place alone", () => {
    expect(apply({ suppressTokens: [2, 5] }, { ids: [0, 4] })).toEqual([
      1,
      2,
      never,
      0.5,
      0,
      never,
    ]);
    const first = { beginSuppressTokens: [5] };
    expect(apply(first, { ids: [0] })[5]).toBe(never);
    expect(apply(first, { ids: [0, 4] })[5]).toBe(3);
    const afterForced = { ...first, forcedBosTokenId: 4 };
    expect(apply(afterForced, { ids: [0, 4] })[5]).toBe(never);
  });
});

describe("lengths", () => {
  it("hold the end back until the least length", () => {
    expect(apply({ minNewTokens: 2 }, { ids: [0, 4] })[1]).toBe(never);
    expect(apply({ minNewTokens: 2 }, { ids: [0, 4, 4] })[1]).toBe(2);
    expect(apply({ minLength: 2, eosTokenId: [1, 5] }, { ids: [0] })).toEqual([
      1,
      never,
      -1,
      0.5,
      0,
      never,
    ]);
  });

  it("force the first token and the last", () => {
    const forced = { forcedBosTokenId: 4, forcedEosTokenId: [1, 2], maxNewTokens: 4 };
    expect(apply(forced, { ids: [0] })).toEqual([never, never, never, never, 0, never]);
    expect(apply(forced, { ids: [0, 4, 3, 3] })).toEqual([never, 0, 0, never, never, never]);
    expect(apply(forced, { ids: [0, 4] })).toEqual([1, 2, -1, 0.5, 0, 3]);
    expect(apply({ forcedBosTokenId: null, forcedEosTokenId: null }, { ids: [0] })).toEqual([
      1, 2, -1, 0.5, 0, 3,
    ]);
  });

  it("draw the end nearer by a power, from a place on", () => {
    const decay = { exponentialDecayLengthPenalty: [2, 1.5] as [number, number] };
    expect(apply(decay, { ids: [0, 4, 4] })[1]).toBe(2);
    expect(apply(decay, { ids: [0, 4, 4, 4, 4] })[1]).toBeCloseTo(2 + 2 * (1.5 ** 2 - 1), 6);
    expect(apply(decay, { ids: [0, 4, 4, 4] }, [0, -2, 0, 0, 0, 0])[1]).toBeCloseTo(
      -2 + 2 * 0.5,
      6,
    );
    // What is banned stays banned.
    expect(apply(decay, { ids: [0, 4, 4, 4] }, [0, never, 0, 0, 0, 0])[1]).toBe(never);
  });
});

it("invalid scores become zero or the largest there is", () => {
  const most = Math.fround(3.4028234663852886e38);
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, never, 1, 2, 3];
  expect(apply({ removeInvalidValues: true }, {}, odd)).toEqual([0, most, -most, 1, 2, 3]);
});

it("stand in transformers' order: a bias is doubled by the penalty after it, a forced end beats both", () => {
  const options: GenerateOptions = {
    sequenceBias: [[[4], 3]],
    repetitionPenalty: 2,
    forcedEosTokenId: 1,
    maxNewTokens: 2,
  };
  expect(apply({ ...options, maxNewTokens: 9 }, { ids: [0, 4] })[4]).toBe(1.5);
  expect(apply(options, { ids: [0, 4] })).toEqual([never, 0, never, never, never, never]);
});
