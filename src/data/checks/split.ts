// Splits files of rows without leakage: documents that are alike go to one side, and every row keeps its bytes.
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { BridleError } from "../../errors/error.js";
import { folderError, systemCode, writeError } from "../../errors/file-errors.js";
import { isRunning } from "../../runtime/living-process.js";
import { documentOf } from "../columns.js";
import { normalizedText } from "../duplicates.js";
import { type Fingerprint, fingerprintOf } from "../fingerprint.js";
import { NumberColumn } from "../number-column.js";
import { columnMissing, type Place, type Row } from "../row.js";
import { type DataFormat, formatOfFile, openRows, type RowOptions } from "../rows.js";
import { Assignment, type Share } from "./assign.js";
import { NearDuplicates } from "./near-duplicates.js";
import { standardSimilarity } from "./profile.js";
import { SeenValues } from "./seen-values.js";
import { copyRows, openOutputs, type SplitOutput } from "./split-output.js";

export const splitFile = "split.json";

export interface SplitOptions extends Omit<RowOptions, "select"> {
  /** Names of the splits and their shares, which need not sum to 1. Default train 0.8, validation 0.1, test 0.1. */
  readonly shares?: Readonly<Record<string, number>>;
  /** Default 0. */
  readonly seed?: number;
  readonly documentColumn?: string;
  /** Rows with the same value in this column go to one split. */
  readonly groupBy?: string;
  /** Rows go by time: numbers, or dates as ISO 8601 writes them; the earliest to the first split. */
  readonly timeColumn?: string;
  /**
   * With timeColumn and in place of shares: every split but `train`, which holds what is earlier than all of them, with the
   * time it begins at, rising.
   */
  readonly cutOffs?: Readonly<Record<string, string | number>>;
  /** Share of their word triples from which on documents are kept together; null for equal ones alone. Default 0.8. */
  readonly similarity?: number | null;
  /** Whether a folder that an earlier split wrote is replaced. Default false. */
  readonly overwrite?: boolean;
  readonly onRead?: (progress: {
    readonly phase: "reading" | "writing";
    readonly readBytes: number;
    readonly sizeBytes: number;
    readonly rows: number;
  }) => void;
  readonly signal?: AbortSignal;
}

/** What stands in split.json. */
export interface SplitRecord {
  readonly version: 1;
  readonly files: readonly Fingerprint[];
  /** Asked for, or what the cut-offs came to. */
  readonly shares: Readonly<Record<string, number>>;
  readonly cutOffs: Readonly<Record<string, string | number>> | null;
  readonly seed: number;
  readonly groupBy: string | null;
  readonly timeColumn: string | null;
  readonly similarity: number | null;
  readonly rows: number;
  /** Groups of rows that were kept together, those of one row counted, and the rows of the largest. */
  readonly groups: number;
  readonly largestGroup: number;
  readonly splits: Readonly<
    Record<string, { readonly file: string; readonly rows: number; readonly sha256: string }>
  >;
}

