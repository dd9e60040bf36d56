// Runs a sweep: names trials as workers come free, does them over the queue, and says at the end which was best and why.
import type { ChildProcess } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RunConfig } from "../../config/run-config.js";
import { BridleError, toBridleError } from "../../errors/error.js";
import type { Database } from "../../ports/database.js";
import type { Queue } from "../../ports/queue.js";
import { importances } from "./importance/fanova.js";
import { persistently } from "./persistently.js";
import type { OpenSweep, SweepPlan } from "./plan.js";
import { rank } from "./rank.js";
import { claimSweepFolder } from "./sweep-folder.js";
import {
  addTrial,
  beginSweep,
  endSweep,
  endTrial,
  findSweep,
  queueOf,
  readPlannedTrials,
  readTrials,
  type StoredTrial,
  toSweepTrials,
  touchSweep,
} from "./sweep-store.js";
import { forgetGone, joinSweep } from "./sweep-workers.js";
import { runTrial, type TrialPayload, type TrialProgress } from "./trial-job.js";
import type { TrialPlaces } from "./trial-messages.js";

export interface RunSweepOptions {
  readonly database: Database;
  readonly queue: Queue;
  /** Where trials keep what they trained, each in a folder named by its number. */
  readonly folder: string;
  /** Trials trained at once by this process; those of all that work on the sweep are added up. */
  readonly workers: number;
  /** Goes on with a sweep of this name, or helps where it is running already. */
  readonly resume?: boolean;
  /** Starts a process that trains as `trial-messages.ts` says. */
  readonly startProcess: () => ChildProcess;
  /** Where the database and the store are, for trials' processes. */
  readonly places?: TrialPlaces;
  /** The experiment that trials are recorded in as runs; they are not recorded unless said. */
  readonly experiment?: string;
  /** Threads of one operator where the configuration says none; a trial keeps those it was begun with. */
  readonly threads?: number;
  /** A trial of which nothing is heard for so long hangs; half an hour unless said. */
  readonly stallMs?: number;
  /** One that gives signs of life and comes no further hangs after so long; four hours unless said. */
  readonly quietMs?: number;
  readonly signal?: AbortSignal;
  /** Told whenever something has changed, with all trials and how many there are to be. */
  readonly onChange?: (trials: readonly StoredTrial[], planned: number) => void;
  readonly onProgress?: (progress: TrialProgress) => void;
  readonly onWarning?: (text: string) => void;
}

export interface SweepResult {
  readonly plan: SweepPlan;
  readonly folder: string;
  /** Every trial, in the order in which they were begun. */
  readonly trials: readonly StoredTrial[];
  /** Complete trials, the best first. */
  readonly ranked: readonly StoredTrial[];
  readonly best: StoredTrial | undefined;
  /** How much each key decides the objective; undefined where it cannot be told. */
  readonly importance: Readonly<Record<string, number>> | undefined;
  /** Whether it ended early because a trial reached the target. */
  readonly reachedTarget: boolean;
}

/** Clears a killed worker's lease soon enough to wait for. */
const leaseMs = 10_000;
const lookMs = 300;
/** Looking takes a small share of the time, also at many trials in a far database. */
const lookShare = 20;
const mostLookMs = 3000;
const aliveEveryMs = 5000;

const hasEnded = ({ state }: StoredTrial) => state !== "waiting" && state !== "running";

/**
 * Runs a sweep to its end. Trials that fail are part of it. Killed, it goes on with `resume` as it would have gone.
 * @throws SWEEP_EXISTS where one of this name is there and `resume` is not said; SWEEP_NOT_FOUND the other way round;
 *   SWEEP_CHANGED; SWEEP_FOLDER_TAKEN; SWEEP_FAILED when no trial was any good; CANCELLED; what the database throws
 */
