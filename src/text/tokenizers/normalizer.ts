// SentencePiece's normalizer: longest-match replacements from a precompiled table, then whitespace rules.
import { BridleError } from "../../errors/error.js";
import type { NormalizerSpec } from "./sentencepiece-model.js";

/** SentencePiece's mark for a space: U+2581. */
export const spaceSymbol = "\u2581";

const space = 0x20;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8");

/** A double-array trie as darts-clone writes it: longest key that begins a text. */
class DoubleArray {
  private readonly units: Uint32Array;

  constructor(units: Uint32Array) {
    this.units = units;
  }

  private offset(unit: number): number {
    return (unit >>> 10) << ((unit & 0x200) >>> 6);
  }

  /** Value and length in bytes of the longest key at `start`, or undefined. */
  longest(text: Uint8Array, start: number): { value: number; length: number } | undefined {
    const { units } = this;
    let node = this.offset(units[0] ?? 0);
    let found: { value: number; length: number } | undefined;
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
      }
    }
    return found;
  }
}

/** Bytes of the UTF-8 character that starts with `lead`. */
function characterBytes(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

/** Bytes collected in a buffer that grows. */
class ByteBuffer {
  private bytes = new Uint8Array(64);
  length = 0;

  append(part: Uint8Array): void {
    if (this.length + part.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + part.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(part, this.length);
    this.length += part.length;
  }

  endsWith(part: Uint8Array): boolean {
    const start = this.length - part.length;
    return start >= 0 && part.every((byte, i) => this.bytes[start + i] === byte);
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

export interface Normalizer {
  /** Text as the pieces see it: replaced, spaces as U+2581. */
  normalize(text: string): string;
}

/**
 * @param kept strings left as they are (user-defined pieces)
 * @param file named in errors
 * @throws TOKENIZER_INVALID when the table is cut off.
 * Source: google/sentencepiece 0.2, normalizer.cc.
 */
export function createNormalizer(
  spec: NormalizerSpec,
  kept: readonly string[],
  file: string,
): Normalizer {
  const {
    precompiledCharsmap: table,
    addDummyPrefix,
    removeExtraWhitespaces,
    escapeWhitespaces,
  } = spec;
  let trie: DoubleArray | undefined;
  let replacements = new Uint8Array();
  if (table.length > 0) {
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
    trie = new DoubleArray(new Uint32Array(Uint8Array.from(table.subarray(4, 4 + size)).buffer));
    replacements = Uint8Array.from(table.subarray(4 + size));
  }
  const keptBytes = kept.map((piece) => encoder.encode(piece)).sort((a, b) => b.length - a.length);
  const spaceMark = encoder.encode(escapeWhitespaces ? spaceSymbol : " ");

  /** The replacement of what stands at `at`, and how many bytes it replaces. */
  function prefix(text: Uint8Array, at: number): { bytes: Uint8Array; length: number } {
    const whole = keptBytes.find((piece) => piece.every((byte, i) => text[at + i] === byte));
    if (whole !== undefined) return { bytes: whole, length: whole.length };
    const rule = trie?.longest(text, at);
    if (rule !== undefined) {
      const end = replacements.indexOf(0, rule.value);
      return {
        bytes: replacements.subarray(rule.value, end < 0 ? replacements.length : end),
        length: rule.length,
      };
    }
    const length = characterBytes(text[at] as number);
    return { bytes: text.subarray(at, at + length), length };
  }

  return {
    normalize(source) {
      const text = encoder.encode(source);
      const out = new ByteBuffer();
      let at = 0;
      if (removeExtraWhitespaces) {
        while (at < text.length) {
          const { bytes, length } = prefix(text, at);
          if (bytes.length !== 1 || bytes[0] !== space) break;
          at += length;
        }
      }
      if (at === text.length) return "";
      if (addDummyPrefix) out.append(spaceMark);
      let afterSpace = removeExtraWhitespaces;
      while (at < text.length) {
        const { bytes, length } = prefix(text, at);
        let from = 0;
        while (afterSpace && bytes[from] === space) from++;
        const rest = bytes.subarray(from);
        if (rest.length > 0) {
          let start = 0;
          for (let i = 0; i < rest.length; i++) {
            if (rest[i] !== space) continue;
            out.append(rest.subarray(start, i));
            out.append(spaceMark);
            start = i + 1;
          }
          out.append(rest.subarray(start));
          afterSpace = rest.at(-1) === space;
        }
        at += length;
        if (!removeExtraWhitespaces) afterSpace = false;
      }
      if (removeExtraWhitespaces) while (out.endsWith(spaceMark)) out.length -= spaceMark.length;
      return decoder.decode(out.finish());
    },
  };
}
