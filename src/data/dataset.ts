// Rows for training: checked in one pass over the files before anything is learned, then read anywhere without being held.
import { type FileHandle, open } from "node:fs/promises";
import { BridleError } from "../errors/error.js";
import { readError } from "../errors/file-errors.js";
import { columnsInUse, documentOf, pairOf } from "./columns.js";
import { type Repeats, RowHashes } from "./duplicates.js";
import { type Fingerprint, fingerprintOf } from "./fingerprint.js";
import { NumberColumn } from "./number-column.js";
import type { ReadPairsOptions } from "./pairs.js";
import { type Place, parseRow, type Row } from "./row.js";
import { type FoundRow, openRows } from "./rows.js";
import { openSpool, readAt, type Spool } from "./spool.js";

export interface Example {
  readonly document: string;
  /** The row's first summary with text in it; empty where documents were asked for by themselves. */
  readonly summary: string;
  /** Every summary of the row. */
  readonly references: readonly string[];
  readonly id?: string | number;
  readonly label?: string | number | boolean;
}

export interface DatasetOptions extends ReadPairsOptions {
  /** Whether rows need a summary. Default `pairs`. */
  readonly kind?: "pairs" | "documents";
  /** What happens at rows whose document or summary is blank: an error that counts them, or they are left out. Default `error`. */
  readonly onEmpty?: "error" | "skip";
  readonly signal?: AbortSignal;
}

export interface DatasetReport {
  readonly files: readonly Fingerprint[];
  /** Rows that were looked at; `empty.rows` of them are left out. */
  readonly read: number;
  readonly empty: {
    readonly rows: number;
    readonly documents: number;
    readonly summaries: number;
    /** Where the first ones stand. */
    readonly places: readonly string[];
  };
  /** Rows whose document stands in an earlier row. */
  readonly repeats: Repeats;
}

export interface Dataset {
  /** How many rows there are to learn from. */
  readonly rows: number;
  readonly report: DatasetReport;
  readonly hashes: RowHashes;
  /** Where a row stands, such as "Line 3 of x.jsonl". @param row 0..rows-1 */
  placeOf(row: number): Place;
  /**
   * Rows by their numbers, in the order asked for.
   * @throws DATA_CHANGED where a file is no longer what it was when it was opened; FILE_NOT_READABLE
   */
  read(rows: ArrayLike<number>): Promise<Example[]>;
  close(): Promise<void>;
}

const placesKept = 10;

const isBlank = (text: string) => text.trim() === "";

/** Where the rows of one file lie: in the file itself, or as JSON in the spool. */
interface Source {
  readonly file: string;
  /** "Line" or "Row". */
  readonly unit: string;
  /** Open where rows are read in place, with what the file was then. */
  readonly inPlace: { handle: FileHandle; sizeBytes: number; modifiedMs: number } | undefined;
  /** Number of the first row in the index. */
  readonly start: number;
}

function exampleOf(row: Row, place: Place, options: DatasetOptions): Example {
  const { columns = {}, kind = "pairs" } = options;
  if (kind === "pairs") {
    const pair = pairOf(row, place, columns);
    const summary = pair.references.find((each) => !isBlank(each)) ?? pair.references[0]!;
    return { ...pair, summary };
  }
  const { document, id } = documentOf(row, place, columns.document);
  return { document, summary: "", references: [], ...(id === undefined ? {} : { id }) };
}

/** Collects what a pass over the files finds, and can read it back. */
class Index {
  readonly offsets = new NumberColumn(Float64Array);
  readonly sizes = new NumberColumn(Uint32Array);
  readonly lines = new NumberColumn(Uint32Array);
  readonly sources: Source[] = [];
  spool: Spool | undefined;

  readonly #options: DatasetOptions;

  constructor(options: DatasetOptions) {
    this.#options = options;
  }

