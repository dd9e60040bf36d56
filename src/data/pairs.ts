// Reads documents with their reference summaries, one pair at a time, for evaluation.
import { BridleError } from "../errors/error.js";
import { columnsInUse, type PairColumns, pairOf } from "./columns.js";
import type { Place } from "./row.js";
import { openRows, type RowOptions } from "./rows.js";

/** A document and what a good summary of it says. */
export interface Pair {
  readonly document: string;
  /** At least one; may be blank, which evaluation reports. */
  readonly references: readonly string[];
  /** The row's own name, else its number in its file from 0. */
  readonly id: string | number;
  /** What the row is about, where it says. */
  readonly label?: string | number | boolean;
  readonly file: string;
  /** Line of the file, from 1, as editors count; in Parquet files and folders the number of the row. */
  readonly line: number;
}

export interface ReadPairsOptions extends Omit<RowOptions, "select"> {
  readonly columns?: PairColumns;
  /** Take the first row of each file and every n-th after it. Default 1: all. */
  readonly every?: number;
  /** Take at most so many rows, over all files. */
  readonly limit?: number;
  /** Told after each row how far the reading is, in bytes on disk over all files. */
  readonly onRead?: (progress: { readonly readBytes: number; readonly sizeBytes: number }) => void;
}

function checkCount(parameter: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) return;
  throw new BridleError("INVALID_PARAMETER", {
    parameter,
    value: String(value),
    expected: "a whole number of at least 1",
  });
}

/** A pair where it stands, its id its own or its number. */
export function pairAt(
  row: Parameters<typeof pairOf>[0],
  place: Place,
  index: number,
  columns?: PairColumns,
): Pair {
  const { file, line } = place;
  return { id: index, ...pairOf(row, place, columns), file, line };
}

/**
 * The rows of files, in order: JSON Lines, a JSON list, CSV, TSV, Parquet, each plain, gzip or Zstandard, or folders of
 * texts. What a file is is told by its content, then by its name. Holds one row at a time, whatever the files' size.
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE, FOLDER_NOT_DATA, INVALID_PARAMETER; and while iterating what openRows and
 *   pairOf throw, each with file and line
 */
export async function* readPairs(
  files: string | readonly string[],
  options: ReadPairsOptions = {},
): AsyncGenerator<Pair> {
  const { columns = {}, every = 1, limit, onRead, ...reading } = options;
  checkCount("every", options.every);
  checkCount("limit", limit);
  const names = typeof files === "string" ? [files] : files;
  // All files are opened first, so that a misspelt last one is told before an hour's work.
  const inputs = [];
  const select = (present: readonly string[]) => columnsInUse(present, { kind: "pairs", columns });
  for (const file of names) inputs.push(await openRows(file, { ...reading, select }));
  const sizeBytes = inputs.reduce((sum, input) => sum + input.sizeBytes, 0);
  let doneBytes = 0;
  let taken = 0;
  for (const input of inputs) {
    for await (const row of input.rows) {
      if (row.index % every !== 0) continue;
      yield pairAt(row.read(), row.place, row.index, columns);
      taken++;
      onRead?.({ readBytes: doneBytes + input.readBytes(), sizeBytes });
      if (limit !== undefined && taken >= limit) return;
    }
    doneBytes += input.sizeBytes;
  }
}
