// One trial as a job of the queue: its process watched over, its reports kept, and ended where the pruner says so.
import type { ChildProcess } from "node:child_process";
import type { RunConfig } from "../../config/run-config.js";
import { BridleError, fromErrorData } from "../../errors/error.js";
import type { Database } from "../../ports/database.js";
import type { Job } from "../../ports/queue.js";
import type { EvaluationReport } from "../../train/events.js";
import type { SweepPlan } from "./plan.js";
import type { Pruner } from "./pruners/pruner.js";
import {
  addReport,
  beginTrial,
  endTrial,
  readTrials,
  setTrialRun,
  type TrialEnd,
  toSweepTrials,
} from "./sweep-store.js";
import type { FromTrial, ToTrial, TrialPlaces } from "./trial-messages.js";

/** How far a trial is, for whoever looks on. */
export interface TrialProgress {
  readonly number: number;
  readonly step: number;
  readonly totalSteps: number;
}

export interface TrialJobContext {
  readonly database: Database;
  readonly plan: SweepPlan;
  readonly pruner: Pruner;
  /** Starts a process that does what `trial-messages.ts` says. */
  readonly startProcess: () => ChildProcess;
  readonly places: TrialPlaces;
  /** A step that takes longer hangs; half an hour unless said. */
  readonly stallMs?: number | undefined;
  /** The experiment that trials are recorded in; absent where they are not. */
  readonly experiment?: string | undefined;
  readonly onProgress?: ((progress: TrialProgress) => void) | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
}

export interface TrialPayload {
  readonly sweep: string;
  readonly number: number;
}

const longestStepMs = 30 * 60 * 1000;
/** How long a trial's process may take to end once it was told to. */
const patienceMs = 10_000;
/** Before a folder is asked for again that a killed sweep's trial has not let go of. */
const folderPauseMs = 500;
/** What a process that crashed said last, at most. */
const toldLetters = 300;

/** How a trial's process ended. */
type Outcome =
  | { readonly type: "end"; readonly end: TrialEnd }
  /** It was killed, or ended without a word. */
  | { readonly type: "lost"; readonly told: string };

/**
 * Trains a trial. It has ended when this resolves, whatever came of it; a trial that has ended before is left as it is.
 * @throws TRIAL_LOST when its process was killed, so that the queue gives it to someone again; CANCELLED
 */
export async function runTrial(
  job: Job,
  signal: AbortSignal,
  context: TrialJobContext,
): Promise<void> {
  const { database, plan } = context;
  const { number } = job.payload as TrialPayload;
  const config = (await beginTrial(database, plan.name, number)) as RunConfig | undefined;
  if (config === undefined) return;
  let outcome = await watchOver(number, config, signal, context);
  while (!signal.aborted && isStillUsed(outcome)) {
    await new Promise((resolve) => setTimeout(resolve, folderPauseMs));
    outcome = await watchOver(number, config, signal, context);
  }
  signal.throwIfAborted();
  if (outcome.type === "end") {
    await endTrial(database, plan.name, number, outcome.end);
    return;
  }
  const error = new BridleError("TRIAL_LOST", { number, told: outcome.told });
  if (job.attempt >= job.maxAttempts) {
    const { code, message } = error;
    await endTrial(database, plan.name, number, { state: "failed", error: { code, message } });
    return;
  }
  throw error;
}

/** A sweep that was killed leaves its trials in the middle of a step; they end after it. */
function isStillUsed(outcome: Outcome): boolean {
  return outcome.type === "end" && outcome.end.error?.code === "OUTPUT_IN_USE";
}

function failed(error: BridleError): Outcome {
  const { code, message } = error;
  return { type: "end", end: { state: "failed", error: { code, message } } };
}

