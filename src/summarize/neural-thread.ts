// The threads that models live on: one may be begun before it is known which model it is for.
import { SHARE_ENV, Worker } from "node:worker_threads";
import { threadArguments } from "../config/thread-arguments.js";
import {
  createNativeCalls,
  endNativeCalls,
  forgetNativeCalls,
  type NativeCalls,
} from "../runtime/native-calls.js";

/** A thread, and what its calls of onnxruntime count among. */
export interface ModelThread {
  readonly worker: Worker;
  readonly calls: NativeCalls;
}

/** What a thread is started with. */
export interface ModelThreadData {
  readonly calls: NativeCalls;
  /** Whether its encoder will have a thread of its own, which is begun at once then. */
  readonly encoderApart: boolean;
}

/** A thread that has begun to load its code, and that nobody has taken yet. */
let early: ModelThread | undefined;

/** Starts a thread with what it is told. */
type Start = (workerData: ModelThreadData) => Worker;

const startWorker: Start = (workerData) =>
  new Worker(new URL("./neural-worker.js", import.meta.url), {
    ...threadArguments(),
    workerData,
    // CUDA's libraries read the process's own environment, where the runtime tells them to stay exact.
    env: SHARE_ENV,
  });

function begin(encoderApart: boolean, start: Start): ModelThread {
  const calls = createNativeCalls();
  const worker = start({ calls, encoderApart });
  worker.once("exit", () => forgetNativeCalls(calls));
  return { worker, calls };
}

/**
 * Begins the thread of a model that will be opened soon: it loads its code while this one finds the model. It keeps no process
 * alive, and one that fails leaves it to the next to say why.
 * @param encoderApart whether its weights will be whole numbers
 * @param start how the thread is begun; as any model's unless said
 */
export function beginThreadEarly(encoderApart = false, start: Start = startWorker): void {
  if (early !== undefined) return;
  const thread = begin(encoderApart, start);
  early = thread;
  thread.worker.unref();
  const forget = () => {
    if (early === thread) early = undefined;
  };
  thread.worker.on("error", forget);
  thread.worker.once("exit", forget);
}

/** Ends the thread that was begun early, where there is one: no model needs it. */
export async function endEarlyThread(): Promise<void> {
  const thread = early;
  early = undefined;
  if (thread === undefined) return;
  await endNativeCalls(thread.calls);
  await thread.worker.terminate();
}

/** A thread that waits to be told what to open: one that was begun early, or a new one. */
export function takeThread(): ModelThread {
  const thread = early ?? begin(false, startWorker);
  early = undefined;
  thread.worker.ref();
  return thread;
}
