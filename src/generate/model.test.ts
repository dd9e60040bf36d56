// A model folder opened and used: the same answer alone and in any batch, options refused, cancelled, damaged.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyPegasus, tinyConfig, tinyWeights } from "../../test/support/tiny-pegasus.js";
import type { ForwardInput } from "../model/forward.js";
import type { LabelledBatch } from "../model/gradient.js";
import { checkLogits } from "../model/loss.js";
import { listDevices } from "../runtime/devices.js";
import { type Model, openModel } from "./model.js";
import type { GenerateOptions } from "./options.js";
import { createRandom } from "./random.js";

let root: string;
let model: Model;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-model-"));
  model = await openModel(await makeTinyPegasus(join(root, "tiny")), { threads: 1 });
});
afterAll(async () => {
  await model.close();
  await rm(root, { recursive: true });
});

const random = createRandom(5);
const document = (length: number) => [
  ...Array.from({ length: length - 1 }, () => 104 + Math.floor(random() * 80)),
  1,
];

describe("batch equals single", () => {
  const modes: [string, GenerateOptions][] = [
    ["greedy", { maxLength: 14 }],
    ["beams", { maxLength: 14, numBeams: 4, numReturnSequences: 2 }],
    ["diverse beams", { maxLength: 14, numBeams: 4, numBeamGroups: 2, diversityPenalty: 0.7 }],
    [
      "beams with rules",
      { maxLength: 14, numBeams: 3, noRepeatNgramSize: 2, repetitionPenalty: 1.3, minLength: 6 },
    ],
  ];
  it.each(modes)("%s, whatever the neighbours and the padding", async (_, options) => {
    const documents = Array.from({ length: 9 }, (_, i) => document(3 + ((i * 5) % 30)));
    const found = async (rows: number[][], extra: number) => {
      const length = Math.max(...rows.map((row) => row.length)) + extra;
      const pad = (row: number[], filler: number) => [
        ...row,
        ...new Array<number>(length - row.length).fill(filler),
      ];
      const { sequences } = await model.generate(
        {
          inputIds: rows.map((row) => pad(row, 0)),
          attentionMask: rows.map((row) =>
            pad(
              row.map(() => 1),
              0,
            ),
          ),
        },
        { forcedEosTokenId: 1, ...options },
      );
      return sequences.map((ids) => ids.join(" ").replace(/( [01])+$/, ""));
    };
    const each = options.numReturnSequences ?? 1;
    const alone = (await Promise.all(documents.map((row) => found([row], 0)))).flat();
    expect(await found(documents, 0)).toEqual(alone);
    expect(await found(documents, 11)).toEqual(alone);
    const reversed = await found(documents.toReversed(), 4);
    expect(
      Array.from({ length: documents.length }, (_, i) => reversed.slice(i * each, (i + 1) * each))
        .reverse()
        .flat(),
    ).toEqual(alone);
    expect(new Set(alone).size).toBeGreaterThan(3);
  });
});

describe("sampling", () => {
  it("gives the same draws for a seed and others for another", async () => {
    const inputIds = [document(12)];
    const draw = async (seed: number) =>
      (
        await model.generate(
          { inputIds },
          { doSample: true, seed, maxLength: 12, numReturnSequences: 3, temperature: 1.5 },
        )
      ).sequences;
    expect(await draw(7)).toEqual(await draw(7));
    expect(await draw(7)).not.toEqual(await draw(8));
    expect(new Set((await draw(7)).map(String)).size).toBeGreaterThan(1);
  });
});

