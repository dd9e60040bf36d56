// Worker threads for long work on texts: started when needed, ended at once by a signal, replaced when one dies.
import { fileURLToPath } from "node:url";
import type { Transferable } from "node:worker_threads";
import { Piscina } from "piscina";
import { threadArguments } from "../config/thread-arguments.js";
import { abortError } from "../errors/abort-error.js";
import { BridleError } from "../errors/error.js";
import { resultOf, type WorkerAnswer } from "./worker-answer.js";

export interface WorkerPoolOptions<Task> {
  /** The compiled module that works; its default export is made by `answering`. */
  readonly worker: URL;
  /** Threads at most, 1 or more. */
  readonly threads: number;
  /** Heap of each thread in MB; work that needs more ends its thread. */
  readonly heapMb: number;
  /** Handed to each thread as `workerData`. */
  readonly data?: unknown;
  /** After so many ms without work the threads are given back. Default 30,000. */
  readonly idleMs?: number;
  /** The error for a task that needed more than `heapMb`. */
  readonly outOfMemory: (cause: unknown, task: Task) => BridleError;
}

export interface WorkerPool<Task, Result> {
  /**
   * Works on a task in a thread of its own; tasks beyond the number of threads wait their turn.
   * @throws what the work throws; CANCELLED or DEADLINE_EXCEEDED once the signal is aborted, whose thread is ended;
   *   CANCELLED once the pool is closed; WORKER_ENDED when the thread died
   */
  run(
    task: Task,
    options?: {
      readonly signal?: AbortSignal | undefined;
      /** Moved to the thread rather than copied. */
      readonly transfer?: readonly Transferable[];
    },
  ): Promise<Result>;
  /** Ends the threads; work under way is cancelled. */
  close(): Promise<void>;
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** A pool of threads that starts none before its first task, and does not keep the process alive. */
export function createWorkerPool<Task, Result>(
  options: WorkerPoolOptions<Task>,
): WorkerPool<Task, Result> {
  const { worker, threads, heapMb, data, idleMs = 30_000, outOfMemory } = options;
  type Pool = Piscina<Task, WorkerAnswer<Result>>;
  let pool: Pool | undefined;
  let closed = false;
  let running = 0;
  let idleTimer: NodeJS.Timeout | undefined;
  /** Why a pool was given up, for the tasks that waited in it. */
  const failures = new WeakMap<Pool, unknown>();

  function open(): Pool {
    if (pool) return pool;
    const opened: Pool = new Piscina({
      filename: fileURLToPath(worker),
      // With none, a task that waits for a thread which is then ended would wait for ever.
      minThreads: 1,
      maxThreads: threads,
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
      workerData: data,
      ...threadArguments(),
    });
    // A thread that cannot start, or dies between tasks: what waits for it fails, the next task opens another pool.
    opened.on("error", (thrown: unknown) => {
      failures.set(opened, thrown);
      void giveUp(opened);
    });
    pool = opened;
    return opened;
  }

  async function giveUp(opened: Pool): Promise<void> {
    if (pool === opened) pool = undefined;
    await opened.destroy();
  }

  function failureOf(thrown: unknown, task: Task): BridleError {
    if (thrown instanceof BridleError) return thrown;
    if (closed) return new BridleError("CANCELLED", {}, { cause: thrown });
    const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
    if (code === "ERR_WORKER_OUT_OF_MEMORY") return outOfMemory(thrown, task);
    return new BridleError("WORKER_ENDED", { reason: reasonOf(thrown) }, { cause: thrown });
  }

  return {
    async run(task, { signal, transfer = [] } = {}) {
      const startedAt = performance.now();
      if (signal?.aborted) throw abortError(signal, startedAt);
      if (closed) throw new BridleError("CANCELLED");
      clearTimeout(idleTimer);
      running++;
      const used = open();
      try {
        const answer = await used.run(task, {
          signal: signal ?? null,
          transferList: [...transfer],
        });
        return resultOf(answer);
      } catch (thrown) {
        if (signal?.aborted) throw abortError(signal, startedAt);
        throw failureOf(failures.get(used) ?? thrown, task);
      } finally {
        running--;
        if (running === 0 && pool) {
          const idle = pool;
          idleTimer = setTimeout(() => void giveUp(idle), idleMs).unref();
        }
      }
    },
    async close() {
      closed = true;
      clearTimeout(idleTimer);
      if (pool) await giveUp(pool);
    },
  };
}
