// A sweep's file in Bridle's words and in W&B's: what it comes to, and what each mistake is told.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSweepConfig } from "./sweep-config.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bridle-sweep-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string) {
  const file = join(folder, "sweep.yaml");
  await writeFile(file, text);
  return await readSweepConfig(file);
}

describe("a sweep in Bridle's words", () => {
  it("has every default filled in", async () => {
    const { config, notes } = await read("space: {train.learningRate: {min: 1e-5, max: 1e-3}}\n");
    expect(config).toEqual({
      space: { "train.learningRate": { kind: "uniform", low: 1e-5, high: 1e-3, log: false } },
      objective: { metric: "loss", goal: "minimize" },
      sampler: { name: "tpe", startupTrials: 10, candidates: 24, together: "numbers" },
      pruner: { name: "none" },
      constraints: [],
      seed: 0,
      retries: 1,
    });
    expect(notes).toEqual([]);
  });

  it("takes names for samplers, pruners and objectives, or their options", async () => {
    const { config } = await read(`
space: {train.seed: [1, 2]}
objective: rougeL
sampler: {name: sobol, scramble: false}
pruner: asha
trials: 4
constraints: ["train.seed < 3", {forbid: {train.seed: 9}}]
`);
    expect(config.objective).toEqual({ metric: "rougeL", goal: "maximize" });
    expect(config.sampler).toEqual({ name: "sobol", scramble: false });
    expect(config.pruner).toMatchObject({ reductionFactor: 4, minResource: "auto" });
    expect(config.trials).toBe(4);
    expect(config.constraints).toHaveLength(2);
  });

  it("reads every form of a key", async () => {
    const { config } = await read(`
space:
  train:
    learningRate: {min: 1e-5, max: 1e-3, log: true}
    accumulate: {min: 1, max: 64, log: true}
    microBatchRows: {min: 8, max: 33, step: 8}
    labelSmoothing: {min: 0.0, max: 0.25, step: 0.1}
    optimizer: [{name: adamw}, {name: adafactor}]
    epochs: {min: 1.0, max: 4}
    seed: 7
  model.lora.rank: {values: [4, 8]}
  model.config.d_model: [64]
`);
    const step = (size: number) => ({ spacing: { step: size, of: "distance" } });
    expect(config.space).toEqual({
      "train.learningRate": { kind: "uniform", low: 1e-5, high: 1e-3, log: true },
      "train.accumulate": { kind: "uniform", low: 1, high: 64, log: true, ...step(1) },
      "train.microBatchRows": { kind: "uniform", low: 8, high: 32, log: false, ...step(8) },
      "train.labelSmoothing": { kind: "uniform", low: 0, high: 0.2, log: false, ...step(0.1) },
      "train.optimizer": { kind: "choice", values: [{ name: "adamw" }, { name: "adafactor" }] },
      "train.epochs": { kind: "uniform", low: 1, high: 4, log: false },
      "train.seed": { kind: "constant", value: 7 },
      "model.lora.rank": { kind: "choice", values: [4, 8] },
      "model.config.d_model": { kind: "constant", value: 64 },
    });
  });
});

describe("a sweep in W&B's words", () => {
  it("is taken as it is", async () => {
    const { config, notes } = await read(`
program: train.py
command:
  - \${env}
  - python
  - \${program}
project: summaries
name: rates
method: bayes
metric: {name: eval/loss, goal: minimize, target: 1.5}
run_cap: 12
early_terminate: {type: hyperband, min_iter: 2, eta: 3}
parameters:
  train:
    parameters:
      learningRate: {distribution: log_uniform_values, min: 1e-5, max: 1e-3}
      optimizer: {parameters: {name: {values: [adamw, sgd]}}}
  train.accumulate: {min: 1, max: 4}
  train.labelSmoothing: {min: 0.0, max: 1.0}
  train.microBatchRows: {distribution: q_log_uniform_values, min: 4, max: 64, q: 4}
  train.epochs: {value: 2}
  model.lora.rank: {values: [4, 8, 16], probabilities: [0.5, 0.5, 0]}
`);
    expect(config).toMatchObject({
      name: "rates",
      sampler: { name: "tpe" },
      objective: { metric: "loss", goal: "minimize", target: 1.5 },
      trials: 12,
      pruner: { name: "bands", factor: 3, strict: true },
    });
    expect(config.pruner).toHaveProperty("bands.1", 6);
    expect(config.space).toEqual({
      "train.learningRate": { kind: "uniform", low: 1e-5, high: 1e-3, log: true },
      "train.optimizer.name": { kind: "choice", values: ["adamw", "sgd"] },
      "train.accumulate": {
        kind: "uniform",
        low: 1,
        high: 4,
        log: false,
        spacing: { step: 1, of: "distance" },
      },
      "train.labelSmoothing": { kind: "uniform", low: 0, high: 1, log: false },
      "train.microBatchRows": {
        kind: "uniform",
        low: 4,
        high: 64,
        log: true,
        spacing: { step: 4, of: "value" },
      },
      "train.epochs": { kind: "constant", value: 2 },
      "model.lora.rank": { kind: "choice", values: [4, 8], weights: [0.5, 0.5] },
    });
    expect(notes.join("\n")).toMatch(/program, command, project: not used/);
    expect(notes.join("\n")).toMatch(/method bayes: by a tree-structured Parzen estimator/);
  });

  it.each([
    ["bert-lr (v2)", "bert-lr-v2", "bert-lr (v2)"],
    ["lr: first", "lr-first", "lr: first"],
    ["sweep #1", "sweep-1", "sweep #1"],
    ["rates", "rates", undefined],
    ["???", undefined, "???"],
    ["", undefined, undefined],
  ])("takes %j as a name, whatever a folder can be called", async (given, name, title) => {
    const { config, notes } = await read(
      `name: ${JSON.stringify(given)}\nmethod: random\nparameters: {train.seed: {values: [1, 2]}}\n`,
    );
    expect([config.name, config.title]).toEqual([name, title]);
    expect(notes.some((note) => note.startsWith("name: "))).toBe(title !== undefined);
  });

  it.each([
    ["val_loss", "loss", "minimize"],
    ["eval/rouge_l", "rougeL", "maximize"],
    ["validation.rouge1", "rouge1", "maximize"],
    ["rougeLsum", "rougeLsum", "maximize"],
  ])("calls the metric %s", async (name, metric, goal) => {
    const { config } = await read(
      `method: random\nmetric: {name: ${name}}\nparameters: {train.seed: {values: [1, 2]}}\n`,
    );
    expect(config.objective).toEqual({ metric, goal });
  });

  it("knows bands that are counted from the end", async () => {
    const { config } = await read(
      "method: grid\nparameters: {train.seed: {values: [1, 2]}}\nearly_terminate: {type: hyperband, max_iter: 27, s: 2, strict: false}\n",
    );
    expect(config.pruner).toEqual({ name: "bands", bands: [3, 9], factor: 3, strict: false });
  });
});

