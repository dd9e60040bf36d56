// Splits text in any script into sentences, in one pass and without a model.
import { abbreviationsOf, guessAbbreviationLanguage } from "./abbreviations.js";
import { isSpaceCode } from "./characters.js";
import { lineUnits } from "./line-units.js";
import { boundaryAt } from "./sentence-boundary.js";

/** A sentence: a half-open range [start, end) of the text, in UTF-16 code units. */
export interface SentenceSpan {
  start: number;
  end: number;
}

export interface SentenceOptions {
  /** BCP 47 tag of the text's language, which picks the abbreviations; guessed from function words where absent. */
  readonly language?: string;
}

/** Longer stretches without a sentence end (speech transcripts, tables) are cut at a clause, else at a space. In UTF-16 units. */
const maxSentenceLength = 3000;

const terminator = /^\p{Sentence_Terminal}/u;
const semicolon = 0x3b;
const colon = 0x3a;
/** First and last high surrogates of the planes where marks that end sentences live. */
const firstMarkSurrogate = 0xd802;
const lastMarkSurrogate = 0xd836;

let markTable: Uint8Array | undefined;

/** One byte a code unit: 1 ends sentences, 2 may do so after certain letters. A table, because a `\p{…}` search is six times slower. */
function markTableOf(): Uint8Array {
  if (markTable) return markTable;
  const table = new Uint8Array(0x10000);
  for (let code = 0; code < 0x10000; code++) {
    if (code === 0xd800) code = 0xe000;
    if (code === 0x2026 || terminator.test(String.fromCharCode(code))) table[code] = 1;
    else if (code === semicolon || code === colon || isSpaceCode(code)) table[code] = 2;
  }
  table.fill(2, firstMarkSurrogate, lastMarkSurrogate + 1);
  markTable = table;
  return table;
}

/** Index of the next place where a sentence may end, or -1. */
function findCandidate(text: string, from: number, table: Uint8Array): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const mark = table[code];
    if (mark === 0) continue;
    if (mark === 1) return at;
    const before = at > 0 ? text.charCodeAt(at - 1) : 0;
    if (code === semicolon) {
      if (before >= 0x370 && before <= 0x3ff) return at;
    } else if (code === colon) {
      if (before >= 0x561 && before <= 0x587) return at;
    } else if (code >= firstMarkSurrogate && code <= lastMarkSurrogate) {
      if (terminator.test(text.slice(at, at + 2))) return at;
    } else if (before >= 0xe01 && before <= 0xeff) {
      return at;
    }
  }
  return -1;
}

const lowerSlipLanguages = new Set(["en", "es", "fr", "it", "pt"]);
const ordinalDotLanguages = new Set([
  "de",
  "da",
  "nb",
  "no",
  "nn",
  "fi",
  "cs",
  "sk",
  "hu",
  "hr",
  "sl",
  "et",
  "lv",
  "is",
]);

/** A sentence, an overlong one cut; a word longer than the limit stays whole. */
function* capped(text: string, from: number, end: number): Generator<SentenceSpan> {
  let start = from;
  while (end - start > maxSentenceLength) {
    const limit = start + maxSentenceLength;
    let cut = -1;
    for (let at = limit; at > start + maxSentenceLength / 2; at--) {
      if (!isSpaceCode(text.charCodeAt(at))) continue;
      if (cut < 0) cut = at;
      if (/[,;:،؛、，；：]/.test(text.charAt(at - 1))) {
        cut = at;
        break;
      }
    }
    if (cut < 0) {
      cut = limit;
      while (cut < end && !isSpaceCode(text.charCodeAt(cut))) cut++;
      if (cut >= end) break;
    }
    let last = cut;
    while (isSpaceCode(text.charCodeAt(last - 1))) last--;
    yield { start, end: last };
    start = cut;
    while (isSpaceCode(text.charCodeAt(start))) start++;
  }
  yield { start, end };
}

/**
 * Splits a text into sentences. Spans are in UTF-16 units, trimmed of white space, ascending, never empty, do not overlap
 * and together hold every character that is not white space. Headings, list items and dialogue turns on lines of their own
 * are sentences; hard-wrapped lines are joined. Linear in the text's length; the same text gives the same spans everywhere.
 */
export function splitSentences(text: string, options: SentenceOptions = {}): SentenceSpan[] {
  return [...eachSentence(text, options)];
}

/** The sentences of `splitSentences`, each found when it is asked for: a long text does not hold its thread. */
export function* eachSentence(
  text: string,
  options: SentenceOptions = {},
): Generator<SentenceSpan> {
  const language = options.language ?? guessAbbreviationLanguage(text);
  const abbreviations = abbreviationsOf(language);
  const base = language.toLowerCase().split(/[-_]/)[0] ?? "";
  const ordinalDots = ordinalDotLanguages.has(base);
  const lowerSlips = lowerSlipLanguages.has(base);

  const table = markTableOf();
  let index = findCandidate(text, 0, table);
  for (const unit of lineUnits(text)) {
    let start = unit.start;
    let cased: boolean | undefined;
    const uncased = (): boolean => {
      cased ??= /\p{Lu}/u.test(text.slice(unit.start, unit.end));
      return !cased;
    };
    while (index >= 0 && index < unit.end) {
      let next = index + 1;
      if (index >= start) {
        const boundary = boundaryAt(
          { text, start, end: unit.end, abbreviations, ordinalDots, lowerSlips, uncased },
          index,
        );
        if (boundary.ends) {
          let end = boundary.end;
          while (end > start && isSpaceCode(text.charCodeAt(end - 1))) end--;
          if (end > start) yield* capped(text, start, end);
          start = boundary.end;
          while (start < unit.end && isSpaceCode(text.charCodeAt(start))) start++;
        }
        next = Math.max(boundary.end, next);
      }
      index = findCandidate(text, next, table);
    }
    if (start < unit.end) yield* capped(text, start, unit.end);
  }
}
