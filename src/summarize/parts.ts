// Splits a long document at sentence borders into parts that fit a model, by its own tokens.
import { splitSentences } from "../text/sentences.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import type { Span } from "./summarizer.js";

export interface Part extends Span {
  /** Tokens of the part, those that stand around every text included. */
  readonly ids: readonly number[];
}

/** UTF-16 units that a token stands for at least, as a first guess at where to cut. */
const usualTokenLength = 4;

/** A sentence too long for the model, cut at spaces where there are any, else between characters. */
function* cutSentence(
  text: string,
  span: Span,
  limit: number,
  fits: (start: number, end: number) => boolean,
): Generator<Span> {
  let start = span.start;
  while (start < span.end) {
    // The longest beginning that fits; token counts grow with the text, so doubling and then halving finds it without
    // ever looking far beyond it.
    let low = start + 1;
    let reach = Math.min(span.end, start + limit * usualTokenLength);
    while (reach < span.end && fits(start, reach)) {
      low = reach;
      reach = Math.min(span.end, start + 2 * (reach - start));
    }
    let high = reach;
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
    yield { start, end };
    start = end;
    while (start < span.end && text[start] === " ") start += 1;
  }
}

const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;

/**
 * Parts of a document, in order, each at most `limit` tokens with its end token; each is worked out when it is asked
 * for. Nothing is left out.
 * @param limit at least one more than the tokens of `prefix` and those that stand around every text
 * @param prefix text that stands before each part
 */
export function* splitIntoParts(
  text: string,
  tokenizer: Tokenizer,
  limit: number,
  prefix = "",
): Generator<Part> {
  const encode = (start: number, end: number) => tokenizer.encode(prefix + text.slice(start, end));
  const fits = (start: number, end: number) => encode(start, end).length <= limit;
  /** Tokens that stand around every text, or before it. */
  const around = tokenizer.encode(prefix).length;
  let open: Span | undefined;
  let tokens = 0;

  function* close(): Generator<Part> {
    if (open === undefined) return;
    const ids = encode(open.start, open.end);
    // Joining sentences seldom takes more tokens than they took alone; where it does, the part is cut once more.
    if (ids.length <= limit) yield { ...open, ids };
    else {
      for (const piece of cutSentence(text, open, limit, fits))
        yield { ...piece, ids: encode(piece.start, piece.end) };
    }
  }

  for (const sentence of splitSentences(text)) {
    const count = encode(sentence.start, sentence.end).length - around;
    if (open !== undefined && tokens + count + around > limit) {
      yield* close();
      open = undefined;
      tokens = 0;
    }
    open = { start: open?.start ?? sentence.start, end: sentence.end };
    tokens += count;
  }
  yield* close();
}
