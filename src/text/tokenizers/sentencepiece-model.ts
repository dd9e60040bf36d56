// Reads a spiece.model: SentencePiece's protobuf with its pieces, their scores and the normalizer.
import { BridleError } from "../../errors/error.js";
import { float, signed, text, visit } from "../../graph/protobuf.js";

export const pieceTypes = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

export interface Piece {
  readonly piece: string;
  /** Log-probability, float32. */
  readonly score: number;
  /** One of `pieceTypes`. */
  readonly type: number;
}

export interface NormalizerSpec {
  /** Double-array trie and replacement strings; empty for none. */
  readonly precompiledCharsmap: Uint8Array;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  readonly escapeWhitespaces: boolean;
}

export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  readonly normalizer: NormalizerSpec;
  readonly unknownId: number;
}

// Field numbers of sentencepiece_model.proto (google/sentencepiece, 0.2).
const model = { piece: 1, trainer: 2, normalizer: 3 };
const pieceField = { piece: 1, score: 2, type: 3 };
const trainer = { modelType: 3, byteFallback: 35, whitespaceAsSuffix: 24 };
const normalizerField = { charsmap: 2, dummyPrefix: 3, extraWhitespaces: 4, escape: 5 };
const unigram = 1;

/**
 * @param file named in errors
 * @throws TOKENIZER_INVALID for a model that is not Unigram, falls back to bytes, or lacks an unknown piece;
 * PROTOBUF_CORRUPT for bytes that are no protobuf message.
 */
export function readSentencePieceModel(bytes: Uint8Array, file: string): SentencePieceModel {
  const invalid = (reason: string) => new BridleError("TOKENIZER_INVALID", { file, reason });
  const pieces: Piece[] = [];
  let modelType = unigram;
  let byteFallback = false;
  let suffix = false;
  let precompiledCharsmap: Uint8Array = new Uint8Array();
  let [addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces] = [true, true, true];
  const flag = (value: number | bigint) => Number(value) !== 0;
  visit(bytes, {
    [model.piece]: {
      bytes(inner) {
        let [piece, score, type] = ["", 0, pieceTypes.normal as number];
        visit(inner, {
          [pieceField.piece]: { bytes: (b) => (piece = text(b)) },
          [pieceField.score]: { bytes: (b) => (score = float(b)) },
          [pieceField.type]: { value: (v) => (type = signed(v)) },
        });
        pieces.push({ piece, score, type });
      },
    },
    [model.trainer]: {
      bytes: (inner) =>
        visit(inner, {
          [trainer.modelType]: { value: (v) => (modelType = signed(v)) },
          [trainer.byteFallback]: { value: (v) => (byteFallback = flag(v)) },
          [trainer.whitespaceAsSuffix]: { value: (v) => (suffix = flag(v)) },
        }),
    },
    [model.normalizer]: {
      bytes: (inner) =>
        visit(inner, {
          [normalizerField.charsmap]: { bytes: (b) => (precompiledCharsmap = b) },
          [normalizerField.dummyPrefix]: { value: (v) => (addDummyPrefix = flag(v)) },
          [normalizerField.extraWhitespaces]: { value: (v) => (removeExtraWhitespaces = flag(v)) },
          [normalizerField.escape]: { value: (v) => (escapeWhitespaces = flag(v)) },
        }),
    },
  });
  if (pieces.length === 0) throw invalid("it has no pieces, so it is no SentencePiece model");
  if (modelType !== unigram) throw invalid(`its model type is ${modelType}, not Unigram (1)`);
  if (byteFallback) throw invalid("it falls back to bytes, which is not supported");
  if (suffix) throw invalid("it treats whitespace as a suffix, which is not supported");
  const seen = new Set<string>();
  for (const [id, { piece, score }] of pieces.entries()) {
    if (piece === "") throw invalid(`piece ${id} is empty`);
    if (seen.has(piece)) throw invalid(`the piece ${JSON.stringify(piece)} stands in it twice`);
    if (!Number.isFinite(score)) throw invalid(`the score of piece ${id} is ${score}`);
    seen.add(piece);
  }
  const unknownId = pieces.findIndex(({ type }) => type === pieceTypes.unknown);
  if (unknownId < 0) throw invalid("it has no unknown piece");
  return {
    pieces,
    normalizer: { precompiledCharsmap, addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces },
    unknownId,
  };
}
