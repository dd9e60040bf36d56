// Reads a spiece.model: SentencePiece's protobuf with its pieces, their scores and the normalizer.
import { BridleError } from "../../errors/error.js";
import { float, signed, text, texts, visit } from "../../graph/protobuf.js";
import { PieceTrie } from "./piece-trie.js";

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
  /** Puts the added space, and that between words, behind a word instead of before it. */
  readonly whitespaceAsSuffix: boolean;
}

export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  /** Over all of the pieces. */
  readonly trie: PieceTrie;
  readonly normalizer: NormalizerSpec;
  /** What decoded text goes through; undefined for nothing. */
  readonly denormalizer: NormalizerSpec | undefined;
  readonly unknownId: number;
  /** Text that the unknown piece is decoded to. */
  readonly unknownSurface: string;
  /** Writes characters that are in no piece as the bytes of their UTF-8. */
  readonly byteFallback: boolean;
}

/** What an unknown piece reads as unless the model says otherwise. */
export const defaultUnknownSurface = " \u2047 ";

/** Name of the piece that stands for one byte. */
export const bytePiece = (byte: number) =>
  `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

// Field numbers of sentencepiece_model.proto (google/sentencepiece, 0.2).
const model = { piece: 1, trainer: 2, normalizer: 3, denormalizer: 5 };
const pieceField = { piece: 1, score: 2, type: 3 };
const trainer = { modelType: 3, whitespaceAsSuffix: 24, byteFallback: 35, unknownSurface: 44 };
const normalizerField = { charsmap: 2, dummyPrefix: 3, extraWhitespaces: 4, escape: 5 };
const unigram = 1;

const flag = (value: number | bigint) => Number(value) !== 0;

/** Starts from a spec, because a message may come in several parts. */
function readNormalizer(bytes: Uint8Array, before: NormalizerSpec): NormalizerSpec {
  let spec = before;
  visit(bytes, {
    [normalizerField.charsmap]: { bytes: (b) => (spec = { ...spec, precompiledCharsmap: b }) },
    [normalizerField.dummyPrefix]: { value: (v) => (spec = { ...spec, addDummyPrefix: flag(v) }) },
    [normalizerField.extraWhitespaces]: {
      value: (v) => (spec = { ...spec, removeExtraWhitespaces: flag(v) }),
    },
    [normalizerField.escape]: { value: (v) => (spec = { ...spec, escapeWhitespaces: flag(v) }) },
  });
  return spec;
}

const plainNormalizer: NormalizerSpec = {
  precompiledCharsmap: new Uint8Array(),
  addDummyPrefix: true,
  removeExtraWhitespaces: true,
  escapeWhitespaces: true,
  whitespaceAsSuffix: false,
};

/**
 * @param file named in errors
 * @throws TOKENIZER_INVALID for a model that is not Unigram, or lacks an unknown piece or one of its bytes;
 * PROTOBUF_CORRUPT for bytes that are no protobuf message.
 */
export function readSentencePieceModel(bytes: Uint8Array, file: string): SentencePieceModel {
  const invalid = (reason: string) => new BridleError("TOKENIZER_INVALID", { file, reason });
  // Parts of a Buffer are Buffers, which take longer to make.
  const all = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  const [starts, ends, scores, types]: [number[], number[], number[], number[]] = [[], [], [], []];
  let modelType = unigram;
  let byteFallback = false;
  let whitespaceAsSuffix = false;
  let unknownSurface = defaultUnknownSurface;
  let normalizer = plainNormalizer;
  let denormalizer = plainNormalizer;
  let [start, end, score, type] = [0, 0, 0, pieceTypes.normal as number];
  const pieceHandlers = {
    [pieceField.piece]: {
      place(from: number, to: number) {
        start = from;
        end = to;
      },
    },
    [pieceField.score]: {
      place(from: number, to: number) {
        score = to - from === 4 ? view.getFloat32(from, true) : float(all.subarray(from, to));
      },
    },
    [pieceField.type]: { value: (v: number | bigint) => (type = signed(v)) },
  };
  visit(all, {
    [model.piece]: {
      place(from, to) {
        start = end = score = 0;
        type = pieceTypes.normal;
        visit(all, pieceHandlers, from, to);
        starts.push(start);
        ends.push(end);
        scores.push(score);
        types.push(type);
      },
    },
    [model.trainer]: {
      bytes: (inner) =>
        visit(inner, {
          [trainer.modelType]: { value: (v) => (modelType = signed(v)) },
          [trainer.byteFallback]: { value: (v) => (byteFallback = flag(v)) },
          [trainer.whitespaceAsSuffix]: { value: (v) => (whitespaceAsSuffix = flag(v)) },
          [trainer.unknownSurface]: { bytes: (b) => (unknownSurface = text(b)) },
        }),
    },
    [model.normalizer]: { bytes: (inner) => (normalizer = readNormalizer(inner, normalizer)) },
    [model.denormalizer]: {
      bytes: (inner) => (denormalizer = readNormalizer(inner, denormalizer)),
    },
  });
  const pieces: Piece[] = texts(all, starts, ends).map((piece, id) => ({
    piece,
    score: scores[id] as number,
    type: types[id] as number,
  }));
  if (pieces.length === 0) throw invalid("it has no pieces, so it is no SentencePiece model");
  if (modelType !== unigram) throw invalid(`its model type is ${modelType}, not Unigram (1)`);
  for (let id = 0; id < pieces.length; id++) {
    const { piece, score } = pieces[id] as Piece;
    if (piece === "") throw invalid(`piece ${id} is empty`);
    if (!Number.isFinite(score)) throw invalid(`the score of piece ${id} is ${score}`);
  }
  const trie = indexPieces(pieces, invalid);
  const unknownId = pieces.findIndex(({ type }) => type === pieceTypes.unknown);
  if (unknownId < 0) throw invalid("it has no unknown piece");
  if (unknownSurface.length > maxSurface)
    throw invalid(`its unknown piece reads as ${unknownSurface.length} characters`);
  if (byteFallback) checkBytePieces(pieces, invalid);
  return {
    pieces,
    trie,
    normalizer: { ...normalizer, whitespaceAsSuffix },
    denormalizer: denormalizer.precompiledCharsmap.length > 0 ? denormalizer : undefined,
    unknownId,
    unknownSurface,
    byteFallback,
  };
}

/** Pieces of the largest vocabularies have some million characters together; each takes memory in the trie. */
const maxPieceCharacters = 8_000_000;

/** What an unknown piece reads as is written for every unknown piece of a text. */
const maxSurface = 1000;

/** The trie of a vocabulary. @throws what `invalid` makes where pieces are too long together, or one stands in it twice */
export function indexPieces(
  pieces: readonly { readonly piece: string }[],
  invalid: (reason: string) => BridleError,
): PieceTrie {
  let characters = 0;
  for (const { piece } of pieces) characters += piece.length;
  if (characters > maxPieceCharacters) throw invalid(`its pieces have ${characters} characters`);
  const trie = new PieceTrie(pieces);
  if (trie.twice === undefined) return trie;
  throw invalid(`the piece ${JSON.stringify(trie.twice)} stands in it twice`);
}

/** A model that falls back to bytes needs a piece for each of them. */
export function checkBytePieces(
  pieces: readonly Piece[],
  invalid: (reason: string) => BridleError,
): void {
  const bytes = new Set(
    pieces.filter(({ type }) => type === pieceTypes.byte).map(({ piece }) => piece),
  );
  for (let byte = 0; byte < 256; byte++) {
    if (!bytes.has(bytePiece(byte)))
      throw invalid(`it falls back to bytes and has no piece ${bytePiece(byte)}`);
  }
}
