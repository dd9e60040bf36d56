// ROUGE-N, ROUGE-L and ROUGE-Lsum of a prediction against one or more targets, equal to google's rouge_score.
import { BridleError } from "../../errors/error.js";
import { splitSentences } from "../sentences.js";
import { columnsOf, lcsIndices, lcsLength } from "./lcs.js";
import { ngramOverlap } from "./ngrams.js";
import { type RougeScore, scoreOf } from "./score.js";
import { type RougeMode, tokenize } from "./tokenize.js";

/** `rouge1`, `rouge2`, … for n-grams of any length, `rougeL`, `rougeLsum`. */
export type RougeType = `rouge${number}` | "rougeL" | "rougeLsum";

export interface RougeOptions<Type extends RougeType = RougeType> {
  /** What to compute. Default rouge1, rouge2, rougeL, rougeLsum. */
  readonly types?: readonly Type[];
  /** Stem ASCII tokens longer than 3 letters. Default false. */
  readonly stemmer?: boolean;
  /**
   * What rougeLsum takes for a sentence: a line (false, the default), what Bridle's sentence splitter
   * finds (true), or what a function of yours returns.
   */
  readonly splitSummaries?: boolean | ((text: string) => readonly string[]);
  /** Default `google`; see RougeMode. */
  readonly mode?: RougeMode;
}

export const defaultRougeTypes = ["rouge1", "rouge2", "rougeL", "rougeLsum"] as const;

/** Whether a text names a ROUGE type. */
export function isRougeType(name: string): name is RougeType {
  return /^rouge(?:[1-9]\d{0,3}|L|Lsum)$/.test(name);
}

const none: RougeScore = { precision: 0, recall: 0, fmeasure: 0 };

/** ROUGE-N of token lists, n ≥ 1. Source: Lin 2004, section 2. */
export function rougeN(
  target: readonly string[],
  prediction: readonly string[],
  n: number,
): RougeScore {
  const { shared, inTarget, inPrediction } = ngramOverlap(target, prediction, n);
  return scoreOf(shared, inPrediction, inTarget);
}

/** ROUGE-L of token lists. Source: Lin 2004, section 3.1. */
export function rougeL(target: readonly string[], prediction: readonly string[]): RougeScore {
  if (target.length === 0 || prediction.length === 0) return none;
  return scoreOf(lcsLength(target, columnsOf(prediction)), prediction.length, target.length);
}

function countTokens(sentences: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const sentence of sentences) {
    for (const token of sentence) counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  return counts;
}

/**
 * ROUGE-Lsum of tokenized sentences: for each target sentence the union of its common subsequences with
 * every predicted sentence, where no token counts more often than either side has it.
 * Source: Lin 2004, section 3.2, with rouge_score's clipping.
 */
export function rougeLsum(
  target: readonly (readonly string[])[],
  prediction: readonly (readonly string[])[],
): RougeScore {
  const leftInTarget = countTokens(target);
  const leftInPrediction = countTokens(prediction);
  const columns = prediction.filter((sentence) => sentence.length > 0).map(columnsOf);
  let hits = 0;
  for (const sentence of target) {
    const inUnion = new Uint8Array(sentence.length);
    for (const candidate of columns) {
      for (const index of lcsIndices(sentence, candidate)) inUnion[index] = 1;
    }
    for (const [index, token] of sentence.entries()) {
      if (inUnion[index] === 0) continue;
      const inTarget = leftInTarget.get(token) ?? 0;
      const inPrediction = leftInPrediction.get(token) ?? 0;
      if (inTarget === 0 || inPrediction === 0) continue;
      hits++;
      leftInTarget.set(token, inTarget - 1);
      leftInPrediction.set(token, inPrediction - 1);
    }
  }
  const total = (sentences: readonly (readonly string[])[]) =>
    sentences.reduce((sum, sentence) => sum + sentence.length, 0);
  return scoreOf(hits, total(prediction), total(target));
}

