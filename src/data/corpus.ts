// Reads the texts of files one at a time, to learn from: lines of plain text, or columns of rows.
import { isUtf8 } from "node:buffer";
import { BridleError } from "../errors/error.js";
import { documentColumnOf, pairColumnsOf } from "./columns.js";
import { openInputFile } from "./input-file.js";
import { readLines } from "./lines.js";
import { longestRowBytes, type Place, type Row, textsColumn } from "./row.js";
import { type DataFormat, openRows, type RowFile, type RowOptions } from "./rows.js";
import { asUtf8, encodingNamed, notUtf8 } from "./text-bytes.js";

export interface ReadTextsOptions extends Omit<RowOptions, "select" | "format"> {
  /** As for rows, or `lines`: every line is a text. Default: `lines` where the name ends in .txt, packed or not. */
  readonly format?: DataFormat | "lines";
  /** Columns whose texts are taken, which every row must have. Default: the document, and its summaries where there are. */
  readonly columns?: readonly string[];
  /** Told after each text how far the reading is, in bytes on disk over all files. */
  readonly onRead?: (progress: { readonly readBytes: number; readonly sizeBytes: number }) => void;
}

interface TextFile {
  readonly sizeBytes: number;
  readonly readBytes: () => number;
  readonly texts: AsyncIterable<string | Uint8Array>;
}

const byteOrderMark = Buffer.from("\ufeff");

async function openLines(file: string, options: ReadTextsOptions): Promise<TextFile> {
  const { encoding, maxRowBytes = longestRowBytes } = options;
  const named = encoding === undefined ? undefined : encodingNamed(encoding);
  const { content, sizeBytes, readBytes } = await openInputFile(file);
  async function* texts(): AsyncGenerator<Uint8Array> {
    const utf8 = await asUtf8(content, file, named);
    let number = 0;
    for await (const line of readLines(utf8.content, maxRowBytes)) {
      number++;
      const place = { where: `Line ${number} of ${file}`, file, line: number };
      let { bytes } = line;
      if (bytes === undefined) {
        throw new BridleError("ROW_TOO_LARGE", {
          ...place,
          size: line.sizeBytes,
          limit: maxRowBytes,
        });
      }
      if (!isUtf8(bytes)) throw notUtf8(place, bytes);
      if (number === 1 && byteOrderMark.equals(bytes.subarray(0, 3))) bytes = bytes.subarray(3);
      yield bytes;
    }
  }
  return { sizeBytes, readBytes, texts: texts() };
}

/** The columns to read of rows that hold the same ones; what is null in a row is as if it were not there. */
function chooseColumns(row: Row, place: Place): readonly string[] {
  try {
    const { document, summary } = pairColumnsOf(row, place, {});
    return [document, summary].filter((column) => row[column] != null);
  } catch (thrown) {
    if (!(thrown instanceof BridleError) || thrown.code !== "COLUMN_MISSING") throw thrown;
  }
  return [documentColumnOf(row, place)];
}

function* textsOf(
  row: Row,
  place: Place,
  named: readonly string[] | undefined,
  chosen: Map<string, readonly string[]>,
): Generator<string> {
  let columns = named;
  if (columns === undefined) {
    const names = JSON.stringify(Object.keys(row).filter((name) => row[name] != null));
    columns = chosen.get(names) ?? chooseColumns(row, place);
    chosen.set(names, columns);
  }
  for (const column of columns) yield* textsColumn(row, column, place);
}

function rowTexts(rows: RowFile, columns: readonly string[] | undefined): TextFile {
  const chosen = new Map<string, readonly string[]>();
  async function* texts(): AsyncGenerator<string> {
    for await (const row of rows.rows) yield* textsOf(row.read(), row.place, columns, chosen);
  }
  return { sizeBytes: rows.sizeBytes, readBytes: rows.readBytes, texts: texts() };
}

async function openTexts(file: string, options: ReadTextsOptions): Promise<TextFile> {
  const { format, columns, onRead: _, ...reading } = options;
  const isPlain = format === undefined && /\.(txt|text)(\.(gz|gzip|zst|zstd))?$/i.test(file);
  if (format === "lines" || (isPlain && columns === undefined)) return openLines(file, options);
  const select = columns && { select: () => columns };
  return rowTexts(
    await openRows(file, { ...reading, ...(format && { format }), ...select }),
    columns,
  );
}

/**
 * The texts of files, in order: every line of a plain text, or the document and the summaries of every row. Holds one
 * text at a time, whatever the files' size. Lines of plain text come as bytes, which are UTF-8.
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE, FOLDER_NOT_DATA, INVALID_PARAMETER; and while iterating, with file and line,
 *   ROW_NOT_UTF8, ROW_TOO_LARGE, COLUMN_MISSING, COLUMN_AMBIGUOUS, COLUMN_NOT_TEXT and what openRows throws
 */
export async function* readTexts(
  files: string | readonly string[],
  options: ReadTextsOptions = {},
): AsyncGenerator<string | Uint8Array> {
  const names = typeof files === "string" ? [files] : files;
  // All files are opened first, so that a misspelt last one is told before the others are read.
  const inputs: TextFile[] = [];
  for (const file of names) inputs.push(await openTexts(file, options));
  const sizeBytes = inputs.reduce((sum, input) => sum + input.sizeBytes, 0);
  let doneBytes = 0;
  for (const input of inputs) {
    for await (const text of input.texts) {
      yield text;
      options.onRead?.({ readBytes: doneBytes + input.readBytes(), sizeBytes });
    }
    doneBytes += input.sizeBytes;
  }
}
