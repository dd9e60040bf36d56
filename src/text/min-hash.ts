// Signatures of texts whose agreement estimates how much of their word triples two texts share.
import { wordSpans } from "./words.js";

/** Components of a signature. The estimate's standard error is at most 1 / (2 √128), 0.044. */
export const signatureLength = 128;

/** Words in a row that are compared together; a text with fewer is compared as a whole. */
const shingleWords = 3;

/** Words of a text that are looked at; the rest of a longer one does not count. */
const mostWords = 100_000;

/** murmur3's finalizer. */
function mix(hash: number): number {
  let z = hash;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

/** FNV-1a over UTF-16 units. */
function hashWord(text: string, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mix(hash);
}

/** Hashes of the word triples of a text, in one case and one form; none for a text without words. */
export function shinglesOf(text: string): Uint32Array {
  const normal = text.normalize("NFKC").toLowerCase();
  const words: number[] = [];
  for (const { start, end } of wordSpans(normal)) {
    words.push(hashWord(normal, start, end));
    if (words.length === mostWords) break;
  }
  const size = Math.min(shingleWords, words.length);
  const shingles = new Uint32Array(words.length === 0 ? 0 : words.length - size + 1);
  for (let at = 0; at < shingles.length; at++) {
    let hash = size;
    for (let word = at; word < at + size; word++) hash = mix((hash + words[word]!) | 0);
    shingles[at] = hash;
  }
  return shingles;
}

/** What one signature is made in, kept so that a million texts do not each make it anew. */
export class MinHasher {
  readonly #least = new Float64Array(signatureLength);
  readonly #order = new Uint32Array(signatureLength);
  readonly #stamp = new Int32Array(signatureLength);
  readonly #histogram = new Int32Array(signatureLength);

  /**
   * Writes the signature of a set of hashes: 128 bytes, each the lowest eight bits of a minimum, so that two agree by chance
   * once in 256.
   * Source: Ertl 2017 (SuperMinHash), algorithm 3; Li and König 2010 (b-bit minwise hashing).
   * @param into 128 bytes
   */
  write(hashes: Uint32Array, into: Uint8Array): void {
    const least = this.#least.fill(Number.POSITIVE_INFINITY);
    const order = this.#order;
    const stamp = this.#stamp.fill(-1);
    const histogram = this.#histogram.fill(0);
    const last = signatureLength - 1;
    histogram[last] = signatureLength;
    let reach = last;
    for (let element = 0; element < hashes.length; element++) {
      let state = hashes[element]!;
      for (let j = 0; j <= reach; j++) {
        state = (state + 0x9e3779b9) | 0;
        const draw = mix(state);
        state = (state + 0x9e3779b9) | 0;
        const swap = j + Math.floor((mix(state) / 2 ** 32) * (signatureLength - j));
        if (stamp[j] !== element) {
          stamp[j] = element;
          order[j] = j;
        }
        if (stamp[swap] !== element) {
          stamp[swap] = element;
          order[swap] = swap;
        }
        const component = order[swap]!;
        order[swap] = order[j]!;
        order[j] = component;
        const value = draw / 2 ** 32 + j;
        const before = least[component]!;
        if (value >= before) continue;
        least[component] = value;
        into[component] = draw & 255;
        const from = Math.min(last, Math.floor(before));
        if (j < from) {
          histogram[from]!--;
          histogram[j]!++;
          while (histogram[reach] === 0) reach--;
        }
      }
    }
  }
}

/**
 * The share of their word triples that two texts have in common (Jaccard), estimated from their signatures in 0..1.
 * @param bytes signatures, one after the other; `a` and `b` are their numbers
 */
export function estimateSimilarity(bytes: Uint8Array, a: number, b: number): number {
  let equal = 0;
  const [x, y] = [a * signatureLength, b * signatureLength];
  for (let at = 0; at < signatureLength; at++) if (bytes[x + at] === bytes[y + at]) equal++;
  const chance = 1 / 256;
  return Math.max(0, (equal / signatureLength - chance) / (1 - chance));
}