  async add(row: FoundRow, example: Example): Promise<void> {
    this.lines.push(row.place.line);
    if (row.offset !== undefined) {
      this.offsets.push(row.offset);
      this.sizes.push(row.sizeBytes);
      return;
    }
    this.spool ??= await openSpool(this.#options.spoolFolder);
    const bytes = Buffer.from(JSON.stringify(example));
    this.offsets.push(this.spool.sizeBytes);
    this.sizes.push(bytes.length);
    await this.spool.append(bytes);
  }

  sourceOf(row: number): Source {
    // Few files: a search from the end is as good as any.
    return this.sources.findLast(({ start }) => start <= row)!;
  }

  placeOf(row: number): Place {
    const { file, unit } = this.sourceOf(row);
    const line = this.lines.at(row);
    return { where: `${unit} ${line} of ${file}`, file, line };
  }

  async read(row: number): Promise<Example> {
    const { file, inPlace } = this.sourceOf(row);
    const offset = this.offsets.at(row);
    const size = this.sizes.at(row);
    if (inPlace === undefined) {
      const bytes = await this.spool!.read(offset, size);
      return JSON.parse(Buffer.from(bytes).toString()) as Example;
    }
    const bytes = await readAt(inPlace.handle, file, offset, size);
    const place = this.placeOf(row);
    try {
      return exampleOf(parseRow({ bytes, sizeBytes: size }, place), place, this.#options);
    } catch (cause) {
      // It was read before, so that the file is not what it was.
      throw new BridleError("DATA_CHANGED", { file }, { cause });
    }
  }

  async checkUnchanged(): Promise<void> {
    for (const { file, inPlace } of this.sources) {
      if (inPlace === undefined) continue;
      const { size, mtimeMs } = await inPlace.handle.stat();
      if (size !== inPlace.sizeBytes || mtimeMs !== inPlace.modifiedMs) {
        throw new BridleError("DATA_CHANGED", { file });
      }
    }
  }

  async close(): Promise<void> {
    for (const { inPlace } of this.sources) await inPlace?.handle.close();
    await this.spool?.close();
  }
}

async function openInPlace(file: string): Promise<Source["inPlace"]> {
  try {
    const handle = await open(file);
    const { size, mtimeMs } = await handle.stat();
    return { handle, sizeBytes: size, modifiedMs: mtimeMs };
  } catch (thrown) {
    throw readError(thrown, file);
  }
}

/**
 * Opens files of rows for learning from them: every row is read and checked once, in order, and then found again by its
 * number. Memory holds 28 bytes a row and no text. Plain UTF-8 JSON Lines are read where they lie; of anything else the
 * columns in use are copied to a spool on disk.
 * @throws DATA_EMPTY where there are no rows; ROWS_EMPTY where texts are blank and `onEmpty` is `error`; what readPairs
 *   throws, with file and line; FILE_NOT_WRITABLE for a spool that does not fit; CANCELLED
 */
export async function openDataset(
  files: string | readonly string[],
  options: DatasetOptions = {},
): Promise<Dataset> {
  const { every = 1, limit, onRead, signal, onEmpty = "error", kind = "pairs" } = options;
  const names = typeof files === "string" ? [files] : files;
  const index = new Index(options);
  const hashes = new RowHashes();
  const fingerprints: Fingerprint[] = [];
  const empty = { rows: 0, documents: 0, summaries: 0, places: [] as string[] };
  let read = 0;
  try {
    const { columns = {} } = options;
    const select = (present: readonly string[]) => columnsInUse(present, { kind, columns });
    const reading = { ...options, select };
    const inputs = [];
    for (const file of names) inputs.push(await openRows(file, reading));
    for (const file of names) fingerprints.push(await fingerprintOf(file, signal));
    const sizeBytes = inputs.reduce((sum, input) => sum + input.sizeBytes, 0);
    let doneBytes = 0;
    for (const input of inputs) {
      let source: Source | undefined;
      for await (const row of input.rows) {
        if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
        if (limit !== undefined && index.lines.length >= limit) break;
        if (row.index % every !== 0) continue;
        if (source === undefined) {
          const inPlace = row.offset === undefined ? undefined : await openInPlace(input.file);
          const unit = row.place.where.startsWith("Line ") ? "Line" : "Row";
          source = { file: input.file, unit, inPlace, start: index.lines.length };
          index.sources.push(source);
        }
        const example = exampleOf(row.read(), row.place, options);
        read++;
        onRead?.({ readBytes: doneBytes + input.readBytes(), sizeBytes });
        const noDocument = isBlank(example.document);
        const noSummary = kind === "pairs" && isBlank(example.summary);
        if (noDocument || noSummary) {
          empty.rows++;
          if (noDocument) empty.documents++;
          if (noSummary) empty.summaries++;
          if (empty.places.length < placesKept) empty.places.push(row.place.where);
          continue;
        }
        hashes.add(example.document, example.summary);
        await index.add(row, example);
      }
      doneBytes += input.sizeBytes;
    }
    checkRows(names, index.lines.length, read, empty, onEmpty);
    await index.checkUnchanged();
  } catch (thrown) {
    await index.close();
    throw thrown;
  }
  return {
    rows: index.lines.length,
    report: { files: fingerprints, read, empty, repeats: hashes.repeats() },
    hashes,
    placeOf: (row) => index.placeOf(row),
    async read(rows) {
      await index.checkUnchanged();
      return await Promise.all(Array.from(rows, (row) => index.read(row)));
    },
    close: () => index.close(),
  };
}

function checkRows(
  names: readonly string[],
  kept: number,
  read: number,
  empty: DatasetReport["empty"],
  onEmpty: "error" | "skip",
): void {
  if (empty.rows > 0 && onEmpty === "error") {
    const what = [
      ...(empty.documents > 0 ? [`document (${empty.documents})`] : []),
      ...(empty.summaries > 0 ? [`summary (${empty.summaries})`] : []),
    ].join(" or ");
    const more = empty.rows > empty.places.length ? ", …" : "";
    const places = empty.places.join(", ") + more;
    throw new BridleError("ROWS_EMPTY", { count: empty.rows, rows: read, what, places });
  }
  if (kept > 0) return;
  const reason = read === 0 ? "it holds no rows" : `all of its ${read} rows lack a text`;
  throw new BridleError("DATA_EMPTY", { files: names.join(", "), reason });
}

/** Documents that two splits share. */
export interface Leakage extends Repeats {
  /** Names of the splits; rows are those of the first. */
  readonly splits: readonly [string, string];
  /** The examples, told by their places. */
  readonly told: readonly string[];
}

/**
 * Looks for documents that stand in two splits, so that a model is tested on what it was trained on.
 * @param splits by name, from the one that is learned from on
 */
export function findLeakage(splits: Readonly<Record<string, Dataset>>): Leakage[] {
  const named = Object.entries(splits);
  return named.flatMap(([name, later], at) =>
    named.slice(0, at).flatMap(([before, earlier]) => {
      const shared = later.hashes.sharedWith(earlier.hashes);
      if (shared.documents === 0) return [];
      const told = shared.examples.map(
        ({ row, as }) => `${later.placeOf(row).where} as ${earlier.placeOf(as).where}`,
      );
      const { documents, pairs, examples } = shared;
      return [{ splits: [name, before] as const, documents, pairs, examples, told }];
    }),
  );
}
