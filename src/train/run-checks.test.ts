// What a run finds wrong before hours are spent, what it may be taken up with, and that it is judged as it will be served.
import { mkdir, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeToyRun, toyRows } from "../../test/support/train-toy.js";
import { checkRunConfig } from "../config/load.js";
import type { RunConfigInput } from "../config/run-config.js";
import { evaluate } from "../evaluate/evaluate.js";
import { openModel } from "../generate/model.js";
import { resolveModel } from "../model/resolve-model.js";
import { draftOf } from "../runtime/drafts.js";
import { chooseDevice } from "../runtime/session.js";
import { createSummarizer } from "../summarize/create-summarizer.js";
import { inputLimit } from "../summarize/long-document.js";
import { createResidentSummarizer } from "../summarize/resident.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import type { TrainEvent } from "./events.js";
import { type TrainOptions, train } from "./loop.js";

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-run-checks-"));
});
afterAll(() => rm(root, { recursive: true }));

const toy = (options?: RunConfigInput["train"]) =>
  makeToyRun(join(root, `run-${++count}`), options);

async function run(
  input: RunConfigInput,
  stopAfter = Number.POSITIVE_INFINITY,
  options?: TrainOptions,
) {
  const controller = new AbortController();
  return await train(checkRunConfig(input), {
    ...options,
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === "step" && event.step >= stopAfter) controller.abort();
    },
  });
}

/** What a run ends with, and whether any step was taken before. */
async function refusal(input: RunConfigInput) {
  const steps: TrainEvent[] = [];
  const told = train(checkRunConfig(input), {
    onEvent: (event) => void (event.type === "step" && steps.push(event)),
  });
  const error = await told.then(
    () => undefined,
    (thrown: Error & { code: string }) => thrown,
  );
  return { code: error?.code, message: error?.message, steps: steps.length };
}

const startOf = (input: RunConfigInput) => input.model.name as string;
const outOf = (input: RunConfigInput) => input.train?.output as string;
const readJson = async (file: string) => JSON.parse(await readFile(file, "utf8"));

/** Changes the last weight of a model in its place. */
async function changeWeights(folder: string, value = 0.25): Promise<void> {
  const file = await open(join(folder, "model.safetensors"), "r+");
  try {
    const { size } = await file.stat();
    await file.write(Buffer.from(Float32Array.of(value).buffer), 0, 4, size - 4);
  } finally {
    await file.close();
  }
}

