// Reads a line of JSON Lines as an object, and its columns as texts.
import { BridleError } from "../errors/error.js";
import type { Line } from "./lines.js";

export type Row = Readonly<Record<string, unknown>>;

/** Longest row that is read unless a caller says otherwise, in bytes. */
export const longestRowBytes = 100_000_000;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Whether a line holds nothing but spaces; such lines are no rows. */
export function isBlank({ bytes, sizeBytes }: Line): boolean {
  if (bytes === undefined || sizeBytes > 1000) return false;
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

/**
 * Reads one line as a row.
 * @param number of the line in its file, from 1
 * @param limitBytes the limit its reader was given, for the error's text
 * @throws ROW_TOO_LARGE, ROW_NOT_UTF8, ROW_NOT_JSON
 */
export function parseRow(line: Line, number: number, limitBytes = longestRowBytes): Row {
  if (line.bytes === undefined) {
    throw new BridleError("ROW_TOO_LARGE", {
      line: number,
      size: line.sizeBytes,
      limit: limitBytes,
    });
  }
  let text: string;
  try {
    text = decoder.decode(line.bytes);
  } catch (cause) {
    throw new BridleError("ROW_NOT_UTF8", { line: number }, { cause });
  }
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BridleError("ROW_NOT_JSON", { line: number, reason }, { cause });
  }
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    const found = row === null ? "null" : Array.isArray(row) ? "a list" : `a ${typeof row}`;
    throw new BridleError("ROW_NOT_JSON", { line: number, reason: `it is ${found}` });
  }
  return row as Row;
}

function missing(row: Row, column: string, line: number): BridleError {
  const columns = Object.keys(row).slice(0, 20).join(", ") || "none";
  return new BridleError("COLUMN_MISSING", { line, column, columns });
}

/** The text in a column. @throws COLUMN_MISSING */
export function textColumn(row: Row, column: string, line: number): string {
  const value = row[column];
  if (typeof value !== "string") throw missing(row, column, line);
  return value;
}

/** The text, or the list of at least one text, in a column. @throws COLUMN_MISSING */
export function textsColumn(row: Row, column: string, line: number): readonly string[] {
  const value = row[column];
  if (typeof value === "string") return [value];
  const isList = Array.isArray(value) && value.length > 0;
  if (!isList || value.some((each) => typeof each !== "string")) throw missing(row, column, line);
  return value as string[];
}

/** Where a document is looked for when no column is named; the first one present counts. */
export const documentColumns = ["document", "text", "content", "article"] as const;

export interface DocumentRow {
  readonly document: string;
  /** The row's own name, handed back with its result. */
  readonly id?: string | number;
}

/**
 * The document of a row.
 * @param column the column that holds the text; the first of `documentColumns` unless said
 * @throws COLUMN_MISSING
 */
export function documentOf(row: Row, line: number, column?: string): DocumentRow {
  const name = column ?? documentColumns.find((each) => Object.hasOwn(row, each));
  if (name === undefined) throw missing(row, documentColumns.join(", "), line);
  const document = textColumn(row, name, line);
  const { id } = row;
  return typeof id === "string" || typeof id === "number" ? { document, id } : { document };
}
