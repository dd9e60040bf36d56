// A trial's own process: trains what it is told, and ends with whoever started it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { modelSources, openTracking } from "../compose.js";
import { BridleError, toBridleError, toErrorData } from "../errors/error.js";
import { recordTraining } from "../loop/record-training.js";
import type { FromTrial, ToTrial } from "../loop/sweep/trial-messages.js";
import { trainIn } from "../train/loop.js";
import { eventsFile, openRunFolder, parseEvents, type RunFolder } from "../train/run-folder.js";

if (process.send === undefined)
  throw new BridleError("BUG", { reason: "a trial's process was started by hand" });

const controller = new AbortController();
const tell = (message: FromTrial) => void (process.connected && process.send?.(message));

/** Between two steps: what stops coming is a step that hangs. */
const signOfLifeMs = 5000;
/** Steps of the work before the first one are told so often at most. */
const preparationMs = 1000;
/** Between two looks at a folder that somebody else has. */
const folderPauseMs = 250;

type Order = Extract<ToTrial, { type: "train" }>;

let verdict: "pruned" | "failed" | undefined;

async function run(order: Order): Promise<void> {
  const timer = setInterval(() => tell({ type: "alive" }), signOfLifeMs);
  let folder: RunFolder | undefined;
  try {
    // Held until all is told, so that whoever takes the trial up again finds its record closed.
    folder = await takeFolder(order.config.train.output, order.folderPatienceMs);
    await trainRecorded(order, folder);
  } catch (thrown) {
    tell({ type: "failed", error: toErrorData(thrown) });
  } finally {
    clearInterval(timer);
    await folder?.release();
    process.disconnect?.();
  }
}

/** The trial of a sweep that was killed alone ends after its step, and lets go of the folder then. */
async function takeFolder(path: string, patienceMs: number): Promise<RunFolder> {
  const began = performance.now();
  for (;;) {
    try {
      return await openRunFolder(path);
    } catch (thrown) {
      const isTaken = toBridleError(thrown).code === "OUTPUT_IN_USE";
      if (!isTaken || performance.now() - began > patienceMs) throw thrown;
      if (controller.signal.aborted) throw new BridleError("CANCELLED");
      await sleep(folderPauseMs);
    }
  }
}

async function trainRecorded(order: Order, folder: RunFolder): Promise<void> {
  const { config, places } = order;
  const { env } = process;
  const tracking = order.tracking && (await openTracking({ ...places, env, onWarning: warn }));
  const recording =
    tracking &&
    recordTraining(config, tracking, {
      ...{ source: "sweep", ...order.tracking },
      onRun: ({ id }) => tell({ type: "run", id }),
    });
  let preparedAt = Number.NEGATIVE_INFINITY;
  try {
    const result = await trainIn(folder, config, {
      sources: modelSources({ ...places, env }),
      signal: controller.signal,
      beforeCheckpoint: recording?.keep,
      onEvent: (event) => {
        recording?.onEvent(event);
        if (event.type === "start") {
          for (const report of evaluationsUpTo(event.step, config.train.output)) {
            tell({ type: "evaluation", report, isOld: true });
          }
          tell({ type: "start", totalSteps: event.totalSteps });
        }
        if (event.type === "step") tell({ type: "step", step: event.step });
        if (event.type === "evaluation") {
          tell({ type: "evaluation", report: event.report, isOld: false });
        }
        if (event.type === "preparation" && performance.now() - preparedAt > preparationMs) {
          preparedAt = performance.now();
          tell({ type: "preparation" });
        }
      },
    });
    await recording?.finish(result);
    const { step, evaluation } = result.record;
    tell({ type: "done", step, evaluation });
  } catch (thrown) {
    if (verdict !== undefined) recording?.tag({ "trial.state": verdict });
    await recording?.fail(thrown);
    throw thrown;
  } finally {
    await tracking?.close();
  }
}

const warn = (text: string) => tell({ type: "warning", text });

/** What a run that is taken up again had evaluated: the sweep may have been killed before it could keep that. */
function evaluationsUpTo(step: number, folder: string) {
  if (step === 0) return [];
  const events = parseEvents(readFileSync(join(folder, eventsFile), "utf8"));
  return events.flatMap((event) =>
    event.type === "evaluation" && event.report.step <= step ? [event.report] : [],
  );
}

process.on("message", (message: ToTrial) => {
  if (message.type === "train") void run(message);
  else {
    verdict = message.verdict;
    controller.abort();
  }
});
// The sweep was killed: its trials do not go on alone. What has a checkpoint is taken up from there.
process.on("disconnect", () => {
  controller.abort();
  setTimeout(() => process.exit(0), 1000).unref();
});
// The terminal's interrupt reaches the whole group; the sweep says what becomes of its trials.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