describe("summaries of an evaluation", () => {
  it("are written as the model will be served: the folder's options, and the run's over them", async () => {
    const input = await toy({ maxSteps: 3 });
    const own = { num_beams: 3, max_length: 7, no_repeat_ngram_size: 2, transformers_version: "5" };
    await writeFile(join(startOf(input), "generation_config.json"), JSON.stringify(own));
    const { folder, record } = await run({ ...input, generate: { maxNewTokens: 5 } });
    const stored = await readJson(join(folder, "generation_config.json"));
    expect(stored).toMatchObject({
      ...{ num_beams: 3, max_new_tokens: 5, no_repeat_ngram_size: 2, transformers_version: "5" },
      ...{ eos_token_id: 1, pad_token_id: 0, decoder_start_token_id: 0 },
    });
    expect(stored).not.toHaveProperty("max_length");

    const model = await openModel(folder, { threads: 1, device: "cpu" });
    const tokenizer = await loadTokenizer(folder);
    const defaults = model.generationDefaults;
    const limits = { maxInputTokens: inputLimit(model, tokenizer), maxNewTokens: null };
    const traits = { kind: "neural", device: "cpu", dtype: "float32", limits } as const;
    const described = { name: "served", version: "1", defaults, traits };
    const rows = (await readFile(input.data.validation as string, "utf8")).trim().split("\n");
    async function* pairs() {
      for (const [line, row] of rows.slice(0, 3).entries()) {
        const { document, summary } = JSON.parse(row);
        yield { document, references: [summary], id: line, file: "valid.jsonl", line };
      }
    }
    const served = await evaluate(createResidentSummarizer(model, tokenizer, described), pairs(), {
      concurrency: 1,
    });
    await model.close();
    expect(served.statistics.genLen).toBe(record.evaluation?.genLen);
    expect(served.scores.rougeL.fmeasure.mean).toBe(record.evaluation?.rouge?.rougeL);
  });

  it("lose what would contradict the run's options wherever else it is said", async () => {
    const input = await toy({ maxSteps: 1 });
    const own = { num_beams: 3, length_penalty: 0.6, early_stopping: true, repetition_penalty: 2 };
    await writeFile(join(startOf(input), "generation_config.json"), JSON.stringify(own));
    const file = join(startOf(input), "config.json");
    const task = { min_length: 30, num_beams: 4, prefix: "" };
    const json = { ...(await readJson(file)), task_specific_params: { summarization: task } };
    await writeFile(file, JSON.stringify(json));
    const { folder } = await run({ ...input, generate: { numBeams: 1, maxNewTokens: 6 } });
    const text = await readFile(join(folder, "generation_config.json"), "utf8");
    // transformers refuses a whole number here.
    expect(text).toContain('"repetition_penalty": 2.0');
    expect(JSON.parse(text)).not.toHaveProperty("length_penalty");
    const stored = await readJson(join(folder, "config.json"));
    expect(stored.task_specific_params.summarization).toEqual({ prefix: "" });
    const summarizer = await createSummarizer({ model: folder, device: "cpu", threads: 1 });
    const [row] = (await readFile(input.data.validation as string, "utf8")).split("\n");
    const { document, summary } = JSON.parse(row as string);
    const pair = { document, references: [summary], id: 0, file: "valid.jsonl", line: 1 };
    const evaluation = await evaluate(summarizer, [pair], { samples: 10 });
    await summarizer.close();
    expect(evaluation.statistics.genLen).toBeGreaterThan(0);
  });

  it("leave the folder's own options as they are where the run says none", async () => {
    const input = await toy({ maxSteps: 1 });
    const own = `{"num_beams": 2,   "max_length": 6}`;
    await writeFile(join(startOf(input), "generation_config.json"), own);
    const { folder, record } = await run({ ...input, generate: {} });
    expect(await readFile(join(folder, "generation_config.json"), "utf8")).toBe(own);
    expect(record.evaluation?.genLen).toBeLessThanOrEqual(6);
  });
});

it("tells the device that it found and the learning rate that the optimizer went by", async () => {
  const optimizer = { name: "adafactor", relativeStep: true, warmupInit: true } as const;
  const input = await toy({ maxSteps: 3, device: "auto", optimizer });
  const events: TrainEvent[] = [];
  await train(checkRunConfig(input), { onEvent: (event) => events.push(event) });
  const start = events.find((event) => event.type === "start");
  expect(start?.device).toBe(await chooseDevice("auto"));
  const rates = events.flatMap((event) => (event.type === "step" ? [event.learningRate] : []));
  expect(rates).toEqual([1, 2, 3].map((count) => 1e-6 * count));
});

describe("a run is taken up again", () => {
  it("not from a checkpoint, nor as one that is done, when it starts from another model", async () => {
    const input = await toy({ maxSteps: 3 });
    await expect(run(input, 2)).rejects.toMatchObject({ code: "CANCELLED" });
    await changeWeights(startOf(input));
    const another = {
      code: "CHECKPOINT_MISMATCH",
      message: expect.stringMatching(/another model/),
    };
    await expect(run(input)).rejects.toMatchObject(another);
    await rm(join(outOf(input), "checkpoints"), { recursive: true });
    await run(input);
    await changeWeights(startOf(input), 0.5);
    await expect(run(input)).rejects.toMatchObject(another);
  });

  it("with as many threads as it was begun with, said or found", async () => {
    const input = await toy({ maxSteps: 3 });
    const { threads: _, ...unsaid } = input.train as NonNullable<RunConfigInput["train"]>;
    const found = { ...input, train: unsaid };
    await expect(run(found, 1, { threads: 1 })).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(run(found, 9, { threads: 2 })).rejects.toMatchObject({
      code: "CHECKPOINT_MISMATCH",
      message: expect.stringContaining("train.threads=1"),
    });
    expect((await run(input)).record.step).toBe(3);
  });

  it("writes a checkpoint once where it is told to stop just then", async () => {
    const input = await toy({ maxSteps: 3, checkpointEvery: 1 });
    let saved = 0;
    const count = { beforeCheckpoint: async () => void saved++ };
    await expect(run(input, 1, count)).rejects.toMatchObject({ code: "CANCELLED" });
    expect(saved).toBe(1);
    expect(await readdir(join(outOf(input), "checkpoints"))).toEqual(["step-1"]);
  });
});

