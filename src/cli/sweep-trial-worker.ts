// A trial's own process: trains what it is told, and ends with whoever started it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { modelSources, openTracking } from "../compose.js";
import { BridleError, toErrorData } from "../errors/error.js";
import { recordTraining } from "../loop/record-training.js";
import type { FromTrial, ToTrial } from "../loop/sweep/trial-messages.js";
import type { TrainEvent } from "../train/events.js";
import { train } from "../train/loop.js";
import { eventsFile } from "../train/run-folder.js";

if (process.send === undefined)
  throw new BridleError("BUG", { reason: "a trial's process was started by hand" });

const controller = new AbortController();
const tell = (message: FromTrial) => void (process.connected && process.send?.(message));

/** Between two steps: what stops coming is a step that hangs. */
const signOfLifeMs = 5000;

type Order = Extract<ToTrial, { type: "train" }>;

async function run(order: Order): Promise<void> {
  const timer = setInterval(() => tell({ type: "alive" }), signOfLifeMs);
  const { config, places } = order;
  const env = process.env;
  const tracking = order.tracking && (await openTracking({ ...places, env, onWarning: warn }));
  const recording =
    tracking && (await recordTraining(config, tracking, { source: "sweep", ...order.tracking }));
  if (recording !== undefined) tell({ type: "run", id: recording.run.id });
  try {
    const result = await train(config, {
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
      },
    });
    await recording?.finish(result);
    const { step, evaluation } = result.record;
    tell({ type: "done", step, evaluation });
  } catch (thrown) {
    await recording?.fail(thrown);
    tell({ type: "failed", error: toErrorData(thrown) });
  } finally {
    clearInterval(timer);
    await tracking?.close();
    process.disconnect?.();
  }
}

const warn = (text: string) => tell({ type: "warning", text });

/** What a run that is taken up again had evaluated: the sweep may have been killed before it could keep that. */
function evaluationsUpTo(step: number, folder: string) {
  if (step === 0) return [];
  const lines = readFileSync(join(folder, eventsFile), "utf8").split("\n");
  return lines.flatMap((line) => {
    if (line === "") return [];
    const event = JSON.parse(line) as TrainEvent;
    return event.type === "evaluation" && event.report.step <= step ? [event.report] : [];
  });
}

process.on("message", (message: ToTrial) => {
  if (message.type === "train") {
    run(message).catch((thrown) => {
      tell({ type: "failed", error: toErrorData(thrown) });
      process.disconnect?.();
    });
  } else controller.abort();
});
// The sweep was killed: its trials do not go on alone. What has a checkpoint is taken up from there.
process.on("disconnect", () => {
  controller.abort();
  setTimeout(() => process.exit(0), 1000).unref();
});
// The terminal's interrupt reaches the whole group; the sweep says what becomes of its trials.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
