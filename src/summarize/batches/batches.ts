// Durable batches: kept before they are acknowledged, worked on over the queue, and gone on with by whoever starts next.
import { BridleError } from "../../errors/error.js";
import type { Database } from "../../ports/database.js";
import type { Queue, QueueWorker } from "../../ports/queue.js";
import { pileWidth } from "../default-concurrency.js";
import type { Summarizer } from "../summarizer.js";
import { createSlots } from "../work-slots.js";
import {
  type Batch,
  type BatchAnswer,
  type BatchInput,
  cancelBatch,
  countOpenDocuments,
  findBatch,
  insertBatch,
  listBatches,
  listOpenBatches,
  readAnswers,
  removeOldBatches,
} from "./batch-store.js";
import { type DocumentObserver, runBatch } from "./run-batch.js";

export interface Batches {
  /**
   * Keeps a batch and puts it into the queue. It is on disk when this resolves.
   * @throws BATCHES_FULL, and what the database throws
   */
  create(asked: {
    readonly model: string;
    readonly owner: string;
    readonly documents: readonly BatchInput[];
  }): Promise<Batch>;
  /** @throws BATCH_NOT_FOUND where there is none, or it is another owner's */
  get(id: string, owner?: string): Promise<Batch>;
  /** The newest first. @param owner only those of this one; all unless said */
  list(asked: { readonly owner?: string | undefined; readonly limit: number }): Promise<Batch[]>;
  /** Ends it as it is. One that is over stays what it was. @throws BATCH_NOT_FOUND */
  cancel(id: string, owner?: string): Promise<Batch>;
  /** Some answers after a line, in the order of lines; of a batch that is running, those that are there. */
  answers(id: string, after: number, limit: number): Promise<BatchAnswer[]>;
  close(): Promise<void>;
}

export interface OpenBatchesOptions {
  readonly database: Database;
  readonly queue: Queue;
  /** By the names that batches are kept under; those of other models wait for a server that has them. */
  readonly summarizers: ReadonlyMap<string, Summarizer>;
  readonly observer: DocumentObserver;
  /** Most documents of batches that are not over. */
  readonly maxOpenDocuments: number;
  /** Told when the queue can no longer be read. */
  readonly onFailure: (thrown: unknown) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** How often batches are removed that ended too long ago. A day unless said. */
  readonly removeEveryMs?: number;
}

const dayMs = 24 * 3600 * 1000;
/** How long a batch that ended can be asked for. */
export const keptMs = 30 * dayMs;
/** A killed server's batches go on after so long. */
const leaseMs = 5000;
const lookMs = 1000;
/** Batches of one model that are worked on side by side, so that a short one need not wait for the end of a long one. */
const batchesTogether = 4;
/** Kills count against a document, and not against its batch. */
const mostAttempts = 1_000_000;

export const batchQueue = (model: string) => `batches:${model}`;

/** Opens what is kept, and goes on with every batch of these models that is not over. */
export async function openBatches({
  database,
  queue,
  summarizers,
  observer,
  maxOpenDocuments,
  onFailure,
  now = Date.now,
  removeEveryMs = dayMs,
}: OpenBatchesOptions): Promise<Batches> {
  const removeOld = () => removeOldBatches(database, now() - keptMs);
  await removeOld();
  const enqueue = (id: string, model: string) =>
    queue.enqueue(batchQueue(model), { batch: id }, { id, maxAttempts: mostAttempts });
  // Killed between the batch and its job, which nobody was told was there.
  for (const { id, model } of await listOpenBatches(database)) {
    const job = await queue.find(id);
    if (job === undefined) await enqueue(id, model);
    else if (job.state === "dead") await queue.revive(id);
  }
  const workers: QueueWorker[] = [...summarizers].map(([model, summarizer]) => {
    const slots = createSlots(pileWidth(summarizer));
    return queue.work(
      batchQueue(model),
      async ({ payload, attempt }, signal) => {
        const { batch } = payload as { batch: string };
        await runBatch(batch, { database, summarizer, slots, observer, attempt, signal });
      },
      { leaseMs, pollMs: lookMs, concurrency: batchesTogether },
    );
  });
  for (const worker of workers) worker.ended.catch(onFailure);
  let removal: Promise<unknown> = Promise.resolve();
  const removing = setInterval(() => {
    // One that fails is made up for by the next; what is too old is told to nobody until then.
    removal = removal.then(removeOld).catch(() => {});
  }, removeEveryMs);
  removing.unref();

  const get = async (id: string, owner?: string): Promise<Batch> => {
    const found = await findBatch(database, id);
    const isOver = found?.endedAtMs != null && found.endedAtMs < now() - keptMs;
    const isTheirs = owner === undefined || found?.owner === owner;
    if (found === undefined || isOver || !isTheirs)
      throw new BridleError("BATCH_NOT_FOUND", { id: id.slice(0, 100) });
    return found;
  };
  return {
    get,
    async create({ model, owner, documents }) {
      const open = await countOpenDocuments(database);
      if (open + documents.length > maxOpenDocuments) {
        const retryAfterS = 60;
        throw new BridleError("BATCHES_FULL", { open, limit: maxOpenDocuments, retryAfterS });
      }
      const id = await insertBatch(database, { model, owner }, documents);
      try {
        await enqueue(id, model);
      } catch (thrown) {
        // Whoever is told that it failed sends it again. Where it cannot be cancelled either, the first failure says more.
        await cancelBatch(database, id).catch(() => {});
        throw thrown;
      }
      return await get(id);
    },
    list: async (asked) => await listBatches(database, { ...asked, endedAfter: now() - keptMs }),
    async cancel(id, owner) {
      await get(id, owner);
      if (await cancelBatch(database, id)) await queue.cancel(id);
      return await get(id);
    },
    answers: async (id, after, limit) => await readAnswers(database, id, after, limit),
    async close() {
      clearInterval(removing);
      await removal;
      await Promise.all(workers.map((worker) => worker.stop({ abort: true })));
    },
  };
}
