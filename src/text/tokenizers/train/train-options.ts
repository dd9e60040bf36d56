// What can be set about a tokenizer's training, checked, with SentencePiece's own defaults.
import { BridleError } from "../../../errors/error.js";
import { spaceSymbol } from "../normalizer.js";
import { type NormalizerName, normalizerNames } from "./charsmap.js";
import { type LayoutName, layoutNames, layouts, reservedPieces } from "./layouts.js";
import type { PieceRules } from "./piece-rules.js";
import { boundarySymbol, unknownSymbol } from "./word-counts.js";

/** How far the training is. */
export type TokenizerProgress =
  | { readonly phase: "read"; readonly sentences: number }
  | { readonly phase: "normalize"; readonly done: number; readonly total: number }
  | { readonly phase: "seed"; readonly words: number }
  | {
      readonly phase: "round";
      readonly round: number;
      /** Estimated from how fast the pieces get fewer. */
      readonly rounds: number;
      readonly pieces: number;
    };

export interface TrainTokenizerOptions extends Partial<PieceRules> {
  /** Pieces of the vocabulary, the reserved ones among them. */
  readonly vocabSize: number;
  /** Whose ids and files. Default `pegasus`. */
  readonly layout?: LayoutName;
  /** Default `nmt_nfkc`, as Pegasus and T5 have it. */
  readonly normalizer?: NormalizerName;
  /** Share of the corpus's characters that the vocabulary must cover, 0.98 to 1. Default 0.9995. */
  readonly characterCoverage?: number;
  /** Characters that must be in it however rare they are. */
  readonly requiredCharacters?: string;
  /** Pieces that are never cut, such as markers in the data; without spaces. */
  readonly userDefined?: readonly string[];
  /** Has a piece for each byte, and cuts rare characters into their bytes. Default false. */
  readonly byteFallback?: boolean;
  /** Trains on so many sentences drawn from all, 100 or more. Default 0: all. */
  readonly sample?: number;
  /** Seed of the sample. Default 0. */
  readonly seed?: number;
  /** Strings to begin with, besides the characters. Default 1,000,000. */
  readonly seedPieces?: number;
  /** Share of the pieces kept each time some are dropped, 0.5 to 0.95. Default 0.75. */
  readonly shrinkingFactor?: number;
  /** Rounds between droppings, 1 to 10. Default 2. */
  readonly subIterations?: number;
  /** `model_max_length` of the tokenizer's config, in tokens; left out unless said. */
  readonly modelMaxLength?: number;
  /** Threads at most; the result is the same for any number. Default: one a core, up to 16. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TokenizerProgress) => void;
}

export interface CheckedTrainOptions extends PieceRules {
  readonly vocabSize: number;
  readonly layout: LayoutName;
  readonly normalizer: NormalizerName;
  readonly characterCoverage: number;
  readonly requiredCharacters: string;
  readonly userDefined: readonly string[];
  readonly byteFallback: boolean;
  readonly sample: number;
  readonly seed: number;
  readonly seedPieces: number;
  readonly shrinkingFactor: number;
  readonly subIterations: number;
  readonly modelMaxLength: number | undefined;
  readonly threads: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: TokenizerProgress) => void;
}

function invalid(parameter: string, value: unknown, expected: string): BridleError {
  return new BridleError("INVALID_PARAMETER", {
    parameter,
    value: typeof value === "string" ? JSON.stringify(value) : String(value),
    expected,
  });
}

function checkRange(
  parameter: string,
  value: number,
  least: number,
  most: number,
  whole: boolean,
): void {
  if (value >= least && value <= most && (!whole || Number.isSafeInteger(value))) return;
  const kind = whole ? "a whole number" : "a number";
  throw invalid(parameter, value, `${kind} from ${least} to ${most}`);
}

function checkUserDefined({ userDefined, layout, byteFallback }: CheckedTrainOptions): void {
  const reserved = reservedPieces(layouts[layout].userDefined, byteFallback);
  const seen = new Set(reserved.map(({ piece }) => piece));
  const forbidden = [spaceSymbol, unknownSymbol, boundarySymbol, "\0"];
  for (const piece of userDefined) {
    if (piece === "" || /\s/u.test(piece) || forbidden.some((mark) => piece.includes(mark))) {
      throw invalid("userDefined", piece, "a text without spaces, U+2581, U+2585 or controls");
    }
    if (/\p{Cs}/u.test(piece)) throw invalid("userDefined", piece, "whole Unicode characters");
    if (seen.has(piece))
      throw invalid("userDefined", piece, "named once, and not reserved already");
    seen.add(piece);
  }
}

/** @throws INVALID_PARAMETER */
export function checkTrainOptions(given: TrainTokenizerOptions): CheckedTrainOptions {
  const options: CheckedTrainOptions = {
    vocabSize: given.vocabSize,
    layout: given.layout ?? "pegasus",
    normalizer: given.normalizer ?? "nmt_nfkc",
    characterCoverage: given.characterCoverage ?? 0.9995,
    requiredCharacters: given.requiredCharacters ?? "",
    userDefined: given.userDefined ?? [],
    byteFallback: given.byteFallback ?? false,
    sample: given.sample ?? 0,
    seed: given.seed ?? 0,
    seedPieces: given.seedPieces ?? 1_000_000,
    shrinkingFactor: given.shrinkingFactor ?? 0.75,
    subIterations: given.subIterations ?? 2,
    maxPieceLength: given.maxPieceLength ?? 16,
    splitByScript: given.splitByScript ?? true,
    splitByNumber: given.splitByNumber ?? true,
    splitDigits: given.splitDigits ?? false,
    modelMaxLength: given.modelMaxLength,
    threads: given.threads,
    signal: given.signal,
    onProgress: given.onProgress ?? (() => {}),
  };
  const oneOf = (parameter: string, value: string, allowed: readonly string[]) => {
    if (!allowed.includes(value)) throw invalid(parameter, value, `one of ${allowed.join(", ")}`);
  };
  oneOf("layout", options.layout, layoutNames);
  oneOf("normalizer", options.normalizer, normalizerNames);
  checkRange("vocabSize", options.vocabSize, 1, 1_000_000, true);
  checkRange("characterCoverage", options.characterCoverage, 0.98, 1, false);
  if (options.sample !== 0) checkRange("sample", options.sample, 100, 2 ** 31, true);
  checkRange("seed", options.seed, 0, Number.MAX_SAFE_INTEGER, true);
  checkRange("seedPieces", options.seedPieces, 1, 10_000_000, true);
  checkRange("shrinkingFactor", options.shrinkingFactor, 0.5, 0.95, false);
  checkRange("subIterations", options.subIterations, 1, 10, true);
  checkRange("maxPieceLength", options.maxPieceLength, 1, 60, true);
  if (options.threads !== undefined) checkRange("threads", options.threads, 1, 1024, true);
  if (options.modelMaxLength !== undefined) {
    checkRange("modelMaxLength", options.modelMaxLength, 1, Number.MAX_SAFE_INTEGER, true);
  }
  checkUserDefined(options);
  return options;
}
