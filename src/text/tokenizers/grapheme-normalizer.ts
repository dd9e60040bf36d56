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
      for (const grapheme of graphemes(source.slice(at, end))) yield* normalizeGrapheme(grapheme);
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

/** UTF-16 units that are segmented together. Beyond 65,536 the time that takes grows by their square. */
const window = 4096;

/** The graphemes of a text. What a window ends in may go on behind it, and is taken up by the next. */
function* graphemes(text: string): Generator<string> {
  let size = window;
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + size);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1;
    let last = "";
    for (const { segment } of segmenter.segment(text.slice(start, end))) {
      if (last !== "") {
        yield last;
        start += last.length;
      }
      last = segment;
    }
    const isWhole = end === text.length;
    if (isWhole) {
      yield last;
      return;
    }
    // One that fills a window needs a larger one.
    size = last.length >= size - 1 ? 2 * size : window;
  }
}

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