export async function runSweep(asked: OpenSweep, options: RunSweepOptions): Promise<SweepResult> {
  const { database, queue, workers, signal, onChange, resume = false } = options;
  const claim = { sweep: asked.plan.name, planSha256: asked.sha256 };
  // Before anything is kept of a new one; of one that is there, whether it may be gone on with is said first.
  const isNew = !resume && (await findSweep(database, asked.plan.name)) === undefined;
  if (isNew) await claimSweepFolder(options.folder, claim, true);
  const { plan, folder, planSha256 } = await beginSweep(
    database,
    { plan: asked.plan, planSha256: asked.sha256, folder: options.folder },
    { resume, areTrialsSaid: asked.areTrialsSaid },
  );
  // The folder says by which hash it was begun, which an earlier version's defaults may have made another one.
  if (!isNew) await claimSweepFolder(folder, { ...claim, planSha256 }, false);
  const open = { ...asked, plan };
  let planned = plan.trials;
  const patiently = <Result>(work: () => Promise<Result>) =>
    persistently(work, signal, options.onWarning);
  // A trial that ends while trials are looked at is looked at once more, and not after the pause.
  let isNews = false;
  let endPause: () => void = () => {};
  const wake = () => {
    isNews = true;
    endPause();
  };
  const {
    startProcess,
    places = {},
    stallMs,
    quietMs,
    experiment,
    onProgress,
    onWarning,
  } = options;
  const context = {
    ...{ database, plan, pruner: open.pruner, startProcess, places, stallMs, quietMs, experiment },
    ...{ onProgress, onWarning },
  };
  const worker = queue.work(
    queueOf(plan.name),
    async (job, jobSignal) => {
      await runTrial(job, jobSignal, context);
      wake();
    },
    { concurrency: workers, leaseMs, pollMs: lookMs },
  );
  let lost: unknown;
  worker.ended.catch((thrown) => {
    lost = thrown;
    wake();
  });
  const onAbort = () => wake();
  signal?.addEventListener("abort", onAbort);
  const presence = joinSweep(database, plan.name, workers);
  const signOfLife = async () => {
    await touchSweep(database, plan.name);
    await presence.touch();
    await forgetGone(database, plan.name, Date.now());
  };
  let cleared = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  try {
    for (;;) {
      if (lost !== undefined) throw lost;
      signal?.throwIfAborted();
      if (performance.now() - toldAt > aliveEveryMs) {
        await patiently(signOfLife);
        toldAt = performance.now();
      }
      const lookedAt = performance.now();
      isNews = false;
      // Somebody may have gone on with it and asked for more.
      planned = (await patiently(() => readPlannedTrials(database, plan.name))) ?? planned;
      const trials = await patiently(() => readTrials(database, plan.name));
      const pauseMs = Math.min(mostLookMs, lookShare * (performance.now() - lookedAt));
      onChange?.(trials, planned);
      const ended = trials.filter(hasEnded).length;
      if (ended > cleared) {
        await keepBest(folder, trials, plan);
        cleared = ended;
      }
      const isOver = hasReached(trials, plan);
      if (ended === trials.length && (trials.length >= planned || isOver)) {
        // A job whose worker was killed after its trial had ended is taken up once more, to be done with.
        const hasJobs = await patiently(() => hasOpenJobs(queue, plan));
        if (!hasJobs && (await patiently(() => endSweep(database, plan.name, planned)))) break;
      } else await patiently(() => mendLost(database, queue, plan, trials));
      const running = trials.length - ended;
      if (trials.length < planned && !isOver) {
        const places = await patiently(() => presence.countPlaces());
        if (running < places) {
          await patiently(() => beginNext(open, options, folder, trials));
          continue;
        }
      }
      if (isNews) continue;
      // Where all have ended, what is waited for is the end of the last one's job, which follows at once.
      const waitMs = running === 0 ? lookMs : Math.max(lookMs, pauseMs);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        endPause = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } catch (thrown) {
    throw signal?.aborted ? new BridleError("CANCELLED", {}, { cause: thrown }) : thrown;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    await worker.stop({ abort: true });
    // Where the database is away by now, the signs that do not come say as much.
    await presence.leave().catch(() => {});
  }
  const result = await describe(
    { ...open, plan: { ...plan, trials: planned } },
    folder,
    await patiently(() => readTrials(database, plan.name)),
  );
  if (result.best === undefined) {
    const first =
      result.trials.find(({ error }) => error !== null)?.error?.message ?? "every one was pruned";
    throw new BridleError("SWEEP_FAILED", { name: plan.name, trials: result.trials.length, first });
  }
  return result;
}

/** Names the next trial and puts it into the queue. Killed in between, the next run finds it and puts it there. */
async function beginNext(
  open: OpenSweep,
  { database, queue, threads }: RunSweepOptions,
  folder: string,
  trials: readonly StoredTrial[],
): Promise<void> {
  const { plan, sampler, constants } = open;
  const number = trials.length;
  const seen = toSweepTrials(trials, plan.config.objective.goal);
  const drawn = sampler.suggest(number, seen);
  let config: RunConfig | null = null;
  let invalid: { code: string; message: string } | undefined;
  try {
    const { train, ...rest } = await open.configOf(drawn, join(folder, String(number)));
    // Said here, so that it is the same run on another machine or beside more workers.
    config = { ...rest, train: { ...train, threads: train.threads ?? threads } };
  } catch (thrown) {
    // Values that are right by themselves and do not go together: it counts as a trial, so that the sweep ends.
    const { code, message, kind } = toBridleError(thrown);
    if (kind === "bug") throw thrown;
    invalid = { code, message };
  }
  const parameters = { ...constants, ...drawn };
  const isNew = await database.transaction(async (sql) => {
    if (!(await addTrial(sql, plan.name, { number, parameters, config }))) return false;
    if (invalid !== undefined)
      await endTrial(sql, plan.name, number, { state: "failed", error: invalid });
    return true;
  });
  if (isNew && invalid === undefined) await enqueueTrial(queue, plan, number);
}

async function enqueueTrial(queue: Queue, plan: SweepPlan, number: number): Promise<void> {
  const payload: TrialPayload = { sweep: plan.name, number };
  await queue.enqueue(queueOf(plan.name), payload, {
    id: `${queueOf(plan.name)}:${number}`,
    maxAttempts: 1 + plan.config.retries,
    backoffMs: 200,
  });
}

/**
 * Trials whose job never was, or ended without them: after a kill between two writes, or as many kills as there are attempts. How
 * often a trial's own process may be lost is counted with the trial.
 */
async function mendLost(
  database: Database,
  queue: Queue,
  plan: SweepPlan,
  trials: readonly StoredTrial[],
): Promise<void> {
  for (const trial of trials) {
    if (hasEnded(trial)) continue;
    const { number } = trial;
    const id = `${queueOf(plan.name)}:${number}`;
    const job = await queue.find(id);
    if (job === undefined) await enqueueTrial(queue, plan, number);
    else if (job.state === "dead") await queue.revive(id);
    else if (job.state === "cancelled") {
      const { code, message } = new BridleError("TRIAL_LOST", { number, told: "it was cancelled" });
      await endTrial(database, plan.name, number, { state: "failed", error: { code, message } });
    }
  }
}

async function hasOpenJobs(queue: Queue, { name }: SweepPlan): Promise<boolean> {
  for (const state of ["active", "waiting"] as const) {
    if ((await queue.list(queueOf(name), state)).length > 0) return true;
  }
  return false;
}

function hasReached(trials: readonly StoredTrial[], { config }: SweepPlan): boolean {
  const { target, goal } = config.objective;
  if (target === undefined) return false;
  return trials.some(
    ({ state, value }) =>
      state === "complete" &&
      value !== null &&
      (goal === "minimize" ? value <= target : value >= target),
  );
}

/** What a sweep has come to so far. */
export async function describe(
  open: OpenSweep,
  folder: string,
  trials: readonly StoredTrial[],
): Promise<SweepResult> {
  const { goal } = open.plan.config.objective;
  const ranked = rank(trials, goal);
  return {
    plan: open.plan,
    folder,
    trials,
    ranked,
    best: ranked[0],
    importance: await importances(toSweepTrials(trials, goal), open.dimensions),
    reachedTarget: hasReached(trials, open.plan),
  };
}

/** What stays of a trial that was not the best: how it went, and not what it weighs. */
const kept = new Set(["events.jsonl", "bridle.json", "curves.svg"]);

/** Takes weights and checkpoints of all trials that ended and were not the best off the disk; no later trial needs them. */
async function keepBest(
  folder: string,
  trials: readonly StoredTrial[],
  { config }: SweepPlan,
): Promise<void> {
  const [best] = rank(trials, config.objective.goal);
  for (const { number } of trials.filter(hasEnded)) {
    const own = join(folder, String(number));
    const names = await readdir(own).catch(() => []);
    const isBest = number === best?.number;
    for (const name of names) {
      const goes = isBest ? name === "checkpoints" : !kept.has(name);
      if (goes) await rm(join(own, name), { recursive: true, force: true });
    }
  }
}
