// Chooses sentences by score, one by one: less for what a chosen one says already, more for what goes on where it ends.
import type { DocumentSentences } from "./document-sentences.js";
import { rarities } from "./features.js";
import { createScoreQueue } from "./score-queue.js";

/** What makes a choice depend on the ones before it. */
export interface SelectionOptions {
  /** How many sentences, at least 1. */
  readonly count: number;
  /** Words in all, and how many each sentence has; one that no longer fits is passed over. */
  readonly maxWords?: number | undefined;
  readonly wordsOf: (sentence: number) => number;
  /** Added to the score of the sentence after a chosen one, in the scores' scale. */
  readonly cohesion: number;
}

export interface Selection {
  /** Indices in document order. */
  readonly chosen: number[];
  /** Whether `maxWords` kept sentences out that were asked for. */
  readonly cut: boolean;
}

/** Taken from a score at full overlap; the cube of the overlap scales it, so that only near repeats lose much. */
const redundancyWeight = 8;
/** Taken from the score of a sentence that was chosen word for word already: more than any score, so that it comes last. */
const repeatWeight = 1e6;
/** After so many sentences that were too long for the words left, what is still short enough is mere filling. */
const patience = 5;
/** Repeats are looked for through words that at most so many sentences hold, and among at most so many chosen sentences. */
const widespread = 64;
const comparedAtMost = 64;
/** Beyond so many looks for repeats (a document of a million equal lines), sentences are taken as their scores stand. */
const mostLooks = 100_000;

/**
 * Chooses up to `count` sentences, each time the one with the highest score after what the chosen ones take from it
 * or add to it; the earlier one on a tie.
 *
 * Scores only fall by redundancy, so a sentence is looked at again only when it comes up as the best (lazy greedy,
 * Minoux 1978), and only against chosen ones that share a rare word with it: near linear, also for thousands.
 */
export function selectSentences(
  document: DocumentSentences,
  scores: Float64Array,
  options: SelectionOptions,
): Selection {
  const { count, maxWords = Number.POSITIVE_INFINITY, wordsOf, cohesion } = options;
  const overlap = createOverlap(document);
  const queue = createScoreQueue(scores.slice());
  /** Sentences that follow a chosen one. */
  const following = new Set<number>();
  const chosen: number[] = [];
  let words = 0;
  let passedOver = 0;
  let looksLeft = mostLooks + 16 * Math.min(count, scores.length);
  while (chosen.length < count && queue.head >= 0 && words < maxWords) {
    const best = queue.head;
    if (words + wordsOf(best) > maxWords) {
      queue.remove();
      passedOver++;
      if (chosen.length > 0 && passedOver >= patience) break;
      continue;
    }
    if (looksLeft-- > 0) {
      const gain = following.has(best) ? cohesion : 0;
      const said = overlap.isRepeat(best) ? repeatWeight : overlap.largest(best) ** 3;
      const now = scores[best]! + gain - redundancyWeight * said;
      queue.change(best, now);
      if (queue.head !== best) continue;
    }
    queue.remove();
    words += wordsOf(best);
    chosen.push(best);
    overlap.add(best);
    const next = best + 1;
    if (cohesion > 0 && next < scores.length) {
      following.add(next);
      queue.change(next, queue.scoreOf(next) + cohesion);
    }
  }
  const cut = maxWords < Number.POSITIVE_INFINITY && chosen.length < Math.min(count, scores.length);
  return { chosen: chosen.sort((a, b) => a - b), cut };
}

/** Finds how much of a sentence one of the added sentences says already. */
function createOverlap({ counts }: DocumentSentences) {
  const { offsets, tokens, inSentences, kinds } = counts;
  const rarity = rarities(counts);
  const weightOf = (token: number) => rarity[token]! + 0.1;
  /** Added sentences that hold a token, for tokens that are not widespread. */
  const holders = new Map<number, number[]>();
  /** Whole sentences by their tokens. */
  const seen = new Set<string>();
  const inOther = new Int32Array(kinds).fill(-1);

  const keyOf = (sentence: number) =>
    tokens.subarray(offsets[sentence]!, offsets[sentence + 1]!).join(",");

  const shareIn = (sentence: number, other: number): number => {
    for (let at = offsets[other]!; at < offsets[other + 1]!; at++) inOther[tokens[at]!] = other;
    let shared = 0;
    let all = 0;
    for (let at = offsets[sentence]!; at < offsets[sentence + 1]!; at++) {
      const weight = weightOf(tokens[at]!);
      all += weight;
      if (inOther[tokens[at]!] === other) shared += weight;
    }
    return all > 0 ? shared / all : 0;
  };

  return {
    add(sentence: number): void {
      seen.add(keyOf(sentence));
      for (let at = offsets[sentence]!; at < offsets[sentence + 1]!; at++) {
        const token = tokens[at]!;
        if (inSentences[token]! < 2 || inSentences[token]! > widespread) continue;
        const list = holders.get(token);
        if (list) list.push(sentence);
        else holders.set(token, [sentence]);
      }
    },
    /** Whether an added sentence has the same words in the same order. */
    isRepeat: (sentence: number): boolean => seen.size > 0 && seen.has(keyOf(sentence)),
    /** The largest share of the sentence's words, by their rarity, that one added sentence holds: 0..1. */
    largest(sentence: number): number {
      if (seen.size === 0) return 0;
      const others = new Set<number>();
      for (let at = offsets[sentence]!; at < offsets[sentence + 1]!; at++) {
        for (const other of holders.get(tokens[at]!) ?? []) {
          if (others.size >= comparedAtMost) break;
          others.add(other);
        }
      }
      let largest = 0;
      for (const other of others) largest = Math.max(largest, shareIn(sentence, other));
      return largest;
    },
  };
}
