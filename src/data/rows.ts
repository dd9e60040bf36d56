// The one reader of data: rows out of JSON Lines, JSON lists, CSV, TSV, Parquet and folders of texts, packed or not.
import { stat } from "node:fs/promises";
import { BridleError } from "../errors/error.js";
import { readError } from "../errors/file-errors.js";
import { readCsv } from "./csv-records.js";
import { type InputFile, openInputFile } from "./input-file.js";
import { readJsonList } from "./json-list.js";
import { isBlank, readLines } from "./lines.js";
import { isParquet, readParquet } from "./parquet-rows.js";
import { longestRowBytes, type Place, parseRow, type Row } from "./row.js";
import { openRandomAccess, openSpool } from "./spool.js";
import { asUtf8, encodingNamed, peek } from "./text-bytes.js";
import { openTextFolder, readTextPair, type TextFolder } from "./text-folder.js";

export const dataFormats = ["jsonl", "json", "csv", "tsv", "parquet", "text"] as const;

/**
 * - `jsonl`: one JSON object a line. `json`: one list of objects.
 * - `csv`, `tsv`: a first row of column names, then records.
 * - `parquet`. `text`: a folder of texts and their summaries.
 */
export type DataFormat = (typeof dataFormats)[number];

export interface RowOptions {
  /** Default: by content, where that does not tell by the name's ending. */
  readonly format?: DataFormat;
  /** Encoding of a file that is neither UTF-8 nor marked, such as windows-1252. */
  readonly encoding?: string;
  /** One character between the fields of a CSV file. Default: by its first line; a tab in TSV. */
  readonly delimiter?: string;
  /** Longest row, in bytes. Default 100 MB. */
  readonly maxRowBytes?: number;
  /** Which columns are wanted, where reading fewer costs less (Parquet). Default: all. */
  readonly select?: (columns: readonly string[]) => readonly string[];
  /** Folder for copies of what cannot be read where it lies. Default: the system's for temporary files. */
  readonly spoolFolder?: string;
}

/** A row that has been found but not looked at: what is wrong with it is thrown when it is read. */
export interface FoundRow {
  /** Its number among the rows of its file, from 0. */
  readonly index: number;
  readonly place: Place;
  /** About as much memory as it takes, in bytes. */
  readonly sizeBytes: number;
  /** Where its bytes stand in the file; undefined where they cannot be read from there. */
  readonly offset: number | undefined;
  /** @throws ROW_NOT_JSON, ROW_NOT_UTF8, ROW_TOO_LARGE with the place */
  read(): Row;
}

export interface RowFile {
  readonly file: string;
  /** Size on disk, in bytes. */
  readonly sizeBytes: number;
  /** How much of that has been read so far, in bytes. */
  readonly readBytes: () => number;
  /** The rows in order, to be iterated once, at most one of them in memory. */
  readonly rows: AsyncIterable<FoundRow>;
}

/** The format that a name's ending tells, behind those of packed files. */
function formatNamed(file: string): DataFormat | undefined {
  const ending = /\.([a-z]+)(?:\.(?:gz|gzip|zst|zstd))?$/i.exec(file)?.[1]?.toLowerCase();
  if (ending === "tab") return "tsv";
  if (ending === "jsonlines" || ending === "ndjson") return "jsonl";
  return dataFormats.find((format) => format === ending && format !== "text");
}

/** The format of a file by its first bytes and its name. */
function formatOf(head: Uint8Array, file: string): DataFormat {
  if (isParquet(head)) return "parquet";
  const named = formatNamed(file);
  if (named !== undefined && named !== "json" && named !== "parquet") return named;
  const text = Buffer.from(head)
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "");
  return text.trimStart().startsWith("[") ? "json" : "jsonl";
}

/** So much of a file is looked at for its format; a longer stretch of white space before the first bracket is not seen through. */
const headBytes = 512;

/**
 * Opens a file, or a folder of texts, for reading its rows.
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE, FOLDER_NOT_DATA, INVALID_PARAMETER. Iterating throws, with file and line,
 *   GZIP_CORRUPT, ZSTD_CORRUPT, FILE_DAMAGED, PARQUET_GROUP_TOO_LARGE, ROW_NOT_JSON, ROW_NOT_CSV, ROW_NOT_UTF8,
 *   ROW_TOO_LARGE, UNKNOWN_ENCODING
 */
export async function openRows(file: string, options: RowOptions = {}): Promise<RowFile> {
  const { delimiter } = options;
  if (delimiter !== undefined && (delimiter.length !== 1 || delimiter === '"')) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "delimiter",
      value: JSON.stringify(delimiter),
      expected: "one character other than the quote",
    });
  }
  const isFolder = await stat(file).then(
    (stats) => stats.isDirectory(),
    (thrown) => {
      throw readError(thrown, file);
    },
  );
  if (isFolder) return folderOf(file, await openTextFolder(file), options);
  if (options.format === "text") {
    throw new BridleError("FOLDER_NOT_DATA", { folder: file, reason: "it is no folder" });
  }
  const named = options.encoding === undefined ? undefined : encodingNamed(options.encoding);
  const input = await openInputFile(file);
  let readBytes = input.readBytes;
  const onShare = (share: number) => {
    readBytes = () => Math.floor(share * input.sizeBytes);
  };
  return {
    file,
    sizeBytes: input.sizeBytes,
    readBytes: () => readBytes(),
    rows: rowsOf(file, input, { ...options, ...(named && { encoding: named }) }, onShare),
  };
}

