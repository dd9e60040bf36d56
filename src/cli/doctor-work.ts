// The doctor's look at what was begun and is not done: sweeps, batches and jobs that nobody goes on with.
import type { UnfinishedWork } from "../compose.js";
import { shellWord } from "../config/shell-words.js";
import { toBridleError } from "../errors/error.js";
import type { LeftSweep } from "../loop/sweep/left-sweeps.js";
import { resumeCommand } from "../loop/sweep/resume-command.js";
import type { Finding } from "./doctor-checks.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Looks for work without a process. What somebody is at is no finding. */
export async function checkWork(env: Environment): Promise<Finding> {
  const { findUnfinishedWork } = await import("../compose.js");
  try {
    return describeWork(await findUnfinishedWork({ env }));
  } catch (thrown) {
    const { message, hint } = toBridleError(thrown);
    return { status: "fail", message, next: hint };
  }
}

/** Work that waits for somebody loses nothing by it: a warning, with the command that goes on. */
export function describeWork({
  database,
  sweeps,
  leftBatches,
  runningBatches,
  queues,
}: UnfinishedWork): Finding {
  const findings = [
    ...sweeps.left.map((sweep) => ({
      message: describeSweep(sweep),
      next: `Go on with the sweep: ${resumeCommand(sweep.plan)}`,
    })),
    ...leftBatches.map(({ model, batches, documents, answered }) => ({
      message: `${several(batches, "batch", "batches")} of ${model} ${batches === 1 ? "is" : "are"} not done, and no server works on ${batches === 1 ? "it" : "them"}: ${answered} of ${several(documents, "document")} answered`,
      next: `Start a server that has the model: bridle serve --model ${shellWord(model)}`,
    })),
    ...queues.map(({ queue, overdue, lost, dead, error }) => ({
      message: [
        ...(lost > 0 ? [`${several(lost, "job")} of ${queue} had a worker that is gone`] : []),
        ...(overdue > 0 ? [`${several(overdue, "job")} of ${queue} waits for a worker`] : []),
        ...(dead > 0 ? [`${several(dead, "job")} of ${queue} failed too often: ${error}`] : []),
      ].join("; "),
      next: `Start again what works on ${queue}.`,
    })),
  ];
  if (findings.length > 0) {
    return {
      status: "warn",
      message: findings.map(({ message }) => message).join("; "),
      next: findings.map(({ next }) => next).join("; "),
    };
  }
  if (database === undefined) return { status: "ok", message: "nothing was begun here yet" };
  const running = [
    ...(sweeps.running.length > 0 ? [several(sweeps.running.length, "sweep")] : []),
    ...(runningBatches > 0 ? [several(runningBatches, "batch", "batches")] : []),
  ];
  return {
    status: "ok",
    message:
      running.length === 0
        ? "no sweep, batch or job is left in the middle"
        : `under way: ${running.join(", ")}`,
  };
}

function several(count: number, one: string, more = `${one}s`): string {
  return `${count} ${count === 1 ? one : more}`;
}

function describeSweep({ plan, ended, open, aliveAtMs }: LeftSweep): string {
  const since =
    aliveAtMs === null ? "" : `, the last sign of it is of ${new Date(aliveAtMs).toISOString()}`;
  const begun = open === 0 ? "" : `, ${open} ${open === 1 ? "was" : "were"} under way`;
  return `the sweep ${plan.name} is not done, and nobody works on it: ${ended} of ${several(plan.trials, "trial")} ended${begun}${since}`;
}