describe("a run refuses, before its first step,", () => {
  it("options of generation that contradict each other or the model", async () => {
    const input = await toy();
    const none = { code: "INVALID_PARAMETER", steps: 0 };
    for (const [generate, parameter] of [
      [{ numBeams: 4, numBeamGroups: 3 }, "generate.numBeamGroups"],
      [{ maxNewTokens: 5000 }, "generate.maxNewTokens"],
      [{ maxNewTokens: 4, minNewTokens: 6 }, "generate.minNewTokens"],
      [{ numBeams: 1, lengthPenalty: 2 }, "generate.lengthPenalty"],
    ] as const) {
      const found = await refusal({ ...input, generate });
      expect(found).toMatchObject({ ...none, message: expect.stringContaining(parameter) });
    }
  });

  it("a row held back that no batch has room for, naming its place", async () => {
    const input = await toy({ microBatchTokens: 64 });
    const short = toyRows(40)
      .split("\n")
      .filter((_, i) => i % 4 === 0);
    await writeFile(input.data.train as string, short.join("\n"));
    const rows = toyRows(3, 100).split("\n");
    const long = {
      document: "The people said that the storm was old. ".repeat(30),
      summary: "Old.",
    };
    rows[1] = JSON.stringify(long);
    await writeFile(input.data.validation as string, rows.join("\n"));
    const found = await refusal(input);
    expect(found).toMatchObject({ code: "TOKEN_BUDGET_TOO_SMALL", steps: 0 });
    expect(found.message).toMatch(/^Line 2 of .*valid\.jsonl alone has/);
  });

  it("weights frozen to the last, or beside adapters", async () => {
    const input = await toy();
    const all = { ...input, model: { ...input.model, freeze: ["model."] } };
    expect(await refusal(all)).toMatchObject({ code: "INVALID_PARAMETER", steps: 0 });
    const lora = { rank: 2 };
    const both = { ...input, model: { ...input.model, freeze: ["model.encoder."], lora } };
    expect((await refusal(both)).message).toMatch(/model\.freeze.*model\.lora/s);
  });

  it("to write over the model it starts from", async () => {
    const input = await toy();
    const own = { ...input, train: { ...input.train, output: startOf(input) } };
    const found = await refusal(own);
    expect(found).toMatchObject({ code: "INVALID_PARAMETER", steps: 0 });
    expect(found.message).toContain("train.output");
  });
});

it.each([
  ["weights", 1e39, /element \d+ of model\./],
  ["a loss of the rows held back", 1e30, /the rows held back/],
])(
  "is no result, and keeps no checkpoint, when the last update made %s that are no numbers",
  async (_, learningRate, told) => {
    const input = await toy({
      maxSteps: 1,
      learningRate,
      maxGradNorm: null,
      optimizer: { name: "sgd" },
    });
    const found = await refusal(input);
    expect(found.code).toBe("LOSS_NOT_FINITE");
    expect(found.message).toMatch(told);
    const left = await readdir(outOf(input));
    for (const name of ["bridle.json", "best"]) expect(left).not.toContain(name);
    expect(await readdir(join(outOf(input), "checkpoints")).catch(() => [])).toEqual([]);
  },
);