describe("options", () => {
  it.each<[GenerateOptions, RegExp]>([
    [{ minLength: 20, maxLength: 10 }, /minLength is 20; it must be no more than the maximum, 10/],
    [{ minNewTokens: 9, maxNewTokens: 4 }, /minNewTokens is 9/],
    [{ maxLength: 1 }, /maxLength is 1; it must be at least 2/],
    [{ maxNewTokens: 200 }, /maxNewTokens is 200; it must be at most 64 positions/],
    [
      { numBeams: 2, numReturnSequences: 3 },
      /numReturnSequences is 3; it must be at most numBeams, 2/,
    ],
    [{ numReturnSequences: 2 }, /1 in greedy search/],
    [{ numBeams: 4, numBeamGroups: 3 }, /divisor of numBeams, 4/],
    [{ diversityPenalty: 1 }, /numBeamGroups above 1/],
    [{ numBeams: 4, numBeamGroups: 2 }, /diversityPenalty is 0; it must be above 0/],
    [
      { numBeams: 4, numBeamGroups: 2, diversityPenalty: 1, doSample: true },
      /doSample is true; it must be false with numBeamGroups/,
    ],
    [
      { suppressTokens: [110, 1], forcedBosTokenId: 110 },
      /forcedBosTokenId is 110; it must be a token that suppressTokens does not forbid/,
    ],
    [{ suppressTokens: [1, 2], forcedEosTokenId: [1, 2] }, /forcedEosTokenId is \[1,2\]/],
    [{ padTokenId: 99999 }, /padTokenId is 99999; it must be a token id below/],
    [{ decoderStartTokenId: 99999 }, /decoderStartTokenId is 99999/],
    [{ sequenceBias: [] }, /sequenceBias is \[\]; it must be a list of at least 1/],
    [{ numBeams: 0 }, /numBeams is 0; it must be at least 1/],
    [{ topK: 1.5 }, /topK is 1\.5; it must be a whole number/],
    [{ temperature: 0 }, /temperature is 0/],
    [{ topP: 1.2 }, /topP is 1\.2/],
    [{ badWordsIds: [[99999]] }, /badWordsIds is 99999; it must be a token id below/],
    [{ beams: 4 } as GenerateOptions, /beams is 4; it must be left out: no such option exists/],
    [
      { earlyStopping: "always" } as unknown as GenerateOptions,
      /earlyStopping is "always"; it must be true or false or "never"/,
    ],
  ])("%o is refused by name", async (options, message) => {
    await expect(model.generate({ inputIds: [document(5)] }, options)).rejects.toThrow(message);
  });

  it("refuses ids outside the vocabulary, inputs past the model's reach, and masks of another size", async () => {
    await expect(model.generate({ inputIds: [[5, 99999, 1]] })).rejects.toThrow(
      /inputIds\[0\] is 99999/,
    );
    await expect(model.generate({ inputIds: [document(65)] })).rejects.toMatchObject({
      code: "INPUT_TOO_LONG",
    });
    await expect(
      model.generate({ inputIds: [document(5)], attentionMask: [[1, 1]] }),
    ).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
  });
});

describe("a model that answers what is no number", () => {
  const damaged = async (
    name: string,
    change: (weights: ReturnType<typeof tinyWeights>) => void,
  ) => {
    const weights = tinyWeights();
    change(weights);
    return openModel(await makeTinyPegasus(join(root, name), { weights }), { threads: 1 });
  };
  const input = { inputIds: [document(5), document(5)] };
  const invalid = (value: number) => ({
    code: "LOGITS_INVALID",
    message: `The model answered ${value} for row 0.`,
    hint: expect.stringContaining("weights may be damaged"),
  });

  it("says NaN, though every weight is a number, in every search and in forward", async () => {
    const overflowing = await damaged("overflowing", (weights) =>
      weights.get("model.encoder.layer_norm.weight")?.data.fill(3e38),
    );
    for (const options of [{}, { numBeams: 2 }]) {
      await expect(overflowing.generate(input, options)).rejects.toMatchObject(invalid(Number.NaN));
    }
    const labels = [
      [110, 1],
      [111, 1],
    ];
    await expect(overflowing.forward({ ...input, labels })).rejects.toMatchObject(
      invalid(Number.NaN),
    );
    const { sequences } = await overflowing.generate(input, { removeInvalidValues: true });
    expect(sequences).toHaveLength(2);
    await overflowing.close();
  });

  it.each([
    [[0, Number.POSITIVE_INFINITY, 1], Number.POSITIVE_INFINITY],
    [[0, 1, Number.NaN], Number.NaN],
    [[Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY], Number.NEGATIVE_INFINITY],
  ])("scores of %j are refused for %d", (scores, value) => {
    expect(() => checkLogits(Float32Array.from(scores), 0)).toThrow(
      expect.objectContaining(invalid(value)),
    );
  });

  it("one score of many may be impossible", () => {
    checkLogits(Float32Array.from([Number.NEGATIVE_INFINITY, -3e38, 3e38]), 0);
  });
});

it("ends where every token is forbidden", async () => {
  const all = Array.from({ length: tinyConfig.vocab_size }, (_, id) => id);
  const { sequences, scores } = await model.generate(
    { inputIds: [document(5)] },
    { maxLength: 9, suppressTokens: all },
  );
  expect(sequences).toEqual([[0, 1]]);
  expect(scores).toEqual([Number.NEGATIVE_INFINITY]);
});

describe("opening", () => {
  it.each<[object, RegExp]>([
    [{ device: "gpu" }, /device is "gpu"; it must be one of auto, cpu/],
    [{ dtype: "int3" }, /dtype is "int3"; it must be fp32/],
  ])("with %j is refused by name", async (options, message) => {
    await expect(openModel(join(root, "tiny"), options)).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
      message: expect.stringMatching(message),
    });
  });

  it("on a device that is not here fails at once, where its libraries are missing", async () => {
    if ((await listDevices()).includes("cuda")) return;
    await expect(openModel(join(root, "tiny"), { device: "cuda" })).rejects.toMatchObject({
      code: "DEVICE_UNAVAILABLE",
      hint: expect.stringContaining("libonnxruntime_providers_cuda.so"),
    });
  });
});

