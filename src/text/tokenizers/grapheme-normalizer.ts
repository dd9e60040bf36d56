// The precompiled table as the tokenizers library applies it: to each grapheme, or to each of its characters.
// Source: huggingface/spm_precompiled 0.1, normalize_string.
import { readCharsmap } from "./charsmap.js";

export interface GraphemeNormalizer {
  /** The normalized text, and for each of its UTF-16 units and its end a place in the source. */
  align(source: string): { readonly text: string; readonly origins: readonly number[] };
}

/** Graphemes with fewer bytes are looked up whole. */
const wholeBytes = 6;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });

/**
 * @param table as a spiece.model or tokenizer.json has it; empty for one that replaces nothing
 * @param file named in errors
 * @throws TOKENIZER_INVALID for a damaged table
 */
export function createGraphemeNormalizer(table: Uint8Array, file: string): GraphemeNormalizer {
  const rules = readCharsmap(table, file);

  /** What a beginning of the text is replaced by, whatever follows it; undefined where nothing is. */
  function replacement(text: string): string | undefined {
    const rule = rules?.trie.shortest(encoder.encode(text), 0);
    if (rules === undefined || rule === undefined) return undefined;
    const end = rules.replacements.indexOf(0, rule.value);
    return decoder.decode(rules.replacements.subarray(rule.value, end < 0 ? undefined : end));
  }

  const ascii = Array.from({ length: 128 }, (_, code) => {
    const character = String.fromCharCode(code);
    return replacement(character) ?? character;
  });

  function* normalizeGrapheme(grapheme: string): Generator<[normalized: string, length: number]> {
    const whole = Buffer.byteLength(grapheme) < wholeBytes ? replacement(grapheme) : undefined;
    if (whole !== undefined) yield [whole, grapheme.length];
    else
      for (const character of grapheme)
        yield [replacement(character) ?? character, character.length];
  }

  /** Each part of the source with what it becomes. ASCII before ASCII is a grapheme by itself. */
  function* parts(source: string): Generator<[normalized: string, length: number]> {
    for (let at = 0; at < source.length; ) {
      const plain = ascii[source.charCodeAt(at)];
      const next = at + 1 < source.length ? source.charCodeAt(at + 1) : 0;
      if (plain !== undefined && next < 128) {
        yield [plain, 1];
        at += 1;
        continue;
      }
      let end = at + 1;
      while (end < source.length && !(isAscii(source, end - 1) && isAscii(source, end))) end += 1;
      for (const { segment } of segmenter.segment(source.slice(at, end)))
        yield* normalizeGrapheme(segment);
      at = end;
    }
  }

  return {
    align(source) {
      let text = "";
      const origins: number[] = [];
      let at = 0;
      for (const [normalized, length] of parts(source)) {
        text += normalized;
        for (let unit = 0; unit < normalized.length; unit++) origins.push(at);
        at += length;
      }
      origins.push(at);
      return { text, origins };
    },
  };
}

const isAscii = (text: string, at: number) => text.charCodeAt(at) < 128;
