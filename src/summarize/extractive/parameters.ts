// Checks what a caller asked of a summary's length, and turns it into a number of sentences for the document at hand.
import { BridleError } from "../../errors/error.js";
import type { ModelTraits, SummaryParameters } from "../summarizer.js";

export const extractiveModel = "extractive";

export const extractiveTraits: ModelTraits = {
  kind: "extractive",
  device: "cpu",
  dtype: null,
  limits: { maxInputTokens: null, maxNewTokens: null },
};

/** The options the extractive summarizer takes. */
export const extractiveParameters: readonly (keyof SummaryParameters)[] = [
  "sentences",
  "ratio",
  "maxWords",
];

/** Used where the caller says nothing about length. */
export const defaultParameters: SummaryParameters = { sentences: 3 };

function invalid(parameter: string, value: unknown, expected: string): BridleError {
  const told = typeof value === "number" ? String(value) : JSON.stringify(value);
  return new BridleError("INVALID_PARAMETER", {
    parameter,
    value: (told ?? String(value)).slice(0, 100),
    expected,
  });
}

function checkCount(name: string, value: unknown): void {
  if (value !== undefined && (!Number.isSafeInteger(value) || (value as number) < 1)) {
    throw invalid(name, value, "a whole number of at least 1");
  }
}

/**
 * Passes on what it is given once it is known to be right.
 * @throws INVALID_PARAMETER for a value out of range, or both `sentences` and `ratio`
 * @throws PARAMETER_NOT_SUPPORTED for another name
 */
export function checkSummaryParameters(parameters: SummaryParameters): SummaryParameters {
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && !(extractiveParameters as readonly string[]).includes(name)) {
      throw new BridleError("PARAMETER_NOT_SUPPORTED", {
        parameter: name.slice(0, 100),
        model: extractiveModel,
        supported: extractiveParameters.join(", "),
      });
    }
  }
  const { sentences, ratio, maxWords } = parameters;
  checkCount("sentences", sentences);
  checkCount("maxWords", maxWords);
  if (ratio !== undefined) {
    if (!(typeof ratio === "number" && ratio > 0 && ratio <= 1)) {
      throw invalid("ratio", ratio, "a number above 0 and at most 1");
    }
    if (sentences !== undefined) {
      throw invalid("ratio", ratio, "left out where sentences is given");
    }
  }
  return parameters;
}

/** A length for one document. */
export interface SummaryLength {
  /** At most so many sentences; Infinity where only words are counted. */
  readonly atMost: number;
  /** About how many sentences that will be, at least 1: what decides how the document is read. */
  readonly about: number;
  readonly maxWords: number | undefined;
}

/** The length asked for, in sentences of a document that has `sentences` of them with `words` words in all. */
export function summaryLength(
  parameters: SummaryParameters,
  sentences: number,
  words: number,
): SummaryLength {
  const { ratio, maxWords } = parameters;
  const fits = (maxWords ?? Number.POSITIVE_INFINITY) / Math.max(1, words / sentences);
  let atMost = parameters.sentences;
  if (ratio !== undefined) atMost = Math.max(1, Math.round(sentences * ratio));
  if (atMost === undefined && maxWords === undefined) atMost = defaultParameters.sentences;
  atMost ??= Number.POSITIVE_INFINITY;
  const about = Math.max(1, Math.min(sentences, atMost, Math.round(fits)));
  return { atMost, about, maxWords };
}
