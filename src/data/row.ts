// A row of data: an object of columns, where it stands, and its columns read as texts.
import { nearestName } from "../config/nearest-name.js";
import { BridleError } from "../errors/error.js";
import { notUtf8 } from "./text-bytes.js";

export type Row = Readonly<Record<string, unknown>>;

/** Longest row that is read unless a caller says otherwise, in bytes. */
export const longestRowBytes = 100_000_000;

/** Where a row stands, for people: `where` is "Line 3 of x.jsonl", "Row 5 of x.parquet" or the like. */
export interface Place {
  readonly where: string;
  readonly file: string;
  /** Line of the file, or row where the format has no lines; from 1. */
  readonly line: number;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads the bytes of one JSON object as a row, with or without a byte order mark.
 * @param bytes undefined where there were more than the limit
 * @throws ROW_TOO_LARGE, ROW_NOT_UTF8, ROW_NOT_JSON
 */
export function parseRow(
  { bytes, sizeBytes }: { readonly bytes: Uint8Array | undefined; readonly sizeBytes: number },
  place: Place,
  limitBytes = longestRowBytes,
): Row {
  if (bytes === undefined) {
    throw new BridleError("ROW_TOO_LARGE", { ...place, size: sizeBytes, limit: limitBytes });
  }
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw notUtf8(place, bytes, cause);
  }
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BridleError("ROW_NOT_JSON", { ...place, reason }, { cause });
  }
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    throw new BridleError("ROW_NOT_JSON", { ...place, reason: `it is ${kindOf(row)}` });
  }
  return row as Row;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** What is told where a column is not there: those that are, and the one that may have been meant. */
export function columnMissing(
  row: Row,
  column: string,
  place: Place,
  expected: readonly string[] = [column],
): BridleError {
  const names = Object.keys(row);
  const near = expected
    .map((name) => nearestName(name, names))
    .find((name) => name !== undefined && !expected.includes(name));
  const suggestion = near === undefined ? "" : `Did you mean ${near}? `;
  const columns = names.slice(0, 20).join(", ") || "none";
  return new BridleError("COLUMN_MISSING", { ...place, column, columns, suggestion });
}

function notText(column: string, value: unknown, place: Place, expected: string): BridleError {
  const found = Array.isArray(value)
    ? value.length === 0
      ? "an empty list"
      : `a list with ${kindOf(value.find((each) => typeof each !== "string") ?? value[0])}`
    : kindOf(value);
  return new BridleError("COLUMN_NOT_TEXT", { ...place, column, found, expected });
}

/** The text in a column; null is no text, which is for the caller to judge. @throws COLUMN_MISSING, COLUMN_NOT_TEXT */
export function textColumn(row: Row, column: string, place: Place): string {
  if (!Object.hasOwn(row, column)) throw columnMissing(row, column, place);
  const value = row[column];
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") throw notText(column, value, place, "a text");
  return value;
}

/**
 * The text, or the list of at least one text, in a column; null is one text without letters.
 * @throws COLUMN_MISSING, COLUMN_NOT_TEXT
 */
export function textsColumn(row: Row, column: string, place: Place): readonly string[] {
  const value = row[column];
  if (!Array.isArray(value)) return [textColumn(row, column, place)];
  if (value.length === 0 || value.some((each) => typeof each !== "string")) {
    throw notText(column, value, place, "a text or a list of texts");
  }
  return value as string[];
}
