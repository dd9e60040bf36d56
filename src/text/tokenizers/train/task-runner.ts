// Does the tasks of a training in threads, or where it is called when there is little to do.
import { setMaxListeners } from "node:events";
import { setImmediate } from "node:timers/promises";
import { abortError } from "../../../errors/abort-error.js";
import { BridleError } from "../../../errors/error.js";
import { createWorkerPool } from "../../worker-pool.js";
import type { RepeatedStrings } from "./seed-pieces.js";
import {
  type AlternativesTask,
  runTask,
  type SeedTask,
  type SumTask,
  type TaskRunner,
  type TrainingTask,
} from "./training-tasks.js";

/** Heap of a thread; the large arrays lie outside of it. */
const heapMb = 2048;

/** @param threads 0 for none: the work is done where it is called */
export function openTaskRunner(
  threads: number,
  signal: AbortSignal | undefined,
): TaskRunner & { close(): Promise<void> } {
  if (threads === 0) {
    const startedAt = performance.now();
    const here = async (task: TrainingTask) => {
      await setImmediate();
      if (signal?.aborted) throw abortError(signal, startedAt);
      return runTask(task);
    };
    return {
      sum: async (task) => void (await here(task)),
      alternatives: async (task) => (await here(task)) as Int32Array,
      seeds: async (task) => (await here(task)) as RepeatedStrings,
      close: async () => {},
    };
  }
  const pool = createWorkerPool<TrainingTask, Int32Array | RepeatedStrings | undefined>({
    worker: new URL("./training-worker.js", import.meta.url),
    threads,
    heapMb,
    outOfMemory: (cause) =>
      new BridleError("WORKER_ENDED", { reason: `it needed more than ${heapMb} MB` }, { cause }),
  });
  // Every waiting task listens to the signal; the caller's own is not to warn of that.
  const own = signal && AbortSignal.any([signal]);
  if (own !== undefined) setMaxListeners(0, own);
  const run = async (task: TrainingTask) => await pool.run(task, { signal: own });
  return {
    sum: async (task: SumTask) => void (await run(task)),
    alternatives: async (task: AlternativesTask) => (await run(task)) as Int32Array,
    seeds: async (task: SeedTask) => (await run(task)) as RepeatedStrings,
    close: () => pool.close(),
  };
}
