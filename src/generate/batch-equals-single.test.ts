// A document's tokens and scores are the same alone and in any batch, with any padding, in any search.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeTinyPegasus, tinyConfig, tinyWeights } from "../../test/support/tiny-pegasus.js";
import { roundForHalf, writeLayout } from "../../test/support/weight-layouts.js";
import { type Model, openModel } from "./model.js";
import type { GenerateOptions } from "./options.js";

/** Not a multiple of what sources are padded to, so that the longest document has no room for it, and more than those have that are padded. */
const longest = 150;
const config = { ...tinyConfig, max_position_embeddings: longest };

let root: string;
const models = new Map<string, Model>();
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-batch-"));
  const mapped = await makeTinyPegasus(join(root, "mapped"), { config });
  models.set("mapped", await openModel(mapped, { threads: 2 }));
  const weights = roundForHalf(tinyWeights());
  const half = await writeLayout(join(root, "half"), "float16 model.safetensors", config, weights);
  models.set("held", await openModel(half, { threads: 2 }));
});
afterAll(async () => {
  for (const model of models.values()) await model.close();
  await rm(root, { recursive: true });
});

const ofLength = (minLength: number, maxLength: number) =>
  fc.array(fc.integer({ min: 104, max: tinyConfig.vocab_size - 1 }), { minLength, maxLength });
const document = fc
  .oneof(ofLength(0, 49), ofLength(0, 49), ofLength(110, longest - 1), ofLength(132, 132))
  .map((ids) => [...ids, 1]);

const options: fc.Arbitrary<GenerateOptions> = fc
  .record({
    numBeams: fc.integer({ min: 1, max: 8 }),
    maxNewTokens: fc.integer({ min: 1, max: 14 }),
    minNewTokens: fc.integer({ min: 0, max: 5 }),
    lengthPenalty: fc.constantFrom(-1, 0, 0.8, 2),
    earlyStopping: fc.constantFrom(true, false, "never" as const),
    noRepeatNgramSize: fc.integer({ min: 0, max: 3 }),
    repetitionPenalty: fc.constantFrom(1, 1.3),
    forcedEosTokenId: fc.constantFrom(undefined, 1),
  })
  .map((drawn) => ({ ...drawn, minNewTokens: Math.min(drawn.minNewTokens, drawn.maxNewTokens) }));

async function generate(
  model: Model,
  documents: readonly (readonly number[])[],
  length: number,
  asked: GenerateOptions,
) {
  const pad = (row: readonly number[]) => [
    ...row,
    ...new Array<number>(length - row.length).fill(0),
  ];
  const { sequences, scores } = await model.generate(
    {
      inputIds: documents.map(pad),
      attentionMask: documents.map((row) => pad(row.map(() => 1))),
    },
    asked,
  );
  return sequences.map((ids, i) => ({
    // What fills a sequence up to the longest of its batch is no part of it.
    ids: ids.join(" ").replace(/( [01])+$/, ""),
    score: scores[i] ?? 0,
  }));
}

it.each(["mapped", "held"])("with weights %s", async (kind) => {
  const model = models.get(kind)!;
  let different = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(document, { minLength: 2, maxLength: 6 }),
      fc.nat(longest),
      options,
      async (documents, extra, asked) => {
        const most = Math.max(...documents.map((row) => row.length));
        const together = await generate(model, documents, Math.min(longest, most + extra), asked);
        for (const [i, row] of documents.entries()) {
          const [alone] = await generate(model, [row], row.length, asked);
          expect(together[i]?.ids).toBe(alone?.ids);
          expect(together[i]?.score).toBeCloseTo(alone?.score ?? Number.NaN, 4);
          different = different.add(together[i]?.ids ?? "");
        }
      },
    ),
    { numRuns: Number(process.env.BRIDLE_BATCHES ?? 25), seed: 20 },
  );
  expect(different.size).toBeGreaterThan(20);
});
