// Reads JSON the way Python's json module does, so that the original routes name the same fault at the same place.
// Source: CPython 3.11, Lib/json/{__init__,decoder,scanner}.py and Modules/_json.c.

import { hasTooMuchStructure } from "../json-size.js";

/** Where and why a text is not JSON, in Python's words. */
export interface JsonFault {
  readonly reason: string;
  /** In code points from the start, as Python counts. */
  readonly position: number;
}

/**
 * A value as FastAPI would write it back: `json` is its text without spaces, floats spelled as Python spells them,
 * NaN and the infinities, on which FastAPI crashes, as null.
 */
export type PythonJson =
  | { readonly type: "string"; readonly value: string; readonly json: string }
  | {
      readonly type: "object";
      readonly entries: ReadonlyMap<string, PythonJson>;
      readonly json: string;
    }
  | { readonly type: "other"; readonly json: string };

/**
 * What reading gave: a value, a syntax fault, or undefined for what Python gives up on for another reason: nesting,
 * an integer beyond its digit limit, bytes that are no text. More structure than a request needs counts among these.
 */
export type PythonJsonReading =
  | { readonly value: PythonJson }
  | { readonly fault: JsonFault }
  | undefined;

/** Carries a syntax fault, or nothing for a refusal, out of the nested readers; it never leaves this file. */
class Stop extends Error {
  readonly fault: JsonFault | undefined;
  constructor(fault?: JsonFault) {
    super(fault?.reason);
    this.fault = fault;
  }
}

/** Nesting at which CPython 3.11 stops under FastAPI's own stack; measured between 950 and 980. */
const maxDepth = 960;
/** CPython's sys.int_info.default_max_str_digits. */
const maxIntegerDigits = 4300;

/** Reads a JSON body, told its encoding by its first bytes, as `json.loads(bytes)` does. */
export function readPythonJson(bytes: Uint8Array): PythonJsonReading {
  try {
    const text = decode(bytes);
    if (hasTooMuchStructure(text)) return undefined;
    // Faults are found without building anything, so that a long broken body costs no memory.
    scan(text, { strict: false });
    return { value: build(text) };
  } catch (thrown) {
    if (!(thrown instanceof Stop)) throw thrown;
    return thrown.fault && { fault: thrown.fault };
  }
}

/**
 * Where and why a text is not JSON in the standard's sense, which has no NaN and no limit on digits;
 * undefined where it is nested too deep to say, or is JSON.
 */
export function findJsonFault(text: string): JsonFault | undefined {
  try {
    scan(text, { strict: true });
  } catch (thrown) {
    if (!(thrown instanceof Stop)) throw thrown;
    return thrown.fault;
  }
  return undefined;
}

const [quote, backslash, comma, colon, minus, plus, dot] = [34, 92, 44, 58, 45, 43, 46] as const;
const [openBracket, closeBracket, openBrace, closeBrace] = [91, 93, 123, 125] as const;
const escapable = '"\\/bfnrt';
const standardWords = ["null", "true", "false"];
const pythonWords = [...standardWords, "NaN", "Infinity", "-Infinity"];

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Index of the first character from `at` on that is no JSON white space. */
function skipWhitespace(text: string, at: number): number {
  for (let index = at; ; index += 1) {
    const code = text.charCodeAt(index);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return index;
  }
}

/** Index after the number at `at`; `at` itself where there is none. */
function endOfNumber(text: string, at: number): { end: number; whole: number; isFloat: boolean } {
  const from = text.charCodeAt(at) === minus ? at + 1 : at;
  let whole = from;
  if (text.charCodeAt(whole) === 48) whole += 1;
  else while (isDigit(text.charCodeAt(whole))) whole += 1;
  if (whole === from) return { end: at, whole: at, isFloat: false };
  let end = whole;
  if (text.charCodeAt(end) === dot && isDigit(text.charCodeAt(end + 1))) {
    end += 2;
    while (isDigit(text.charCodeAt(end))) end += 1;
  }
  const e = text.charCodeAt(end) | 32;
  if (e === 101) {
    const sign = text.charCodeAt(end + 1);
    const digits = sign === plus || sign === minus ? end + 2 : end + 1;
    if (isDigit(text.charCodeAt(digits))) {
      end = digits + 1;
      while (isDigit(text.charCodeAt(end))) end += 1;
    }
  }
  return { end, whole, isFloat: end > whole };
}

/**
 * Goes over a text and stops at the first fault.
 * @throws Stop
 */
