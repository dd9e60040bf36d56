// Groups texts that share most of their word triples, from 128 bytes of each, without comparing every pair.
import { estimateSimilarity, MinHasher, shinglesOf, signatureLength } from "../../text/min-hash.js";

/** Bands of a signature that are looked up as a whole: two texts that share 0.8 agree in one of them with 0.998. */
const bands = 21;
const bandBytes = 6;

/** Texts of one band's bucket that a new one is compared with; a boilerplate that thousands share must not be quadratic. */
const mostCompared = 8;

/**
 * Texts by their numbers, 0, 1, 2, …, in the order they are added. Memory holds 140 bytes a text, and while groups are made
 * another 16.
 */
export class NearDuplicates {
  readonly #hasher = new MinHasher();
  #signatures = new Uint8Array(1024 * signatureLength);
  #length = 0;
  /** Texts without a word, which are like no other. */
  readonly #blank = new Set<number>();

  get length(): number {
    return this.#length;
  }

  add(text: string): void {
    const at = this.#length * signatureLength;
    if (at === this.#signatures.length) {
      const larger = new Uint8Array(2 * at);
      larger.set(this.#signatures);
      this.#signatures = larger;
    }
    const shingles = shinglesOf(text);
    if (shingles.length === 0) this.#blank.add(this.#length);
    else this.#hasher.write(shingles, this.#signatures.subarray(at, at + signatureLength));
    this.#length++;
  }

  /** Adds a text that is to be like no other. */
  addBlank(): void {
    this.add("");
  }

  /** The share of their word triples that two texts have in common, estimated, 0..1. */
  similarity(a: number, b: number): number {
    if (this.#blank.has(a) || this.#blank.has(b)) return 0;
    return estimateSimilarity(this.#signatures, a, b);
  }

  /**
   * Puts texts whose estimated similarity reaches a threshold into groups, and what is like one of a group into it too.
   * @param threshold 0.5 and more; below that pairs are missed
   * @returns for each text the first of its group, itself where it is alone or the first
   * Source: Broder 1997; Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4 (bands).
   */
  groups(threshold: number): Uint32Array {
    const count = this.#length;
    const first = Uint32Array.from({ length: count }, (_, text) => text);
    const table = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(2, 2 * count))));
    const next = new Uint32Array(count);
    for (let band = 0; band < bands; band++) {
      table.fill(0);
      next.fill(0);
      for (let text = 0; text < count; text++) {
        if (!this.#blank.has(text)) this.#join(text, band, threshold, { first, table, next });
      }
    }
    for (let text = 0; text < count; text++) first[text] = root(first, text);
    return first;
  }

  /** Compares a text with those before it that agree with it in a band. */
  #join(
    text: number,
    band: number,
    threshold: number,
    { first, table, next }: { first: Uint32Array; table: Uint32Array; next: Uint32Array },
  ): void {
    const bytes = this.#signatures;
    const at = text * signatureLength + band * bandBytes;
    let hash = 0x811c9dc5;
    for (let i = 0; i < bandBytes; i++) hash = Math.imul(hash ^ bytes[at + i]!, 0x01000193);
    hash ^= hash >>> 15;
    const mask = table.length - 1;
    let slot = hash & mask;
    while (table[slot] !== 0 && !this.#sameBand(table[slot]! - 1, text, band)) {
      slot = (slot + 1) & mask;
    }
    if (table[slot] === 0) {
      table[slot] = text + 1;
      return;
    }
    // The bucket's chain holds texts that are unlike each other; what is like one of them need not be in it.
    let last = table[slot]! - 1;
    for (let compared = 1; ; compared++) {
      const mine = root(first, text);
      const theirs = root(first, last);
      if (mine === theirs) return;
      if (this.similarity(text, last) >= threshold) {
        // The earliest text stands for its group.
        first[Math.max(mine, theirs)] = Math.min(mine, theirs);
        return;
      }
      if (compared === mostCompared) return;
      const following = next[last]!;
      if (following === 0) break;
      last = following - 1;
    }
    next[last] = text + 1;
  }

  #sameBand(a: number, b: number, band: number): boolean {
    const bytes = this.#signatures;
    const [x, y] = [a * signatureLength + band * bandBytes, b * signatureLength + band * bandBytes];
    for (let i = 0; i < bandBytes; i++) if (bytes[x + i] !== bytes[y + i]) return false;
    return true;
  }
}

/** The first of a text's group; the way there is shortened. */
function root(first: Uint32Array, text: number): number {
  let at = text;
  while (first[at] !== at) {
    first[at] = first[first[at]!]!;
    at = first[at]!;
  }
  return at;
}
