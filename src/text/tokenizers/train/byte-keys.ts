// A set of byte strings that numbers them as they come, in flat memory: tens of millions of words without an object each.

function larger<T extends Uint8Array | Uint32Array | Int32Array | Float64Array>(
  array: T,
  length: number,
): T {
  const grown = new (array.constructor as new (length: number) => T)(length);
  grown.set(array);
  return grown;
}

export class ByteKeys {
  private pool = new Uint8Array(1 << 16);
  private starts = new Uint32Array(1 << 10);
  /** Numbers of the keys by hash, plus one; 0 is free. */
  private table = new Uint32Array(1 << 12);
  size = 0;

  /** Bytes of all keys together. */
  get sizeBytes(): number {
    return this.starts[this.size] as number;
  }

  private hash(bytes: Uint8Array, from: number, to: number): number {
    let hash = 0x811c9dc5;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  /** The number of the key at `from` up to `to`, new or known; new ones are numbered from 0 in the order they come. */
  add(bytes: Uint8Array, from: number, to: number): number {
    const mask = this.table.length - 1;
    const length = to - from;
    let slot = this.hash(bytes, from, to) & mask;
    for (;;) {
      const found = this.table[slot] as number;
      if (found === 0) break;
      const start = this.starts[found - 1] as number;
      if ((this.starts[found] as number) - start === length) {
        let i = 0;
        while (i < length && this.pool[start + i] === bytes[from + i]) i++;
        if (i === length) return found - 1;
      }
      slot = (slot + 1) & mask;
    }
    const end = this.sizeBytes;
    if (end + length > this.pool.length) {
      this.pool = larger(this.pool, Math.max(this.pool.length * 2, end + length));
    }
    if (this.size + 2 > this.starts.length)
      this.starts = larger(this.starts, this.starts.length * 2);
    this.pool.set(bytes.subarray(from, to), end);
    this.size++;
    this.starts[this.size] = end + length;
    this.table[slot] = this.size;
    if (this.size * 2 > this.table.length) this.rehash();
    return this.size - 1;
  }

  private rehash(): void {
    this.table = new Uint32Array(this.table.length * 2);
    const mask = this.table.length - 1;
    for (let key = 0; key < this.size; key++) {
      const start = this.starts[key] as number;
      let slot = this.hash(this.pool, start, this.starts[key + 1] as number) & mask;
      while (this.table[slot] !== 0) slot = (slot + 1) & mask;
      this.table[slot] = key + 1;
    }
  }

  /** A key's bytes, as a view that the next `add` may leave stale. */
  bytesOf(key: number): Uint8Array {
    return this.pool.subarray(this.starts[key], this.starts[key + 1]);
  }

  /** Orders two keys by their bytes, as UTF-8 orders them by code points. */
  compare(a: number, b: number): number {
    let i = this.starts[a] as number;
    let j = this.starts[b] as number;
    const endA = this.starts[a + 1] as number;
    const endB = this.starts[b + 1] as number;
    while (i < endA && j < endB) {
      const difference = (this.pool[i++] as number) - (this.pool[j++] as number);
      if (difference !== 0) return difference;
    }
    return endA - i - (endB - j);
  }
}

/** Figures by key, which grow with the keys and begin at 0. */
export class Tallies {
  private values = new Float64Array(1 << 10);

  get(key: number): number {
    return this.values[key] ?? 0;
  }

  add(key: number, count: number): void {
    if (key >= this.values.length) {
      this.values = larger(this.values, Math.max(this.values.length * 2, key + 1));
    }
    this.values[key] = (this.values[key] as number) + count;
  }
}