function scan(text: string, { strict }: { strict: boolean }): void {
  const words = strict ? standardWords : pythonWords;
  const fault = (reason: string, index: number): Stop =>
    new Stop({ reason, position: countCharacters(text, index) });

  /** From the character after an opening quote to the one after the closing quote. */
  function string(begin: number): number {
    for (let at = begin; ; at += 1) {
      const code = text.charCodeAt(at);
      if (code === quote) return at + 1;
      if (Number.isNaN(code)) throw fault("Unterminated string starting at", begin - 1);
      if (code < 32) throw fault("Invalid control character at", at);
      if (code !== backslash) continue;
      const letter = text[at + 1];
      if (letter === undefined) throw fault("Unterminated string starting at", begin - 1);
      if (letter === "u") {
        if (!/^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6))) {
          throw fault("Invalid \\uXXXX escape", at + 1);
        }
        at += 5;
      } else if (escapable.includes(letter)) at += 1;
      else throw fault("Invalid \\escape", at);
    }
  }

  function value(at: number, depth: number): number {
    if (depth > maxDepth) throw new Stop();
    const code = text.charCodeAt(at);
    if (code === quote) return string(at + 1);
    if (code === openBrace) return object(at + 1, depth);
    if (code === openBracket) return array(at + 1, depth);
    const { end, whole, isFloat } = endOfNumber(text, at);
    if (end > at) {
      const digits = whole - at - (code === minus ? 1 : 0);
      if (!strict && !isFloat && digits > maxIntegerDigits) throw new Stop();
      return end;
    }
    const word = words.find((candidate) => text.startsWith(candidate, at));
    if (word === undefined) throw fault("Expecting value", at);
    return at + word.length;
  }

  function object(begin: number, depth: number): number {
    let at = skipWhitespace(text, begin);
    if (text.charCodeAt(at) === closeBrace) return at + 1;
    for (;;) {
      if (text.charCodeAt(at) !== quote) {
        throw fault("Expecting property name enclosed in double quotes", at);
      }
      at = skipWhitespace(text, string(at + 1));
      if (text.charCodeAt(at) !== colon) throw fault("Expecting ':' delimiter", at);
      at = skipWhitespace(text, value(skipWhitespace(text, at + 1), depth + 1));
      const code = text.charCodeAt(at);
      if (code === closeBrace) return at + 1;
      if (code !== comma) throw fault("Expecting ',' delimiter", at);
      at = skipWhitespace(text, at + 1);
    }
  }

  function array(begin: number, depth: number): number {
    let at = skipWhitespace(text, begin);
    if (text.charCodeAt(at) === closeBracket) return at + 1;
    for (;;) {
      at = skipWhitespace(text, value(at, depth + 1));
      const code = text.charCodeAt(at);
      if (code === closeBracket) return at + 1;
      if (code !== comma) throw fault("Expecting ',' delimiter", at);
      at = skipWhitespace(text, at + 1);
    }
  }

  const end = skipWhitespace(text, value(skipWhitespace(text, 0), 0));
  if (end < text.length) throw fault("Extra data", end);
}

/** A text in pieces, which are put together once: at each level of nesting they would be copied again. */
type Pieces = string | readonly Pieces[];

type Built = PythonJson & { readonly pieces: Pieces };

function putTogether(pieces: Pieces): string {
  const flat: string[] = [];
  const collect = (some: Pieces): void => {
    if (typeof some === "string") flat.push(some);
    else for (const each of some) collect(each);
  };
  collect(pieces);
  return flat.join("");
}

function enclose(open: string, items: Iterable<Pieces>, close: string): Pieces {
  const pieces: Pieces[] = [];
  for (const item of items) pieces.push(pieces.length === 0 ? open : ",", item);
  if (pieces.length === 0) return open + close;
  pieces.push(close);
  return pieces;
}

