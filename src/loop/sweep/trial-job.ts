// One trial as a job of the queue: its process watched over, its reports kept, and ended where the pruner says so.
import type { ChildProcess } from "node:child_process";
import type { RunConfig } from "../../config/run-config.js";
import { BridleError, fromErrorData } from "../../errors/error.js";
import type { Database } from "../../ports/database.js";
import type { Job } from "../../ports/queue.js";
import type { EvaluationReport } from "../../train/events.js";
import { persistently } from "./persistently.js";
import type { SweepPlan } from "./plan.js";
import type { Pruner } from "./pruners/pruner.js";
import {
  addReport,
  beginTrial,
  countLoss,
  decideTrial,
  endTrial,
  hasReport,
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
  /** So long signs of life count that come without a step forward; eight times as long as a step unless said. */
  readonly quietMs?: number | undefined;
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
/** A download or an evaluation may take as long as so many of the longest steps, without a word of how far it is. */
const quietSteps = 8;
/** How long a trial's process may take to end once it was told to. */
const patienceMs = 10_000;
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
  const keep = <Result>(work: () => Promise<Result>) =>
    persistently(work, signal, context.onWarning);
  const begun = await keep(() => beginTrial(database, plan.name, number));
  if (begun === undefined) return;
  const end = (outcome: TrialEnd) => keep(() => endTrial(database, plan.name, number, outcome));
  if (begun.decided !== undefined) {
    await end(begun.decided);
    return;
  }
  const outcome = await watchOver(number, begun.config as RunConfig, signal, context);
  // Told to stop, it has said that it was cancelled, which is no end.
  signal.throwIfAborted();
  if (outcome.type === "end") {
    await end(outcome.end);
    return;
  }
  const error = new BridleError("TRIAL_LOST", { number, told: outcome.told });
  // Attempts of the job count kills of the sweep as well, which are no fault of the trial's.
  const losses = await keep(() => countLoss(database, plan.name, number));
  if (losses <= plan.config.retries) throw error;
  const { code, message } = error;
  await end({ state: "failed", error: { code, message } });
}

function failed({ code, message }: BridleError): Extract<Outcome, { type: "end" }> {
  return { type: "end", end: { state: "failed", error: { code, message } } };
}

async function watchOver(
  number: number,
  config: RunConfig,
  signal: AbortSignal,
  context: TrialJobContext,
): Promise<Outcome> {
  const { plan, onProgress, stallMs = longestStepMs } = context;
  const { quietMs = quietSteps * stallMs } = context;
  const child = context.startProcess();
  let outcome: Outcome | undefined;
  let totalSteps = 0;
  let step = 0;
  // Reports are kept one after the other, and the last before the trial ends.
  let keeping: Promise<void> = Promise.resolve();
  let thrown: unknown;

  const send = (message: ToTrial) => void (child.connected && child.send(message, () => {}));
  let killing: NodeJS.Timeout | undefined;
  const stop = (verdict?: "pruned" | "failed") => {
    send({ type: "stop", ...(verdict && { verdict }) });
    killing ??= setTimeout(() => child.kill("SIGKILL"), patienceMs);
  };
  const limit = plan.config.trialTimeoutMs;
  const giveUp = (code: "TRIAL_TIMEOUT" | "TRIAL_HANGS", limitMs: number) => {
    outcome ??= failed(new BridleError(code, { number, limitMs, step }));
    child.kill("SIGKILL");
  };
  const deadline =
    limit === undefined ? undefined : setTimeout(() => giveUp("TRIAL_TIMEOUT", limit), limit);
  const listen = (limitMs: number) => setTimeout(() => giveUp("TRIAL_HANGS", limitMs), limitMs);
  let stall = listen(stallMs);
  let quiet = listen(quietMs);
  const onAbort = () => stop();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) stop();

  const keep = (work: () => Promise<void>) => {
    keeping = keeping
      .then(() => persistently(work, signal, context.onWarning))
      .catch((failure) => {
        thrown ??= failure;
        stop();
      });
  };
  const decide = async (report: EvaluationReport, isOld: boolean) => {
    if (outcome !== undefined) return;
    const end = await judge(number, report, isOld, context);
    if (end === undefined) return;
    outcome ??= { type: "end", end };
    stop(end.state === "pruned" ? "pruned" : "failed");
  };

  child.on("message", (message: FromTrial) => {
    clearTimeout(stall);
    stall = listen(stallMs);
    if (message.type !== "alive") {
      clearTimeout(quiet);
      quiet = listen(quietMs);
    }
    switch (message.type) {
      case "start":
        totalSteps = message.totalSteps;
        break;
      case "step":
        step = message.step;
        onProgress?.({ number, step, totalSteps });
        break;
      case "evaluation":
        keep(() => decide(message.report, message.isOld));
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
  const { places } = context;
  const tracking = trackingOf(number, context);
  send({ type: "train", config, places, folderPatienceMs: stallMs, ...tracking });
  const told = await ended;
  for (const timer of [deadline, killing, stall, quiet]) clearTimeout(timer);
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

/**
 * Keeps a report and asks the pruner, all of one moment, so that two trials at a rung do not miss each other and no kill comes
 * between what was decided and its being known.
 * @param isOld told once more, from before the trial was taken up again: what was judged then is not judged again
 * @returns the end it comes to; undefined where it goes on
 */
async function judge(
  number: number,
  report: EvaluationReport,
  isOld: boolean,
  { database, plan, pruner }: TrialJobContext,
): Promise<TrialEnd | undefined> {
  const { step } = report;
  const value = objectiveOf(report, plan);
  return await database.transaction(async (sql) => {
    if (isOld && (await hasReport(sql, plan.name, number, step))) return undefined;
    await addReport(sql, plan.name, number, { step, value });
    let end: TrialEnd | undefined;
    if (!Number.isFinite(value)) {
      end = failed(new BridleError("TRIAL_NOT_FINITE", { number, step, value })).end;
    } else if (plan.config.pruner.name !== "none") {
      const trials = toSweepTrials(await readTrials(sql, plan.name), plan.config.objective.goal);
      const own = trials.find((trial) => trial.number === number)!;
      const others = trials.filter((trial) => trial !== own);
      if (pruner.prunes(own, others)) end = { state: "pruned", value, step, evaluation: report };
    }
    if (end !== undefined) await decideTrial(sql, plan.name, number, end);
    return end;
  });
}