/** What is known of the rows of one input file after the first pass. */
interface Input {
  readonly file: string;
  readonly format: DataFormat;
  readonly lines: NumberColumn<Uint32Array<ArrayBuffer>>;
  /** Number of its first row among those of all files. */
  readonly start: number;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

const standardShares = { train: 0.8, validation: 0.1, test: 0.1 };

function readShares(given: Readonly<Record<string, number>>): Share[] {
  const entries = Object.entries(given);
  const sum = entries.reduce((total, [, share]) => total + share, 0);
  for (const [name, share] of entries) {
    if (!/^[\p{L}\p{N}_-][\p{L}\p{N}_.-]*$/u.test(name) || name === "split") {
      throw sharesInvalid(name, "a name for a file other than split");
    }
    if (!(share > 0) || !Number.isFinite(share)) throw sharesInvalid(String(share), "above 0");
  }
  if (entries.length < 2 || entries.length > 20) {
    throw sharesInvalid(String(entries.length), "2 to 20 splits, such as train=0.9,test=0.1");
  }
  return entries.map(([name, share]) => ({ name, share: share / sum }));
}

function sharesInvalid(value: string, expected: string): BridleError {
  return new BridleError("INVALID_PARAMETER", { parameter: "shares", value, expected });
}

function valueIn(row: Row, column: string, place: Place): unknown {
  if (!Object.hasOwn(row, column)) throw columnMissing(row, column, place);
  return row[column];
}

function timeOf(row: Row, column: string, place: Place): number {
  const value = valueIn(row, column, place);
  const time = readTime(value);
  if (time !== undefined) return time;
  const reason = `${place.where} has no time in ${column}: ${JSON.stringify(value)}`;
  throw new BridleError("SPLIT_IMPOSSIBLE", { file: place.file, reason });
}

/** A number as it is, a date in ms; undefined for what is neither. */
function readTime(value: unknown): number | undefined {
  const isNumber = typeof value === "number" || (typeof value === "string" && value.trim() !== "");
  const number = Number(value);
  if (isNumber && Number.isFinite(number)) return number;
  const date = Date.parse(String(value));
  return Number.isFinite(date) ? date : undefined;
}

interface CutOffs {
  /** With shares that only say how many there are. */
  readonly shares: Share[];
  readonly from: readonly number[];
}

/** @throws INVALID_PARAMETER */
function readCutOffs({ cutOffs, shares, timeColumn }: SplitOptions): CutOffs | undefined {
  if (cutOffs === undefined) return undefined;
  const value = JSON.stringify(cutOffs);
  const invalid = (expected: string) =>
    new BridleError("INVALID_PARAMETER", { parameter: "cutOffs", value, expected });
  if (timeColumn === undefined) throw invalid("a time column beside them");
  if (shares !== undefined) throw invalid("either cut-offs or shares");
  const from = Object.values(cutOffs).map((time) => readTime(time) ?? Number.NaN);
  // Also false where one of them is no time.
  const rises = from.every((time, at) => (at === 0 ? Number.isFinite(time) : time > from[at - 1]!));
  if (!rises || Object.hasOwn(cutOffs, "train")) {
    throw invalid("later splits with rising times, such as validation=2024-01-01,test=2024-07-01");
  }
  const names = ["train", ...Object.keys(cutOffs)];
  return { from, shares: readShares(Object.fromEntries(names.map((name) => [name, 1]))) };
}

/**
 * Splits files of rows into a folder with a file for each split and split.json, all of it there at once or not at all.
 * JSON Lines, CSV and TSV keep each row's bytes; rows of other formats become JSON Lines. Rows go by a hash of their group,
 * so that the same data and seed give the same files, and rows that are added leave the others where they are.
 * @throws SPLIT_IMPOSSIBLE, OUTPUT_EXISTS, INVALID_PARAMETER, DATA_CHANGED, FILE_NOT_WRITABLE, CANCELLED, and what reading rows
 *   throws: a row that cannot be read belongs to no split
 */
export async function splitData(
  files: readonly string[],
  output: string,
  options: SplitOptions = {},
): Promise<SplitRecord> {
  const { seed = 0, groupBy, timeColumn, similarity = standardSimilarity, signal } = options;
  const cutOffs = readCutOffs(options);
  const shares = cutOffs?.shares ?? readShares(options.shares ?? standardShares);
  await clearUp(output);
  await checkOutput(output, options.overwrite === true);
  const { inputs, assignment, near } = await readInputs(files, options);
  if (assignment.rows === 0) {
    throw new BridleError("SPLIT_IMPOSSIBLE", {
      file: files.join(", "),
      reason: "it holds no rows",
    });
  }
  if (similarity !== null) {
    for (const [row, first] of near.groups(similarity).entries()) {
      if (first !== row) assignment.join(row, first);
    }
  }
  const groups = assignment.groups();
  const assigned =
    cutOffs !== undefined
      ? assignment.byCutOffs(groups, cutOffs.from)
      : timeColumn === undefined
        ? assignment.byHash(groups, shares, seed)
        : assignment.byTime(groups, shares);
  const counts = countsOf(groups, assigned, shares);
  const missing = shares.find((_, at) => counts.rows[at] === 0);
  if (missing !== undefined) {
    const reason = `no row falls into ${missing.name}: there are ${assignment.rows} rows in ${counts.groups} groups`;
    throw new BridleError("SPLIT_IMPOSSIBLE", { file: files.join(", "), reason });
  }
  const fingerprints: Fingerprint[] = [];
  for (const file of files) fingerprints.push(await fingerprintOf(file, signal));
  const temporary = temporaryBeside(output);
  let record: SplitRecord | undefined;
  try {
    await mkdir(temporary, { recursive: true }).catch((thrown) => {
      throw folderError(thrown, temporary);
    });
    const outputs = await openOutputs(temporary, shares, endingOf(inputs));
    try {
      await writeInputs(inputs, assigned, outputs, options);
      record = {
        version: 1,
        files: fingerprints,
        shares: Object.fromEntries(
          shares.map(({ name, share }, at) => [
            name,
            cutOffs === undefined ? share : counts.rows[at]! / assignment.rows,
          ]),
        ),
        cutOffs: options.cutOffs ?? null,
        seed,
        groupBy: groupBy ?? null,
        timeColumn: timeColumn ?? null,
        similarity,
        rows: assignment.rows,
        groups: counts.groups,
        largestGroup: counts.largest,
        splits: await outputs.finish(counts.rows),
      };
      await outputs.note(splitFile, `${JSON.stringify(record, null, 2)}\n`);
    } finally {
      await outputs.close();
    }
    await putInPlace(temporary, output);
  } catch (thrown) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw systemCode(thrown) === "" ? thrown : writeError(thrown, output);
  }
  return record;
}

