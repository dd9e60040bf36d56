// Bytes to text in whatever encoding they are in: byte order marks, UTF-8, UTF-16, what was declared, and then a guess.
import { analyse } from "chardet";
import iconv from "iconv-lite";
import { controlShare, plausibility } from "./text-plausibility.js";

export interface DecodedText {
  readonly text: string;
  /** WHATWG name, lower case. */
  readonly encoding: string;
  readonly warnings: readonly string[];
}

/** One that chardet does not know or seldom names, tried against what it names. */
const alwaysTried = [
  "windows-1252",
  "shift_jis",
  "euc-jp",
  "gb18030",
  "big5",
  "euc-kr",
  "ibm866",
  "windows-1250",
  "windows-1254",
] as const;

/** WHATWG reads these labels as their supersets; so do we, since software writes the superset under the old name. */
const supersets: Readonly<Record<string, string>> = {
  ascii: "windows-1252",
  "us-ascii": "windows-1252",
  "iso-8859-1": "windows-1252",
  "iso8859-1": "windows-1252",
  latin1: "windows-1252",
  cp1252: "windows-1252",
  "iso-8859-8": "windows-1255",
  "iso-8859-9": "windows-1254",
  "iso-8859-11": "windows-874",
  "tis-620": "windows-874",
  gb2312: "gb18030",
  gbk: "gb18030",
  "x-gbk": "gb18030",
  "ks_c_5601-1987": "euc-kr",
  "windows-949": "euc-kr",
  cp949: "euc-kr",
  "windows-31j": "shift_jis",
  "x-sjis": "shift_jis",
  sjis: "shift_jis",
  cp932: "shift_jis",
  "big5-hkscs": "big5",
  "x-x-big5": "big5",
  cp866: "ibm866",
  utf8: "utf-8",
  "utf-16": "utf-16le",
  "ucs-2": "utf-16le",
  unicode: "utf-16le",
};

/** The charsets of the WHATWG's list, and UTF-32. iconv-lite would also take "hex" or "base64". */
const charsets =
  /^(?:utf-(?:8|16[bl]e|32[bl]e)|windows-(?:874|125[0-8])|iso-8859-(?:[2-8]|1[0-6])|koi8-[ru]|ibm866|macintosh|shift_jis|euc-(?:jp|kr)|iso-2022-jp|big5|gb18030)$/;
/** How far a text must read like writing to be taken for a declared or guessed encoding. */
const plausibleFrom = 0.3;
/** Binary posing as text has more control characters than that. */
const maxControlShare = 0.005;
const maxOddShare = 0.05;
const sampleBytes = 48 * 1024;
const guessedBonus: Readonly<Record<string, number>> = { "windows-1252": 0.08, ibm866: -0.05 };

/** The WHATWG name of a charset label, or undefined for one unknown here. */
export function normalizeCharset(label: string): string | undefined {
  const name = label
    .trim()
    .toLowerCase()
    .replace(/^["']|["']$/g, "");
  const known = supersets[name] ?? name;
  return charsets.test(known) ? known : undefined;
}

function decodeAs(bytes: Uint8Array, encoding: string): string {
  // iconv-lite lacks this one stateful encoding; everywhere else Node's decoder depends on the ICU it was built with.
  if (encoding === "iso-2022-jp") return new TextDecoder("iso-2022-jp").decode(bytes);
  return iconv.decode(bytes, encoding);
}

function readByteOrderMark(bytes: Uint8Array): string | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return "utf-32le";
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return "utf-32be";
  if (a === 0xff && b === 0xfe) return "utf-16le";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  if (a === 0x84 && b === 0x31 && c === 0x95 && d === 0x33) return "gb18030";
  return undefined;
}

/**
 * UTF-16 without a mark: its newlines, spaces and Latin letters leave NULs on one side of each pair. East Asian text
 * has some on the other side too, so that both ways are read and the one that looks like writing is taken.
 */
function findUnmarkedUtf16(bytes: Uint8Array): string | undefined {
  const sample = bytes.subarray(0, Math.min(bytes.length & ~1, sampleBytes));
  const nuls = [0, 0];
  for (let i = 0; i < sample.length; i++) if (sample[i] === 0) nuls[i % 2]!++;
  if (nuls[0] === 0 && nuls[1] === 0) return undefined;
  // Two ASCII letters make one Chinese character: strings in a program would read as fine Chinese.
  const ascii = sample.reduce((sum, byte) => sum + (byte >= 0x20 && byte < 0x7f ? 1 : 0), 0);
  if (ascii > 0.85 * sample.length) return undefined;
  const ways = nuls[0]! > nuls[1]! ? ["utf-16be", "utf-16le"] : ["utf-16le", "utf-16be"];
  let best: string | undefined;
  let bestScore = 0.8;
  for (const way of ways) {
    const text = decodeAs(sample, way);
    const score = isBinary(text) ? -1 : plausibility(text);
    if (score > bestScore) {
      best = way;
      bestScore = score;
    }
  }
  return best;
}

interface Utf8Account {
  /** Characters of two bytes or more. */
  readonly whole: number;
  /** Bytes that belong to no character. */
  readonly stray: number;
}

function accountUtf8(bytes: Uint8Array): Utf8Account {
  let whole = 0;
  let stray = 0;
  for (let i = 0; i < bytes.length; i++) {
    const lead = bytes[i]!;
    if (lead < 0x80) continue;
    const more = lead >= 0xf0 && lead < 0xf5 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0;
    let seen = 0;
    while (seen < more && lead < 0xf5 && (bytes[i + 1 + seen]! & 0xc0) === 0x80) seen++;
    if (more > 0 && seen === more) whole++;
    else stray++;
    i += seen === more ? more : 0;
  }
  return { whole, stray };
}

function decodeUtf8(bytes: Uint8Array): DecodedText | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { text, encoding: "utf-8", warnings: [] };
  } catch {
    const { whole, stray } = accountUtf8(bytes);
    // A few broken bytes among many good characters are damage, not another encoding.
    if (whole < 4 * stray) return undefined;
    const noun = stray === 1 ? "byte is" : "bytes are";
    return {
      text: new TextDecoder("utf-8").decode(bytes),
      encoding: "utf-8",
      warnings: [`${stray} ${noun} not UTF-8 and shown as \uFFFD.`],
    };
  }
}

