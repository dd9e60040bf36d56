// The pieces training begins with: every character, and the strings that repeat most, longer ones weighing more.
// Source: google/sentencepiece 0.2.3, unigram_model_trainer.cc, MakeSeedSentencePiecesFromCorpus; Abouelhoda et al. 2004.
import { spaceSymbol } from "../normalizer.js";
import { isValidPiece, type PieceRules } from "./piece-rules.js";
import { commonBytes, sortSuffixes, stringEnd } from "./suffix-sort.js";
import { codePointsOf, type TrainingWords } from "./training-words.js";

/** Pieces in flat arrays. */
export interface Pieces {
  /** Characters of all pieces as numbers of the alphabet. */
  readonly characters: Uint32Array;
  /** Where each piece begins; one more entry ends the last. */
  readonly starts: Uint32Array;
}

export interface SeedPieces extends Pieces {
  /** Logarithms of their shares. */
  readonly scores: Float32Array;
}

/** How a word goes on: with the next word, with the next sentence, or not at all. */
const goesOn = Uint8Array.from([...Buffer.from(spaceSymbol), stringEnd]);
const endsSentence = Uint8Array.from([0, 1, stringEnd]);
const endsCorpus = Uint8Array.from([0, stringEnd]);

/** The words of a corpus with how they go on, each once. */
export interface Strings {
  readonly text: Uint8Array;
  /** Places in `text` where a character of a word begins. */
  readonly places: Uint32Array;
  /** Where each string begins. */
  readonly starts: Uint32Array;
  /** How often each string stands in the corpus. */
  readonly counts: Float64Array;
}

/** The words, each once for every way it goes on: a corpus's repeated strings are found in them, however large it is. */
export function stringsOf({ bytes, inner, ends, last }: TrainingWords): Strings {
  const strings: { key: number; end: Uint8Array; count: number }[] = [];
  for (let key = 0; key < bytes.size; key++) {
    const innerCount = inner.get(key);
    const endCount = ends.get(key) - (key === last ? 1 : 0);
    if (innerCount > 0) strings.push({ key, end: goesOn, count: innerCount });
    if (endCount > 0) strings.push({ key, end: endsSentence, count: endCount });
    if (key === last) strings.push({ key, end: endsCorpus, count: 1 });
  }
  let size = 0;
  for (const { key, end } of strings) size += bytes.bytesOf(key).length + end.length;
  const text = new Uint8Array(size);
  const starts = new Uint32Array(strings.length);
  const counts = Float64Array.from(strings, ({ count }) => count);
  let at = 0;
  let characters = 0;
  for (const [i, { key, end }] of strings.entries()) {
    starts[i] = at;
    const own = bytes.bytesOf(key);
    text.set(own, at);
    for (const byte of own) if ((byte & 0xc0) !== 0x80) characters++;
    at += own.length;
    text.set(end, at);
    at += end.length;
  }
  const places = new Uint32Array(characters);
  let place = 0;
  for (const [i, { key }] of strings.entries()) {
    const start = starts[i] as number;
    const length = bytes.bytesOf(key).length;
    for (let byte = start; byte < start + length; byte++) {
      if (((text[byte] as number) & 0xc0) !== 0x80) places[place++] = byte;
    }
  }
  return { text, places, starts, counts };
}

/** Which string a place of the text belongs to. */
function ownerOf({ text, starts }: Strings): (place: number) => number {
  const shift = 6;
  // The first string that begins at or after each stretch of the text.
  const firsts = new Uint32Array((text.length >> shift) + 2);
  let string = 0;
  for (let stretch = 0; stretch < firsts.length; stretch++) {
    while (string < starts.length && (starts[string] as number) < stretch << shift) string++;
    firsts[stretch] = string;
  }
  return (place) => {
    let owner = firsts[place >> shift] as number;
    while (owner < starts.length && (starts[owner] as number) <= place) owner++;
    return owner - 1;
  };
}

/** Repeated strings: where one stands, its bytes, its characters and how often it stands in the corpus. */
class Candidates {
  places = new Uint32Array(1 << 16);
  sizes = new Uint8Array(1 << 16);
  scores = new Float32Array(1 << 16);
  length = 0;

  add(place: number, sizeBytes: number, characters: number, count: number): void {
    if (this.length === this.places.length) this.grow();
    this.places[this.length] = place;
    this.sizes[this.length] = sizeBytes;
    this.scores[this.length] = Math.fround(count) * characters;
    this.length++;
  }

  private grow(): void {
    const length = this.length * 2;
    const places = new Uint32Array(length);
    places.set(this.places);
    this.places = places;
    const sizes = new Uint8Array(length);
    sizes.set(this.sizes);
    this.sizes = sizes;
    const scores = new Float32Array(length);
    scores.set(this.scores);
    this.scores = scores;
  }
}