async function readInputs(files: readonly string[], options: SplitOptions) {
  const { groupBy, timeColumn, documentColumn, onRead, signal, similarity, ...reading } = options;
  const assignment = new Assignment();
  const near = new NearDuplicates();
  const documents = new SeenValues();
  const values = new SeenValues();
  const inputs: Input[] = [];
  const opened = [];
  for (const file of files) {
    const { size, mtimeMs } = await stat(file).catch(() => ({ size: 0, mtimeMs: 0 }));
    opened.push({ rows: await openRows(file, reading), size, mtimeMs });
  }
  const sizeBytes = opened.reduce((sum, { rows }) => sum + rows.sizeBytes, 0);
  let doneBytes = 0;
  for (const { rows: input, size, mtimeMs } of opened) {
    const { file } = input;
    const lines = new NumberColumn(Uint32Array);
    const format = await formatOfFile(file, reading);
    inputs.push({
      file,
      format,
      lines,
      start: assignment.rows,
      sizeBytes: size,
      modifiedMs: mtimeMs,
    });
    for await (const found of input.rows) {
      if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
      const { place } = found;
      const row = found.read();
      const { document } = documentOf(row, place, documentColumn);
      const text = normalizedText(document);
      const group =
        groupBy === undefined ? undefined : JSON.stringify(valueIn(row, groupBy, place));
      const time = timeColumn === undefined ? undefined : timeOf(row, timeColumn, place);
      const own = text === "" ? JSON.stringify(row) : text;
      const number = assignment.add(group ?? own, time);
      lines.push(place.line);
      const same = text === "" ? undefined : documents.add(text, number);
      if (same !== undefined) assignment.join(number, same);
      const grouped = group === undefined ? undefined : values.add(group, number);
      if (grouped !== undefined) assignment.join(number, grouped);
      // A repeat is joined already; looking at it again would only take time.
      if (similarity === null || same !== undefined) near.addBlank();
      else near.add(document);
      const readBytes = doneBytes + input.readBytes();
      onRead?.({ phase: "reading", readBytes, sizeBytes, rows: assignment.rows });
    }
    doneBytes += input.sizeBytes;
  }
  return { inputs, assignment, near };
}

function countsOf(groups: Uint32Array, assigned: Uint8Array, shares: readonly Share[]) {
  const rows = shares.map(() => 0);
  const sizes = new Uint32Array(groups.length);
  let count = 0;
  let largest = 0;
  for (const [row, group] of groups.entries()) {
    rows[assigned[row]!]!++;
    if (group === row) count++;
    largest = Math.max(largest, ++sizes[group]!);
  }
  return { rows, groups: count, largest };
}

/** The ending of the files: of the inputs where these are of one kind that is copied, else JSON Lines. */
function endingOf(inputs: readonly Input[]): "jsonl" | "csv" | "tsv" {
  const formats = new Set(inputs.map(({ format }) => format));
  const [format] = formats;
  if (formats.size === 1 && (format === "csv" || format === "tsv")) return format;
  const table = inputs.find((input) => input.format === "csv" || input.format === "tsv");
  if (table === undefined) return "jsonl";
  const reason = "tables and files of other formats do not go into one file";
  throw new BridleError("SPLIT_IMPOSSIBLE", { file: table.file, reason });
}

