// Works through a batch as a job of the queue: each document gets one answer, however often whoever works on it is killed.
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { setImmediate as letOthersRun } from "node:timers/promises";
import { BridleError, toBridleError, toErrorData } from "../../errors/error.js";
import type { Database } from "../../ports/database.js";
import { pileWidth } from "../default-concurrency.js";
import { createPatience, type Patience } from "../passing-failures.js";
import type { Summarizer, SummaryResult } from "../summarizer.js";
import type { Slots } from "../work-slots.js";
import {
  beginBatch,
  countLoss,
  endBatch,
  keepAnswers,
  type NewAnswer,
  readWaiting,
  type WaitingDocument,
} from "./batch-store.js";

/** What is told of documents, for whoever counts them. */
export interface DocumentObserver {
  onSummary?(result: SummaryResult): void;
  onFailure?(model: string, error: BridleError): void;
}

export interface RunBatchContext {
  readonly database: Database;
  readonly summarizer: Summarizer;
  /** What the summarizer's batches share, in which their documents take turns. */
  readonly slots: Slots;
  readonly observer: DocumentObserver;
  /** 1 the first time; more where whoever worked on the batch was lost. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** A document with which so many processes were lost gets an error: it is more likely the cause than not. */
const mostLosses = 5;

/**
 * Answers every document of a batch that has no answer yet.
 * @throws what the database throws; CANCELLED when the signal fires
 */
export async function runBatch(id: string, context: RunBatchContext): Promise<void> {
  const { database, signal } = context;
  if (!(await beginBatch(database, id))) return;
  // Every document in work listens.
  setMaxListeners(0, signal);
  const keeper = new AnswerKeeper(database, id);
  const patience = createPatience();
  /** Documents in work at once. */
  const width = pileWidth(context.summarizer);
  if (context.attempt > 1) await tryAlone(id, keeper, width, patience, context);
  const source = new WaitingSource(database, id, width);
  const lane = async () => {
    for (;;) {
      signal.throwIfAborted();
      const document = await source.take();
      if (document === undefined) return;
      await keeper.keep(await answer(document, patience, context));
      // SQLite answers at once, and so do short documents: without this nobody else would have a turn until the end.
      await letOthersRun();
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: width }, lane));
  for (const each of lanes) if (each.status === "rejected") throw each.reason;
  await endBatch(database, id);
}

/**
 * One by one the documents that may have been in work when a process was lost, each counted before it is begun: what ends a
 * process again and again is found out, and its neighbours are not taken for it.
 */
async function tryAlone(
  id: string,
  keeper: AnswerKeeper,
  width: number,
  patience: Patience,
  context: RunBatchContext,
): Promise<void> {
  const { database } = context;
  for (const document of await readWaiting(database, id, 0, width)) {
    const { line, losses } = document;
    if (losses >= mostLosses) {
      const lost = new BridleError("BATCH_DOCUMENT_LOST", { line, times: losses });
      await keeper.keep(failure(line, lost));
      continue;
    }
    await countLoss(database, id, line, 1);
    try {
      await keeper.keep(await answer(document, patience, context));
    } catch (thrown) {
      // Told to stop, or nowhere to keep its answer: no fault of the document's.
      await countLoss(database, id, line, -1);
      throw thrown;
    }
  }
}

function failure(line: number, error: BridleError): NewAnswer {
  return { line, state: "failed", answer: JSON.stringify(toErrorData(error)) };
}

/** @throws CANCELLED when the signal fires or the model is closed; a document's own fault is its answer */
async function answer(
  { line, document, parameters }: WaitingDocument,
  patience: Patience,
  { summarizer, slots, observer, signal }: RunBatchContext,
): Promise<NewAnswer> {
  try {
    const options = { parameters, signal, priority: "batch" } as const;
    const work = () => summarizer.summarize(document, options);
    const result = await slots(() => patience(work, signal));
    observer.onSummary?.(result);
    const told = { id: `sum_${randomUUID()}`, ...result };
    return { line, state: "done", answer: JSON.stringify(told) };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = toBridleError(thrown);
    // The model was closed, which is no document's fault.
    if (error.code === "CANCELLED") throw error;
    observer.onFailure?.(summarizer.model, error);
    return failure(line, error);
  }
}

/** Documents in order, read a few at a time, so that memory holds no more than are in work. */
class WaitingSource {
  private readonly database: Database;
  private readonly batch: string;
  private readonly width: number;
  private last = 0;
  private isOver = false;
  private held: WaitingDocument[] = [];
  private loading: Promise<void> | undefined;

  constructor(database: Database, batch: string, width: number) {
    this.database = database;
    this.batch = batch;
    this.width = width;
  }

  async take(): Promise<WaitingDocument | undefined> {
    while (this.held.length === 0 && !this.isOver) {
      this.loading ??= this.load().finally(() => {
        this.loading = undefined;
      });
      await this.loading;
    }
    return this.held.shift();
  }

  private async load(): Promise<void> {
    const read = await readWaiting(this.database, this.batch, this.last, this.width);
    this.isOver = read.length === 0;
    this.last = read.at(-1)?.line ?? this.last;
    this.held.push(...read);
  }
}

/** Keeps answers; those that come while others are written go together in the next transaction. */
class AnswerKeeper {
  private readonly database: Database;
  private readonly batch: string;
  private pending: NewAnswer[] = [];
  private writing: Promise<void> | undefined;

  constructor(database: Database, batch: string) {
    this.database = database;
    this.batch = batch;
  }

  /** Resolves once it is on disk. */
  async keep(answered: NewAnswer): Promise<void> {
    this.pending.push(answered);
    // What is being written now does not have it.
    await this.writing;
    this.writing ??= this.write().finally(() => {
      this.writing = undefined;
    });
    await this.writing;
  }

  private async write(): Promise<void> {
    const now = this.pending.splice(0);
    if (now.length > 0) await keepAnswers(this.database, this.batch, now);
  }
}