/** The strings that two or more suffixes have in common and that no longer string has in their place. */
function repeated(strings: Strings, rules: PieceRules): Candidates {
  const { text, places, counts } = strings;
  const mostBytes = 4 * (rules.maxPieceLength + 1);
  sortSuffixes(text, places, mostBytes);
  const owner = ownerOf(strings);
  const found = new Candidates();
  /** The same strings where the corpus ends with one: they count once more for every sentence that ends with them. */
  const atEnds = new Map<string, number>();

  const take = (place: number, depth: number, count: number) => {
    if (depth <= 1 || depth >= mostBytes) return;
    const after = text[place + depth] as number;
    if (after !== stringEnd && (after & 0xc0) === 0x80) return;
    const closed = text[place + depth - 1] === 0;
    const size = closed ? depth - 1 : depth;
    const bytes = text.subarray(place, place + size);
    if (bytes.includes(0)) return;
    const codes = codePointsOf(bytes);
    if (codes.length <= 1 || !isValidPiece(codes, rules)) return;
    if (closed) {
      const key = Buffer.from(bytes).toString("latin1");
      atEnds.set(key, (atEnds.get(key) ?? 0) + count);
      return;
    }
    // What ends the corpus comes before the string itself, which begins with less in common.
    let extra = 0;
    if (atEnds.size > 0) {
      const key = Buffer.from(bytes).toString("latin1");
      extra = atEnds.get(key) ?? 0;
      atEnds.delete(key);
    }
    found.add(place, size, codes.length, count + extra);
  };

  // Open intervals of suffixes with more and more bytes in common: depth, first place, occurrences before it.
  const depths: number[] = [0];
  const firsts: number[] = [0];
  const before: number[] = [0];
  let occurrences = 0;
  for (let i = 1; i <= places.length; i++) {
    const previous = places[i - 1] as number;
    const beforePrevious = occurrences;
    occurrences += counts[owner(previous)] as number;
    const common =
      i < places.length ? commonBytes(text, previous, places[i] as number, mostBytes) : 0;
    let first = previous;
    let start = beforePrevious;
    while (common < (depths.at(-1) as number)) {
      const depth = depths.pop() as number;
      first = firsts.pop() as number;
      start = before.pop() as number;
      take(first, depth, occurrences - start);
    }
    if (common > (depths.at(-1) as number)) {
      depths.push(common);
      firsts.push(first);
      before.push(start);
    }
  }
  // Strings that stand nowhere but where sentences end.
  for (const [key, count] of atEnds) {
    const place = Buffer.from(text.buffer, text.byteOffset, text.length).indexOf(key, 0, "latin1");
    found.add(place, key.length, codePointsOf(Buffer.from(key, "latin1")).length, count);
  }
  return found;
}

/** The candidates of the highest scores; equal ones by bytes, longest first, then by their text. */
function best(candidates: Candidates, text: Uint8Array, most: number): Uint32Array {
  const { places, sizes, scores, length } = candidates;
  let least = Number.NEGATIVE_INFINITY;
  if (length > most) least = scores.slice(0, length).sort()[length - most] as number;
  const kept: number[] = [];
  for (let i = 0; i < length; i++) if ((scores[i] as number) >= least) kept.push(i);
  const order = Uint32Array.from(kept);
  order.sort((a, b) => {
    const byScore = (scores[b] as number) - (scores[a] as number);
    if (byScore !== 0) return byScore;
    const bySize = (sizes[b] as number) - (sizes[a] as number);
    if (bySize !== 0) return bySize;
    const placeA = places[a] as number;
    const placeB = places[b] as number;
    for (let i = 0; i < (sizes[a] as number); i++) {
      const difference = (text[placeA + i] as number) - (text[placeB + i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  });
  return order.subarray(0, most);
}

/** Repeated strings, the best first: their UTF-8, where each begins, one more entry for the end, and their scores. */
export interface RepeatedStrings {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly scores: Float32Array;
}

/** @param most how many strings at most */
export function findRepeated(strings: Strings, rules: PieceRules, most: number): RepeatedStrings {
  const candidates = repeated(strings, rules);
  const order = best(candidates, strings.text, most);
  const starts = new Uint32Array(order.length + 1);
  for (const [i, candidate] of order.entries()) {
    starts[i + 1] = (starts[i] as number) + (candidates.sizes[candidate] as number);
  }
  const bytes = new Uint8Array(starts.at(-1) as number);
  for (const [i, candidate] of order.entries()) {
    const place = candidates.places[candidate] as number;
    const size = candidates.sizes[candidate] as number;
    bytes.set(strings.text.subarray(place, place + size), starts[i]);
  }
  return {
    bytes,
    starts,
    scores: Float32Array.from(order, (candidate) => candidates.scores[candidate] as number),
  };
}

/** Scores as logarithms of shares of their sum. */
function toLogarithms(weights: Float32Array): Float32Array {
  let sum = 0;
  for (const weight of weights) sum += weight;
  const logarithm = Math.log(sum);
  return weights.map((weight) => Math.log(weight) - logarithm);
}

/** The alphabet and the repeated strings. */
export function seedPieces({ alphabet }: TrainingWords, found: RepeatedStrings): SeedPieces {
  const single = alphabet.byFrequency.filter((number) => (alphabet.counts[number] as number) > 0);
  const size = single.length + found.scores.length;
  const characters: number[] = [];
  const starts = new Uint32Array(size + 1);
  const weights = new Float32Array(size);
  for (const [i, number] of single.entries()) {
    characters.push(number);
    starts[i + 1] = characters.length;
    weights[i] = alphabet.counts[number] as number;
  }
  for (const [i, score] of found.scores.entries()) {
    for (const code of codePointsOf(found.bytes.subarray(found.starts[i], found.starts[i + 1]))) {
      characters.push(alphabet.numberOf(code));
    }
    starts[single.length + i + 1] = characters.length;
    weights[single.length + i] = score;
  }
  return { characters: Uint32Array.from(characters), starts, scores: toLogarithms(weights) };
}
