// Scores a document's sentences: their features times the weights for the kind of text and of summary at hand.
import type { DocumentSentences } from "./document-sentences.js";
import { type FeatureName, featureNames, type SentenceFeatures } from "./features.js";

/**
 * How a document is read; a weight may stand for one or several of these.
 * - `prose`: every text that is no dialogue.
 * - `plain`: prose of a single paragraph, such as an abstract.
 * - `long`: prose of which many sentences are asked, or which is a whole book.
 * - `dialogue`: turns of speakers.
 */
export type Mode = "prose" | "plain" | "long" | "dialogue";

export const modes: readonly Mode[] = ["prose", "plain", "long", "dialogue"];

/** How far each mode applies, 0..1. */
export type ModeShares = Readonly<Record<Mode, number>>;

/** Weight of each feature in each mode; 0 where absent. */
export type Weights = Readonly<
  Partial<Record<FeatureName, Readonly<Partial<Record<Mode, number>>>>>
>;

function clamp(x: number): number {
  return Math.max(0, Math.min(1, x));
}

/**
 * Which modes apply to a document of which `count` sentences are asked. From four sentences to eight, a summary
 * turns from an opening passage into a selection; so it does from documents of 256 sentences to those of 1,024.
 */
export function modeShares(
  document: DocumentSentences,
  features: SentenceFeatures,
  count: number,
): ModeShares {
  const prose = features.isDialogue ? 0 : 1;
  const sentences = document.counts.sentences;
  const isPlain = document.paragraphs[sentences - 1] === 0;
  return {
    prose,
    plain: isPlain ? prose : 0,
    long: prose * Math.max(clamp(Math.log2(count) - 2), clamp((Math.log2(sentences) - 8) / 2)),
    dialogue: features.isDialogue ? 1 : 0,
  };
}

/** The most that going on from a chosen sentence is worth. */
const mostCohesion = 6;

/**
 * What it adds to a sentence's score to follow a chosen one: few sentences read as a passage, and those who write
 * a summary of two to five sentences mostly take or rewrite one. Nothing in dialogues and long summaries.
 */
export function cohesionOf(shares: ModeShares, count: number): number {
  return Math.min(mostCohesion, (count - 1) ** 2) * shares.prose * (1 - shares.long);
}

/** The score of each of a document's sentences; higher is better, the scale is that of the weights. */
export function scoreSentences(
  features: SentenceFeatures,
  sentences: number,
  shares: ModeShares,
  weights: Weights,
): Float64Array {
  const scores = new Float64Array(sentences);
  for (const name of featureNames) {
    let weight = 0;
    for (const mode of modes) weight += (weights[name]?.[mode] ?? 0) * shares[mode];
    if (weight === 0) continue;
    const feature = features.of[name];
    for (let i = 0; i < sentences; i++) scores[i]! += weight * feature(i);
  }
  return scores;
}
