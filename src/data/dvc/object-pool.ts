// Many files through a few worker threads, in batches, with progress and a way to stop between two pieces.
import { thisMachine } from "../../config/machine.js";
import { abortError } from "../../errors/abort-error.js";
import { BridleError } from "../../errors/error.js";
import { createWorkerPool, type WorkerPool } from "../../text/worker-pool.js";
import type { HashedFile } from "./file-pieces.js";
import type { HashName } from "./object-hash.js";
import type {
  CopiedFile,
  CopyProblem,
  LinkType,
  PlacedFile,
  WorkResult,
  WorkTask,
} from "./object-work.js";
import { makeScratch } from "./scratch.js";

/** How far a step is. */
export interface WorkProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WorkProgress) => void) | undefined;
}

const batchFiles = 256;
const pollMs = 100;

type Job = WorkTask extends infer Task
  ? Task extends WorkTask
    ? Omit<Task, "shared" | "files" | "scratch">
    : never
  : never;

/** Worker threads for the files of one repository. */
export class ObjectPool {
  private readonly pool: WorkerPool<WorkTask, WorkResult>;
  private readonly threads: number;

  constructor(threads = Math.min(thisMachine().threads, 8)) {
    this.threads = threads;
    this.pool = createWorkerPool({
      worker: new URL("./object-worker.js", import.meta.url),
      threads,
      heapMb: 512,
      outOfMemory: (cause) =>
        new BridleError("BUG", { reason: "a list of files was too long" }, { cause }),
    });
  }

  /** The hash of each file, in their order. @throws FILE_NOT_FOUND, FILE_NOT_READABLE, DVC_FILE_CHANGED, CANCELLED */
  async hash(
    files: readonly string[],
    hashName: HashName,
    options: WorkOptions,
  ): Promise<HashedFile[]> {
    return await this.files(files, { kind: "hash", hashName }, "", options);
  }

  /** As hash, with the content of each kept in the cache. @throws FILE_NOT_WRITABLE too */
  async store(
    files: readonly string[],
    cache: string,
    byHardlink: boolean,
    scratch: string,
    options: WorkOptions,
  ): Promise<HashedFile[]> {
    return await this.files(files, { kind: "store", cache, byHardlink }, scratch, options);
  }

  /** Puts cached files into the working folder. @throws DVC_OBJECT_MISSING, DVC_OBJECT_CORRUPT, DVC_LINK_FAILED */
  async place(
    files: readonly PlacedFile[],
    links: readonly LinkType[],
    scratch: string,
    options: WorkOptions,
  ): Promise<HashedFile[]> {
    return await this.files(files, { kind: "place", links }, scratch, options);
  }

  private async files(
    files: readonly (string | PlacedFile)[],
    job: Job,
    scratch: string,
    options: WorkOptions,
  ): Promise<HashedFile[]> {
    const results = await this.run(files, job, scratch, options);
    return results.flatMap((result) => (result.kind === "copy" ? [] : result.files));
  }

  /** Copies objects, each checked against its name. @returns what was missing or wrong, by index */
  async copy(
    files: readonly CopiedFile[],
    scratch: string,
    options: WorkOptions,
  ): Promise<CopyProblem[]> {
    const results = await this.run(files, { kind: "copy" }, scratch, options);
    return results.flatMap((result, batch) =>
      result.kind === "copy"
        ? result.problems.map((each) => ({ ...each, index: batch * batchFiles + each.index }))
        : [],
    );
  }

  private async run(
    files: readonly unknown[],
    job: Job,
    scratch: string,
    { signal, onProgress }: WorkOptions,
  ): Promise<WorkResult[]> {
    if (files.length === 0) return [];
    const started = performance.now();
    if (signal?.aborted) throw abortError(signal, started);
    if (scratch !== "") await makeScratch(scratch);
    const shared = new SharedArrayBuffer(24);
    const counts = new BigInt64Array(shared);
    const stop = () => void Atomics.store(counts, 2, 1n);
    signal?.addEventListener("abort", stop);
    const tell = () =>
      onProgress?.({
        bytes: Number(Atomics.load(counts, 0)),
        files: Number(Atomics.load(counts, 1)),
      });
    const timer = setInterval(tell, pollMs);
    const starts = Array.from(
      { length: Math.ceil(files.length / batchFiles) },
      (_, i) => i * batchFiles,
    );
    const results: WorkResult[] = new Array(starts.length);
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < starts.length) {
        const index = next++;
        const start = starts[index] ?? 0;
        const batch = files.slice(start, start + batchFiles);
        const task = { ...job, files: batch, shared, scratch } as unknown as WorkTask;
        results[index] = await this.pool.run(task);
      }
    };
    try {
      const lanes = Math.min(this.threads, starts.length);
      const outcomes = await Promise.allSettled(
        Array.from({ length: lanes }, () =>
          work().catch((thrown) => {
            // What is under way beside it ends at its next piece, so that nothing is half done when this throws.
            stop();
            throw thrown;
          }),
        ),
      );
      const failures = outcomes.flatMap((each) =>
        each.status === "rejected" ? [each.reason] : [],
      );
      if (signal?.aborted) throw abortError(signal, started);
      const first = failures.find(
        (each) => !(each instanceof BridleError && each.code === "CANCELLED"),
      );
      if (failures.length > 0) throw first ?? failures[0];
      tell();
      return results;
    } finally {
      clearInterval(timer);
      signal?.removeEventListener("abort", stop);
    }
  }

  async close(): Promise<void> {
    await this.pool.close();
  }
}
