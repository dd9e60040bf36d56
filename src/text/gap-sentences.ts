// Chooses the sentences of a document that PEGASUS's pre-training masks, and makes the training example of them.
import { BridleError } from "../errors/error.js";
import { chooseSequentially, principalScores } from "./gap-sentence-scores.js";
import { type RougeMode, tokenize } from "./rouge/tokenize.js";
import { drawDistinct, seededRandom } from "./seeded-random.js";
import { countSentences } from "./sentence-counts.js";

/**
 * - `ind-…`: the sentences that score highest against the rest of the document, each by itself.
 * - `seq-…`: one after the other, each the one with which all chosen so far score highest.
 * - `…-orig` counts a token as often as it stands there, `…-uniq` once.
 * - `lead`: the first ones. `random`: any, by seed.
 */
export type GapStrategy = "ind-orig" | "ind-uniq" | "seq-orig" | "seq-uniq" | "random" | "lead";

export const gapStrategies: readonly GapStrategy[] = [
  "ind-orig",
  "ind-uniq",
  "seq-orig",
  "seq-uniq",
  "random",
  "lead",
];

export interface GapSentenceOptions {
  /** Share of the sentences to choose, 0..1; rounded half to even, at least one. Default 0.3. Not with `count`. */
  readonly ratio?: number;
  /** How many sentences to choose, at most all. Not with `ratio`. */
  readonly count?: number;
  /** Default `ind-orig`. */
  readonly strategy?: GapStrategy;
  /** Seed of `random` (see seededRandom). Default 0. */
  readonly seed?: number;
  /** Tokens to score with; never stemmed. Default `google`. */
  readonly mode?: RougeMode;
}

export interface GapSentences {
  /** Indices of the chosen sentences in document order. */
  readonly indices: readonly number[];
  /** The same indices in the order in which they were chosen. */
  readonly order: readonly number[];
  /** For each of `order` its score, 0..1: ind its own, seq that of all chosen up to it; none for random and lead. */
  readonly scores: readonly number[];
}

/** Python's round for x ≥ 0. */
function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

function invalid(parameter: string, value: unknown, expected: string): BridleError {
  return new BridleError("INVALID_PARAMETER", { parameter, value: String(value), expected });
}

function howMany(sentences: number, { ratio, count }: GapSentenceOptions): number {
  if (count !== undefined) {
    if (ratio !== undefined) throw invalid("ratio", ratio, "absent where count is given");
    if (!Number.isInteger(count) || count < 1) throw invalid("count", count, "a whole number ≥ 1");
    return Math.min(sentences, count);
  }
  const share = ratio ?? 0.3;
  if (typeof share !== "number" || !(share >= 0 && share <= 1)) {
    throw invalid("ratio", share, "a number in 0..1");
  }
  return Math.min(sentences, Math.max(1, roundHalfToEven(sentences * share)));
}

/** The `count` highest scores' indices, highest first, the earlier one on a tie. */
function highest(scores: Float64Array, count: number): number[] {
  return Array.from(scores.keys())
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, count);
}

function choose(
  sentences: readonly string[],
  count: number,
  options: GapSentenceOptions,
): { order: number[]; scores: number[] } {
  const { strategy = "ind-orig", seed = 0, mode = "google" } = options;
  if (strategy === "lead") return { order: [...sentences.keys()].slice(0, count), scores: [] };
  if (strategy === "random") {
    return { order: drawDistinct(sentences.length, count, seededRandom(seed)), scores: [] };
  }
  const document = countSentences(sentences.map((sentence) => tokenize(sentence, { mode })));
  const unique = strategy.endsWith("-uniq");
  if (strategy.startsWith("seq-")) return chooseSequentially(document, count, { unique });
  const scores = principalScores(document, { unique });
  const order = highest(scores, count);
  return { order, scores: order.map((index) => scores[index]!) };
}

/**
 * Chooses gap sentences: `min(n, max(1, round(n × ratio)))` of n sentences, or `count`. No sentences give none.
 * @throws INVALID_PARAMETER for a ratio, count, strategy, seed or mode out of range, or both ratio and count.
 * Source: Zhang et al. 2020 (PEGASUS), section 3.1.
 */
export function selectGapSentences(
  sentences: readonly string[],
  options: GapSentenceOptions = {},
): GapSentences {
  const { strategy = "ind-orig" } = options;
  if (!gapStrategies.includes(strategy)) {
    throw invalid("strategy", strategy, `one of ${gapStrategies.join(", ")}`);
  }
  const { order, scores } = choose(sentences, howMany(sentences.length, options), options);
  return { indices: order.toSorted((a, b) => a - b), order, scores };
}

/** A pre-training example: the document with its gaps, and what was in them. */
export interface GapSentenceExample {
  readonly input: string;
  readonly target: string;
}

/**
 * Joins the sentences by one space, each of `indices` replaced by the mask token, and their texts, in document
 * order, as the target.
 * @throws INVALID_PARAMETER for an index that no sentence has.
 */
export function gapSentenceExample(
  sentences: readonly string[],
  indices: readonly number[],
  maskToken = "<mask_1>",
): GapSentenceExample {
  const masked = new Set(indices);
  for (const index of masked) {
    if (!Number.isInteger(index) || index < 0 || index >= sentences.length) {
      throw invalid("indices", index, `in 0..${sentences.length - 1}`);
    }
  }
  return {
    input: sentences.map((text, index) => (masked.has(index) ? maskToken : text)).join(" "),
    target: sentences.filter((_, index) => masked.has(index)).join(" "),
  };
}
