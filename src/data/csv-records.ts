// Reads comma- or tab-separated records with the lines they stand on, holding one stretch of the file at a time.
import Papa from "papaparse";
import { BridleError } from "../errors/error.js";
import type { Row } from "./row.js";
import { utf8Texts } from "./text-bytes.js";

export interface CsvRecord {
  readonly row: Row;
  /** Line of the file on which the record begins, from 1. */
  readonly line: number;
  /** About as much memory as the record takes, in bytes. */
  readonly sizeBytes: number;
}

export interface CsvOptions {
  /** One character. Default: the one of comma, semicolon, tab and bar that the first line holds most often. */
  readonly delimiter?: string;
  readonly maxRowBytes: number;
}

/** Papa's parser, told apart from its streams: they keep a row of any length in memory, and tell no positions. */
interface Parsed {
  readonly data: string[][];
  readonly errors: readonly { readonly row: number; readonly message: string }[];
  readonly meta: { readonly cursor: number };
}

const delimiters = [",", ";", "\t", "|"];

function notCsv(file: string, line: number, reason: string): BridleError {
  return new BridleError("ROW_NOT_CSV", { where: `Line ${line} of ${file}`, file, line, reason });
}

/** How often a character stands outside of quotes. */
function countOutsideQuotes(text: string, character: string): number {
  let count = 0;
  let quoted = false;
  for (const each of text) {
    if (each === '"') quoted = !quoted;
    else if (each === character && !quoted) count++;
  }
  return count;
}

function likelyDelimiter(header: string): string {
  let best = ",";
  let most = 0;
  for (const delimiter of delimiters) {
    const count = countOutsideQuotes(header, delimiter);
    if (count > most) {
      best = delimiter;
      most = count;
    }
  }
  return best;
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** The names in the first record. @throws ROW_NOT_CSV where one stands there twice */
function headerOf(fields: readonly string[], file: string, line: number): readonly string[] {
  const names = fields.map((field) => field.trim());
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    throw notCsv(file, line, `the first row names the column ${JSON.stringify(twice)} twice`);
  }
  return names;
}

function rowOf(names: readonly string[], fields: readonly string[]): Row {
  return Object.fromEntries(names.map((name, at) => [name, fields[at]]));
}

/**
 * The records after the first, which names the columns. Fields may be in double quotes and then hold delimiters, doubled
 * quotes and line ends; lines end with LF or CRLF, and CRLF inside of quotes is read as LF. Lines without anything are no
 * records.
 * @throws ROW_NOT_CSV for a quote that is not closed or closes too early, or another number of fields than the first row
 *   has; ROW_NOT_UTF8, ROW_TOO_LARGE; all with the line
 */
export async function* readCsv(
  source: AsyncIterable<Uint8Array>,
  file: string,
  { delimiter, maxRowBytes }: CsvOptions,
): AsyncGenerator<CsvRecord> {
  let names: readonly string[] | undefined;
  let parser: InstanceType<typeof Papa.Parser> | undefined;
  let rest = "";
  let line = 1;
  /** A record that goes on past the text in hand is not parsed again before there is twice as much of it. */
  let enough = 0;

  function* parse(last: boolean): Generator<CsvRecord> {
    parser ??= new Papa.Parser({
      delimiter:
        delimiter ??
        likelyDelimiter(rest.slice(0, (rest.indexOf("\n") + 1 || rest.length + 1) - 1)),
      newline: "\n",
      quoteChar: '"',
    });
    const { data, errors, meta } = parser.parse(rest, 0, !last) as Parsed;
    // What is wrong with a record that is still to come may be only that it is cut here.
    const fault = errors.find(({ row }) => row < data.length);
    for (const [index, fields] of data.entries()) {
      if (fault !== undefined && fault.row === index) throw notCsv(file, line, told(fault.message));
      const began = line;
      line += 1;
      let sizeBytes = 0;
      for (const field of fields) {
        line += countLines(field);
        sizeBytes += 2 * field.length;
      }
      if (fields.length === 1 && fields[0]!.trim() === "") continue;
      if (names === undefined) {
        names = headerOf(fields, file, began);
        continue;
      }
      if (fields.length !== names.length) {
        const counts = `it has ${fields.length} fields and the first row names ${names.length} columns`;
        throw notCsv(file, began, counts);
      }
      yield { row: rowOf(names, fields), line: began, sizeBytes };
    }
    rest = last ? "" : rest.slice(meta.cursor);
    enough = data.length > 0 ? 0 : 2 * rest.length;
    if (rest.length > maxRowBytes) {
      const place = { where: `Line ${line} of ${file}`, file, line };
      throw new BridleError("ROW_TOO_LARGE", { ...place, size: rest.length, limit: maxRowBytes });
    }
  }

  for await (const text of utf8Texts(source, file, maxRowBytes)) {
    rest += text.includes("\r") ? text.replaceAll("\r\n", "\n") : text;
    if (rest.length >= enough) yield* parse(false);
  }
  if (rest !== "") yield* parse(true);
}

/** What Papa says of a record, in plain words. */
function told(message: string): string {
  if (message.startsWith("Quoted field unterminated")) return "a quote is opened and never closed";
  if (message.startsWith("Trailing quote")) return "there is text after a closing quote";
  return message;
}
