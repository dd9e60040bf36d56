// Splits a long document at sentence borders into parts that fit a model, by its own tokens.
import { splitSentences } from "../text/sentences.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import type { Span } from "./summarizer.js";

export interface Part extends Span {
  /** Tokens of the part, the end token included. */
  readonly ids: readonly number[];
}

/** A sentence too long for the model, cut at spaces where there are any, else between characters. */
function cutSentence(
  text: string,
  span: Span,
  fits: (start: number, end: number) => boolean,
): Span[] {
  const pieces: Span[] = [];
  let start = span.start;
  while (start < span.end) {
    let [low, high] = [start + 1, span.end];
    // The longest beginning that fits; token counts grow with the text, so halving finds it.
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (fits(start, middle)) low = middle;
      else high = middle - 1;
    }
    let end = low;
    if (end < span.end) {
      const space = text.lastIndexOf(" ", end);
      if (space > start) end = space;
      else if (end > start + 1 && isLowSurrogate(text.charCodeAt(end))) end -= 1;
    }
    pieces.push({ start, end });
    start = end;
    while (start < span.end && text[start] === " ") start += 1;
  }
  return pieces;
}

const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;

/**
 * Parts of a document, in order, each at most `limit` tokens with its end token. Nothing is left out.
 * @param limit at least 2
 */
export function splitIntoParts(text: string, tokenizer: Tokenizer, limit: number): Part[] {
  const encode = (start: number, end: number) => tokenizer.encode(text.slice(start, end));
  const parts: Part[] = [];
  let open: Span | undefined;
  let tokens = 0;
  const close = () => {
    if (open !== undefined) add(open);
    open = undefined;
    tokens = 0;
  };
  const add = (span: Span) => {
    const ids = encode(span.start, span.end);
    if (ids.length <= limit) {
      parts.push({ ...span, ids });
      return;
    }
    // Joining sentences seldom takes more tokens than they took alone; where it does, the part is cut once more.
    const fits = (start: number, end: number) => encode(start, end).length <= limit;
    for (const piece of cutSentence(text, span, fits))
      parts.push({ ...piece, ids: encode(piece.start, piece.end) });
  };
  for (const sentence of splitSentences(text)) {
    const count = encode(sentence.start, sentence.end).length - 1;
    if (open !== undefined && tokens + count + 1 > limit) close();
    open = { start: open?.start ?? sentence.start, end: sentence.end };
    tokens += count;
  }
  close();
  return parts;
}
