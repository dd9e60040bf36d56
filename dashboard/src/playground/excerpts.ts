// What of a document is drawn: all of it, or the surroundings of its sources where drawing all would freeze the page.
import type { Span } from "../api/types.js";

/** Up to so many UTF-16 units a document is drawn whole. */
export const wholeUpTo = 200_000;
/** UTF-16 units drawn before and after each source of a longer one. */
const context = 500;
/** A source longer than this (a part that a neural model read) is drawn as its beginning and its end. */
const longSource = 4_000;

export type Piece =
  | { readonly kind: "text"; readonly start: number; readonly end: number }
  | {
      readonly kind: "source";
      readonly index: number;
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: "gap"; readonly start: number; readonly end: number };

/**
 * The document as pieces that follow each other without a hole: `text` and `source` are drawn, `gap` is told about.
 * `sources` are in document order; where two overlap, the later one gives way. Only the first `limit` are drawn.
 */
export function layOut(
  document: string,
  sources: readonly Span[],
  limit: number = Number.POSITIVE_INFINITY,
): readonly Piece[] {
  const whole = document.length <= wholeUpTo;
  const pieces: Piece[] = [];
  let at = 0;
  const between = (end: number, before: boolean, after: boolean) => {
    if (end <= at) return;
    const head = before ? cutAt(document, at + context, end) : at;
    const tail = after ? cutAt(document, Math.max(at, end - context), end) : end;
    if (whole || tail <= head) {
      pieces.push({ kind: "text", start: at, end });
    } else {
      if (head > at) pieces.push({ kind: "text", start: at, end: head });
      pieces.push({ kind: "gap", start: head, end: tail });
      if (end > tail) pieces.push({ kind: "text", start: tail, end });
    }
    at = end;
  };
  const shown = sources.slice(0, limit);
  for (const [index, source] of shown.entries()) {
    const start = Math.max(source.start, at);
    const end = Math.min(source.end, document.length);
    if (end <= start) continue;
    between(start, pieces.length > 0, true);
    if (whole || end - start <= longSource) {
      pieces.push({ kind: "source", index, start, end });
    } else {
      const head = cutAt(document, start + longSource / 2, end);
      const tail = cutAt(document, end - longSource / 2, end);
      pieces.push({ kind: "source", index, start, end: head });
      pieces.push({ kind: "gap", start: head, end: tail });
      pieces.push({ kind: "source", index, start: tail, end });
    }
    at = end;
  }
  between(document.length, true, false);
  return pieces;
}

/** The first good place to cut at or a little after `position`: behind white space, never inside a surrogate pair. */
export function cutAt(document: string, position: number, end: number): number {
  if (position >= end) return end;
  const near = document.slice(position, Math.min(position + 40, end)).search(/\s/);
  if (near >= 0) return position + near + 1;
  const code = document.charCodeAt(position);
  return code >= 0xdc00 && code <= 0xdfff ? position + 1 : position;
}
