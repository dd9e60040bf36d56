// Counts and walks words in any script, in linear time and without holding more than a few of them.
import { isDigit, isLetter, isMark, isSpaceCode } from "./characters.js";

/** A half-open range [start, end) of a text, in UTF-16 code units. */
export interface WordSpan {
  readonly start: number;
  readonly end: number;
}

/** Longest stretch given to the dictionary at once, in UTF-16 units: a stretch of 1 MB would be copied whole and walked slowly. */
const dictionaryStretch = 1024;

const dash = /^[\u2013\u2014\u2015\u2026\u200b\u2012]/;

/** Each character is a word: Han, Hiragana, Katakana, Bopomofo. */
function isIdeographCode(code: number): boolean {
  return (
    (code >= 0x3041 && code <= 0x312f) ||
    (code >= 0x31a0 && code <= 0x31ff) ||
    (code >= 0x3400 && code <= 0x9fff) ||
    code === 0x3005 ||
    code === 0x3007 ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xff66 && code <= 0xff9d) ||
    (code >= 0x20000 && code <= 0x3ffff)
  );
}

/** Written without spaces, words found by a dictionary: Thai, Lao, Myanmar, Khmer. */
function isDictionaryCode(code: number): boolean {
  return (
    (code >= 0x0e01 && code <= 0x0eff) ||
    (code >= 0x1000 && code <= 0x109f) ||
    (code >= 0x1780 && code <= 0x17ff)
  );
}

let segmenter: Intl.Segmenter | undefined;

function* dictionaryWords(text: string, start: number, end: number): Generator<WordSpan> {
  segmenter ??= new Intl.Segmenter("th", { granularity: "word" });
  for (let from = start; from < end; ) {
    let to = Math.min(end, from + dictionaryStretch);
    // A mark belongs to the letter before it.
    while (to < end && isMark(text.charAt(to))) to++;
    for (const { index, segment, isWordLike } of segmenter.segment(text.slice(from, to))) {
      if (isWordLike) yield { start: from + index, end: from + index + segment.length };
    }
    from = to;
  }
}

/**
 * The words of a text in order. In scripts with spaces a word is what stands between spaces, long dashes and ellipses and
 * holds a letter or digit, without the punctuation around it (`state-of-the-art`, `don’t` and a URL are one word each);
 * a Han character or kana is a word by itself; Thai, Lao, Khmer and Myanmar words come from ICU's dictionaries.
 */
export function* wordSpans(text: string): Generator<WordSpan> {
  const length = text.length;
  // First and past-the-last letter or digit of the open word.
  let first = -1;
  let last = -1;
  for (let at = 0; at < length; ) {
    const code = text.codePointAt(at)!;
    const size = code > 0xffff ? 2 : 1;
    if (code < 128) {
      if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57)) {
        if (first < 0) first = at;
        last = at + 1;
      } else if (code <= 32 && first >= 0) {
        yield { start: first, end: last };
        first = -1;
      }
      at++;
      continue;
    }
    const isIdeograph = isIdeographCode(code);
    const isDictionary = isDictionaryCode(code);
    const character = text.slice(at, at + size);
    const breaks = isIdeograph || isDictionary || isSpaceCode(code) || dash.test(character);
    if (breaks) {
      if (first >= 0) yield { start: first, end: last };
      first = -1;
      if (isDictionary) {
        let end = at;
        while (end < length && isDictionaryCode(text.charCodeAt(end))) end++;
        yield* dictionaryWords(text, at, end);
        at = end;
        continue;
      }
      if (isIdeograph && isLetter(character)) yield { start: at, end: at + size };
    } else if (isLetter(character) || isDigit(character) || /^\p{N}/u.test(character)) {
      if (first < 0) first = at;
      last = at + size;
    } else if (first >= 0 && last === at && isMark(character)) {
      last = at + size;
    }
    at += size;
  }
  if (first >= 0) yield { start: first, end: last };
}

/** How many words a text has; see `wordSpans` for what a word is. */
export function countWords(text: string): number {
  let count = 0;
  for (const _ of wordSpans(text)) count++;
  return count;
}
