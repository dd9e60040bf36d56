// T5 opened from its folder: steps that write what the whole graph scores, and checkpoints as they are found.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyT5, tinyT5Config, tinyT5Weights } from "../../test/support/tiny-t5.js";
import { float32 } from "../runtime/tensor.js";
import { type Model, openModel } from "./model.js";
import type { GenerateOptions } from "./options.js";
import { createRandom } from "./random.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-t5-model-"));
});
afterAll(() => rm(root, { recursive: true }));

let folders = 0;
async function open(given: Parameters<typeof makeTinyT5>[1] = {}): Promise<Model> {
  return openModel(await makeTinyT5(join(root, String(folders++)), given), { threads: 1 });
}

const random = createRandom(3);
const document = (length: number) => [
  ...Array.from({ length: length - 1 }, () => 5 + Math.floor(random() * 150)),
  1,
];
const input = { inputIds: [document(33)], decoderInputIds: [[0, 30, 31, 32]] };

/** Sum of the log-probabilities that a forward pass gives a sequence's tokens. */
async function scoreOf(model: Model, source: number[], sequence: number[]): Promise<number> {
  const { logits } = await model.forward({
    inputIds: [source],
    decoderInputIds: [sequence.slice(0, -1)],
  });
  const vocabulary = logits.shape[2] as number;
  return sequence.slice(1).reduce((sum, id, place) => {
    const row = logits.data.subarray(place * vocabulary, (place + 1) * vocabulary);
    const largest = row.reduce((most, x) => Math.max(most, x), Number.NEGATIVE_INFINITY);
    const total = row.reduce((all, x) => all + Math.exp(x - largest), 0);
    return sum + (row[id] as number) - largest - Math.log(total);
  }, 0);
}

/** Far more steps than the cache first has room for, and than distances with a bucket of their own. */
const long = { maxLength: 40, minLength: 40, lengthPenalty: 0 } as const;

describe.each<[string, object]>([
  ["T5", {}],
  [
    "T5 with relu, one scale and other widths",
    { feed_forward_proj: "relu", d_kv: 9, num_heads: 2 },
  ],
  ["mT5", { architectures: ["MT5ForConditionalGeneration"], model_type: "mt5" }],
  ["umT5", { architectures: ["UMT5ForConditionalGeneration"], model_type: "umt5" }],
])("%s", (_, more) => {
  it.each<[string, GenerateOptions]>([
    ["two beams", { ...long, numBeams: 2, numReturnSequences: 2 }],
    ["five beams", { ...long, numBeams: 5, numReturnSequences: 5 }],
  ])("scores what %s write as the whole graph does", async (_, options) => {
    const model = await open({ config: { ...tinyT5Config, ...more } });
    for (const source of [document(3), document(45)]) {
      const { sequences, scores } = await model.generate({ inputIds: [source] }, options);
      expect(new Set(sequences.map((ids) => ids.join())).size).toBe(options.numBeams);
      for (const [i, sequence] of sequences.entries()) {
        const expected = await scoreOf(model, source, sequence);
        expect(Math.abs(scores[i]! - expected)).toBeLessThan(1e-3);
      }
    }
    await model.close();
  });
});

describe("T5", () => {
  it("writes the same for a document alone, and padded on either side among others", async () => {
    const model = await open();
    const documents = [document(4), document(30), document(17)];
    const longest = 30;
    for (const options of [{ maxLength: 20 }, { maxLength: 20, numBeams: 3 }]) {
      const alone: number[][] = [];
      for (const row of documents)
        alone.push((await model.generate({ inputIds: [row] }, options)).sequences[0] as number[]);
      const padded = (row: readonly number[], filler: number, left: boolean) => {
        const padding = new Array<number>(longest - row.length).fill(filler);
        return left ? [...padding, ...row] : [...row, ...padding];
      };
      for (const left of [false, true]) {
        const { sequences } = await model.generate(
          {
            inputIds: documents.map((row) => padded(row, 0, left)),
            attentionMask: documents.map((row) =>
              padded(
                row.map(() => 1),
                0,
                left,
              ),
            ),
          },
          options,
        );
        for (const [i, sequence] of sequences.entries())
          expect(sequence.slice(0, alone[i]!.length)).toEqual(alone[i]);
      }
    }
    await model.close();
  });

  it("has an output table of its own where the checkpoint has one, whatever the config says", async () => {
    const weights = tinyT5Weights();
    const shared = weights.get("shared.weight")!;
    const turned = float32(
      shared.data.map((x) => -x),
      shared.shape,
    );
    const config = { ...tinyT5Config, scale_decoder_outputs: false };
    const [plain, copied, own] = [
      await open({ config, weights }),
      await open({ config, weights: new Map([...weights, ["lm_head.weight", shared]]) }),
      await open({ config, weights: new Map([...weights, ["lm_head.weight", turned]]) }),
    ];
    const logits = async (model: Model) => (await model.forward(input)).logits.data;
    const expected = await logits(plain);
    expect(await logits(copied)).toEqual(expected);
    expect([...copied.weights.keys()]).toEqual([...plain.weights.keys()]);
    for (const [i, x] of (await logits(own)).entries()) expect(x).toBeCloseTo(-expected[i]!, 4);
    const batch = { inputIds: input.inputIds, labels: [[30, 1]] };
    expect((await own.gradients(batch)).has("lm_head.weight")).toBe(true);
    expect((await plain.gradients(batch)).has("lm_head.weight")).toBe(false);

    const saved = join(root, "saved");
    await own.save(saved);
    const again = await openModel(saved, { threads: 1 });
    expect(await logits(again)).toEqual(await logits(own));
    for (const model of [plain, copied, own, again]) await model.close();
  });

  it("divides the decoder's states by the root of their width unless the config says otherwise", async () => {
    const [scaled, plain] = [
      await open(),
      await open({ config: { ...tinyT5Config, tie_word_embeddings: false } }),
    ];
    const [a, b] = [await scaled.forward(input), await plain.forward(input)];
    for (const [i, x] of a.logits.data.entries())
      expect(x).toBeCloseTo(b.logits.data[i]! / Math.sqrt(tinyT5Config.d_model), 4);
    for (const model of [scaled, plain]) await model.close();
  });

  it("passes over a weight that old checkpoints hold and nobody uses", async () => {
    const name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
    const weights = new Map([...tinyT5Weights(), [name, float32(new Float32Array(32), [8, 4])]]);
    const model = await open({ weights });
    expect(model.weights.has(name)).toBe(false);
    await model.close();
  });

  it("takes its task's settings as defaults, below those of generation_config.json", async () => {
    const summarization = { prefix: "summarize: ", num_beams: 4, max_length: 200, min_length: 30 };
    const config = { ...tinyT5Config, task_specific_params: { summarization } };
    const model = await open({
      config,
      files: { "generation_config.json": JSON.stringify({ max_length: 60, eos_token_id: 1 }) },
    });
    expect(model.generationDefaults).toEqual({
      ...{ numBeams: 4, maxLength: 60, minLength: 30, eosTokenId: 1 },
    });
    expect(model.config.prefix).toBe("summarize: ");
    const saved = join(root, "with-task");
    await model.save(saved);
    expect(JSON.parse(await readFile(join(saved, "config.json"), "utf8"))).toMatchObject(config);
    await model.close();
  });
});