it("stops within a step when it is cancelled", async () => {
  const controller = new AbortController();
  let steps = 0;
  const work = model.generate(
    { inputIds: [document(8)] },
    { maxLength: 60, minLength: 60 },
    {
      signal: controller.signal,
      onTokens() {
        steps += 1;
        if (steps === 3) controller.abort();
      },
    },
  );
  await expect(work).rejects.toMatchObject({ code: "CANCELLED" });
  expect(steps).toBe(3);
});

it("tells only tokens that stay", async () => {
  const told: (readonly number[])[] = [];
  const { sequences } = await model.generate(
    { inputIds: [document(20)] },
    { numBeams: 3, maxLength: 20 },
    { onTokens: (ids) => told.push(ids) },
  );
  const final = sequences[0]?.slice(1) ?? [];
  for (const ids of told) expect(final.slice(0, ids.length)).toEqual(ids);
  expect(told.length).toBeGreaterThan(2);
});

it("scores labels as forward does, whether shifted here or by the caller", async () => {
  const inputIds = [document(10)];
  const labels = [[110, 111, 112, 1, -100]];
  const { loss, logits } = await model.forward({ inputIds, labels });
  const again = await model.forward({ inputIds, decoderInputIds: [[0, 110, 111, 112, 1]] });
  expect([...again.logits.data]).toEqual([...logits.data]);
  expect(loss).toBeGreaterThan(0);
  expect(again.loss).toBeUndefined();
  await expect(model.forward({ inputIds })).rejects.toThrow(/decoderInputIds is missing/);
});

describe("forward and gradients refuse", () => {
  const inputIds = [document(5)];
  const labels = [[110, 1]];
  it.each<[string, ForwardInput & LabelledBatch, object, string, RegExp]>([
    [
      "an id below 0",
      { inputIds: [[-1, 1]], labels },
      {},
      "INVALID_PARAMETER",
      /inputIds\[0\] is -1/,
    ],
    [
      "an id outside the vocabulary",
      { inputIds: [[99999, 1]], labels },
      {},
      "INVALID_PARAMETER",
      /inputIds\[0\] is 99999/,
    ],
    [
      "half an id",
      { inputIds: [[5.5, 1]], labels },
      {},
      "INVALID_PARAMETER",
      /inputIds\[0\] is 5\.5/,
    ],
    [
      "a label outside the vocabulary",
      { inputIds, labels: [[99999, 1]] },
      {},
      "INVALID_PARAMETER",
      /is 99999/,
    ],
    [
      "more tokens than the model reads",
      { inputIds: [document(65)], labels },
      {},
      "INPUT_TOO_LONG",
      /65 tokens/,
    ],
    [
      "more labels than the model writes",
      { inputIds, labels: [document(65)] },
      {},
      "INPUT_TOO_LONG",
      /65 tokens/,
    ],
    [
      "a mask of another size",
      { inputIds, attentionMask: [[1, 1]], labels },
      {},
      "SHAPE_MISMATCH",
      /attentionMask/,
    ],
    [
      "a mask of other values",
      { inputIds, attentionMask: [[1, 1, 1, 1, 0.5]], labels },
      {},
      "INVALID_PARAMETER",
      /attentionMask is 0\.5/,
    ],
    [
      "labels of another number of rows",
      { inputIds, labels: [...labels, ...labels] },
      {},
      "SHAPE_MISMATCH",
      /decoderInputIds: it has 2 rows|2 rows/,
    ],
    ["no rows", { inputIds: [], labels: [] }, {}, "SHAPE_MISMATCH", /empty/],
    [
      "smoothing above 1",
      { inputIds, labels },
      { labelSmoothing: 3 },
      "INVALID_PARAMETER",
      /labelSmoothing is 3/,
    ],
  ])("%s", async (_, input, options, code, message) => {
    for (const asked of [model.forward(input, options), model.gradients(input, options)]) {
      await expect(asked).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    }
  });
});

