// Writes a spiece.model: SentencePiece's protobuf with the pieces, how they were trained and the normalizer.
import { Writer } from "../../graph/protobuf.js";
import { type Piece, pieceTypes } from "./sentencepiece-model.js";

/** What a model file tells of its training. Ids below 0 mean that there is no such piece. */
export interface TrainerSpec {
  readonly vocabSize: number;
  readonly characterCoverage: number;
  /** Sentences drawn from the corpus; 0 for all. */
  readonly sampled: number;
  readonly seedPieces: number;
  readonly shrinkingFactor: number;
  readonly subIterations: number;
  readonly maxPieceLength: number;
  readonly splitByScript: boolean;
  readonly splitByNumber: boolean;
  readonly splitDigits: boolean;
  readonly requiredCharacters: string;
  readonly userDefined: readonly string[];
  readonly byteFallback: boolean;
  readonly unkId: number;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
}

export interface ModelToWrite {
  readonly pieces: readonly Piece[];
  readonly trainer: TrainerSpec;
  readonly normalizerName: string;
  readonly precompiledCharsmap: Uint8Array;
}

/**
 * The bytes of a Unigram model whose normalizer puts a space before a text, joins spaces and marks them with U+2581.
 * Field numbers and defaults are those of sentencepiece_model.proto (google/sentencepiece, 0.2); what has its default is
 * left out, as the library's own files do.
 */
export function writeSentencePieceModel(model: ModelToWrite): Uint8Array {
  const { pieces, trainer, normalizerName, precompiledCharsmap } = model;
  const out = new Writer();
  for (const { piece, score, type } of pieces) {
    out.message(1, (inner) => {
      inner.string(1, piece).float(2, score);
      if (type !== pieceTypes.normal) inner.int(3, type);
    });
  }
  out.message(2, (inner) => {
    const number = (field: number, value: number, byDefault: number) => {
      if (value !== byDefault) inner.int(field, value);
    };
    const flag = (field: number, value: boolean) => {
      if (!value) inner.int(field, 0);
    };
    inner.int(4, trainer.vocabSize);
    if (trainer.characterCoverage !== 0.9995) inner.float(10, trainer.characterCoverage);
    number(11, trainer.sampled, 0);
    number(14, trainer.seedPieces, 1_000_000);
    if (trainer.shrinkingFactor !== 0.75) inner.float(15, trainer.shrinkingFactor);
    number(17, trainer.subIterations, 2);
    number(20, trainer.maxPieceLength, 16);
    flag(21, trainer.splitByScript);
    flag(23, trainer.splitByNumber);
    if (trainer.splitDigits) inner.int(25, 1);
    for (const piece of trainer.userDefined) inner.string(31, piece);
    if (trainer.byteFallback) inner.int(35, 1);
    if (trainer.requiredCharacters !== "") inner.string(36, trainer.requiredCharacters);
    number(40, trainer.unkId, 0);
    number(41, trainer.bosId, 1);
    number(42, trainer.eosId, 2);
    number(43, trainer.padId, -1);
  });
  out.message(3, (inner) => {
    inner.string(1, normalizerName);
    inner.bytes(2, precompiledCharsmap);
  });
  return out.finish();
}
