// Sweeps of toy runs: ranked, pruned, taken up again, and not ended by trials that diverge, hang or are killed.
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startTrialProcess } from "../../src/cli/sweep-trial.js";
import { listForeignRuns, openDatabase, openQueue } from "../../src/compose.js";
import { openSweep } from "../../src/loop/sweep/plan.js";
import { type RunSweepOptions, runSweep } from "../../src/loop/sweep/run-sweep.js";
import { findSweep, readTrials } from "../../src/loop/sweep/sweep-store.js";
import type { Database } from "../../src/ports/database.js";
import { listRuns } from "../../src/track/read.js";
import { startFakeMlflow } from "../support/mlflow-servers.js";
import { makeToyRun } from "../support/train-toy.js";

let root: string;
let made = 0;
const databases: Database[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-sweep-run-"));
});
afterAll(async () => {
  for (const database of databases) await database.close();
  await rm(root, { recursive: true });
});

/** A toy run and a sweep over it in a folder of their own. */
async function make(sweep: object, train: object = {}) {
  const folder = join(root, String(++made));
  const input = await makeToyRun(folder, { maxSteps: 4, evaluateEvery: 2, ...train });
  await writeFile(
    join(folder, "params.yaml"),
    JSON.stringify({ ...input, evaluate: { generate: false } }),
  );
  const file = join(folder, "sweep.yaml");
  await writeFile(file, JSON.stringify(sweep));
  const database = await openDatabase(join(folder, "state.db"));
  databases.push(database);
  const run = async (options: Partial<RunSweepOptions> = {}, words: readonly string[] = []) =>
    await runSweep(await openSweep(file, words), {
      database,
      queue: openQueue(database),
      folder: join(folder, "trials"),
      workers: 2,
      threads: 1,
      startProcess: startTrialProcess,
      ...options,
    });
  return { folder, file, database, run };
}

const rate = { min: 1e-4, max: 1e-2, log: true };