describe("embedding tables that are not shared", () => {
  const shared = "model.shared.weight";
  const config = { ...tinyConfig, tie_word_embeddings: false };
  const inputIds = [[110, 111, 1]];
  const logitsOf = async (name: string, tables: Record<string, number>) => {
    const weights = tinyWeights();
    const table = weights.get(shared)!;
    weights.delete(shared);
    for (const [key, factor] of Object.entries(tables))
      weights.set(key, { ...table, data: table.data.map((x) => x * factor) });
    const folder = await makeTinyPegasus(join(root, name), { config, weights });
    const opened = await openModel(folder, { threads: 1 });
    const { logits } = await opened.forward({ inputIds, decoderInputIds: [[0, 112]] });
    await opened.close();
    return [...logits.data];
  };

  it("are read each under its name, the tokens' also under the shared one", async () => {
    const { logits } = await model.forward({ inputIds, decoderInputIds: [[0, 112]] });
    const [encoder, decoder] = ["encoder", "decoder"].map(
      (side) => `model.${side}.embed_tokens.weight`,
    ) as [string, string];
    const head = "lm_head.weight";
    expect(await logitsOf("untied-shared", { [shared]: 1, [head]: 1 })).toEqual([...logits.data]);
    const apart = { [shared]: 9, [encoder]: 1, [decoder]: 1, [head]: 1 };
    expect(await logitsOf("untied", apart)).toEqual([...logits.data]);
    expect(await logitsOf("untied-head", { ...apart, [head]: 2 })).not.toEqual([...logits.data]);
    await expect(logitsOf("headless", { [shared]: 1 })).rejects.toMatchObject({
      code: "WEIGHT_MISSING",
      message: expect.stringContaining(head),
    });
  });
});

describe("a damaged folder", () => {
  const open = async (name: string, change: Parameters<typeof makeTinyPegasus>[1]) => {
    const folder = await makeTinyPegasus(join(root, name), change);
    return openModel(folder, { threads: 1 });
  };
  const without = (name: string) => {
    const weights = tinyWeights();
    weights.delete(name);
    return weights;
  };

  it.each<[string, Parameters<typeof makeTinyPegasus>[1], string, RegExp]>([
    [
      "architecture",
      { config: { ...tinyConfig, architectures: ["GPT2LMHeadModel"] } },
      "ARCHITECTURE_NOT_SUPPORTED",
      /GPT2LMHeadModel/,
    ],
    [
      "heads",
      { config: { ...tinyConfig, decoder_attention_heads: 5 } },
      "CONFIG_INVALID",
      /decoder_attention_heads of config.json is 5; it must be a divisor of 32/,
    ],
    [
      "layers",
      { config: { ...tinyConfig, encoder_layers: 2 ** 40 } },
      "CONFIG_INVALID",
      /encoder_layers of config.json is 1099511627776; it must be a whole number from 1 to 1000/,
    ],
    [
      "positions",
      { config: { ...tinyConfig, max_position_embeddings: 2 ** 53 } },
      "CONFIG_INVALID",
      /max_position_embeddings of config.json is 9007199254740992/,
    ],
    [
      "padding",
      { config: { ...tinyConfig, pad_token_id: 100_000 } },
      "CONFIG_INVALID",
      /pad_token_id of config.json is 100000; it must be a whole number from 0 to \d+/,
    ],
    [
      "endings",
      { config: { ...tinyConfig, eos_token_id: [1, -1] } },
      "CONFIG_INVALID",
      /eos_token_id of config.json is \[1,-1\]/,
    ],
    [
      "activation",
      { config: { ...tinyConfig, activation_function: "swiglu" } },
      "CONFIG_INVALID",
      /activation_function/,
    ],
    [
      "width",
      { config: { ...tinyConfig, encoder_ffn_dim: 64 } },
      "SHAPE_MISMATCH",
      /fc1\.weight .*config\.json needs \[64,32\]/,
    ],
    [
      "missing",
      { weights: without("model.encoder.layers.0.fc1.weight") },
      "WEIGHT_MISSING",
      /model\.encoder\.layers\.0\.fc1\.weight/,
    ],
    [
      "extra",
      {
        weights: new Map([
          ...tinyWeights(),
          [
            "model.encoder.layers.9.fc1.weight",
            tinyWeights().get("model.encoder.layers.0.fc1.weight")!,
          ],
        ]),
      },
      "WEIGHT_UNEXPECTED",
      /layers\.9/,
    ],
  ])("%s: says what and where", async (name, change, code, message) => {
    await expect(open(name, change)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it("NaN weights, cut files and no weights at all", async () => {
    const weights = tinyWeights();
    weights.get("model.decoder.layers.1.fc2.bias")!.data[3] = Number.NaN;
    await expect(open("nan", { weights })).rejects.toThrow(
      /model\.decoder\.layers\.1\.fc2\.bias has an element that is NaN/,
    );
    const cut = await makeTinyPegasus(join(root, "cut"));
    const file = join(cut, "model.safetensors");
    await writeFile(file, (await readFile(file)).subarray(0, -100));
    await expect(openModel(cut)).rejects.toMatchObject({
      code: "WEIGHTS_CORRUPT",
      message: expect.stringContaining("cut off"),
    });
    await rm(file);
    await expect(openModel(cut)).rejects.toMatchObject({ code: "WEIGHTS_NOT_FOUND" });
  });
});
