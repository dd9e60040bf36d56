// The threads that models live on: one may be begun before it is known which model it is for.
import { SHARE_ENV, Worker } from "node:worker_threads";
import { threadArguments } from "../config/thread-arguments.js";
import { type CountedThread, EarlyThread } from "../runtime/early-thread.js";
import { createNativeCalls, endNativeCalls, type NativeCalls } from "../runtime/native-calls.js";

/** What a thread is started with. */
export interface ModelThreadData {
  /** What its calls of onnxruntime count among. */
  readonly calls: NativeCalls;
  /** Whether its encoder will have a thread of its own, which is begun at once then. */
  readonly encoderApart: boolean;
}

/** Starts a thread with what it is told. */
type Start = (workerData: ModelThreadData) => Worker;

const startWorker: Start = (workerData) =>
  new Worker(new URL("./neural-worker.js", import.meta.url), {
    ...threadArguments(),
    workerData,
    // CUDA's libraries read the process's own environment, where the runtime tells them to stay exact.
    env: SHARE_ENV,
  });

const early = new EarlyThread(createNativeCalls);

/**
 * Begins the thread of a model that will be opened soon: it loads its code while this one finds the model.
 * @param encoderApart whether its weights will be whole numbers
 * @param start how the thread is begun; as any model's unless said
 */
export function beginThreadEarly(encoderApart = false, start: Start = startWorker): void {
  early.begin((calls) => start({ calls, encoderApart }));
}

/** Ends the thread that was begun early, where there is one: no model needs it. */
export async function endEarlyThread(): Promise<void> {
  const thread = early.takeBegun();
  if (thread === undefined) return;
  await endNativeCalls(thread.calls);
  await thread.worker.terminate();
}

/** A thread that waits to be told what to open: one that was begun early, or a new one. */
export function takeThread(): CountedThread {
  return early.take((calls) => startWorker({ calls, encoderApart: false }));
}
