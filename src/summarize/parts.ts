// Splits a long document at sentence borders into parts that fit a model, by its own tokens.
import { eachSentence } from "../text/sentences.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import type { Span } from "./summarizer.js";

export interface Part extends Span {
  /** Tokens of the part, those that stand around every text included. */
  readonly ids: readonly number[];
}

/** UTF-16 units that a token stands for at least, as a first guess at where to cut. */
const usualTokenLength = 4;
/**
 * Units for each token of a part that are tokenized at once at most. Sentences are far below it; a stretch without an end
 * (base64, a script without spaces and stops) would else take the thread, and its memory, as long as it goes on.
 */
const mostTokenLength = 16;

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
    const most = Math.min(span.end, start + limit * mostTokenLength);
    let reach = Math.min(most, start + limit * usualTokenLength);
    while (reach < most && fits(start, reach)) {
      low = reach;
      reach = Math.min(most, start + 2 * (reach - start));
    }
    // Most of a text whose characters the model does not know is a token or two.
    if (reach === most && most < span.end && fits(start, most)) low = most;
    let high = reach;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (fits(start, middle)) low = middle;
      else high = middle - 1;
    }
    let end = low;
    if (end < span.end) {
      // Within the piece: a search through the whole text for each would take time by its square.
      const space = text.slice(start, end + 1).lastIndexOf(" ");
      if (space > 0) end = start + space;
      else if (isLowSurrogate(text.charCodeAt(end))) end += end > start + 1 ? -1 : 1;
    }
    yield { start, end };
    start = end;
    while (start < span.end && text[start] === " ") start += 1;
  }
}

const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;

/**
 * Parts of a document, in order, each at most `limit` tokens with its end token; each is worked out when it is asked
 * for. Nothing is left out, and no more than some times the limit is tokenized at once.
 * @param limit at least one more than the tokens of `prefix` and those that stand around every text
 * @param prefix text that stands before each part
 */
export function* splitIntoParts(
  text: string,
  tokenizer: Pick<Tokenizer, "encode">,
  limit: number,
  prefix = "",
): Generator<Part> {
  const encode = (start: number, end: number) => tokenizer.encode(prefix + text.slice(start, end));
  const fits = (start: number, end: number) => encode(start, end).length <= limit;
  /** Tokens that stand around every text, or before it. */
  const around = tokenizer.encode(prefix).length;
  const most = limit * mostTokenLength;
  let open: Span | undefined;
  let tokens = 0;

  function* cut(span: Span): Generator<Part> {
    for (const piece of cutSentence(text, span, limit, fits))
      yield { ...piece, ids: encode(piece.start, piece.end) };
  }

  function* close(): Generator<Part> {
    if (open === undefined) return;
    const ids = encode(open.start, open.end);
    // Joining sentences seldom takes more tokens than they took alone; where it does, the part is cut once more.
    if (ids.length <= limit) yield { ...open, ids };
    else yield* cut(open);
    open = undefined;
    tokens = 0;
  }

  for (const sentence of eachSentence(text)) {
    if (sentence.end - sentence.start > most) {
      yield* close();
      yield* cut(sentence);
      continue;
    }
    const count = encode(sentence.start, sentence.end).length - around;
    if (open !== undefined) {
      const isFull = tokens + count + around > limit || sentence.end - open.start > most;
      if (isFull) yield* close();
    }
    open = { start: open?.start ?? sentence.start, end: sentence.end };
    tokens += count;
  }
  yield* close();
}
