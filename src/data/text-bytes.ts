// Turns the bytes of a text file in any named or marked encoding into UTF-8, piece by piece.
import { isUtf8 } from "node:buffer";
import iconv from "iconv-lite";
import { BridleError } from "../errors/error.js";
import { decodeText, normalizeCharset } from "../text/files/text-encoding.js";

/** The first bytes of a stream, and the stream with them still in it. */
export async function peek(
  source: AsyncIterable<Uint8Array>,
  count: number,
): Promise<{ readonly head: Uint8Array; readonly whole: AsyncGenerator<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  let held = 0;
  let ended = false;
  while (held < count && !ended) {
    const { value, done } = await iterator.next();
    if (done) ended = true;
    else {
      taken.push(value);
      held += value.length;
    }
  }
  async function* whole() {
    try {
      for (const chunk of taken.splice(0)) yield chunk;
      while (!ended) {
        const { value, done } = await iterator.next();
        if (done) ended = true;
        else yield value;
      }
    } finally {
      if (!ended) await iterator.return?.();
    }
  }
  return { head: Buffer.concat(taken).subarray(0, count), whole: whole() };
}

/** The encoding a byte order mark tells of, other than UTF-8. */
function markedEncoding(head: Uint8Array): string | undefined {
  const [a, b, c, d] = head;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? "utf-32le" : "utf-16le";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return "utf-32be";
  return undefined;
}

/** The name under which an encoding is known here. @throws INVALID_PARAMETER */
export function encodingNamed(label: string): string {
  const name = normalizeCharset(label);
  if (name !== undefined && name !== "iso-2022-jp") return name;
  throw new BridleError("INVALID_PARAMETER", {
    parameter: "encoding",
    value: label,
    expected: "the name of an encoding such as utf-8, utf-16le, windows-1252 or shift_jis",
  });
}

/**
 * A stream as UTF-8. One in UTF-16 or UTF-32 with a mark, or in the encoding that is named, is rewritten; anything else
 * goes through as it is, a mark of UTF-8 with it, and is for the reader to check.
 * @throws ROW_NOT_UTF8 while iterating, with the line, where bytes do not fit the named encoding
 */
export async function asUtf8(
  source: AsyncIterable<Uint8Array>,
  file: string,
  named?: string,
): Promise<{ readonly content: AsyncIterable<Uint8Array>; readonly rewritten: boolean }> {
  const { head, whole } = await peek(source, 4);
  const encoding = markedEncoding(head) ?? named ?? "utf-8";
  if (encoding === "utf-8") return { content: whole, rewritten: false };
  return { content: rewrite(whole, file, encoding), rewritten: true };
}

async function* rewrite(source: AsyncIterable<Uint8Array>, file: string, encoding: string) {
  // UTF-16 and UTF-32 may well hold the sign that stands for what could not be read.
  const strict = !encoding.startsWith("utf-");
  const decoder = iconv.getDecoder(encoding);
  let line = 1;
  const encode = (text: string): Buffer => {
    const bad = strict ? text.indexOf("\ufffd") : -1;
    if (bad >= 0) {
      line += countLines(text.slice(0, bad));
      throw notInEncoding(file, line, encoding);
    }
    line += countLines(text);
    return Buffer.from(text);
  };
  for await (const chunk of source) {
    const text = decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    if (text !== "") yield encode(text);
  }
  const rest = decoder.end();
  if (rest) yield encode(rest);
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

function notInEncoding(file: string, line: number, encoding: string): BridleError {
  const where = `Line ${line} of ${file}`;
  return new BridleError("ROW_NOT_UTF8", { where, file, line, encoding, guess: "its encoding" });
}

/** What is told of bytes that are not UTF-8, with the encoding they look like. */
export function notUtf8(
  place: { readonly where: string; readonly file?: string; readonly line?: number },
  bytes: Uint8Array,
  cause?: unknown,
): BridleError {
  const found = decodeText(bytes.subarray(0, 65_536))?.encoding;
  const guess = found === undefined || found === "utf-8" ? "its encoding" : found;
  return new BridleError("ROW_NOT_UTF8", { ...place, encoding: "UTF-8", guess }, { cause });
}

/**
 * A stream of UTF-8 as texts of whole lines, without its mark.
 * @throws ROW_NOT_UTF8, ROW_TOO_LARGE with the line
 */
export async function* utf8Texts(
  source: AsyncIterable<Uint8Array>,
  file: string,
  maxLineBytes: number,
): AsyncGenerator<string> {
  let line = 1;
  let parts: Uint8Array[] = [];
  let held = 0;
  const place = () => ({ where: `Line ${line} of ${file}`, file, line });
  const decode = (): string => {
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, held);
    parts = [];
    held = 0;
    try {
      const text = decoder.decode(bytes);
      line += countLines(text);
      return text;
    } catch (cause) {
      const bad = firstBadLine(bytes);
      line += bad.before;
      throw notUtf8(place(), bad.text, cause);
    }
  };
  // Whole lines at a time, so that no character is cut and a bad one is on the line that is told.
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let first = true;
  for await (const chunk of source) {
    const end = chunk.lastIndexOf(0x0a) + 1;
    if (end > 0) {
      parts.push(chunk.subarray(0, end));
      held += end;
      const text = decode();
      yield first && text.startsWith("\ufeff") ? text.slice(1) : text;
      first = false;
    }
    if (end === chunk.length) continue;
    parts.push(chunk.subarray(end));
    held += chunk.length - end;
    if (held > maxLineBytes) {
      throw new BridleError("ROW_TOO_LARGE", { ...place(), size: held, limit: maxLineBytes });
    }
  }
  if (held === 0) return;
  const text = decode();
  yield first && text.startsWith("\ufeff") ? text.slice(1) : text;
}

/** The first line of bytes that is not UTF-8, and how many lines stand before it. */
function firstBadLine(bytes: Uint8Array): { before: number; text: Uint8Array } {
  let before = 0;
  let start = 0;
  for (;;) {
    const found = bytes.indexOf(0x0a, start);
    const text = bytes.subarray(start, found < 0 ? bytes.length : found);
    if (found < 0 || !isUtf8(text)) return { before, text };
    start = found + 1;
    before++;
  }
}
