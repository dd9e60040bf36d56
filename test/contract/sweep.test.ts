// Sweeps on every database: each trial trained once however many help, whatever becomes of trials, and their rows.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openLocalQueue } from "../../src/adapters/queue/local.js";
import { queueMigrations } from "../../src/adapters/queue/migrations.js";
import { BridleError } from "../../src/errors/error.js";
import { sweepMigrations } from "../../src/loop/migrations.js";
import { openSweep } from "../../src/loop/sweep/plan.js";
import { type RunSweepOptions, runSweep } from "../../src/loop/sweep/run-sweep.js";
import {
  addReport,
  addTrial,
  beginSweep,
  beginTrial,
  decideTrial,
  endTrial,
  findSweep,
  listSweeps,
  queueOf,
  readTrials,
  setTrialRun,
} from "../../src/loop/sweep/sweep-store.js";
import type { Database } from "../../src/ports/database.js";
import { changed } from "../support/changed-database.js";
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
  const make = async (
    sweep: object,
    fates: Readonly<Record<number, Fate>> = {},
    company?: number,
  ) => {
    const folder = join(root, String(++made));
    const trials = await makeScriptedTrials(folder, sweep, fates, company);
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

  it("adds up the trials that all who help train at once", async () => {
    // None of the first four goes on before all four have begun.
    const fates = { 0: "in company", 1: "in company", 2: "in company", 3: "in company" } as const;
    const { run, begun } = await make(seeds(6), fates, 4);
    const url = await place.createUrl();
    const [first, second] = [await place.open(sets, url), await place.open(sets, url)];
    let helping: ReturnType<typeof run> | undefined;
    const whole = await run(first, {
      onChange: () => {
        helping ??= run(second, { resume: true });
      },
    });
    await helping;
    expect(whole.trials.map(({ state }) => state)).toEqual(Array(6).fill("complete"));
    expect(await begun()).toHaveLength(6);
    const { rows } = await first.query("SELECT * FROM sweep_worker");
    expect(rows).toEqual([]);
  });

  it("goes on to as many trials as somebody asks for who joins", async () => {
    // The first trial ends once a third has begun, of which there was to be none.
    const { run } = await make({ ...seeds(6), trials: 2 }, { 0: "in company" }, 3);
    const url = await place.createUrl();
    const [first, second] = [await place.open(sets, url), await place.open(sets, url)];
    let helping: ReturnType<typeof run> | undefined;
    const planned: number[] = [];
    const whole = await run(first, {
      workers: 1,
      onChange: (_, now) => {
        planned.push(now);
        helping ??= run(second, { resume: true, workers: 1 }, 5);
      },
    });
    const helped = await helping;
    expect(planned[0]).toBe(2);
    expect(planned.at(-1)).toBe(5);
    expect(whole.plan.trials).toBe(5);
    expect(whole.trials).toHaveLength(5);
    expect(helped?.trials).toEqual(whole.trials);
    // Fewer than there are cannot be asked for any more.
    expect((await run(first, { resume: true }, 3)).plan.trials).toBe(5);
  });

  it("keeps to what was decided of a trial before a kill, and decides what was not", async () => {
    const sweep = {
      ...seeds(4),
      pruner: { name: "median", startupTrials: 1 },
    };
    const { run, begun } = await make(sweep, { 1: "retold", 2: "retold" });
    const database = await place.open(sets);
    const stopped = new AbortController();
    await expect(
      run(database, { workers: 1, signal: stopped.signal, onChange: () => stopped.abort() }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    const name = "sweep";
    const end = { state: "complete", value: 0, step: 4 } as const;
    for (const number of [0, 1, 2, 3]) {
      const config = { train: { seed: number, output: String(number), threads: 1 } };
      await addTrial(database, name, { number, parameters: { "train.seed": number }, config });
    }
    for (const step of [2, 4]) await addReport(database, name, 0, { step, value: 4 - step });
    await endTrial(database, name, 0, end);
    // The second report of trial 2 was judged before the kill, that of trial 1 was not; trial 3 was to be pruned.
    await addReport(database, name, 2, { step: 2, value: 100 });
    const evaluation = { step: 2, epoch: 2, loss: 9, isBest: true };
    await decideTrial(database, name, 3, { state: "pruned", value: 9, step: 2, evaluation });
    const { trials } = await run(database, { workers: 1, resume: true });
    expect(trials.map(({ number, state, value }) => [number, state, value])).toEqual([
      [0, "complete", 0],
      [1, "pruned", 100],
      [2, "pruned", 3],
      [3, "pruned", 9],
    ]);
    expect(trials[3]!.evaluation).toEqual(evaluation);
    expect((await begun()).map(({ seed }) => seed)).toEqual([1, 2]);
  });

  it("waits for a database that is busy or away, and loses no trial by it", async () => {
    const { run, begun } = await make(seeds(3));
    const database = await place.open(sets);
    let calls = 0;
    const shaky = changed(database, async (send) => {
      if (++calls > 5 && calls % 7 === 0) {
        const code = calls % 2 === 0 ? "DATABASE_BUSY" : "DATABASE_UNAVAILABLE";
        throw new BridleError(code, { database: "it", reason: "a test", seconds: 1 });
      }
      return await send();
    });
    const { trials } = await run(database, { database: shaky, queue: openLocalQueue(shaky) });
    expect(trials.map(({ state }) => state)).toEqual(["complete", "complete", "complete"]);
    expect(await begun()).toHaveLength(3);
    const { rows } = await database.query("SELECT state, attempt FROM queue_job");
    expect(rows).toEqual(Array(3).fill({ state: "done", attempt: 1 }));
  });

  it("can be stopped while the database is away", async () => {
    const { run } = await make(seeds(2), { 0: "never ends" });
    const database = await place.open(sets);
    let isAway = false;
    const away = changed(database, async (send) => {
      if (isAway)
        throw new BridleError("DATABASE_UNAVAILABLE", { database: "it", reason: "a test" });
      return await send();
    });
    const stopped = new AbortController();
    const running = run(database, {
      ...{ database: away, queue: openLocalQueue(away, Date.now, 50), workers: 1 },
      signal: stopped.signal,
      onChange: (trials) => {
        if (trials[0]?.state !== "running") return;
        isAway = true;
        setTimeout(() => stopped.abort(), 100);
      },
    });
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await readTrials(database, "sweep")).map(({ state }) => state)).toEqual(["running"]);
  });

  it("takes a trial for hanging that is there and comes no further", async () => {
    const { run } = await make(seeds(2), { 0: "never ends" });
    const { trials } = await run(await place.open(sets), { quietMs: 1500 });
    expect(trials.map(({ state, error }) => error?.code ?? state)).toEqual([
      "TRIAL_HANGS",
      "complete",
    ]);
  });

  it("leaves no job behind that was in work when its trial had ended", async () => {
    const { run, begun } = await make(seeds(2));
    const database = await place.open(sets);
    await run(database);
    // As if it had been killed between the end of a trial and that of its job.
    await database.query(
      "UPDATE queue_job SET state = 'active', lease = 'lost', lease_until_ms = 1, ended_at_ms = NULL WHERE id = $1",
      [`${queueOf("sweep")}:1`],
    );
    await run(database, { resume: true });
    const { rows } = await database.query("SELECT DISTINCT state FROM queue_job");
    expect(rows).toEqual([{ state: "done" }]);
    expect(await begun()).toHaveLength(2);
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

  it("tries a trial again whose process was lost, however often the sweep was killed before", async () => {
    const { run, begun } = await make(seeds(2), { 0: "crash" });
    const database = await place.open(sets);
    const stopped = new AbortController();
    await expect(
      run(database, { workers: 1, signal: stopped.signal, onChange: () => stopped.abort() }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    const config = { train: { seed: 0, output: "0", threads: 3 } };
    await addTrial(database, "sweep", { number: 0, parameters: { "train.seed": 0 }, config });
    const queue = openLocalQueue(database);
    const payload = { sweep: "sweep", number: 0 };
    await queue.enqueue(queueOf("sweep"), payload, { id: "sweep:sweep:0", maxAttempts: 2 });
    await database.query(
      "UPDATE queue_job SET state = 'active', attempt = 1, lease = 'lost', lease_until_ms = 1",
    );
    const { trials } = await run(database, { resume: true });
    expect(trials.map(({ state, error }) => error?.code ?? state)).toEqual([
      "TRIAL_LOST",
      "complete",
    ]);
    expect((await begun()).filter(({ seed }) => seed === 0)).toHaveLength(2);
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

  it("goes on with what a version began that had fewer keys, and not where a new one is set", async () => {
    const { run, file } = await make({ ...seeds(4), sampler: "tpe", pruner: "median", trials: 1 });
    const database = await place.open(sets);
    await run(database);
    // As a version keeps it that knows neither of these: its hash is of what is left.
    const { rows } = await database.query<{ plan: string; folder: string }>(
      "SELECT plan, folder FROM sweep",
    );
    const plan = JSON.parse(rows[0]?.plan ?? "");
    delete plan.base.train.recompute;
    delete plan.base.evaluate.maxRows;
    delete plan.config.pruner.minTrials;
    delete plan.config.constraints;
    const older = "0".repeat(64);
    await database.query("UPDATE sweep SET plan = $1, plan_sha256 = $2", [
      JSON.stringify(plan),
      older,
    ]);
    await writeFile(
      join(rows[0]?.folder ?? "", "sweep.json"),
      `${JSON.stringify({ sweep: "sweep", planSha256: older })}\n`,
    );
    expect((await run(database, { resume: true }, 2)).trials).toHaveLength(2);
    // Once more: what it was begun by stands as it stood.
    expect((await run(database, { resume: true }, 3)).trials).toHaveLength(3);
    const others = [["train.recompute=true"], ["train.seed=9"], ["train.epochs=9"]];
    for (const words of others) {
      const opened = await openSweep(file, words, { trials: 4 });
      const how = { resume: true, areTrialsSaid: true };
      const { plan: asked, sha256: planSha256 } = opened;
      await expect(
        beginSweep(database, { plan: asked, planSha256, folder: "" }, how),
      ).rejects.toMatchObject({ code: "SWEEP_CHANGED" });
    }
  });

  it("keeps trials and reports as they were told last, and an end for good", async () => {
    const database = await place.open(sets);
    const trial = { number: 0, parameters: { a: "é", b: [1, null] }, config: { x: 1 } };
    expect(await addTrial(database, "s", trial)).toBe(true);
    expect(await addTrial(database, "s", { ...trial, parameters: {} })).toBe(false);
    expect(await beginTrial(database, "s", 0)).toEqual({ config: { x: 1 }, decided: undefined });
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
