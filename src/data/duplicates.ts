// Finds documents that stand in data more than once, or in two splits at once, by hashes of their normalized texts.
import { createHash } from "node:crypto";
import { NumberColumn } from "./number-column.js";

/** A row and an earlier one (or one of another split) with the same document; numbers of rows from 0. */
export interface SameDocument {
  readonly row: number;
  readonly as: number;
  /** Whether the summary is the same too. */
  readonly sameSummary: boolean;
}

export interface Repeats {
  /** Rows whose document stands in an earlier row, or in the other split. */
  readonly documents: number;
  /** How many of these have the same summary too. */
  readonly pairs: number;
  readonly examples: readonly SameDocument[];
}

const examplesKept = 5;
/** Numbers held for a row: two words of the document's hash and one of the summary's. */
const words = 3;

/** What is left of a text for comparison: letters in one case and one form, white space as single spaces. */
export function normalizedText(text: string): string {
  return text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
}

function hashOf(text: string): Buffer {
  return createHash("sha256").update(normalizedText(text)).digest();
}

/**
 * The hashes of the rows of one split, 12 bytes a row. 64 bits of SHA-256 tell documents apart: among ten million
 * rows, two different ones are taken for the same with a chance of 1 in 300,000.
 */
export class RowHashes {
  readonly #numbers = new NumberColumn(Uint32Array);

  get rows(): number {
    return this.#numbers.length / words;
  }

  add(document: string, summary: string): void {
    const hash = hashOf(document);
    this.#numbers.push(hash.readUInt32LE(0));
    this.#numbers.push(hash.readUInt32LE(4));
    this.#numbers.push(hashOf(summary).readUInt32LE(0));
  }

  /**
   * Rows whose document stands in an earlier row.
   * @param onRepeat told each of them, with the first row that has it
   */
  repeats(onRepeat?: (same: SameDocument) => void): Repeats {
    const found = new Found(onRepeat);
    this.#table((row, as) => found.add(row, as, this.#sameSummary(row, this, as)));
    return found;
  }

  /**
   * Rows whose document stands in the other split; the first row there that has it is told.
   * @param onShared told each of them
   */
  sharedWith(other: RowHashes, onShared?: (same: SameDocument) => void): Repeats {
    const found = new Found(onShared);
    const table = other.#table();
    for (let row = 0; row < this.rows; row++) {
      const slot = other.#find(
        table,
        this.#numbers.at(words * row),
        this.#numbers.at(words * row + 1),
      );
      const as = table[slot]! - 1;
      if (as >= 0) found.add(row, as, this.#sameSummary(row, other, as));
    }
    return found;
  }

  #sameSummary(row: number, other: RowHashes, as: number): boolean {
    return this.#numbers.at(words * row + 2) === other.#numbers.at(words * as + 2);
  }

  /** A table of the first row of each document, one more than its number; 0 is a free slot. */
  #table(onRepeat?: (row: number, as: number) => void): Uint32Array {
    const table = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(2, 2 * this.rows))));
    for (let row = 0; row < this.rows; row++) {
      const at = words * row;
      const slot = this.#find(table, this.#numbers.at(at), this.#numbers.at(at + 1));
      if (table[slot] === 0) table[slot] = row + 1;
      else onRepeat?.(row, table[slot]! - 1);
    }
    return table;
  }

  /** The slot of a hash in a table of these rows: the row that has it, or the free one where it belongs. */
  #find(table: Uint32Array, low: number, high: number): number {
    const mask = table.length - 1;
    let slot = low & mask;
    for (;;) {
      const row = table[slot]! - 1;
      if (row < 0) return slot;
      const at = words * row;
      if (this.#numbers.at(at) === low && this.#numbers.at(at + 1) === high) return slot;
      slot = (slot + 1) & mask;
    }
  }
}

class Found implements Repeats {
  documents = 0;
  pairs = 0;
  readonly examples: SameDocument[] = [];
  readonly #onFound: ((same: SameDocument) => void) | undefined;

  constructor(onFound?: (same: SameDocument) => void) {
    this.#onFound = onFound;
  }

  add(row: number, as: number, sameSummary: boolean): void {
    this.documents++;
    if (sameSummary) this.pairs++;
    const same = { row, as, sameSummary };
    if (this.examples.length < examplesKept) this.examples.push(same);
    this.#onFound?.(same);
  }
}
