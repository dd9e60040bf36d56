// A normalizer's precompiled table: a trie of what is replaced, and the strings that take its place.
import { BridleError } from "../../errors/error.js";

export interface Rule {
  /** Where the replacement starts, a string that ends with 0. */
  readonly value: number;
  readonly length: number;
}

/** A double-array trie as darts-clone writes it: keys that begin a text. */
class DoubleArray {
  private readonly units: Uint32Array;

  constructor(units: Uint32Array) {
    this.units = units;
  }

  private offset(unit: number): number {
    return (unit >>> 10) << ((unit & 0x200) >>> 6);
  }

  /** Value and length in bytes of the longest key at `start`, or undefined. */
  longest(text: Uint8Array, start: number): Rule | undefined {
    return this.find(text, start, false);
  }

  /** Value and length in bytes of the shortest key at `start`, or undefined. */
  shortest(text: Uint8Array, start: number): Rule | undefined {
    return this.find(text, start, true);
  }

  private find(text: Uint8Array, start: number, first: boolean): Rule | undefined {
    const { units } = this;
    let node = this.offset(units[0] ?? 0);
    let found: Rule | undefined;
    for (let at = start; at < text.length; at++) {
      const byte = text[at] as number;
      node = (node ^ byte) >>> 0;
      const unit = units[node];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return found;
      node = (node ^ this.offset(unit)) >>> 0;
      if ((unit >>> 8) & 1) {
        const leaf = units[node];
        if (leaf === undefined) return found;
        found = { value: leaf & 0x7fffffff, length: at - start + 1 };
        if (first) return found;
      }
    }
    return found;
  }
}

/** Unicode's longest compatibility form has 33 bytes; a text may not grow by more than rules written by hand make it. */
const maxReplacementBytes = 1000;

/** Bytes of the longest of the strings that end with 0. */
function longestReplacement(replacements: Uint8Array): number {
  let longest = 0;
  for (let start = 0; start < replacements.length; ) {
    const zero = replacements.indexOf(0, start);
    const end = zero < 0 ? replacements.length : zero;
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return longest;
}

export interface Charsmap {
  readonly trie: DoubleArray;
  readonly replacements: Uint8Array;
}

/**
 * @param file named in errors
 * @returns undefined for an empty table, which replaces nothing
 * @throws TOKENIZER_INVALID when the table is cut off or a replacement is longer than any of Unicode's
 */
export function readCharsmap(table: Uint8Array, file: string): Charsmap | undefined {
  if (table.length === 0) return undefined;
  const size =
    table.length >= 4
      ? new DataView(table.buffer, table.byteOffset).getUint32(0, true)
      : Number.POSITIVE_INFINITY;
  if (size % 4 !== 0 || 4 + size > table.length) {
    throw new BridleError("TOKENIZER_INVALID", {
      file,
      reason: "its normalization table is cut off",
    });
  }
  // Copied, because the table may lie at an address that is no multiple of four.
  const trie = new DoubleArray(
    new Uint32Array(Uint8Array.from(table.subarray(4, 4 + size)).buffer),
  );
  const replacements = Uint8Array.from(table.subarray(4 + size));
  const longest = longestReplacement(replacements);
  if (longest > maxReplacementBytes) {
    throw new BridleError("TOKENIZER_INVALID", {
      file,
      reason: `its normalization table has a replacement of ${longest} bytes`,
    });
  }
  return { trie, replacements };
}
