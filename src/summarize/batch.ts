// Summarizes a file of documents into a file of results: in order, resumable, within bounded memory.
import { setMaxListeners } from "node:events";
import { realpath } from "node:fs/promises";
import path from "node:path";
import { documentOf } from "../data/columns.js";
import { fingerprintOf } from "../data/fingerprint.js";
import { type DataFormat, type FoundRow, openRows, type RowOptions } from "../data/rows.js";
import { BridleError, toBridleError } from "../errors/error.js";
import { type BatchIdentity, type BatchOutput, openBatchOutput } from "./batch-output.js";
import { defaultConcurrency } from "./default-concurrency.js";
import { createLengthWindow } from "./length-window.js";
import { createPatience, type Patience } from "./passing-failures.js";
import type { Summarizer, SummaryParameters } from "./summarizer.js";
import { createSlots } from "./work-slots.js";

export interface BatchOptions {
  /** One document a row, in any format that openRows reads. */
  readonly input: string;
  /** Told by content and name unless said. */
  readonly format?: DataFormat;
  /** Encoding of an input that is neither UTF-8 nor marked. */
  readonly encoding?: string;
  /** Between the fields of CSV. */
  readonly delimiter?: string;
  /** The file where the results go, one a row, in the order of the input; a link leads to it. */
  readonly output: string;
  readonly parameters?: SummaryParameters;
  /** Column that holds the text; `document`, `text`, `content`, `article` or `dialogue` unless said. */
  readonly column?: string;
  /**
   * How many documents are worked on at once. Default: as many as there are processors; for a neural model as many as share
   * its steps, 64 over the beams.
   */
  readonly concurrency?: number;
  /** Longest row that is read, in bytes; a longer one becomes an error row. Default 100 MB. */
  readonly maxRowBytes?: number;
  /** Begin anew, losing what the output holds. */
  readonly overwrite?: boolean;
  /** Aborting stops the batch after the rows in hand; the same call goes on with it later. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BatchProgress) => void;
}

export interface BatchProgress {
  /** Rows finished, with those of earlier runs. */
  readonly rows: number;
  /** How many of them hold an error. */
  readonly failed: number;
  /** Rows that earlier runs had finished. */
  readonly resumedRows: number;
  /** How much of the input is finished, and how much there is, in bytes as on disk. */
  readonly readBytes: number;
  readonly sizeBytes: number;
}

export interface BatchReport {
  readonly rows: number;
  readonly failed: number;
  readonly resumedRows: number;
  readonly output: string;
  /** Time of this run, in seconds. */
  readonly seconds: number;
}

/** Rows that are begun longest first among each other. */
const windowPerWorker = 4;
/** Their text, in UTF-16 units; one row may go past it. */
const windowLength = 8_000_000;
/** Windows of rows that are not written yet: what is written next does not hold up those behind its own. */
const windowsHeld = 2;
/** Text held in rows that are not written yet, in bytes; one row may go past it. */
const heldBytesLimit = 128_000_000;
/** Errors that say the request is wrong, or the model closed, and nothing of the row. */
const fatalCodes: ReadonlySet<string> = new Set([
  "INVALID_PARAMETER",
  "PARAMETER_NOT_SUPPORTED",
  "CANCELLED",
]);
/** How often finished lines are forced to disk, in ms. */
const syncEveryMs = 1000;

/**
 * Summarizes every row of `input` into `output`. Rows are worked on longest first among those read ahead, and written in
 * their order. Each output line is an object with `index` (row number from 0;
 * blank lines do not count), the row's `id` where it has one, and the summary's fields or an `error`
 * with code, message and hint. What a killed run had finished is kept and not done again.
 * @throws CANCELLED also where the summarizer is closed meanwhile; FILE_NOT_WRITABLE, also for an output that is no regular
 *   file, which could not be gone on with; BATCH_OUTPUT_EXISTS, BATCH_CHANGED, BATCH_RUNNING, INVALID_PARAMETER,
 *   PARAMETER_NOT_SUPPORTED, and what openRows throws for an input that cannot be read on
 */