/** A stretch around each byte beyond ASCII, from its line's start, up to the sample's size: what tells encodings apart. */
function sampleBeyondAscii(bytes: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [];
  let size = 0;
  let at = 0;
  while (size < sampleBytes) {
    while (at < bytes.length && bytes[at]! < 0x80) at++;
    if (at >= bytes.length) break;
    // All since the last stretch is ASCII, so that no character is cut at the start.
    let start = at;
    while (start > 0 && at - start < 64 && bytes[start - 1]! < 0x80 && bytes[start - 1] !== 0x0a) {
      start--;
    }
    const newline = bytes.indexOf(0x0a, at);
    const end = Math.min(newline < 0 ? bytes.length : newline + 1, at + 4096);
    kept.push(bytes.subarray(start, end));
    size += end - start;
    at = end;
  }
  return Buffer.concat(kept).subarray(0, sampleBytes);
}

function guessEncoding(bytes: Uint8Array): { encoding: string; score: number } {
  const sample = sampleBeyondAscii(bytes);
  const confidences = new Map<string, number>(alwaysTried.map((name) => [name, 0]));
  for (const { name, confidence } of analyse(sample)) {
    const encoding = normalizeCharset(name);
    if (encoding === undefined || encoding.startsWith("utf-")) continue;
    confidences.set(encoding, Math.max(confidences.get(encoding) ?? 0, confidence / 100));
  }
  let best = { encoding: "windows-1252", score: -1 };
  let bestTotal = Number.NEGATIVE_INFINITY;
  for (const [encoding, confidence] of confidences) {
    const score = plausibility(decodeAs(sample, encoding));
    const total = 2 * score + confidence + (guessedBonus[encoding] ?? 0);
    if (total > bestTotal) {
      bestTotal = total;
      best = { encoding, score };
    }
  }
  return best;
}

function hasIso2022Escape(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, sampleBytes));
  return head.includes("\x1b$B") || head.includes("\x1b$@");
}

function shareBeyondAscii(bytes: Uint8Array): number {
  let beyond = 0;
  for (const byte of bytes) if (byte >= 0x80) beyond++;
  return beyond / bytes.length;
}

function isBinary(text: string): boolean {
  return controlShare(text) > maxControlShare;
}

/**
 * The text of bytes in any common encoding; undefined where they are no text in any.
 * Order: byte order mark; UTF-8; UTF-16 by its NULs; the declared charsets in turn; a guess among the encodings
 * chardet and experience name, by how much each result reads like writing.
 * `declared` are labels as they came: from HTTP, from the document itself.
 */
export function decodeText(
  bytes: Uint8Array,
  declared: readonly string[] = [],
): DecodedText | undefined {
  const marked = readByteOrderMark(bytes);
  if (marked !== undefined && marked !== "utf-8") {
    const text = decodeAs(bytes, marked);
    if (!isBinary(text)) return { text, encoding: marked, warnings: [] };
  }
  if (hasIso2022Escape(bytes)) {
    return { text: decodeAs(bytes, "iso-2022-jp"), encoding: "iso-2022-jp", warnings: [] };
  }
  const utf8 = decodeUtf8(bytes);
  if (utf8 !== undefined && !isBinary(utf8.text)) return utf8;
  const unmarked = findUnmarkedUtf16(bytes);
  if (unmarked !== undefined) {
    return { text: decodeAs(bytes, unmarked), encoding: unmarked, warnings: [] };
  }
  if (utf8 !== undefined) return undefined;

  const warnings: string[] = [];
  for (const label of declared) {
    const encoding = normalizeCharset(label);
    if (encoding === undefined) {
      warnings.push(`The declared charset ${label.slice(0, 40)} is unknown and was passed over.`);
      continue;
    }
    const text = decodeAs(bytes, encoding);
    if (!isBinary(text) && plausibility(text.slice(0, sampleBytes)) >= plausibleFrom) {
      return { text, encoding, warnings };
    }
    warnings.push(`The text is not in the declared charset ${encoding}, which was passed over.`);
  }
  const guess = guessEncoding(bytes);
  const plausible = guess.score >= plausibleFrom;
  // A few odd signs in an otherwise plain text do not make it unreadable; what they are is anyone's guess.
  if (!plausible && shareBeyondAscii(bytes) > maxOddShare) return undefined;
  const encoding = plausible ? guess.encoding : "windows-1252";
  const text = decodeAs(bytes, encoding);
  if (isBinary(text)) return undefined;
  warnings.push(`The encoding was not declared and is guessed to be ${encoding}.`);
  return { text, encoding, warnings };
}
