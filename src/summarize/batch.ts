// Summarizes a file of documents into a file of results: in order, resumable, within bounded memory.
import { realpath } from "node:fs/promises";
import path from "node:path";
import { thisMachine } from "../config/machine.js";
import { documentOf } from "../data/columns.js";
import { fingerprintOf } from "../data/fingerprint.js";
import { type DataFormat, type FoundRow, openRows, type RowOptions } from "../data/rows.js";
import { BridleError, toBridleError } from "../errors/error.js";
import { type BatchIdentity, type BatchOutput, openBatchOutput } from "./batch-output.js";
import type { Summarizer, SummaryParameters } from "./summarizer.js";

export interface BatchOptions {
  /** One document a row, in any format that openRows reads. */
  readonly input: string;
  /** Told by content and name unless said. */
  readonly format?: DataFormat;
  /** Encoding of an input that is neither UTF-8 nor marked. */
  readonly encoding?: string;
  /** Between the fields of CSV. */
  readonly delimiter?: string;
  /** Where the results go, one a row, in the order of the input. */
  readonly output: string;
  readonly parameters?: SummaryParameters;
  /** Column that holds the text; `document`, `text`, `content`, `article` or `dialogue` unless said. */
  readonly column?: string;
  /** How many documents are worked on at once. Default: as many as there are processors. */
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
  /** How much of the input has been read, and how much there is, in bytes as on disk. */
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

/** Rows read ahead of the one that is written next, so that one long document does not hold up the others. */
const readAheadPerWorker = 16;
/** Text held in rows that are not written yet, in bytes; one row may go past it. */
const heldBytesLimit = 128_000_000;
/** Errors that say the request is wrong, not the row. */
const fatalCodes: ReadonlySet<string> = new Set(["INVALID_PARAMETER", "PARAMETER_NOT_SUPPORTED"]);
/** How often finished lines are forced to disk, in ms. */
const syncEveryMs = 1000;

/**
 * Summarizes every row of `input` into `output`. Each output line is an object with `index` (row number from 0;
 * blank lines do not count), the row's `id` where it has one, and the summary's fields or an `error`
 * with code, message and hint. What a killed run had finished is kept and not done again.
 * @throws FILE_NOT_WRITABLE, BATCH_OUTPUT_EXISTS, BATCH_CHANGED, BATCH_RUNNING, INVALID_PARAMETER,
 *   PARAMETER_NOT_SUPPORTED, CANCELLED, and what openRows throws for an input that cannot be read on
 */
export async function summarizeFile(
  summarizer: Summarizer,
  options: BatchOptions,
): Promise<BatchReport> {
  const began = performance.now();
  const { input, output, signal } = options;
  await checkDistinct(input, output);
  const identity = await identify(summarizer, options);
  const opened = await openBatchOutput(output, identity, {
    overwrite: options.overwrite ?? false,
  });
  let progress: BatchProgress;
  try {
    progress = await run(summarizer, options, opened);
  } finally {
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

/** A row's line of output; or what says that every row would fail the same way, and the run is to end. */
type RowResult =
  | { readonly line: string; readonly failed: boolean }
  | { readonly fatal: BridleError };

/** A row on its way; its result is undefined where the run was stopped before it was done. */
interface Pending {
  readonly result: Promise<RowResult | undefined>;
  readonly sizeBytes: number;
  settled: boolean;
}

async function run(
  summarizer: Summarizer,
  options: BatchOptions,
  output: BatchOutput,
): Promise<BatchProgress> {
  const { signal, onProgress } = options;
  const concurrency = options.concurrency ?? thisMachine().threads;
  const { maxRowBytes } = options;
  const input = await openRows(options.input, {
    ...readingOf(options),
    ...(maxRowBytes === undefined ? {} : { maxRowBytes }),
  });
  const resumedRows = output.finishedRows;
  let rows = resumedRows;
  let failed = output.failedRows;
  const progress = (): BatchProgress => ({
    rows,
    failed,
    resumedRows,
    readBytes: input.readBytes(),
    sizeBytes: input.sizeBytes,
  });

  const pending: Pending[] = [];
  let heldBytes = 0;
  let syncedAt = performance.now();
  /** Waits for the oldest row and writes it with every finished row right behind it. */
  const writeHead = async () => {
    const lines: string[] = [];
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
        pending.length = 0;
        throw result.fatal;
      }
      lines.push(result.line);
      rows += 1;
      if (result.failed) failed += 1;
    } while (pending[0]?.settled && lines.length < 1000);
    await output.append(lines);
    if (performance.now() - syncedAt > syncEveryMs) {
      await output.sync();
      syncedAt = performance.now();
    }
    onProgress?.(progress());
  };

  const slots = createSlots(concurrency);
  onProgress?.(progress());
  try {
    for await (const row of input.rows) {
      if (signal?.aborted) break;
      if (row.index < resumedRows) continue;
      while (
        pending.length >= concurrency * readAheadPerWorker ||
        (pending.length > 0 && heldBytes + row.sizeBytes > heldBytesLimit)
      ) {
        await writeHead();
      }
      const entry: Pending = {
        result: slots(() => summarizeRow(summarizer, row, options)).finally(() => {
          entry.settled = true;
        }),
        sizeBytes: row.sizeBytes,
        settled: false,
      };
      heldBytes += row.sizeBytes;
      pending.push(entry);
      // Lets finished rows out while the input comes faster than rows are done.
      if (pending[0]?.settled) await writeHead();
    }
  } finally {
    // What was done before the input turned out damaged is kept.
    while (pending.length > 0) await writeHead();
  }
  return progress();
}

async function summarizeRow(
  summarizer: Summarizer,
  { index, place, read }: FoundRow,
  { parameters, column, signal }: BatchOptions,
): Promise<RowResult | undefined> {
  if (signal?.aborted) return undefined;
  let id: string | number | undefined;
  try {
    const row = documentOf(read(), place, column);
    id = row.id;
    const { summary, model, version, finishReason, truncated, usage, sources } =
      await summarizer.summarize(row.document, {
        priority: "batch",
        ...(parameters === undefined ? {} : { parameters }),
        ...(signal === undefined ? {} : { signal }),
      });
    // Timings are left out: the same batch gives the same file.
    const result = { summary, model, version, finishReason, truncated, usage, sources };
    return { line: JSON.stringify({ index, id, ...result }), failed: false };
  } catch (thrown) {
    if (signal?.aborted) return undefined;
    const error = toBridleError(thrown);
    if (fatalCodes.has(error.code)) return { fatal: error };
    const { code, message, hint } = error;
    return { line: JSON.stringify({ index, id, error: { code, message, hint } }), failed: true };
  }
}

/** Runs at most `count` pieces of work at once, the others in the order they came. */
function createSlots(count: number) {
  let free = count;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
