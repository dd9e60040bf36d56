// Simple systems to hold a model against: the first sentences, TextRank, and the best extraction there is.
import { BridleError } from "../errors/error.js";
import { tokenize } from "../text/rouge/tokenize.js";
import { splitSentences } from "../text/sentences.js";
import { greedyOracle } from "./oracle.js";
import { highest, textRank } from "./textrank.js";

/**
 * lead1, lead3: the first sentences. leadK, textrankK: as many sentences as the reference has, the first ones or
 * TextRank's. oracle3: the up to three sentences closest to the reference, which no system can know.
 */
export const baselineNames = ["lead1", "lead3", "leadK", "textrankK", "oracle3"] as const;
export type BaselineName = (typeof baselineNames)[number];

/** @throws INVALID_PARAMETER for a name that is none. */
export function checkBaselines(names: readonly string[]): asserts names is readonly BaselineName[] {
  for (const name of names) {
    if ((baselineNames as readonly string[]).includes(name)) continue;
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "baselines",
      value: name,
      expected: `one or more of ${baselineNames.join(", ")}`,
    });
  }
}

export interface BaselineInput {
  readonly document: string;
  /** What the oracle aims at. */
  readonly references: readonly string[];
  /** K: how many sentences the reference has. */
  readonly sentences: number;
  readonly language: string | undefined;
  /** How ROUGE reads the set, so that the oracle aims at what is measured. */
  readonly tokens: (text: string) => readonly string[];
}

/** The summaries of the named baselines for one document. */
export function baselineSummaries(
  names: readonly BaselineName[],
  input: BaselineInput,
): Map<BaselineName, string> {
  const { document, language } = input;
  const spans = splitSentences(document, language === undefined ? {} : { language });
  const sentences = spans.map(({ start, end }) => document.slice(start, end));
  const choose: Record<BaselineName, () => readonly number[]> = {
    lead1: () => firstOf(1),
    lead3: () => firstOf(3),
    leadK: () => firstOf(input.sentences),
    textrankK: () =>
      highest(
        textRank(sentences.map((sentence) => tokenize(sentence, { mode: "unicode" }))),
        input.sentences,
      ),
    oracle3: () =>
      // Aimed at the first reference: with several, the best is chosen when scoring.
      greedyOracle(sentences.map(input.tokens), input.tokens(input.references[0] ?? ""), 3),
  };
  const firstOf = (count: number) =>
    Array.from({ length: Math.min(count, sentences.length) }, (_, index) => index);
  return new Map(
    names.map((name) => [
      name,
      choose[name]()
        .map((index) => sentences[index]!)
        .join(" "),
    ]),
  );
}