async function watchOver(
  number: number,
  config: RunConfig,
  signal: AbortSignal,
  context: TrialJobContext,
): Promise<Outcome> {
  const { plan, onProgress, stallMs = longestStepMs } = context;
  const child = context.startProcess();
  let outcome: Outcome | undefined;
  let totalSteps = 0;
  let step = 0;
  // Reports are kept one after the other, and the last before the trial ends.
  let keeping: Promise<void> = Promise.resolve();
  let thrown: unknown;

  const send = (message: ToTrial) => void (child.connected && child.send(message, () => {}));
  let killing: NodeJS.Timeout | undefined;
  const stop = () => {
    send({ type: "stop" });
    killing ??= setTimeout(() => child.kill("SIGKILL"), patienceMs);
  };
  const limit = plan.config.trialTimeoutMs;
  const giveUp = (code: "TRIAL_TIMEOUT" | "TRIAL_HANGS", limitMs: number) => {
    outcome ??= failed(new BridleError(code, { number, limitMs, step }));
    child.kill("SIGKILL");
  };
  const deadline =
    limit === undefined ? undefined : setTimeout(() => giveUp("TRIAL_TIMEOUT", limit), limit);
  const listen = () => setTimeout(() => giveUp("TRIAL_HANGS", stallMs), stallMs);
  let stall = listen();
  const onAbort = () => stop();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) stop();

  const keep = (work: () => Promise<void>) => {
    keeping = keeping.then(work).catch((failure) => {
      thrown ??= failure;
      stop();
    });
  };
  const judge = async (report: EvaluationReport, isOld: boolean) => {
    const value = objectiveOf(report, plan);
    if (outcome !== undefined) return;
    if (isOld) {
      await addReport(context.database, plan.name, number, { step: report.step, value });
      return;
    }
    if (!Number.isFinite(value)) {
      outcome = failed(new BridleError("TRIAL_NOT_FINITE", { number, step: report.step, value }));
      return stop();
    }
    if (await isPruned(number, { step: report.step, value }, context)) {
      outcome ??= {
        type: "end",
        end: { state: "pruned", value, step: report.step, evaluation: report },
      };
      stop();
    }
  };

  child.on("message", (message: FromTrial) => {
    clearTimeout(stall);
    stall = listen();
    switch (message.type) {
      case "start":
        totalSteps = message.totalSteps;
        break;
      case "step":
        step = message.step;
        onProgress?.({ number, step, totalSteps });
        break;
      case "evaluation":
        keep(() => judge(message.report, message.isOld));
        break;
      case "run":
        keep(() => setTrialRun(context.database, plan.name, number, message.id));
        break;
      case "warning":
        context.onWarning?.(message.text);
        break;
      case "done":
        keeping = keeping.then(() => {
          outcome ??= { type: "end", end: endOf(message, number, plan) };
        });
        break;
      case "failed":
        keeping = keeping.then(() => {
          outcome ??= failed(fromErrorData(message.error));
        });
        break;
      default:
        break;
    }
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    said = (said + chunk).slice(-toldLetters);
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", ({ message }) => resolve(message));
    child.once("close", (code, by) => {
      const how = by === null ? `it ended with code ${code}` : `it was ended by ${by}`;
      const last = said.trim().split("\n").at(-1);
      resolve(last ? `${how} after saying: ${last}` : how);
    });
  });
  send({ type: "train", config, places: context.places, ...trackingOf(number, context) });
  const told = await ended;
  for (const timer of [deadline, killing, stall]) clearTimeout(timer);
  signal.removeEventListener("abort", onAbort);
  await keeping;
  if (thrown !== undefined) throw thrown;
  return outcome ?? { type: "lost", told };
}

function trackingOf(number: number, { plan, experiment }: TrialJobContext) {
  if (experiment === undefined) return {};
  const { name } = plan;
  const tags = { sweep: name, trial: String(number) };
  return { tracking: { experiment, name: `${name}-${number}`, parent: name, tags } };
}

/** The objective of an evaluation; NaN where it has none. */
function objectiveOf(report: EvaluationReport, { config }: SweepPlan): number {
  const { metric } = config.objective;
  return (metric === "loss" ? report.loss : report.rouge?.[metric]) ?? Number.NaN;
}

function endOf(
  { step, evaluation }: Extract<FromTrial, { type: "done" }>,
  number: number,
  plan: SweepPlan,
): TrialEnd {
  const value = evaluation === null ? Number.NaN : objectiveOf(evaluation, plan);
  if (Number.isFinite(value)) return { state: "complete", value, step, evaluation };
  const { code, message } = new BridleError("TRIAL_NOT_FINITE", { number, step, value });
  return { state: "failed", error: { code, message } };
}

/** Keeps a report and asks the pruner, all of one moment, so that two trials at a rung do not miss each other. */
async function isPruned(
  number: number,
  report: { readonly step: number; readonly value: number },
  { database, plan, pruner }: TrialJobContext,
): Promise<boolean> {
  return await database.transaction(async (sql) => {
    await addReport(sql, plan.name, number, report);
    if (plan.config.pruner.name === "none") return false;
    const trials = toSweepTrials(await readTrials(sql, plan.name), plan.config.objective.goal);
    const own = trials.find((trial) => trial.number === number)!;
    return pruner.prunes(
      own,
      trials.filter((trial) => trial !== own),
    );
  });
}
