// SentencePiece's normalizer: longest-match replacements from a precompiled table, then whitespace rules.
import { readCharsmap } from "./charsmap.js";
import { PieceTrie } from "./piece-trie.js";
import type { NormalizerSpec } from "./sentencepiece-model.js";

/** SentencePiece's mark for a space: U+2581. */
export const spaceSymbol = "\u2581";

const space = 0x20;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Bytes of the UTF-8 character that starts with `lead`. */
function characterBytes(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

/** Bytes collected in a buffer that grows, and where asked for the place in the source that each came from. */
class ByteBuffer {
  private bytes = new Uint8Array(64);
  private origins: Uint32Array | undefined;
  length = 0;

  constructor(withOrigins: boolean) {
    if (withOrigins) this.origins = new Uint32Array(64);
  }

  /** @param origin first byte of the source that the part stands for */
  append(part: Uint8Array, origin: number): void {
    if (this.length + part.length > this.bytes.length) {
      const size = Math.max(this.bytes.length * 2, this.length + part.length);
      const larger = new Uint8Array(size);
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
      if (this.origins !== undefined) {
        const known = this.origins.subarray(0, this.length);
        this.origins = new Uint32Array(size);
        this.origins.set(known);
      }
    }
    this.bytes.set(part, this.length);
    this.origins?.fill(origin, this.length, this.length + part.length);
    this.length += part.length;
  }

  originAt(index: number): number {
    return this.origins?.[index] ?? 0;
  }

  endsWith(part: Uint8Array): boolean {
    const start = this.length - part.length;
    return start >= 0 && part.every((byte, i) => this.bytes[start + i] === byte);
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

/** A normalized text, and for each of its UTF-16 units and its end the place in the source, in the same units. */
export interface AlignedText {
  readonly text: string;
  readonly origins: Uint32Array;
}

export interface Normalizer {
  /** Text as the pieces see it: replaced, spaces as U+2581. */
  normalize(text: string): string;
  align(text: string): AlignedText;
}

/** Place in UTF-16 units of each byte of a text's UTF-8, its end included. */
function unitsOfBytes(bytes: Uint8Array): Uint32Array {
  const units = new Uint32Array(bytes.length + 1);
  let unit = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = characterBytes(bytes[at] as number);
    units.fill(unit, at, at + length);
    unit += length === 4 ? 2 : 1;
    at += length;
  }
  units[bytes.length] = unit;
  return units;
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
    whitespaceAsSuffix,
  } = spec;
  const rules = readCharsmap(table, file);
  const replacements = rules?.replacements ?? new Uint8Array();
  // A trie takes UTF-16 units; here each stands for a byte.
  const keptTrie = new PieceTrie(
    kept.map((piece) => ({ piece: Buffer.from(piece).toString("latin1") })),
  );
  const spaceMark = encoder.encode(escapeWhitespaces ? spaceSymbol : " ");

  /** Bytes of the longest kept string that stands at `at`, 0 where none does. */
  function keptLength(text: Uint8Array, at: number): number {
    let length = 0;
    let node = PieceTrie.root;
    for (let end = at; end < text.length; end++) {
      node = keptTrie.child(node, text[end] as number);
      if (node < 0) break;
      if (keptTrie.idAt(node) >= 0) length = end + 1 - at;
    }
    return length;
  }

  /** The replacement of what stands at `at`, and how many bytes it replaces. */
  function prefix(text: Uint8Array, at: number): { bytes: Uint8Array; length: number } {
    const whole = keptLength(text, at);
    if (whole > 0) return { bytes: text.subarray(at, at + whole), length: whole };
    const rule = rules?.trie.longest(text, at);
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

  /** @returns the bytes, and how much of the source they stand for */
  function run(text: Uint8Array, withOrigins: boolean): { out: ByteBuffer; end: number } {
    const out = new ByteBuffer(withOrigins);
    let at = 0;
    if (removeExtraWhitespaces) {
      while (at < text.length) {
        const { bytes, length } = prefix(text, at);
        if (bytes.length !== 1 || bytes[0] !== space) break;
        at += length;
      }
    }
    if (at >= text.length) return { out, end: at };
    if (addDummyPrefix && !whitespaceAsSuffix) out.append(spaceMark, at);
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
          out.append(rest.subarray(start, i), at);
          out.append(spaceMark, at);
          start = i + 1;
        }
        out.append(rest.subarray(start), at);
        afterSpace = rest.at(-1) === space;
      }
      at += length;
      if (!removeExtraWhitespaces) afterSpace = false;
    }
    let end = at;
    while (removeExtraWhitespaces && out.endsWith(spaceMark)) {
      out.length -= spaceMark.length;
      end = out.originAt(out.length);
    }
    if (addDummyPrefix && whitespaceAsSuffix) out.append(spaceMark, end);
    return { out, end };
  }

  return {
    normalize: (source) => decoder.decode(run(encoder.encode(source), false).out.finish()),
    align(source) {
      const bytes = encoder.encode(source);
      const { out, end } = run(bytes, true);
      const units = unitsOfBytes(bytes);
      const normalized = out.finish();
      const text = decoder.decode(normalized);
      const origins = new Uint32Array(text.length + 1);
      let unit = 0;
      for (let at = 0; at < normalized.length; ) {
        const length = characterBytes(normalized[at] as number);
        const origin = units[out.originAt(at)] ?? 0;
        origins.fill(origin, unit, unit + (length === 4 ? 2 : 1));
        unit += length === 4 ? 2 : 1;
        at += length;
      }
      origins[text.length] = units[end] ?? source.length;
      return { text, origins };
    },
  };
}
