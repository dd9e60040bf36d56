// A SentencePiece processor: text to pieces and back.
import { createNormalizer, spaceSymbol } from "./normalizer.js";
import { pieceTypes, type SentencePieceModel } from "./sentencepiece-model.js";
import { createUnigram } from "./unigram.js";

export interface EncodedPiece {
  readonly piece: string;
  readonly id: number;
}

export interface SentencePiece {
  readonly size: number;
  readonly unknownId: number;
  normalize(text: string): string;
  encode(text: string): EncodedPiece[];
  /** Text of pieces: spaces for U+2581, the one that begins the text left out; control pieces are silent. */
  decode(pieces: readonly string[]): string;
  pieceOf(id: number): string;
  /** Id of a piece, that of the unknown piece for any other string. */
  idOf(piece: string): number;
}

/** What an unknown piece reads as. */
const unknownSurface = " \u2047 ";

/** @param file named in errors @throws TOKENIZER_INVALID when the normalization table is damaged */
export function createSentencePiece(model: SentencePieceModel, file: string): SentencePiece {
  const { pieces, unknownId } = model;
  const userDefined = pieces
    .filter(({ type }) => type === pieceTypes.userDefined)
    .map(({ piece }) => piece);
  const normalizer = createNormalizer(model.normalizer, userDefined, file);
  const unigram = createUnigram(pieces, unknownId);
  const ids = new Map(pieces.map(({ piece }, id) => [piece, id]));
  const idOf = (piece: string) => ids.get(piece) ?? unknownId;
  const stripsSpace = model.normalizer.addDummyPrefix || model.normalizer.removeExtraWhitespaces;

  return {
    size: pieces.length,
    unknownId,
    normalize: normalizer.normalize,
    encode(text) {
      const normalized = normalizer.normalize(text);
      return unigram
        .cut(normalized)
        .map(({ id, start, end }) => ({ id, piece: normalized.slice(start, end) }));
    },
    decode(sequence) {
      let text = "";
      let atStart = true;
      let spaceSeen = false;
      for (const piece of sequence) {
        const id = idOf(piece);
        if (spaceSeen || text !== "") atStart = false;
        spaceSeen = false;
        if (pieces[id]?.type === pieceTypes.control) continue;
        if (id === unknownId) {
          text += piece === pieces[unknownId]?.piece ? unknownSurface : piece;
          continue;
        }
        let rest = piece;
        if (atStart && stripsSpace && rest.startsWith(spaceSymbol)) {
          rest = rest.slice(1);
          spaceSeen = !model.normalizer.removeExtraWhitespaces;
        }
        text += rest.replaceAll(spaceSymbol, " ");
      }
      return text;
    },
    pieceOf: (id) => pieces[id]?.piece ?? "",
    idOf,
  };
}
