// The Unigram model: the likeliest way to cut a text into pieces, with SentencePiece's own arithmetic.
import { PieceTrie } from "./piece-trie.js";
import { type Piece, pieceTypes } from "./sentencepiece-model.js";

export interface PieceSpan {
  readonly id: number;
  /** Place in the normalized text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

/** How much less likely than the least likely piece an unknown character is. */
const unknownPenalty = 10;

/** Sums further from 0 are moved back to it on the way through a long text, before rounding drowns the scores. */
const farSum = 100_000;

export interface Unigram {
  /** Pieces of a normalized text; neighbouring unknown ones are joined. */
  cut(normalized: string): PieceSpan[];
}

/**
 * Sums are float32, as in the reference's C++, or float64, as in the tokenizers library's Rust.
 * @param trie over all of the pieces
 * Source: google/sentencepiece 0.2.3, unigram_model.cc, EncodeOptimized; Kudo 2018.
 */
export function createUnigram(
  pieces: readonly Piece[],
  trie: PieceTrie,
  unknownId: number,
  { precision = "single" as "single" | "double" } = {},
): Unigram {
  const round = precision === "single" ? Math.fround : (sum: number) => sum;
  let minScore = Number.POSITIVE_INFINITY;
  const scores = new Float64Array(pieces.length);
  /** Whether text is cut into a piece: into no control piece, say. */
  const stands = new Uint8Array(pieces.length);
  for (let id = 0; id < pieces.length; id++) {
    const { piece, score, type } = pieces[id] as Piece;
    scores[id] = score;
    if (type === pieceTypes.normal) {
      stands[id] = 1;
      if (score < minScore) minScore = score;
    } else if (type === pieceTypes.userDefined) {
      stands[id] = 1;
      // Above 0, where no learned piece is, and more for one long piece than for two short ones.
      scores[id] = Math.fround(0.1 * (Buffer.byteLength(piece) - 1));
    }
  }
  const unknownScore = round(minScore - unknownPenalty);

  function cut(text: string): PieceSpan[] {
    const size = text.length;
    const best = new (precision === "single" ? Float32Array : Float64Array)(size + 1);
    const from = new Int32Array(size + 1).fill(-1);
    const ids = new Int32Array(size + 1).fill(-1);
    let furthest = 0;
    const offer = (end: number, start: number, id: number, sum: number) => {
      if (end > furthest) furthest = end;
      // Rounded before it is compared, so that paths that differ by less tie, and the one found first stays.
      const candidate = round(sum);
      if (from[end] !== -1 && !(candidate > (best[end] as number))) return;
      best[end] = candidate;
      from[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < size; ) {
      let here = best[start] as number;
      if (precision === "single" && Math.abs(here) > farSum) {
        for (let end = start + 1; end <= furthest; end++) {
          if (from[end] !== -1) best[end] = (best[end] as number) - here;
        }
        here = 0;
      }
      const character = (text.codePointAt(start) as number) > 0xffff ? 2 : 1;
      let single = false;
      let node = PieceTrie.root;
      for (let at = start; at < size; at++) {
        node = trie.child(node, text.charCodeAt(at));
        if (node < 0) break;
        const id = trie.idAt(node);
        if (id < 0 || stands[id] === 0) continue;
        offer(at + 1, start, id, (scores[id] as number) + here);
        single ||= at + 1 - start === character;
      }
      if (!single) offer(start + character, start, unknownId, unknownScore + here);
      start += character;
    }
    const spans: PieceSpan[] = [];
    for (let end = size; end > 0; ) {
      const start = from[end] as number;
      const id = ids[end] as number;
      const next = spans.at(-1);
      if (id === unknownId && next?.id === unknownId)
        spans[spans.length - 1] = { id, start, end: next.end };
      else spans.push({ id, start, end });
      end = start;
    }
    return spans.reverse();
  }
  return { cut };
}
