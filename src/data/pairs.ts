// Reads documents with their reference summaries from files of rows, one at a time, for evaluation.
import { BridleError } from "../errors/error.js";
import { openInputFile } from "./input-file.js";
import { readLines } from "./lines.js";
import { documentOf, isBlank, longestRowBytes, parseRow, type Row, textsColumn } from "./row.js";

/** A document and what a good summary of it says. */
export interface Pair {
  readonly document: string;
  /** At least one; may be blank, which evaluation reports. */
  readonly references: readonly string[];
  /** The row's own name, else its number in its file from 0. */
  readonly id: string | number;
  readonly file: string;
  /** Line of the file, from 1, as editors count. */
  readonly line: number;
}

/** Which columns hold what; a column named here must be there, in every row. */
export interface PairColumns {
  /** Default: the first present of `document`, `text`, `content`, `article`. */
  readonly document?: string;
  /** Default: `references` (a list of texts) where a row has it, else the first present of `summary`, `highlights`, `target`. */
  readonly summary?: string;
  /** Default `id`. */
  readonly id?: string;
}

export interface ReadPairsOptions {
  readonly columns?: PairColumns;
  /** Take the first row of each file and every n-th after it. Default 1: all. */
  readonly every?: number;
  /** Take at most so many rows, over all files. */
  readonly limit?: number;
  /** Longest row, in bytes. Default 100 MB. */
  readonly maxRowBytes?: number;
  /** Told after each row how far the reading is, in bytes on disk over all files. */
  readonly onRead?: (progress: { readonly readBytes: number; readonly sizeBytes: number }) => void;
}

/** Where a summary is looked for when no column is named; the first one present counts. */
export const summaryColumns = ["references", "summary", "highlights", "target"] as const;

function referencesOf(row: Row, line: number, column?: string): readonly string[] {
  const name = column ?? summaryColumns.find((each) => Object.hasOwn(row, each)) ?? "summary";
  return textsColumn(row, name, line);
}

/** Names the file in an error that knows only its line. */
function inFile(thrown: unknown, file: string, lineNumber: number): unknown {
  if (!(thrown instanceof BridleError) || thrown.details.line !== lineNumber) return thrown;
  const details = { ...thrown.details, line: `${lineNumber} of ${file}`, lineNumber, file };
  return new BridleError(thrown.code, details, { cause: thrown.cause });
}

function checkCount(parameter: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter,
    value: String(value),
    expected: "a whole number of at least 1",
  });
}

/**
 * The rows of JSON Lines files, in order, plain or gzip (by content, not by name). UTF-8 with or without a byte order
 * mark, lines ended by LF or CRLF, blank lines skipped. Holds one row at a time, whatever the files' size.
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE, GZIP_CORRUPT, and with file and line ROW_NOT_JSON, ROW_NOT_UTF8,
 *   ROW_TOO_LARGE, COLUMN_MISSING; INVALID_PARAMETER
 */
export async function* readPairs(
  files: string | readonly string[],
  options: ReadPairsOptions = {},
): AsyncGenerator<Pair> {
  const { columns = {}, every = 1, limit, maxRowBytes = longestRowBytes, onRead } = options;
  checkCount("every", options.every);
  checkCount("limit", limit);
  const names = typeof files === "string" ? [files] : files;
  // All files are opened first, so that a misspelt last one is told before an hour's work.
  const inputs = [];
  for (const file of names) inputs.push({ file, input: await openInputFile(file) });
  const sizeBytes = inputs.reduce((sum, { input }) => sum + input.sizeBytes, 0);
  let doneBytes = 0;
  let taken = 0;
  for (const { file, input } of inputs) {
    let lineNumber = 0;
    let index = -1;
    for await (const line of readLines(input.content, maxRowBytes)) {
      lineNumber++;
      if (isBlank(line)) continue;
      index++;
      if (index % every !== 0) continue;
      let pair: Pair;
      try {
        const row = parseRow(line, lineNumber, maxRowBytes);
        const { document } = documentOf(row, lineNumber, columns.document);
        const references = referencesOf(row, lineNumber, columns.summary);
        const id = row[columns.id ?? "id"];
        const named = typeof id === "string" || typeof id === "number" ? id : index;
        pair = { document, references, id: named, file, line: lineNumber };
      } catch (thrown) {
        throw inFile(thrown, file, lineNumber);
      }
      yield pair;
      taken++;
      onRead?.({ readBytes: doneBytes + input.readBytes(), sizeBytes });
      if (limit !== undefined && taken >= limit) return;
    }
    doneBytes += input.sizeBytes;
  }
}
