// Sentences of a document that share words with a summary's, each marked once, whichever of the summary's led to it.
import type { AlignedSentence, Span } from "../api/types.js";

export interface Mark extends Span {
  /** Places of the summary's sentences that come from it, the nearest first. */
  readonly of: readonly number[];
  /** Where the first of them leads to. */
  readonly isAnchor: boolean;
}

/** Marks in the document's order. */
export function marksOf(sentences: readonly AlignedSentence[]): readonly Mark[] {
  const found = new Map<number, Span & { readonly by: { index: number; score: number }[] }>();
  const nearest = sentences.map(({ sources }) =>
    sources.reduce<AlignedSentence["sources"][number] | undefined>(
      (best, each) => (best === undefined || each.score > best.score ? each : best),
      undefined,
    ),
  );
  for (const [index, { sources }] of sentences.entries()) {
    for (const { start, end, score } of sources) {
      const mark = found.get(start) ?? { start, end, by: [] };
      mark.by.push({ index, score });
      found.set(start, mark);
    }
  }
  return [...found.values()]
    .sort((a, b) => a.start - b.start)
    .map(({ start, end, by }) => {
      const of = by.sort((a, b) => b.score - a.score).map(({ index }) => index);
      return { start, end, of, isAnchor: nearest[of[0] ?? -1]?.start === start };
    });
}

export type MarkedPiece =
  | { readonly kind: "text"; readonly start: number; readonly end: number }
  | { readonly kind: "mark"; readonly start: number; readonly end: number; readonly mark: Mark };

/** A part of the document as pieces that follow each other, marked and not. */
export function piecesWithin({ start, end }: Span, marks: readonly Mark[]): readonly MarkedPiece[] {
  const pieces: MarkedPiece[] = [];
  let at = start;
  for (const mark of marks) {
    const [from, to] = [Math.max(mark.start, at), Math.min(mark.end, end)];
    if (to <= from) continue;
    if (from > at) pieces.push({ kind: "text", start: at, end: from });
    pieces.push({ kind: "mark", start: from, end: to, mark });
    at = to;
  }
  if (end > at) pieces.push({ kind: "text", start: at, end });
  return pieces;
}