/** Builds the value of a text that `scan` has passed. */
function build(text: string): PythonJson {
  let at = 0;

  function string(): string {
    const begin = at;
    for (at += 1; text.charCodeAt(at) !== quote; at += 1) {
      if (text.charCodeAt(at) === backslash) at += 1;
    }
    at += 1;
    return JSON.parse(text.slice(begin, at)) as string;
  }

  function value(): Built {
    const code = text.charCodeAt(at);
    if (code === openBrace) return object();
    if (code === quote) {
      const found = string();
      const json = JSON.stringify(found);
      return { type: "string", value: found, pieces: json, json };
    }
    const pieces = code === openBracket ? array() : numberOrWord();
    return {
      type: "other",
      pieces,
      get json() {
        return putTogether(pieces);
      },
    };
  }

  /** The text of a value, for where nobody asks what it is. */
  function piecesOf(): Pieces {
    const code = text.charCodeAt(at);
    if (code === openBracket) return array();
    if (code === quote || code === openBrace) return value().pieces;
    return numberOrWord();
  }

  function numberOrWord(): string {
    const { end, isFloat } = endOfNumber(text, at);
    if (end > at) {
      const spelling = text.slice(at, end);
      at = end;
      if (isFloat) return floatJson(Number(spelling));
      return spelling === "-0" ? "0" : spelling;
    }
    const word = pythonWords.find((candidate) => text.startsWith(candidate, at)) ?? "null";
    at += word.length;
    return standardWords.includes(word) ? word : "null";
  }

  function object(): Built {
    const entries = new Map<string, Built>();
    at = skipWhitespace(text, at + 1);
    while (text.charCodeAt(at) !== closeBrace) {
      const key = string();
      at = skipWhitespace(text, skipWhitespace(text, at) + 1);
      entries.set(key, value());
      at = skipWhitespace(text, at);
      if (text.charCodeAt(at) === comma) at = skipWhitespace(text, at + 1);
    }
    at += 1;
    const members = Array.from(entries, ([key, item]) => [`${JSON.stringify(key)}:`, item.pieces]);
    const pieces = enclose("{", members, "}");
    return {
      type: "object",
      entries,
      pieces,
      get json() {
        return putTogether(pieces);
      },
    };
  }

  function array(): Pieces {
    const items: Pieces[] = [];
    at = skipWhitespace(text, at + 1);
    while (text.charCodeAt(at) !== closeBracket) {
      items.push(piecesOf());
      at = skipWhitespace(text, at);
      if (text.charCodeAt(at) === comma) at = skipWhitespace(text, at + 1);
    }
    at += 1;
    return enclose("[", items, "]");
  }

  at = skipWhitespace(text, 0);
  return value();
}

/** Code points before a UTF-16 index. */
function countCharacters(text: string, index: number): number {
  let count = index;
  for (let unit = 1; unit < index; unit += 1) {
    const low = text.charCodeAt(unit) & 0xfc00;
    if (low === 0xdc00 && (text.charCodeAt(unit - 1) & 0xfc00) === 0xd800) count -= 1;
  }
  return count;
}

function floatJson(value: number): string {
  return Number.isFinite(value) ? formatPythonFloat(value) : "null";
}

/** Python's repr of a finite float: the shortest digits, an exponent from 1e16 up and below 1e-4. */
export function formatPythonFloat(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (value !== 0 && (size >= 1e16 || size < 1e-4)) {
    const [mantissa = "", exponent = "0"] = value.toExponential().split("e");
    const power = Number(exponent);
    return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  const plain = String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}

/** UTF-8, -16 or -32, told by the first bytes as Python's json.detect_encoding does. */
function decode(bytes: Uint8Array): string {
  const [encoding, skip] = detectEncoding(bytes);
  const rest = bytes.subarray(skip);
  if (encoding === "utf-8") {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(rest);
    } catch {
      throw new Stop();
    }
  }
  if (encoding === "utf-32le" || encoding === "utf-32be") {
    return decodeUtf32(rest, encoding === "utf-32le");
  }
  if (rest.length % 2 === 1) throw new Stop();
  const copy = Buffer.from(rest);
  // Buffer reads lone surrogates as they stand, as Python's "surrogatepass" does; TextDecoder would refuse them.
  return (encoding === "utf-16be" ? copy.swap16() : copy).toString("utf16le");
}

type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "utf-32le" | "utf-32be";

function detectEncoding(bytes: Uint8Array): readonly [Encoding, skip: number] {
  const begins = (...mark: number[]): boolean => mark.every((byte, i) => bytes[i] === byte);
  if (begins(0, 0, 0xfe, 0xff)) return ["utf-32be", 4];
  if (begins(0xff, 0xfe, 0, 0)) return ["utf-32le", 4];
  if (begins(0xfe, 0xff)) return ["utf-16be", 2];
  if (begins(0xff, 0xfe)) return ["utf-16le", 2];
  if (begins(0xef, 0xbb, 0xbf)) return ["utf-8", 3];
  if (bytes.length >= 4) {
    if (bytes[0] === 0) return [bytes[1] === 0 ? "utf-32be" : "utf-16be", 0];
    if (bytes[1] === 0) return [bytes[2] === 0 && bytes[3] === 0 ? "utf-32le" : "utf-16le", 0];
  } else if (bytes.length === 2) {
    if (bytes[0] === 0) return ["utf-16be", 0];
    if (bytes[1] === 0) return ["utf-16le", 0];
  }
  return ["utf-8", 0];
}

function decodeUtf32(bytes: Uint8Array, littleEndian: boolean): string {
  if (bytes.length % 4 !== 0) throw new Stop();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    const point = view.getUint32(at, littleEndian);
    if (point > 0x10ffff) throw new Stop();
    parts.push(String.fromCodePoint(point));
  }
  return parts.join("");
}