export async function summarizeFile(
  summarizer: Summarizer,
  options: BatchOptions,
): Promise<BatchReport> {
  const began = performance.now();
  const { input, output, signal } = options;
  const stop = new AbortController();
  const working = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  // Every document in work listens to it, and Node takes more than ten for a leak.
  setMaxListeners(0, working);
  await checkDistinct(input, output);
  const identity = await identify(summarizer, options);
  const opened = await openBatchOutput(output, identity, {
    overwrite: options.overwrite ?? false,
  });
  let progress: BatchProgress;
  try {
    progress = await run(summarizer, { ...options, signal: working }, opened);
  } finally {
    // Where the batch cannot go on, nobody waits for the rows that are in work or next.
    stop.abort();
    await opened.close();
  }
  if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
  const { rows, failed, resumedRows } = progress;
  return { rows, failed, resumedRows, output, seconds: (performance.now() - began) / 1000 };
}

async function checkDistinct(input: string, output: string): Promise<void> {
  const same = path.resolve(input) === path.resolve(output);
  const resolve = (file: string) => realpath(file).catch(() => undefined);
  const [from, to] = same ? [output, output] : await Promise.all([resolve(input), resolve(output)]);
  if (from === undefined || from !== to) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter: "output",
    value: output,
    expected: "another file than the input",
  });
}

/** How the input is to be read, as far as the caller said. */
function readingOf({ format, encoding, delimiter }: BatchOptions): RowOptions {
  return {
    ...(format === undefined ? {} : { format }),
    ...(encoding === undefined ? {} : { encoding }),
    ...(delimiter === undefined ? {} : { delimiter }),
  };
}

async function identify(summarizer: Summarizer, options: BatchOptions): Promise<BatchIdentity> {
  const { sizeBytes, sha256 } = await fingerprintOf(options.input, options.signal);
  const parameters = Object.entries(options.parameters ?? {}).filter(([, v]) => v !== undefined);
  const request = {
    ...Object.fromEntries(parameters.sort(([a], [b]) => (a < b ? -1 : 1))),
    ...(options.column === undefined ? {} : { column: options.column }),
    ...readingOf(options),
  };
  return {
    input: { sizeBytes, sha256 },
    model: summarizer.model,
    version: summarizer.version,
    request: JSON.stringify(request),
  };
}

/** A row's line of output; or what says that every later row would fail the same way, and the run is to end. */
type RowResult =
  | { readonly line: string; readonly failed: boolean }
  | { readonly fatal: BridleError };

/** A row with its text. */
interface ReadRow {
  readonly index: number;
  readonly id: string | number | undefined;
  readonly document: string;
}

/** A row on its way; its result is undefined where the run was stopped before it was done. */
interface Pending {
  readonly result: Promise<RowResult | undefined>;
  readonly sizeBytes: number;
  /** How much of the input had been read when it was found, in bytes. */
  readonly readBytes: number;
  settled: boolean;
}

