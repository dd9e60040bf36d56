// Each warper on distributions small enough to work out by hand; the golden suites compare them with transformers.
import { describe, expect, it } from "vitest";
import type { ModelConfig } from "../model/family.js";
import { type GenerateOptions, resolveOptions } from "./options.js";
import { processorsOf } from "./processors.js";
import { topH, warpersOf } from "./warpers.js";

const config = {
  vocabSize: 5,
  eosTokenId: 1,
  padTokenId: 0,
  decoderStartTokenId: 0,
} as ModelConfig;

const none: GenerateOptions = { topK: 0, topP: 1, temperature: 1 };
/** Log-probabilities of 5 %, 10 %, 20 %, 25 % and 40 %. */
const shares = [0.05, 0.1, 0.2, 0.25, 0.4];

function warp(options: GenerateOptions, probabilities: readonly number[] = shares): Float32Array {
  const row = Float32Array.from(probabilities, Math.log);
  for (const warper of warpersOf(resolveOptions({ ...none, ...options }, config))) warper(row);
  return row;
}

const keptBy = (options: GenerateOptions, probabilities?: readonly number[]): number[] =>
  [...warp(options, probabilities)].flatMap((score, id) => (score > -1e30 ? [id] : []));

it("keep everything unless they are asked for; transformers keeps the 50 likeliest", () => {
  expect(warpersOf(resolveOptions(none, config))).toEqual([]);
  expect(keptBy({})).toEqual([0, 1, 2, 3, 4]);
  expect(warpersOf(resolveOptions({}, config))).toHaveLength(1);
});

describe("temperature", () => {
  it("divides every score", () => {
    const row = warp({ temperature: 2 });
    for (const [id, share] of shares.entries()) expect(row[id]).toBeCloseTo(Math.log(share) / 2, 6);
  });
});

describe("what is kept", () => {
  it.each<[GenerateOptions, number[]]>([
    [{ topK: 2 }, [3, 4]],
    [{ topK: 9 }, [0, 1, 2, 3, 4]],
    [{ topP: 0.6 }, [3, 4]],
    [{ topP: 0.7 }, [2, 3, 4]],
    [{ topP: 0.01 }, [4]],
    [{ topP: 0 }, [4]],
    [{ minP: 0.3 }, [2, 3, 4]],
    [{ minP: 1 }, [4]],
    [{ epsilonCutoff: 0.15 }, [2, 3, 4]],
    [{ epsilonCutoff: 0.9 }, [4]],
    // √0.9 · e^−1.416 = 0.230 and √0.6 · e^−1.416 = 0.188: the square root of eta, shrunk by the entropy.
    [{ etaCutoff: 0.9 }, [3, 4]],
    [{ etaCutoff: 0.6 }, [2, 3, 4]],
    [{ etaCutoff: 0.0001 }, [0, 1, 2, 3, 4]],
    [{ topK: 3, topP: 0.5 }, [3, 4]],
  ])("by %j", (options, kept) => {
    expect(keptBy(options)).toEqual(kept);
  });

  it("by typicality is what surprises as much as is to be expected, not what is likeliest", () => {
    // Entropy 1.416 nats: 25 % surprises by 1.386, 20 % by 1.609, 40 % by 0.916.
    expect(keptBy({ typicalP: 0.2 })).toEqual([3]);
    expect(keptBy({ typicalP: 0.4 })).toEqual([2, 3]);
    expect(keptBy({ typicalP: 0.6 })).toEqual([2, 3, 4]);
  });

  it("with beams is at least one token more than can end the sequence", () => {
    const beams = { numBeams: 2, doSample: true };
    expect(keptBy({ ...beams, topK: 1 })).toEqual([3, 4]);
    expect(keptBy({ ...beams, topP: 0.01 })).toEqual([3, 4]);
    expect(keptBy({ ...beams, minP: 1 })).toEqual([3, 4]);
    expect(keptBy({ ...beams, epsilonCutoff: 0.9 })).toEqual([3, 4]);
    expect(keptBy({ ...beams, etaCutoff: 0.9999, eosTokenId: [0, 1, 2] })).toHaveLength(4);
    expect(keptBy({ ...beams, typicalP: 0.01 })).toEqual([2, 3]);
  });

  it("of equal tokens is all of them by rank, and the first ones by mass", () => {
    const equal = [0.2, 0.2, 0.2, 0.2, 0.2];
    expect(keptBy({ topK: 2 }, equal)).toEqual([0, 1, 2, 3, 4]);
    expect(keptBy({ minP: 1 }, equal)).toEqual([0, 1, 2, 3, 4]);
    expect(keptBy({ topP: 0.5 }, equal)).toEqual([2, 3, 4]);
  });
});

/** Kept by transformers 5.23. */
it.each([
  [0.4, [1.2, 0.26, 0.13, -0.92, 0.07, -2.05, 0.51, 1.52], [7]],
  [0.9, [-2.15, 1.47, 0.78, 1.86, -1.3, 0.45, 0.63, -0.12], [1, 2, 3, 5, 6]],
  [0.8, [1, Number.NEGATIVE_INFINITY, 2, Number.NEGATIVE_INFINITY, 0.5], [0, 2]],
])("top-H with %d of the entropy keeps the likeliest few", (share, logits, kept) => {
  const scores = Float32Array.from(logits);
  topH(share)(scores);
  expect([...scores.keys()].filter((id) => (scores[id] as number) > -1e30)).toEqual(kept);
});

it("makes scores log-probabilities again behind all other rules, sampling or not", () => {
  for (const doSample of [false, true]) {
    const options = resolveOptions(
      { renormalizeLogits: true, topK: 3, doSample, suppressTokens: [4] },
      config,
    );
    const scores = Float32Array.from(shares, Math.log);
    for (const rule of processorsOf(options)) rule({ ids: [0], source: [2] }, scores);
    if (doSample) for (const warper of warpersOf(options)) warper(scores);
    expect(scores.reduce((sum, score) => sum + Math.exp(score), 0)).toBeCloseTo(1, 5);
    const kept = doSample ? [1, 2, 3] : [0, 1, 2, 3];
    expect([...scores.keys()].filter((id) => (scores[id] as number) > -1e30)).toEqual(kept);
  }
});
