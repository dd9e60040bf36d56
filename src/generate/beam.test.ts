// Beams that are drawn where few tokens can be: a search keeps all of its beams, and its draws are those of the definition.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ModelConfig } from "../model/family.js";
import { createBeamSearch } from "./beam.js";
import { argsort } from "./math.js";
import { type GenerateOptions, resolveOptions } from "./options.js";
import { createRandom, drawWithoutReplacement } from "./random.js";

const vocabSize = 12;
const config = {
  ...{ vocabSize, eosTokenId: 1, padTokenId: 0, decoderStartTokenId: 0 },
  maxPositions: 64,
} as unknown as ModelConfig;

const asked: fc.Arbitrary<GenerateOptions> = fc.record({
  doSample: fc.constantFrom(true, true, false),
  numBeams: fc.integer({ min: 2, max: 6 }),
  topK: fc.constantFrom(0, 1, 2, 5),
  topP: fc.constantFrom(0.05, 0.5, 1),
  temperature: fc.constantFrom(0.01, 1),
  renormalizeLogits: fc.boolean(),
  maxNewTokens: fc.integer({ min: 2, max: 6 }),
  seed: fc.nat(100),
});
const row = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.float({ min: -9, max: 9, noNaN: true }) },
    fc.constant(Number.NEGATIVE_INFINITY),
  ),
  { minLength: vocabSize, maxLength: vocabSize },
);

describe("a beam search", () => {
  it("has all of its beams at each step, whatever little can be drawn", () => {
    fc.assert(
      fc.property(asked, fc.array(row, { minLength: 1, maxLength: 8 }), (options, rows) => {
        const { doSample, topK, topP, temperature, ...others } = options;
        const own = doSample ? options : others;
        const search = createBeamSearch(resolveOptions(own, config), [5, 6, 1], 0);
        const width = search.width;
        for (let step = 0; !search.done; step++) {
          expect(search.rows).toHaveLength(width);
          const logits = search.rows.map((_, i) =>
            Float32Array.from(rows[(step + i) % rows.length] as number[]),
          );
          search.advance(logits);
          expect(step).toBeLessThan(8);
        }
        const [best] = search.result();
        expect(best?.ids.length).toBeGreaterThan(1);
        for (const id of best?.ids ?? []) expect(id).toBeLessThan(vocabSize);
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  it("prefers what could be drawn to what could not", () => {
    const options = {
      doSample: true,
      numBeams: 4,
      topK: 2,
      maxNewTokens: 1,
      numReturnSequences: 4,
    };
    const search = createBeamSearch(resolveOptions(options, config), [5, 1], 0);
    const logits = Float32Array.from({ length: vocabSize }, (_, id) =>
      id === 7 || id === 9 ? 5 : 0,
    );
    search.advance(Array.from({ length: 4 }, () => logits.slice()));
    const found = search.result();
    expect(found.slice(0, 2).map(({ ids }) => ids[1])).toEqual(expect.arrayContaining([7, 9]));
    expect(found.map(({ score = 0 }) => score > -1e6)).toEqual([true, true, false, false]);
  });
});

describe("drawing without replacement", () => {
  it("takes the smallest of exponential keys, as many as there are", () => {
    const weight = fc.oneof(fc.constant(0), fc.float({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(
        fc.array(weight, { maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        (weights, count, seed) => {
          const random = createRandom(seed);
          const keys = weights.flatMap((each, index) =>
            each > 0 ? [{ index, key: -Math.log(1 - random()) / Math.fround(each) }] : [],
          );
          keys.sort((a, b) => a.key - b.key || a.index - b.index);
          const drawn = drawWithoutReplacement(
            Float32Array.from(weights),
            count,
            createRandom(seed),
          );
          expect(drawn).toEqual(keys.slice(0, count).map(({ index }) => index));
        },
      ),
      { seed: 5 },
    );
  });
});

describe("sorting by value", () => {
  it("keeps the order of equal values, zeros of both signs among them", () => {
    const value = fc.oneof(
      fc.constantFrom(0, -0, 1, Number.NEGATIVE_INFINITY),
      fc.float({ noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(value, { maxLength: 60 }), (values) => {
        const given = Float32Array.from(values);
        const order = values.map((_, i) => i);
        order.sort((a, b) => {
          const [x, y] = [given[a] as number, given[b] as number];
          return x === y ? a - b : x < y ? -1 : 1;
        });
        expect([...argsort(given)]).toEqual(order);
      }),
      { seed: 6 },
    );
  });
});