it.each([
  ["model.config.d_modell", { d_modell: 16 }, /did you mean d_model\?/],
  ["model.config.encoder_layer", { encoder_layer: 6 }, /did you mean encoder_layers\?/],
  [
    "model.config.decoder_attention_heads",
    { decoder_attention_heads: 5 },
    /decoder_attention_heads/,
  ],
  ["model.config.vocab_size", { vocab_size: 100 }, /as many as the tokenizer has/],
  ["model.config is a model of", { d_model: 2 ** 20, encoder_ffn_dim: 2 ** 20 }, /GB of memory/],
])("is refused before a model is made where %s is wrong", async (parameter, change, told) => {
  const input = await toy({ maxSteps: 1 });
  const { name: _, ...model } = input.model;
  const tokenizer = input.model.name as string;
  const config = { ...(await readJson(join(tokenizer, "config.json"))), ...change };
  const found = await refusal({ ...input, model: { ...model, tokenizer, config } });
  expect(found).toMatchObject({ code: "INVALID_PARAMETER", steps: 0 });
  expect(found.message).toContain(parameter);
  expect(found.message).toMatch(told);
});

it("is refused with more threads than any machine has", async () => {
  const found = await refusal(await toy({ maxSteps: 1, threads: 10_000 }));
  expect(found).toMatchObject({ code: "INVALID_PARAMETER", steps: 0 });
  expect(found.message).toContain("threads is 10000");
});

it("leaves an adapter that stands for its model wherever a model is named", async () => {
  const home = process.env.BRIDLE_HOME;
  process.env.BRIDLE_HOME = join(root, "home");
  try {
    const input = await toy({ maxSteps: 2 });
    const lora = { rank: 2, targets: ["q_proj", "fc1"] };
    const { folder } = await run({ ...input, model: { ...input.model, lora } });
    const named = join(folder, "adapter");
    const merged = await resolveModel(named, { needs: ["model", "tokenizer"] });
    const weights = (of: string) => readFile(join(of, "model.safetensors"));
    expect((await weights(merged)).equals(await weights(folder))).toBe(true);
    expect(await resolveModel(named, { needs: ["model"] })).toBe(merged);
    // What has been damaged is merged anew.
    const damage = [
      () => truncate(join(merged, "model.safetensors"), 100_000),
      () => rm(join(merged, "config.json")),
      () => rm(join(merged, "tokenizer_config.json")),
    ];
    for (const harm of damage) {
      await harm();
      expect(await resolveModel(named, { needs: ["model"] })).toBe(merged);
      expect((await weights(merged)).equals(await weights(folder))).toBe(true);
      expect(await readdir(merged)).toEqual(
        expect.arrayContaining(["config.json", "tokenizer_config.json"]),
      );
    }
    // What a killed process was about to make is dropped when the next is made, and nobody else's.
    const kept = join(root, "home", "cache", "merged");
    const drafts = [join(kept, "1.draft"), draftOf(join(kept, "2"))];
    for (const draft of drafts) await mkdir(draft);
    // What goes on from it starts from what it made of its model.
    const next = await toy({ maxSteps: 1 });
    const { record } = await run({ ...next, model: { ...next.model, name: named } });
    expect(record.step).toBe(1);
    // Adapters of what an adapter made of its model stand for all of it.
    const further = { ...next, model: { ...next.model, name: named, lora } };
    const output = `${outOf(next)}-further`;
    const third = await run({ ...further, train: { ...further.train, output } });
    const all = await resolveModel(join(third.folder, "adapter"), { needs: ["model"] });
    expect((await weights(all)).equals(await weights(third.folder))).toBe(true);
    expect((await readdir(kept)).filter((name) => name.endsWith(".draft"))).toEqual([
      basename(drafts[1] as string),
    ]);
    const own = await refusal({ ...further, train: { ...further.train, output: folder } });
    expect(own.message).toContain("train.output");
    const file = join(named, "adapter_config.json");
    const { base_model_name_or_path: _, ...config } = await readJson(file);
    await writeFile(file, JSON.stringify(config));
    const nameless = resolveModel(named, { needs: ["model"] });
    await expect(nameless).rejects.toThrow(/base_model_name_or_path/);
    await writeFile(file, JSON.stringify({ ...config, base_model_name_or_path: named }));
    await expect(resolveModel(named, { needs: ["model"] })).rejects.toThrow(/belongs to itself/);
  } finally {
    if (home === undefined) delete process.env.BRIDLE_HOME;
    else process.env.BRIDLE_HOME = home;
  }
});