async function run(
  summarizer: Summarizer,
  options: BatchOptions,
  output: BatchOutput,
): Promise<BatchProgress> {
  const { signal, onProgress, parameters, maxRowBytes } = options;
  const { concurrency = defaultConcurrency(summarizer, parameters) } = options;
  const input = await openRows(options.input, {
    ...readingOf(options),
    ...(maxRowBytes === undefined ? {} : { maxRowBytes }),
  });
  const resumedRows = output.finishedRows;
  let rows = resumedRows;
  let failed = output.failedRows;
  const pending: Pending[] = [];
  const progress = (): BatchProgress => ({
    rows,
    failed,
    resumedRows,
    // What is read ahead is still to be done.
    readBytes: pending[0]?.readBytes ?? input.readBytes(),
    sizeBytes: input.sizeBytes,
  });

  let heldBytes = 0;
  let isBroken = false;
  let syncedAt = performance.now();
  const writeFinished = async () => {
    const lines: string[] = [];
    let fatal: BridleError | undefined;
    do {
      const head = pending.shift()!;
      const result = await head.result;
      heldBytes -= head.sizeBytes;
      if (result === undefined) {
        // Stopped: later rows may be done, but a gap would break the order.
        pending.length = 0;
        break;
      }
      if ("fatal" in result) {
        fatal = result.fatal;
        break;
      }
      lines.push(result.line);
      rows += 1;
      if (result.failed) failed += 1;
    } while (pending[0]?.settled && lines.length < 1000);
    await output.append(lines);
    if (fatal !== undefined) throw fatal;
    if (performance.now() - syncedAt > syncEveryMs) {
      await output.sync();
      syncedAt = performance.now();
    }
    onProgress?.(progress());
  };
  /** Waits for the oldest row and writes it with every finished row right behind it. */
  const writeHead = async () => {
    try {
      await writeFinished();
    } catch (thrown) {
      // Nothing may stand behind what is missing: the rows on their way are not waited for, and no more are begun.
      pending.length = 0;
      isBroken = true;
      throw thrown;
    }
  };

  const patience = createPatience();
  const slots = createSlots(concurrency);
  const windowRows = concurrency * windowPerWorker;
  const window = createLengthWindow({ count: windowRows, length: windowLength });
  /** Whether rows are to be written before another is taken; a window is begun where there is room for all of it. */
  const isFull = ({ sizeBytes }: FoundRow) => {
    const room = windowRows * windowsHeld - (window.size === 0 ? windowRows : 1);
    if (pending.length > room) return true;
    return pending.length > 0 && heldBytes + sizeBytes > heldBytesLimit;
  };
  let takenBytes = 0;
  const enter = (found: FoundRow): Pending => {
    const { sizeBytes } = found;
    const read = readRow(found, options);
    // Of a file that is read in large pieces the rows so far tell how far this one is; of a packed one they are more than it has.
    const readBytes = Math.min(input.readBytes(), takenBytes + sizeBytes);
    takenBytes += sizeBytes;
    if (!("document" in read)) {
      return { result: Promise.resolve(read), sizeBytes, readBytes, settled: true };
    }
    const { length } = read.document;
    const work = () => summarizeRow(summarizer, read, options, patience);
    const result = new Promise<RowResult | undefined>((resolve) => {
      window.add({ length, begin: () => resolve(slots(work)) });
    });
    const entry: Pending = {
      result: result.finally(() => {
        entry.settled = true;
      }),
      ...{ sizeBytes, readBytes, settled: false },
    };
    return entry;
  };
  onProgress?.(progress());
  try {
    for await (const row of input.rows) {
      if (signal?.aborted) break;
      if (row.index < resumedRows) {
        takenBytes += row.sizeBytes;
        continue;
      }
      while (isFull(row)) {
        // What is written next may be waiting for its turn.
        window.handOut();
        await writeHead();
      }
      // Stopped meanwhile: what is taken in now would stand behind a gap.
      if (signal?.aborted) break;
      heldBytes += row.sizeBytes;
      pending.push(enter(row));
      // Lets finished rows out while the input comes faster than rows are done.
      if (pending[0]?.settled) await writeHead();
    }
  } finally {
    // What was read before the input turned out damaged is done and kept.
    if (!isBroken) window.handOut();
    while (pending.length > 0) await writeHead();
  }
  return progress();
}

/** The text of a row, or its line where it has none that can be read. */
function readRow(
  { index, place, read }: FoundRow,
  { column }: Pick<BatchOptions, "column">,
): ReadRow | RowResult {
  try {
    const { id, document } = documentOf(read(), place, column);
    return { index, id, document };
  } catch (thrown) {
    return failureOf(index, undefined, thrown);
  }
}

async function summarizeRow(
  summarizer: Summarizer,
  { index, id, document }: ReadRow,
  { parameters, signal }: BatchOptions,
  patience: Patience,
): Promise<RowResult | undefined> {
  if (signal?.aborted) return undefined;
  try {
    const options = {
      ...{ priority: "batch" as const },
      ...(parameters === undefined ? {} : { parameters }),
      ...(signal === undefined ? {} : { signal }),
    };
    const { summary, model, version, finishReason, truncated, usage, sources } = await patience(
      () => summarizer.summarize(document, options),
      signal,
    );
    // Timings are left out: the same batch gives the same file.
    const result = { summary, model, version, finishReason, truncated, usage, sources };
    return { line: JSON.stringify({ index, id, ...result }), failed: false };
  } catch (thrown) {
    if (signal?.aborted) return undefined;
    return failureOf(index, id, thrown);
  }
}

function failureOf(index: number, id: ReadRow["id"], thrown: unknown): RowResult {
  const error = toBridleError(thrown);
  if (fatalCodes.has(error.code)) return { fatal: error };
  const { code, message, hint } = error;
  return { line: JSON.stringify({ index, id, error: { code, message, hint } }), failed: true };
}