describe("a sweep", () => {
  it("ranks its trials, tells what decides, and keeps the best model alone", async () => {
    const { run, folder, database } = await make({
      space: { "train.learningRate": rate, "train.seed": [1, 2] },
      sampler: "random",
      trials: 5,
    });
    const changes: number[] = [];
    const { trials, ranked, best, importance } = await run({
      onChange: (now) => changes.push(now.length),
    });
    expect(trials.map(({ state }) => state)).toEqual(Array(5).fill("complete"));
    const values = ranked.map(({ value }) => value!);
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(best).toBe(ranked[0]);
    expect(Object.keys(importance!).sort()).toEqual(["train.learningRate", "train.seed"]);
    expect(trials[0]!.reports.map(({ step }) => step)).toEqual([2, 4]);
    expect(changes[0]).toBe(0);
    expect(changes.at(-1)).toBe(5);
    for (const { number } of trials) {
      const names = await readdir(join(folder, "trials", String(number)));
      expect(names).toContain("events.jsonl");
      expect(names.includes("model.safetensors")).toBe(number === best!.number);
      expect(names).not.toContain("checkpoints");
    }
    expect(await findSweep(database, "sweep")).toMatchObject({ state: "done" });
  });

  it("is not begun twice, and goes on by its name", async () => {
    const { run } = await make({ space: { "train.seed": [1, 2, 3] }, sampler: "grid" });
    await expect(run({ resume: true })).rejects.toMatchObject({ code: "SWEEP_NOT_FOUND" });
    const first = await run();
    expect(first.trials.map(({ parameters }) => parameters["train.seed"])).toEqual([1, 2, 3]);
    await expect(run()).rejects.toMatchObject({ code: "SWEEP_EXISTS" });
    const again = await run({ resume: true });
    expect(again.trials).toEqual(first.trials);
    await expect(run({ resume: true }, ["train.maxSteps=3"])).rejects.toMatchObject({
      code: "SWEEP_CHANGED",
    });
  });

  it("goes on after trials that diverge, and those whose values do not go together", async () => {
    const { run } = await make({
      space: { "train.learningRate": [1e-3, 1e30], "train.accumulate": [1, 2] },
      sampler: "grid",
    });
    const { trials, ranked } = await run();
    expect(trials.map(({ state }) => state)).toEqual(["complete", "complete", "failed", "failed"]);
    expect(["LOSS_NOT_FINITE", "TRIAL_NOT_FINITE"]).toContain(trials[2]!.error?.code);
    expect(ranked).toHaveLength(2);
  });

  it("ends a trial that takes too long, and says when none was any good", async () => {
    const { run, database } = await make(
      { space: { "train.seed": [1, 2] }, sampler: "grid", trialTimeoutMs: 1500 },
      { maxSteps: 1_000_000, evaluateEvery: 1_000_000, checkpointEvery: 1_000_000 },
    );
    await expect(run()).rejects.toMatchObject({ code: "SWEEP_FAILED" });
    const trials = await readTrials(database, "sweep");
    expect(trials.map(({ error }) => error?.code)).toEqual(["TRIAL_TIMEOUT", "TRIAL_TIMEOUT"]);
  });

  it("prunes by what earlier trials had", async () => {
    const { run, folder, database } = await make({
      space: { "train.learningRate": [5e-3, 4e-3, 1e-7, 2e-7] },
      sampler: "grid",
      pruner: { name: "median", startupTrials: 2 },
    });
    const mlflow = await startFakeMlflow();
    vi.stubEnv("BRIDLE_HOME", join(folder, "home"));
    try {
      const { trials } = await run({
        workers: 1,
        experiment: "search",
        places: { db: database.name, sinks: [`mlflow=${mlflow.url}`] },
      });
      expect(trials.map(({ state }) => state)).toEqual([
        ...["complete", "complete", "pruned", "pruned"],
      ]);
      expect(trials[2]).toMatchObject({ step: 2 });
      expect(trials[2]!.reports).toHaveLength(1);
      // Each is one run, which says what the sweep made of it; whoever else is to be told was told.
      const { runs } = await listRuns(database, { sort: "name" });
      expect(runs.map(({ id, name, status, tags }) => [id, name, status, tags])).toEqual(
        trials.map(({ run: id, state, number }) => [
          ...[id, `sweep-${number}`, state === "pruned" ? "stopped" : "finished"],
          expect.objectContaining({
            ...{ sweep: "sweep", trial: String(number) },
            ...(state === "pruned" && { "trial.state": "pruned" }),
          }),
        ]),
      );
      expect(runs.filter(({ tags }) => "trial.state" in tags)).toHaveLength(2);
      const told = await listForeignRuns(mlflow.url, "search", {});
      expect(told.map(({ known }) => known.name).sort()).toEqual(runs.map(({ name }) => name));
    } finally {
      vi.unstubAllEnvs();
      await mlflow.close();
    }
  });

  it("leaves the tails of a normal distribution to the trials that draw them", async () => {
    const { file } = await make({
      space: { "train.learningRate": { distribution: "normal", mu: 2e-3, sigma: 1e-3 } },
    });
    expect((await openSweep(file)).plan.trials).toBe(20);
    const { file: wrong } = await make({
      space: { "train.learningRate": { distribution: "normal", mu: -2, sigma: 1e-3 } },
    });
    await expect(openSweep(wrong)).rejects.toMatchObject({ code: "SWEEP_INVALID" });
  });

  it("ends where a trial reaches the target", async () => {
    const { run } = await make({
      space: { "train.seed": [1, 2, 3, 4] },
      sampler: "grid",
      objective: { metric: "loss", target: 1000 },
    });
    const { trials, reachedTarget } = await run({ workers: 1 });
    expect(reachedTarget).toBe(true);
    expect(trials).toHaveLength(1);
  });

  it("goes on from where it was stopped, to the same trials", { timeout: 180_000 }, async () => {
    const sweep = {
      space: { "train.learningRate": rate },
      sampler: { name: "tpe", startupTrials: 2 },
      trials: 5,
    };
    const whole = await (await make(sweep)).run({ workers: 1 });
    const { run } = await make(sweep);
    const controller = new AbortController();
    const stopped = run({
      workers: 1,
      signal: controller.signal,
      onChange: (trials) => {
        if (trials.filter(({ state }) => state === "complete").length >= 2) controller.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
    const { trials } = await run({ workers: 1, resume: true });
    expect(trials.map(({ parameters, value }) => ({ parameters, value }))).toEqual(
      whole.trials.map(({ parameters, value }) => ({ parameters, value })),
    );
  });
});

describe("what cannot be begun", () => {
  it.each([
    [
      { space: { "train.learningRate": { min: -1, max: 1 } } },
      "SWEEP_INVALID",
      "train.learningRate",
    ],
    [{ space: { "train.seed": { min: 0.5, max: 2.5 } } }, "SWEEP_INVALID", "train.seed"],
    [{ space: { "train.optimizer.name": ["adamw", "adamwx"] } }, "SWEEP_INVALID", "adamwx"],
    [
      { space: { "train.seed": [1, 2] }, constraints: ["train.seed > 2"] },
      "SWEEP_SPACE_EMPTY",
      "none is allowed",
    ],
    [
      { space: { "train.seed": [1, 2] }, constraints: ["train.sed > 2"] },
      "SWEEP_CONSTRAINT_INVALID",
      "train.sed",
    ],
    [
      { space: { "train.maxGradNorm": [1, 2, 3, null] }, constraints: ["train.maxGradNorm > 0"] },
      "SWEEP_CONSTRAINT_INVALID",
      "null is no number",
    ],
    [
      {
        space: { "train.seed": [1, 2] },
        pruner: { name: "hyperband", bootstrapCount: 2 },
      },
      "SWEEP_INVALID",
      "bootstrapCount needs a number for maxResource",
    ],
    [
      { space: { "train.learningRate": { min: 0.1, max: 1.0 } }, sampler: "grid" },
      "SWEEP_SAMPLER_UNFIT",
      "without a step",
    ],
  ])("%j: %s", async (sweep, code, told) => {
    const { file } = await make(sweep);
    await expect(openSweep(file)).rejects.toMatchObject({ code });
    await expect(openSweep(file)).rejects.toThrow(told);
  });

  it("needs rows to evaluate on", async () => {
    const { file } = await make({ space: { "train.seed": [1, 2] } });
    await expect(openSweep(file, ["~data.validation"])).rejects.toThrow("set data.validation");
  });
});