describe("mistakes", () => {
  const wandb = "method: random\nparameters: {train.seed: {values: [1, 2]}}\n";
  it.each([
    [
      "space: {train.learningrate: [1, 2]}",
      "line 1: there is no train.learningrate in params.yaml; did you mean train.learningRate?",
    ],
    ["space: {learning_rate: [1, 2]}", "did you mean train.learningRate?"],
    ["space: {lora_rank: [1, 2]}", "there is no lora_rank in params.yaml"],
    [
      "space:\n  train.seed: {min: 5, max: 1}",
      "line 2: train.seed: the range is empty: min 5 is above max 1",
    ],
    ["space: {train.seed: []}", "there is no value to choose from"],
    ["space: {train.seed: [1, 1]}", "1 is there twice"],
    [
      "space: {train.output: [a, b]}",
      "train.output cannot be tried: each trial has a folder of its own",
    ],
    ["space: {train: [1, 2]}", "train cannot be tried: name one of its keys"],
    [
      "space: {evaluate.metric: [loss, rouge1], train.seed: [1, 2]}",
      "evaluate.metric cannot be tried: it is what trials are compared by; name it as the objective",
    ],
    ["space: {}", "space is to hold"],
    ["trials: 3", "space is to hold the keys to try"],
    ["space: {train.seed: 3}", "every key has one value"],
    ["space: {train.seed: {min: 1}}", "uniform needs max"],
    ["space: {train.seed: {min: 1, max: 2, setp: 1}}", "setp does not go with int_uniform"],
    [
      "space: {train.learningRate: {min: 0, max: 1, log: true}}",
      "a logarithmic range begins above 0, not at 0",
    ],
    [
      "space: {train.learningRate: {min: 0.1, max: 1.0, log: true, step: 0.1}}",
      "a logarithmic range has no step",
    ],
    [
      "space: {train.learningRate: {distribution: unifrom, min: 0, max: 1}}",
      "there is no distribution unifrom",
    ],
    ["space: {train.learningRate: {min: 0, max: x}}", 'max is to be a number, not "x"'],
    ["space: {train.seed: [1, 2]}\nsampler: tpee", "sampler.name"],
    [
      "space: {train.seed: [1, 2]}\nsampelr: tpe",
      "line 2: there is no sampelr; did you mean sampler?",
    ],
    ["space: {train.seed: [1, 2]}\ntrials: 0", "trials"],
    ["space: {train.seed: [1, 2]}\nobjective: lost", "objective.metric"],
    [
      "space: {train.seed: [1, 2]}\nobjective: {metric: rouge1, goal: minimize}",
      "rouge1 is better the higher it is",
    ],
    [
      `${wandb}metric: {name: accuracy, goal: maximize}`,
      "there is no metric accuracy; an evaluation has loss, rouge1",
    ],
    [
      `${wandb}early_terminate: {type: hyperband}`,
      "early_terminate needs min_iter, or max_iter and s",
    ],
    [
      `${wandb}early_terminate: {type: hyperband, max_iter: 2, s: 3}`,
      "no band of an iteration or more",
    ],
    [`${wandb}runcap: 3`, "there is no runcap; did you mean run_cap?"],
    [
      "method: annealing\nparameters: {train.seed: {values: [1, 2]}}",
      "method is to be bayes, random, grid, not annealing",
    ],
    [
      "method: random\nparameters: {train.seed: {values: [1, 2], probabilities: [0.5, 0.6]}}",
      "1 together",
    ],
    [
      "method: random\nparameters: {train.seed: {distribution: q_normal, q: 0}}",
      "q is to be above 0",
    ],
    [
      "method: random\nparameters: {train.seed: {distribution: int_uniform, min: 0.5, max: 2}}",
      "int_uniform goes from one whole number",
    ],
  ])("%s", async (text, told) => {
    await expect(read(`${text}\n`)).rejects.toMatchObject({ code: "SWEEP_INVALID" });
    await expect(read(`${text}\n`)).rejects.toThrow(told);
  });

  it("are all told at once", async () => {
    await expect(
      read("space:\n  train.sede: [1, 2]\n  train.epochs: {min: 3, max: 1}\ntrails: 3\n"),
    ).rejects.toThrow(/line 4: there is no trails.*line 2: .*train.seed.*line 3: .*empty/);
  });
});