function checkText(parameter: string, value: unknown): asserts value is string {
  if (typeof value !== "string") {
    throw new BridleError("INVALID_PARAMETER", {
      parameter,
      value: value === null ? "null" : typeof value,
      expected: "a text",
    });
  }
}

interface Scorer {
  readonly types: readonly RougeType[];
  readonly tokens: (text: string) => readonly string[];
  readonly sentences: (text: string) => readonly string[];
}

function scorerOf(options: RougeOptions): Scorer {
  const { stemmer = false, splitSummaries = false, mode = "google" } = options;
  const types: readonly RougeType[] = options.types ?? defaultRougeTypes;
  for (const type of types) {
    if (!isRougeType(type)) {
      throw new BridleError("INVALID_PARAMETER", {
        parameter: "types",
        value: String(type),
        expected: "rouge1, rouge2, … or rougeL or rougeLsum",
      });
    }
  }
  const split =
    typeof splitSummaries === "function"
      ? splitSummaries
      : splitSummaries
        ? (text: string) => splitSentences(text).map(({ start, end }) => text.slice(start, end))
        : (text: string) => text.split("\n");
  return { types, tokens: (text) => tokenize(text, { stemmer, mode }), sentences: split };
}

/** A text's tokens, whole and by sentence, each made once and only where a type asks for it. */
function readText(text: string, { tokens, sentences }: Scorer) {
  let whole: readonly string[] | undefined;
  let bySentence: readonly (readonly string[])[] | undefined;
  return {
    tokens: () => {
      whole ??= tokens(text);
      return whole;
    },
    sentences: () => {
      bySentence ??= sentences(text).map(tokens);
      return bySentence;
    },
  };
}

type Read = ReturnType<typeof readText>;

function scoreType(type: RougeType, target: Read, prediction: Read): RougeScore {
  if (type === "rougeLsum") return rougeLsum(target.sentences(), prediction.sentences());
  if (type === "rougeL") return rougeL(target.tokens(), prediction.tokens());
  return rougeN(target.tokens(), prediction.tokens(), Number(type.slice("rouge".length)));
}

/**
 * The score of each type of a prediction against several targets: per type that of the target with the
 * highest F-measure, the first one on a tie.
 * @throws INVALID_PARAMETER for no targets, a target or prediction that is no text, an unknown type or mode.
 * Source: rouge_score 0.1.2, RougeScorer.score_multi.
 */
export function scoreMulti<Type extends RougeType = (typeof defaultRougeTypes)[number]>(
  targets: readonly string[],
  prediction: string,
  options: RougeOptions<Type> = {},
): Record<Type, RougeScore> {
  const scorer = scorerOf(options);
  checkText("prediction", prediction);
  if (targets.length === 0) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "target",
      value: "an empty list",
      expected: "a text or a list of at least one",
    });
  }
  const readPrediction = readText(prediction, scorer);
  const best = new Map<RougeType, RougeScore>();
  for (const target of targets) {
    checkText("target", target);
    const readTarget = readText(target, scorer);
    for (const type of scorer.types) {
      const score = scoreType(type, readTarget, readPrediction);
      const before = best.get(type);
      if (before === undefined || score.fmeasure > before.fmeasure) best.set(type, score);
    }
  }
  return Object.fromEntries(best) as Record<Type, RougeScore>;
}

/**
 * ROUGE of a prediction against a target, or against the best of several targets (see scoreMulti).
 * Scores are shares in 0..1, equal to those of rouge_score 0.1.2 in mode `google`.
 * @throws INVALID_PARAMETER for no targets, a target or prediction that is no text, an unknown type or mode.
 * Source: Lin 2004; google's rouge_score 0.1.2.
 */
export function rouge<Type extends RougeType = (typeof defaultRougeTypes)[number]>(
  target: string | readonly string[],
  prediction: string,
  options: RougeOptions<Type> = {},
): Record<Type, RougeScore> {
  return scoreMulti(Array.isArray(target) ? target : [target as string], prediction, options);
}
