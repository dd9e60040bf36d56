// The durable batches of a server: opened when there are some or the first is sent, and closed with it.
import { BridleError } from "../../errors/error.js";
import type { Database } from "../../ports/database.js";
import type { Queue } from "../../ports/queue.js";
import type { Summarizer } from "../summarizer.js";
import { type Batches, openBatches } from "./batches.js";
import type { DocumentObserver } from "./run-batch.js";

export interface BatchObserver extends DocumentObserver {
  /** The queue can no longer be read. */
  onLost?(thrown: unknown): void;
}

export interface KeptBatches {
  observe(observer: BatchObserver): void;
  /** Undefined where there is no database yet. What is there goes on. @throws what opening the database throws; SHUTTING_DOWN */
  find(): Promise<Batches | undefined>;
  /** Makes the database where there is none. @throws what opening the database throws; SHUTTING_DOWN */
  open(): Promise<Batches>;
  close(): Promise<void>;
}

export interface KeepBatchesOptions {
  /** @param isMade whether to make one where there is none; undefined else */
  readonly openDatabase: (isMade: boolean) => Promise<Database | undefined>;
  readonly openQueue: (database: Database) => Queue;
  /** Those that are served when batches are opened, each by the name under which its batches are kept. */
  readonly summarizers: () => ReadonlyMap<string, Summarizer>;
  readonly maxOpenDocuments: number;
}

interface Opened {
  readonly batches: Batches;
  close(): Promise<void>;
}

export function keepBatches({
  openDatabase,
  openQueue,
  summarizers,
  maxOpenDocuments,
}: KeepBatchesOptions): KeptBatches {
  let observer: BatchObserver = {};
  let opening: Promise<Opened | undefined> | undefined;
  let closed = false;

  const begin = async (isMade: boolean): Promise<Opened | undefined> => {
    const database = await openDatabase(isMade);
    if (database === undefined) return undefined;
    const queue = openQueue(database);
    const close = async () => {
      await queue.close();
      await database.close();
    };
    try {
      const batches = await openBatches({
        ...{ database, queue, summarizers: summarizers(), maxOpenDocuments },
        observer: {
          onSummary: (result) => observer.onSummary?.(result),
          onFailure: (model, error) => observer.onFailure?.(model, error),
        },
        onFailure(thrown) {
          observer.onLost?.(thrown);
          // The next one who asks opens it anew.
          const lost = opening;
          opening = undefined;
          void lost?.then((opened) => opened?.close()).catch(() => {});
        },
      });
      return {
        batches,
        async close() {
          await batches.close();
          await close();
        },
      };
    } catch (thrown) {
      await close();
      throw thrown;
    }
  };
  const get = async (isMade: boolean): Promise<Batches | undefined> => {
    // Models are closed by then: what was begun now would fail, and nobody would end it.
    if (closed) throw new BridleError("SHUTTING_DOWN");
    opening ??= begin(isMade);
    const mine = opening;
    let opened: Opened | undefined;
    try {
      opened = await mine;
    } finally {
      if (opened === undefined && opening === mine) opening = undefined;
    }
    return opened?.batches;
  };
  return {
    observe(given) {
      observer = given;
    },
    find: () => get(false),
    async open() {
      for (;;) {
        // Somebody may be looking whether there is one just now.
        const opened = await get(true);
        if (opened !== undefined) return opened;
      }
    },
    async close() {
      closed = true;
      const opened = await opening?.catch(() => undefined);
      opening = undefined;
      await opened?.close();
    },
  };
}
