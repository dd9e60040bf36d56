// The threads that models live on: one may be begun before it is known which model it is for.
import { SHARE_ENV, Worker } from "node:worker_threads";
import { threadArguments } from "../config/thread-arguments.js";

/** A thread that has begun to load its code, and that nobody has taken yet. */
let early: Worker | undefined;

function begin(): Worker {
  return new Worker(new URL("./neural-worker.js", import.meta.url), {
    ...threadArguments(),
    // CUDA's libraries read the process's own environment, where the runtime tells them to stay exact.
    env: SHARE_ENV,
  });
}

/**
 * Begins the thread of a model that will be opened soon: it loads its code while this one finds the model. It keeps no process
 * alive, and one that fails leaves it to the next to say why.
 * @param start how the thread is begun; as any model's unless said
 */
export function beginThreadEarly(start: () => Worker = begin): void {
  if (early !== undefined) return;
  const worker = start();
  early = worker;
  worker.unref();
  const forget = () => {
    if (early === worker) early = undefined;
  };
  worker.on("error", forget);
  worker.once("exit", forget);
}

/** A thread that waits to be told what to open: one that was begun early, or a new one. */
export function takeThread(): Worker {
  const worker = early ?? begin();
  early = undefined;
  worker.ref();
  return worker;
}