/**
 * What a file is read as: by its content, where that does not tell by its name.
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE, GZIP_CORRUPT, ZSTD_CORRUPT, INVALID_PARAMETER
 */
export async function formatOfFile(file: string, options: RowOptions = {}): Promise<DataFormat> {
  const stats = await stat(file).catch((thrown) => {
    throw readError(thrown, file);
  });
  if (stats.isDirectory()) return "text";
  if (options.format !== undefined) return options.format;
  const { content } = await openInputFile(file);
  const named = options.encoding === undefined ? undefined : encodingNamed(options.encoding);
  const packed = await peek(content, 4);
  if (isParquet(packed.head)) {
    await packed.whole.return(undefined);
    return "parquet";
  }
  const text = await asUtf8(packed.whole, file, named);
  const { head, whole } = await peek(text.content, headBytes);
  await whole.return(undefined);
  return formatOf(head, file);
}

async function* rowsOf(
  file: string,
  input: InputFile,
  options: RowOptions,
  onShare: (share: number) => void,
): AsyncGenerator<FoundRow> {
  const { maxRowBytes = longestRowBytes } = options;
  const packed = await peek(input.content, 4);
  if (options.format === "parquet" || (options.format === undefined && isParquet(packed.head))) {
    yield* parquetRows(file, input, packed.whole, options, onShare);
    return;
  }
  const text = await asUtf8(packed.whole, file, options.encoding);
  const { head, whole } = await peek(text.content, headBytes);
  const format = options.format ?? formatOf(head, file);
  if (format === "csv" || format === "tsv") {
    const delimiter = options.delimiter ?? (format === "tsv" ? "\t" : undefined);
    const records = readCsv(whole, file, {
      maxRowBytes,
      ...(delimiter === undefined ? {} : { delimiter }),
    });
    let index = 0;
    for await (const { row, line, sizeBytes } of records) {
      yield found(index++, lineOf(file, line), sizeBytes, () => row);
    }
  } else if (format === "json") {
    let index = 0;
    for await (const element of readJsonList(whole, file, maxRowBytes)) {
      const place = lineOf(file, element.line);
      yield found(index++, place, element.sizeBytes, () => parseRow(element, place, maxRowBytes));
    }
  } else {
    const isInPlace = input.packing === undefined && !text.rewritten;
    yield* jsonLines(whole, file, maxRowBytes, isInPlace);
  }
}

function found(
  index: number,
  place: Place,
  sizeBytes: number,
  read: () => Row,
  offset?: number,
): FoundRow {
  return { index, place, sizeBytes, offset, read };
}

function lineOf(file: string, line: number): Place {
  return { where: `Line ${line} of ${file}`, file, line };
}

async function* jsonLines(
  source: AsyncIterable<Uint8Array>,
  file: string,
  maxRowBytes: number,
  isInPlace: boolean,
): AsyncGenerator<FoundRow> {
  let index = 0;
  let number = 0;
  let offset = 0;
  for await (const line of readLines(source, maxRowBytes)) {
    number += 1;
    const at = isInPlace ? offset : undefined;
    offset += line.sizeBytes;
    if (isBlank(line)) continue;
    const place = lineOf(file, number);
    yield found(index++, place, line.sizeBytes, () => parseRow(line, place, maxRowBytes), at);
  }
}

async function* parquetRows(
  file: string,
  input: InputFile,
  content: AsyncGenerator<Uint8Array>,
  { select, spoolFolder }: RowOptions,
  onShare: (share: number) => void,
): AsyncGenerator<FoundRow> {
  // Parquet is read from its end: one that is packed as a whole has to be unpacked first.
  const spool = input.packing === undefined ? undefined : await openSpool(spoolFolder);
  let opened: Awaited<ReturnType<typeof openRandomAccess>> | undefined;
  try {
    if (spool === undefined) {
      await content.return(undefined);
      opened = await openRandomAccess(file);
    } else for await (const chunk of content) await spool.append(chunk);
    let index = 0;
    const reading = { onShare, ...(select && { select }) };
    for await (const { row, sizeBytes } of readParquet(spool ?? opened!, file, reading)) {
      const number = index + 1;
      const place = { where: `Row ${number} of ${file}`, file, line: number };
      yield found(index++, place, sizeBytes, () => row);
    }
  } finally {
    await spool?.close();
    await opened?.close();
  }
}

function folderOf(folder: string, opened: TextFolder, options: RowOptions): RowFile {
  const { maxRowBytes = longestRowBytes } = options;
  let readBytes = 0;
  async function* rows(): AsyncGenerator<FoundRow> {
    for (const [index, pair] of opened.pairs.entries()) {
      const { row, sizeBytes } = await readTextPair(folder, pair, maxRowBytes);
      readBytes += sizeBytes;
      const where = `${pair.document} of ${folder}`;
      yield found(index, { where, file: folder, line: index + 1 }, sizeBytes, () => row);
    }
  }
  return { file: folder, sizeBytes: opened.sizeBytes, readBytes: () => readBytes, rows: rows() };
}
