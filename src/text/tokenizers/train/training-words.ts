// The words training goes over: rare characters marked as unknown, characters as small numbers, frequent words first.
import { BridleError } from "../../../errors/error.js";
import { ByteKeys, Tallies } from "./byte-keys.js";
import { boundarySymbol, unknownSymbol, type WordCounts } from "./word-counts.js";

/** The characters that every vocabulary of the corpus must hold. */
export interface Alphabet {
  /** Code point of each number, ascending from number 1; number 0 is any rare character. */
  readonly codePoints: Uint32Array;
  /** Numbers of the alphabet, the most frequent first, equally frequent ones by code point. */
  readonly byFrequency: readonly number[];
  /** Number of a code point, 0 where it is not of the alphabet. */
  numberOf(codePoint: number): number;
  /** How often each number stands in the corpus. */
  readonly counts: Float64Array;
}

/** Words in flat arrays, the most frequent first, equally frequent ones in the order of their UTF-8. */
export interface TrainingWords {
  readonly alphabet: Alphabet;
  /** Characters of all words as numbers of the alphabet. */
  readonly characters: Uint32Array;
  /** Where each word begins; one more entry ends the last. */
  readonly starts: Uint32Array;
  readonly counts: Float64Array;
  /** UTF-8 of the words with how they go on, in no order, for finding repeated strings. */
  readonly bytes: ByteKeys;
  readonly inner: Tallies;
  readonly ends: Tallies;
  /** The word among `bytes` that ends the corpus. */
  readonly last: number;
}

const boundary = boundarySymbol.codePointAt(0) as number;
const unknownBytes = Buffer.from(unknownSymbol);

/** The code point at `at` of valid UTF-8, and where the next one begins. */
function decodeAt(bytes: Uint8Array, at: number): { code: number; next: number } {
  const lead = bytes[at] as number;
  if (lead < 0x80) return { code: lead, next: at + 1 };
  const second = (bytes[at + 1] as number) & 0x3f;
  if (lead < 0xe0) return { code: ((lead & 0x1f) << 6) | second, next: at + 2 };
  const third = (bytes[at + 2] as number) & 0x3f;
  if (lead < 0xf0) return { code: ((lead & 0x0f) << 12) | (second << 6) | third, next: at + 3 };
  const fourth = (bytes[at + 3] as number) & 0x3f;
  return {
    code: ((lead & 0x07) << 18) | (second << 12) | (third << 6) | fourth,
    next: at + 4,
  };
}

/** The code points of valid UTF-8. */
export function codePointsOf(bytes: Uint8Array): number[] {
  const codes: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { code, next } = decodeAt(bytes, at);
    codes.push(code);
    at = next;
  }
  return codes;
}

/**
 * Characters from the most frequent on, until they make up `coverage` of the corpus; required ones come first.
 * Source: google/sentencepiece 0.2.3, trainer_interface.cc, LoadSentences.
 */
function chooseAlphabet(
  { words, inner, ends }: WordCounts,
  coverage: number,
  required: string,
): Alphabet {
  const counts = new Float64Array(0x110000);
  let all = 0;
  for (let word = 0; word < words.size; word++) {
    const count = inner.get(word) + ends.get(word);
    if (count === 0) continue;
    for (const code of codePointsOf(words.bytesOf(word))) {
      if (code === 0) continue;
      counts[code] = (counts[code] as number) + count;
      all += count;
    }
  }
  if (all === 0) throw new BridleError("CORPUS_EMPTY", { reason: "it has no text" });
  const needed = new Set(Array.from(required, (character) => character.codePointAt(0) as number));
  const found: number[] = [];
  for (let code = 0; code < counts.length; code++) {
    if ((counts[code] as number) > 0 || needed.has(code)) found.push(code);
  }
  const countOf = (code: number) => counts[code] as number;
  found.sort(
    (a, b) => Number(needed.has(b)) - Number(needed.has(a)) || countOf(b) - countOf(a) || a - b,
  );
  const chosen: number[] = [];
  let covered = 0;
  const wanted = Math.fround(coverage);
  for (const code of found) {
    if (Math.fround(covered / all) >= wanted) break;
    covered += countOf(code);
    if (code !== boundary) chosen.push(code);
  }
  // A vocabulary without the mark for a space could cut no text into words.
  const spaceMark = 0x2581;
  if (countOf(spaceMark) > 0 && !chosen.includes(spaceMark)) chosen.push(spaceMark);
  const codePoints = Uint32Array.from([0, ...[...chosen].sort((a, b) => a - b)]);
  const numbers = new Uint32Array(0x110000);
  for (let number = 1; number < codePoints.length; number++) {
    numbers[codePoints[number] as number] = number;
  }
  const numberOf = (code: number) => numbers[code] as number;
  return {
    codePoints,
    numberOf,
    byFrequency: [...chosen].sort((a, b) => countOf(b) - countOf(a) || a - b).map(numberOf),
    counts: Float64Array.from(codePoints, (code, number) => (number === 0 ? 0 : countOf(code))),
  };
}

/** A copy of `bytes` with the mark of an unknown character for every one outside the alphabet. */
function markRare(bytes: Uint8Array, alphabet: Alphabet): Uint8Array {
  const marked: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { code, next } = decodeAt(bytes, at);
    if (alphabet.numberOf(code) === 0) marked.push(...unknownBytes);
    else for (let i = at; i < next; i++) marked.push(bytes[i] as number);
    at = next;
  }
  return Uint8Array.from(marked);
}

function hasRare(bytes: Uint8Array, alphabet: Alphabet): boolean {
  for (let at = 0; at < bytes.length; ) {
    const { code, next } = decodeAt(bytes, at);
    if (alphabet.numberOf(code) === 0) return true;
    at = next;
  }
  return false;
}

/**
 * @param coverage share of the corpus's characters that the alphabet covers, 0.98 to 1
 * @param required characters that belong to it however rare
 * @throws CORPUS_EMPTY
 */
export function trainingWords(
  counted: WordCounts,
  coverage: number,
  required: string,
): TrainingWords {
  const alphabet = chooseAlphabet(counted, coverage, required);
  const bytes = new ByteKeys();
  const inner = new Tallies();
  const ends = new Tallies();
  let last = -1;
  let length = 0;
  for (let word = 0; word < counted.words.size; word++) {
    if (counted.inner.get(word) + counted.ends.get(word) === 0) continue;
    const own = counted.words.bytesOf(word);
    const marked = hasRare(own, alphabet) ? markRare(own, alphabet) : own;
    const known = bytes.size;
    const key = bytes.add(marked, 0, marked.length);
    if (key === known) length += codePointsOf(marked).length;
    inner.add(key, counted.inner.get(word));
    ends.add(key, counted.ends.get(word));
    if (word === counted.last) last = key;
  }
  const countOf = (key: number) => inner.get(key) + ends.get(key);
  const order = Uint32Array.from({ length: bytes.size }, (_, key) => key);
  order.sort((a, b) => countOf(b) - countOf(a) || bytes.compare(a, b));
  const characters = new Uint32Array(new SharedArrayBuffer(length * 4));
  const starts = new Uint32Array(new SharedArrayBuffer((order.length + 1) * 4));
  const counts = new Float64Array(new SharedArrayBuffer(order.length * 8));
  let at = 0;
  for (const [i, key] of order.entries()) {
    for (const code of codePointsOf(bytes.bytesOf(key))) characters[at++] = alphabet.numberOf(code);
    starts[i + 1] = at;
    counts[i] = countOf(key);
  }
  return { alphabet, characters, starts, counts, bytes, inner, ends, last };
}