async function writeInputs(
  inputs: readonly Input[],
  assigned: Uint8Array,
  outputs: SplitOutput,
  options: SplitOptions,
): Promise<void> {
  const { onRead, signal, ...reading } = options;
  const sizeBytes = inputs.reduce((sum, input) => sum + input.sizeBytes, 0);
  let doneBytes = 0;
  for (const input of inputs) {
    const { file, format, lines, start } = input;
    const splits = assigned.subarray(start, start + lines.length);
    const told = (readBytes: number) => {
      onRead?.({ phase: "writing", readBytes: doneBytes + readBytes, sizeBytes, rows: start });
      if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
    };
    for (let split = 0; split < outputs.count; split++) await outputs.endLine(split);
    if (format === "jsonl" || format === "csv" || format === "tsv") {
      const { encoding } = reading;
      const rows = { lines: lines.view(), splits, isTable: format !== "jsonl" };
      await copyRows(file, { ...rows, ...(encoding && { encoding }) }, outputs, told);
    } else {
      const rows = await openRows(file, reading);
      for await (const found of rows.rows) {
        const split = splits[found.index];
        if (split === undefined) throw new BridleError("DATA_CHANGED", { file });
        await outputs.write(split, Buffer.from(`${JSON.stringify(found.read())}\n`));
        told(rows.readBytes());
      }
    }
    const { size, mtimeMs } = await stat(file);
    if (size !== input.sizeBytes || mtimeMs !== input.modifiedMs) {
      throw new BridleError("DATA_CHANGED", { file });
    }
    doneBytes += input.sizeBytes;
  }
}

/** Refuses a folder that is there, unless an earlier split wrote all that is in it. @throws OUTPUT_EXISTS */
async function checkOutput(output: string, overwrite: boolean): Promise<void> {
  if (!existsSync(output)) return;
  const names = await readdir(output).catch(() => undefined);
  const text = await readFile(path.join(output, splitFile), "utf8").catch(() => undefined);
  if (overwrite && names !== undefined && text !== undefined) {
    try {
      const { splits } = JSON.parse(text) as SplitRecord;
      const own = new Set([splitFile, ...Object.values(splits).map(({ file }) => file)]);
      if (names.every((name) => own.has(name))) return;
    } catch {
      // No record of a split: not ours to replace.
    }
  }
  if (names?.length === 0) return;
  throw new BridleError("OUTPUT_EXISTS", { file: output });
}

/** Where a folder stands while another takes its place. */
const before = (output: string) => `${output}.old`;

/** A name for what is not whole yet, or no more: what a killed process leaves by it the next split clears away. */
const temporaryBeside = (output: string) => `${output}.${process.pid}-${randomUUID()}.tmp`;

/** Removes what stands aside: out of sight first, so that it is never there in part. */
async function dropBefore(output: string): Promise<void> {
  const gone = temporaryBeside(output);
  await rename(before(output), gone);
  await rm(gone, { recursive: true });
}

/** Moves a whole folder to its place; one that stands there goes only then. */
async function putInPlace(made: string, output: string): Promise<void> {
  const isThere = existsSync(output);
  if (isThere) await rename(output, before(output));
  await rename(made, output);
  if (isThere) await dropBefore(output);
}

/** Puts right what a split that was killed left: its unfinished folder goes, a folder that it had moved away comes back. */
async function clearUp(output: string): Promise<void> {
  const parent = path.dirname(path.resolve(output));
  const base = path.basename(path.resolve(output));
  try {
    for (const name of await readdir(parent).catch(() => [])) {
      if (!name.startsWith(`${base}.`)) continue;
      const pid = /^(\d+)-[0-9a-f-]{36}\.tmp$/.exec(name.slice(base.length + 1))?.[1];
      if (pid !== undefined && !isRunning(Number(pid))) {
        await rm(path.join(parent, name), { recursive: true });
      }
    }
    if (!existsSync(path.join(before(output), splitFile))) return;
    if (existsSync(output)) await dropBefore(output);
    else await rename(before(output), output);
  } catch (thrown) {
    throw writeError(thrown, output);
  }
}
