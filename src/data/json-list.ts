// Cuts a JSON list into its elements without ever holding more than one of them, and counts the lines they stand on.
import { BridleError } from "../errors/error.js";

export interface JsonElement {
  /** The element's bytes, or undefined where there are more than the limit. */
  readonly bytes: Uint8Array | undefined;
  readonly sizeBytes: number;
  /** Line of the file on which the element begins, from 1. */
  readonly line: number;
}

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const lineFeed = 0x0a;

const isSpace = (byte: number) => byte === 0x20 || byte === lineFeed || byte === 0x0d || byte === 9;
const opens = (byte: number) => byte === 0x5b || byte === 0x7b;
const closes = (byte: number) => byte === 0x5d || byte === 0x7d;

/**
 * The elements of the list that a stream of UTF-8 holds, in order. Each still has to be parsed: only quotes and brackets
 * are looked at here.
 * @throws ROW_NOT_JSON where the list is not closed or something follows it
 */
export async function* readJsonList(
  source: AsyncIterable<Uint8Array>,
  file: string,
  maxBytes: number,
): AsyncGenerator<JsonElement> {
  let line = 1;
  /** Brackets open; 0 before the list and after it, 1 between its elements. */
  let depth = 0;
  let begun = false;
  let inText = false;
  let escaped = false;
  let parts: Uint8Array[] = [];
  let sizeBytes = 0;
  let startLine = 0;
  let afterComma = false;
  const fault = (reason: string) =>
    new BridleError("ROW_NOT_JSON", { where: `Line ${line} of ${file}`, file, line, reason });
  const take = (part: Uint8Array) => {
    sizeBytes += part.length;
    if (sizeBytes > maxBytes) parts = [];
    else parts.push(part);
  };
  const finish = (): JsonElement => {
    const bytes = sizeBytes > maxBytes ? undefined : Buffer.concat(parts);
    const element = { bytes, sizeBytes, line: startLine };
    parts = [];
    sizeBytes = 0;
    startLine = 0;
    return element;
  };

  for await (const chunk of source) {
    /** Where the element in hand begins in this chunk; -1 between elements. */
    let from = startLine > 0 ? 0 : -1;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === lineFeed) line++;
      if (inText) {
        if (escaped) escaped = false;
        else if (byte === backslash) escaped = true;
        else if (byte === quote) inText = false;
        continue;
      }
      if (isSpace(byte)) continue;
      if (depth === 0) {
        const mark = !begun && (byte === 0xef || byte === 0xbb || byte === 0xbf);
        if (mark) continue;
        if (begun || byte !== 0x5b)
          throw fault(begun ? "the list ends before it" : "it is no list");
        begun = true;
        depth = 1;
        continue;
      }
      if (depth === 1 && (byte === comma || closes(byte))) {
        if (from >= 0) take(chunk.subarray(from, at));
        const empty = startLine === 0;
        if (empty && (byte === comma || afterComma)) throw fault("an element is missing");
        if (!empty) yield finish();
        from = -1;
        afterComma = byte === comma;
        if (byte !== comma) depth = 0;
        continue;
      }
      if (startLine === 0) {
        startLine = line;
        from = at;
      }
      if (byte === quote) inText = true;
      else if (opens(byte)) depth++;
      else if (closes(byte)) depth--;
    }
    if (from >= 0) take(chunk.subarray(from));
  }
  if (!begun || depth > 0) throw fault("the list is not closed");
}
