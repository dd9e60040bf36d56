// Sweeps on every database: each trial trained once however many help, whatever becomes of trials, and their rows.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openLocalQueue } from "../../src/adapters/queue/local.js";
import { queueMigrations } from "../../src/adapters/queue/migrations.js";
import { sweepMigrations } from "../../src/loop/migrations.js";
import { openSweep } from "../../src/loop/sweep/plan.js";
import { queueOf, type RunSweepOptions, runSweep } from "../../src/loop/sweep/run-sweep.js";
import {
  addReport,
  addTrial,
  beginTrial,
  endTrial,
  findSweep,
  listSweeps,
  readTrials,
  setTrialRun,
} from "../../src/loop/sweep/sweep-store.js";
import type { Database } from "../../src/ports/database.js";
import { describeEachDatabase } from "../support/databases.js";
import { type Fate, makeScriptedTrials } from "../support/scripted-trials.js";

let root: string;
let made = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-sweeps-"));
});
afterAll(() => rm(root, { recursive: true }));

describeEachDatabase("a sweep", (place) => {
  const sets = [queueMigrations, sweepMigrations];
  const make = async (sweep: object, fates: Readonly<Record<number, Fate>> = {}) => {
    const folder = join(root, String(++made));
    const trials = await makeScriptedTrials(folder, sweep, fates);
    const run = async (
      database: Database,
      options: Partial<RunSweepOptions> = {},
      trialCount = 0,
    ) =>
      await runSweep(
        await openSweep(trials.file, [], trialCount === 0 ? {} : { trials: trialCount }),
        {
          ...{ database, queue: openLocalQueue(database), workers: 2, threads: 3 },
          folder: join(folder, "trials"),
          startProcess: trials.startProcess,
          ...options,
        },
      );
    return { ...trials, run };
  };
  const seeds = (count: number) => ({
    space: { "train.seed": Array.from({ length: count }, (_, seed) => seed) },
    sampler: "grid",
  });

  it("trains each trial once, however many help", async () => {
    const { run, begun } = await make(seeds(12));
    const url = await place.createUrl();
    const [first, second] = [await place.open(sets, url), await place.open(sets, url)];
    let helping: ReturnType<typeof run> | undefined;
    const whole = await run(first, {
      onChange: (trials) => {
        if (trials.length >= 2) helping ??= run(second, { resume: true });
      },
    });
    const helped = await helping;
    expect(whole.ranked.map(({ value }) => value)).toEqual([...Array(12).keys()]);
    expect(helped?.trials).toEqual(whole.trials);
    const told = await begun();
    expect(told.map(({ seed }) => seed).sort((a, b) => a - b)).toEqual([...Array(12).keys()]);
    expect(whole.trials.map(({ number }) => number)).toEqual([...Array(12).keys()]);
  });

  it("goes on after a trial that crashes, hangs, never ends, throws or returns NaN", async () => {
    const { run, begun } = await make(
      { ...seeds(6), trialTimeoutMs: 8000 },
      { 0: "crash", 1: "hang", 2: "never ends", 3: "throw", 4: "NaN" },
    );
    const database = await place.open(sets);
    const { trials, ranked } = await run(database, { stallMs: 4000 });
    expect(trials.map(({ state, error }) => error?.code ?? state)).toEqual([
      ...["TRIAL_LOST", "TRIAL_HANGS", "TRIAL_TIMEOUT", "FILE_NOT_FOUND", "TRIAL_NOT_FINITE"],
      "complete",
    ]);
    expect(trials[0]!.error!.message).toContain("SIGSEGV after saying: a fault in native code");
    expect(ranked.map(({ number }) => number)).toEqual([5]);
    // Only the one whose process was lost is tried again.
    const told = (await begun()).map(({ seed }) => seed);
    expect(told.filter((seed) => seed === 0)).toHaveLength(2);
    expect(told).toHaveLength(7);
  });

  it("counts values that do not go together as a trial that failed", async () => {
    const { run, begun } = await make({
      space: {
        "train.objective": ["seq2seq", "gap-sentences"],
        "data.prefix": ["", "summarize: "],
      },
      sampler: "grid",
    });
    const { trials } = await run(await place.open(sets));
    expect(trials.map(({ state, error }) => error?.code ?? state)).toEqual([
      ...["complete", "complete", "complete", "RUN_CONFIG_INVALID"],
    ]);
    expect(await begun()).toHaveLength(3);
  });

  it("says when none came to a result", async () => {
    const { run } = await make(seeds(2), { 0: "NaN", 1: "throw" });
    await expect(run(await place.open(sets))).rejects.toMatchObject({
      code: "SWEEP_FAILED",
      details: { trials: 2 },
    });
  });

  it("counts no kill of the sweep against a trial", async () => {
    const { run, begun } = await make(seeds(2));
    const database = await place.open(sets);
    const stopped = new AbortController();
    await expect(
      run(database, { workers: 1, signal: stopped.signal, onChange: () => stopped.abort() }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    // As if the sweep had been killed as often as there are attempts, each time in this trial.
    const config = { train: { seed: 0, output: "0", threads: 3 } };
    await addTrial(database, "sweep", { number: 0, parameters: { "train.seed": 0 }, config });
    const queue = openLocalQueue(database);
    await queue.enqueue(queueOf("sweep"), { sweep: "sweep", number: 0 }, { id: "sweep:sweep:0" });
    await database.query(
      `UPDATE queue_job SET state = 'active', attempt = max_attempts, lease = 'lost', lease_until_ms = 1, ended_at_ms = NULL`,
    );
    const { trials } = await run(database, { resume: true });
    expect(trials.map(({ state }) => state)).toEqual(["complete", "complete"]);
    expect((await begun()).map(({ seed }) => seed).sort()).toEqual([0, 1]);
  });

  it("goes on with as many trials as it had, or as are said, and with the threads a trial began with", async () => {
    const { run, begun } = await make({
      space: { "train.seed": { min: 1, max: 1000 } },
      sampler: "random",
      trials: 2,
    });
    const database = await place.open(sets);
    expect((await run(database, {}, 4)).trials).toHaveLength(4);
    expect((await run(database, { resume: true })).trials).toHaveLength(4);
    expect((await run(database, { resume: true, threads: 1 }, 5)).trials).toHaveLength(5);
    expect((await begun()).map(({ threads }) => threads)).toEqual([3, 3, 3, 3, 1]);
    const found = await findSweep(database, "sweep");
    expect(found).toMatchObject({ state: "done", plan: { trials: 5 } });
    expect(await listSweeps(database)).toEqual([found]);
  });

  it("keeps trials and reports as they were told last, and an end for good", async () => {
    const database = await place.open(sets);
    const trial = { number: 0, parameters: { a: "é", b: [1, null] }, config: { x: 1 } };
    expect(await addTrial(database, "s", trial)).toBe(true);
    expect(await addTrial(database, "s", { ...trial, parameters: {} })).toBe(false);
    expect(await beginTrial(database, "s", 0)).toEqual({ x: 1 });
    expect(await beginTrial(database, "s", 1)).toBeUndefined();
    for (const [step, value] of [
      [2, 0.5],
      [4, 0.25],
      [6, Number.NaN],
      [4, 0.3],
    ] as const) {
      await addReport(database, "s", 0, { step, value });
    }
    expect((await readTrials(database, "s"))[0]).toMatchObject({
      parameters: trial.parameters,
      state: "running",
      reports: [
        { step: 2, value: 0.5 },
        { step: 4, value: 0.3 },
      ],
    });
    await setTrialRun(database, "s", 0, "abcdefgh");
    expect(await endTrial(database, "s", 0, { state: "complete", value: 0.3, step: 4 })).toBe(true);
    expect(await endTrial(database, "s", 0, { state: "failed" })).toBe(false);
    expect(await beginTrial(database, "s", 0)).toBeUndefined();
    expect((await readTrials(database, "s"))[0]).toMatchObject({
      state: "complete",
      value: 0.3,
      run: "abcdefgh",
    });
  });
});
