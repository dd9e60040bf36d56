// Remembers which values have been seen, and where first, in 16 bytes each.
import { createHash } from "node:crypto";

/** 64 bits of SHA-256 tell values apart: of ten million, two are taken for the same with a chance of 1 in 300,000. */
export class SeenValues {
  #keys = new Uint32Array(2 * 1024);
  #rows = new Float64Array(1024);
  #count = 0;

  /** @returns the row that had the value first; undefined where it is new */
  add(value: string, row: number): number | undefined {
    if (2 * this.#count >= this.#rows.length) this.#grow();
    const hash = createHash("sha256").update(value).digest();
    const low = hash.readUInt32LE(0);
    const high = hash.readUInt32LE(4);
    const slot = this.#find(low, high);
    const before = this.#rows[slot]!;
    if (before !== 0) return before - 1;
    this.#keys[2 * slot] = low;
    this.#keys[2 * slot + 1] = high;
    this.#rows[slot] = row + 1;
    this.#count++;
    return undefined;
  }

  #find(low: number, high: number): number {
    const mask = this.#rows.length - 1;
    let slot = low & mask;
    while (
      this.#rows[slot] !== 0 &&
      (this.#keys[2 * slot] !== low || this.#keys[2 * slot + 1] !== high)
    ) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const [keys, rows] = [this.#keys, this.#rows];
    this.#keys = new Uint32Array(2 * keys.length);
    this.#rows = new Float64Array(2 * rows.length);
    for (let slot = 0; slot < rows.length; slot++) {
      if (rows[slot] === 0) continue;
      const to = this.#find(keys[2 * slot]!, keys[2 * slot + 1]!);
      this.#keys[2 * to] = keys[2 * slot]!;
      this.#keys[2 * to + 1] = keys[2 * slot + 1]!;
      this.#rows[to] = rows[slot]!;
    }
  }
}
