// A whole run at toy size: it learns, can be interrupted anywhere, refuses what it must, and leaves a model that loads.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeToyRun } from "../../test/support/train-toy.js";
import { checkRunConfig } from "../config/load.js";
import type { RunConfigInput } from "../config/run-config.js";
import { type Model, openModel } from "../generate/model.js";
import { readAdapter } from "../model/checkpoint/adapter.js";
import { holdWeights, readWeight } from "../runtime/weights.js";
import type { TrainEvent } from "./events.js";
import { train } from "./loop.js";

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-train-"));
});
afterAll(() => rm(root, { recursive: true }));

const toy = (options?: RunConfigInput["train"]) =>
  makeToyRun(join(root, `run-${++count}`), options);

async function run(input: RunConfigInput, stopAfter = Number.POSITIVE_INFINITY) {
  const events: TrainEvent[] = [];
  const controller = new AbortController();
  const result = await train(checkRunConfig(input), {
    signal: controller.signal,
    onEvent: (event) => {
      events.push(event);
      if (event.type === "step" && event.step >= stopAfter) controller.abort();
    },
  });
  return { events, ...result };
}

const weightsOf = (folder: string) => readFile(join(folder, "model.safetensors"));
const losses = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === "step" ? [event.loss] : []));

describe("a run", () => {
  it("learns, tells what it does, and leaves a folder that loads", async () => {
    const input = await toy();
    const { events, folder, record } = await run(input);
    const steps = losses(events);
    expect(steps.length).toBeGreaterThan(5);
    expect(steps.at(-1)!).toBeLessThan(steps[0]! * 0.8);
    const types = new Set(events.map(({ type }) => type));
    for (const type of ["data", "start", "step", "hardware", "evaluation", "checkpoint", "done"]) {
      expect(types).toContain(type);
    }
    const evaluations = events.flatMap((e) => (e.type === "evaluation" ? [e.report] : []));
    expect(evaluations[0]).toMatchObject({ isBest: true, rouge: { rougeL: expect.any(Number) } });
    const best = Math.min(...evaluations.map(({ loss }) => loss));
    expect(record.evaluation?.loss).toBe(best);
    expect(record.data.map(({ sha256 }) => sha256.length)).toEqual([64, 64]);
    const model = await openModel(folder, { threads: 1, device: "cpu" });
    const { loss } = await model.forward({ inputIds: [[110, 120, 1]], labels: [[130, 1]] });
    expect(loss).toBeGreaterThan(0);
    await model.close();
    // The same run again is done already, and leaves its folder as it is.
    const told = await readFile(join(folder, "events.jsonl"), "utf8");
    const again = await run(input);
    expect(losses(again.events)).toEqual([]);
    expect(again.events.map(({ type }) => type)).toContain("data");
    expect(again.record).toEqual(record);
    expect(await readFile(join(folder, "events.jsonl"), "utf8")).toBe(told);
    // Weights that a power cut has emptied are put there again.
    const weights = await weightsOf(folder);
    await writeFile(join(folder, "model.safetensors"), "");
    expect(losses((await run(input)).events)).toEqual([]);
    expect(await weightsOf(folder)).toEqual(weights);
  });

  it("comes to the same weights, bit for bit, when it was interrupted", async () => {
    const options = { averageDecay: 0.9, optimizer: { name: "adafactor", beta1: 0.9 } } as const;
    const whole = await run(await toy(options));
    const input = await toy(options);
    for (const step of [1, 4, 5])
      await expect(run(input, step)).rejects.toMatchObject({ code: "CANCELLED" });
    const parts = await run(input);
    expect(await weightsOf(parts.folder)).toEqual(await weightsOf(whole.folder));
    expect(parts.record.evaluation).toEqual(whole.record.evaluation);
    const told = (await readFile(join(parts.folder, "events.jsonl"), "utf8"))
      .split("\n")
      .flatMap((line) => (line.includes('"type":"step"') ? [JSON.parse(line).step] : []));
    expect(told).toEqual(losses(whole.events).map((_, i) => i + 1));
  });

  it("lets whoever keeps its events have them safe before a checkpoint can be seen", async () => {
    const told: number[] = [];
    const seen: { told: number; checkpoints: string[] }[] = [];
    const input = await toy({ maxSteps: 3, checkpointEvery: 1 });
    const config = checkRunConfig(input);
    await train(config, {
      onEvent: (event) => event.type === "step" && told.push(event.step),
      async beforeCheckpoint() {
        await new Promise(setImmediate);
        const folder = join(config.train.output, "checkpoints");
        seen.push({ told: told.length, checkpoints: await readdir(folder).catch(() => []) });
      },
    });
    expect(seen).toEqual([
      { told: 1, checkpoints: [] },
      { told: 2, checkpoints: ["step-1"] },
      { told: 3, checkpoints: expect.arrayContaining(["step-2"]) },
      // Once more, before it is noted there that the last step is evaluated.
      { told: 3, checkpoints: expect.arrayContaining(["step-3"]) },
    ]);
    expect(seen[2]?.checkpoints).not.toContain("step-3");
  });

  it("trains adapters alone, and merges them into the model", async () => {
    const input = await toy();
    const { folder, events } = await run({
      ...input,
      model: { ...input.model, lora: { rank: 2, alpha: 4, dropout: 0.1, targets: "all-linear" } },
    });
    const start = events.find((event) => event.type === "start");
    expect(start?.learnedParameters).toBeLessThan(start!.parameters / 5);
    const adapter = await readAdapter(join(folder, "adapter"));
    expect(adapter.config).toMatchObject({ rank: 2, targets: "all-linear" });
    const [trained, before] = await Promise.all(
      [folder, input.model.name as string].map((name) =>
        openModel(name, { threads: 1, device: "cpu" }),
      ),
    );
    const name = "model.encoder.layers.0.fc1.weight";
    const dataOf = async (model: Model, of: string) =>
      (await readWeight(model.weights.get(of)!)).data;
    expect(await dataOf(trained!, name)).not.toEqual(await dataOf(before!, name));
    const table = "model.shared.weight";
    expect(await dataOf(trained!, table)).toEqual(await dataOf(before!, table));
    await trained!.close();
    await before!.close();
  });

  it("leaves frozen weights as they are", async () => {
    const input = await toy({ maxSteps: 2 });
    const { folder } = await run({
      ...input,
      model: { ...input.model, freeze: ["model.encoder.", "model.shared"] },
    });
    const [trained, before] = await Promise.all(
      [folder, input.model.name as string].map((name) =>
        openModel(name, { threads: 1, device: "cpu" }),
      ),
    );
    const now = await holdWeights(trained!.weights);
    for (const [name, { data }] of await holdWeights(before!.weights)) {
      const bytes = (of: typeof data) => Buffer.from(of.buffer, of.byteOffset, of.byteLength);
      const same = bytes(data).equals(bytes(now.get(name)!.data));
      if (/^model\.(encoder|shared)/.test(name)) expect(same, name).toBe(true);
      if (/^model\.decoder.*fc1\.weight/.test(name)) expect(same, name).toBe(false);
    }
    await trained!.close();
    await before!.close();
  });

  it("starts from nothing on a tokenizer", async () => {
    const input = await toy({ maxSteps: 2, recompute: true, lossChunks: 2 });
    const { folder } = await run({
      ...input,
      model: {
        tokenizer: input.model.name as string,
        config: {
          vocab_size: 220,
          d_model: 16,
          encoder_layers: 1,
          decoder_layers: 1,
          encoder_attention_heads: 2,
          decoder_attention_heads: 2,
          encoder_ffn_dim: 32,
          decoder_ffn_dim: 32,
          max_position_embeddings: 64,
        },
      },
    });
    const model = await openModel(folder, { threads: 1, device: "cpu" });
    expect(model.config).toMatchObject({ vocabSize: 220, encoderLayers: 1 });
    await model.close();
  });

  it("learns from documents alone, with sentences and words hidden, and resumes to the same weights", async () => {
    const options = {
      objective: "gap-sentences",
      gapSentences: { strategy: "random", ratio: 0.5, intact: 0.2, maskedTokens: 0.15 },
      epochs: 6,
    } as const;
    const whole = await run(await toy(options));
    const steps = losses(whole.events);
    expect(steps.at(-1)!).toBeLessThan(steps[0]! * 0.8);
    const evaluation = whole.events.find((event) => event.type === "evaluation");
    expect(evaluation?.report.loss).toBeGreaterThan(0);
    expect(evaluation?.report.rouge).toBeUndefined();
    const input = await toy(options);
    await expect(run(input, 5)).rejects.toMatchObject({ code: "CANCELLED" });
    const parts = await run(input);
    expect(await weightsOf(parts.folder)).toEqual(await weightsOf(whole.folder));
  });

  it("tells of repeated documents, and of those that it is judged by too", async () => {
    const input = await toy({ maxSteps: 1 });
    const train = await readFile(input.data.train as string, "utf8");
    const [first, second] = train.split("\n");
    await writeFile(input.data.train as string, `${train}${first}\n`);
    await writeFile(input.data.validation as string, `${second}\n`);
    const { events } = await run(input);
    const reports = events.flatMap((event) => (event.type === "data" ? [event.report] : []));
    expect(reports[0]!.repeatedDocuments).toBeGreaterThan(0);
    expect(reports[0]!.repeats[0]).toMatch(/^Line \d+ of .*train\.jsonl as Line \d+ of /);
    const leakage = events.find((event) => event.type === "leakage");
    expect(leakage?.report).toMatchObject({
      documents: 1,
      pairs: 1,
      places: [expect.stringContaining("valid.jsonl as Line 2 of ")],
    });
    expect(events.some((event) => event.type === "preparation")).toBe(true);
    const kept = await readFile(join(input.train!.output as string, "events.jsonl"), "utf8");
    expect(kept).toContain('"type":"leakage"');
    expect(kept).not.toContain("preparation");
  });

  it("stops when evaluations get no better", async () => {
    const { events, record } = await run(
      await toy({ patience: 1, learningRate: 1, maxGradNorm: null, evaluateEvery: 1 }),
    );
    expect(events.some(({ type }) => type === "stopped")).toBe(true);
    expect(record.evaluation?.isBest).toBe(true);
  });

  it("is cancelled, which is no fault, where it is told to end before the first step", async () => {
    const controller = new AbortController();
    const told = train(checkRunConfig(await toy()), {
      signal: controller.signal,
      onEvent: ({ type }) => type === "preparation" && controller.abort(),
    });
    await expect(told).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe("a run refuses", () => {
  it("to go on from a checkpoint of another configuration", async () => {
    const input = await toy();
    await expect(run(input, 2)).rejects.toMatchObject({ code: "CANCELLED" });
    const other = { ...input, train: { ...input.train, learningRate: 1e-4 } };
    await expect(run(other)).rejects.toMatchObject({ code: "CHECKPOINT_MISMATCH" });
  });

  it("a folder that another trainer works on, and takes one whose trainer is dead", async () => {
    const input = await toy({ maxSteps: 1 });
    const out = input.train!.output as string;
    await run(input);
    await rm(join(out, "bridle.json"));
    await writeFile(join(out, ".trainer.lock"), String(process.ppid));
    await expect(run(input)).rejects.toMatchObject({ code: "OUTPUT_IN_USE" });
    await writeFile(join(out, ".trainer.lock"), String(2 ** 30));
    await run(input);
  });

  it("weights that are no numbers, naming the first", async () => {
    const input = await toy({ learningRate: 1e30, maxGradNorm: null, evaluateEvery: 100 });
    await expect(run(input)).rejects.toMatchObject({
      code: "LOSS_NOT_FINITE",
      message: expect.stringMatching(/the first is element \d+ of .*model\./),
    });
  });

  it("names that are none of the model's, before the first step", async () => {
    const input = await toy();
    const lora = { ...input, model: { ...input.model, lora: { targets: ["query"] } } };
    await expect(run(lora)).rejects.toThrow(/q_proj/);
    const frozen = { ...input, model: { ...input.model, freeze: ["encoder"] } };
    await expect(run(frozen)).rejects.toThrow(/model\.freeze/);
  });
});
