// PEGASUS's gap-sentence scores: ROUGE-1 F-measure of chosen sentences against the rest of their document.
import { fmeasureOf } from "./rouge/score.js";
import { postingsOf, type SentenceCounts } from "./sentence-counts.js";

export interface GapScoreOptions {
  /** Count each token once a side (the paper's Uniq) instead of as often as it stands there (Orig). Default false. */
  readonly unique?: boolean;
}

/**
 * The principal score of each sentence: its ROUGE-1 F-measure (0..1) against all other sentences together.
 * Time is linear in the document's tokens.
 * Source: Zhang et al. 2020 (PEGASUS), section 3.1, "Ind".
 */
export function principalScores(
  document: SentenceCounts,
  options: GapScoreOptions = {},
): Float64Array {
  const { offsets, tokens, counts, inDocument, inSentences } = document;
  const scores = new Float64Array(document.sentences);
  for (let i = 0; i < scores.length; i++) {
    const from = offsets[i]!;
    const to = offsets[i + 1]!;
    let shared = 0;
    for (let entry = from; entry < to; entry++) {
      const token = tokens[entry]!;
      if (options.unique) shared += inSentences[token]! > 1 ? 1 : 0;
      else shared += Math.min(counts[entry]!, inDocument[token]! - counts[entry]!);
    }
    if (options.unique) {
      const onlyHere = to - from - shared;
      scores[i] = fmeasureOf(shared, to - from, document.kinds - onlyHere);
    } else {
      const length = document.lengths[i]!;
      scores[i] = fmeasureOf(shared, length, document.totalTokens - length);
    }
  }
  return scores;
}

/** What happens to the three counts of a score when sentences join the chosen ones. */
interface Change {
  readonly shared: Int32Array;
  readonly chosen: Int32Array;
  readonly rest: Int32Array;
}

/** A sequence of choices: sentence indices in the order chosen, and the score of all chosen so far. */
export interface Sequence {
  readonly order: number[];
  readonly scores: number[];
}

/**
 * Chooses `count` sentences one by one, each the one with which the chosen sentences together score highest
 * against the rest; the earlier sentence on a tie.
 *
 * What each remaining sentence would change is kept, and touched only where a token's contribution changes:
 * when its share among the chosen passes half, or (unique) when it first joins them or has one sentence left.
 * Besides that, each choice looks at every sentence once.
 * Source: Zhang et al. 2020 (PEGASUS), section 3.1, "Seq".
 */
export function chooseSequentially(
  document: SentenceCounts,
  count: number,
  options: GapScoreOptions = {},
): Sequence {
  const unique = options.unique ?? false;
  const { sentences, offsets, tokens } = document;
  const postings = postingsOf(document);
  const available = unique ? document.inSentences : document.inDocument;
  const weights = unique ? new Int32Array(tokens.length).fill(1) : document.counts;
  const postingWeights = unique ? new Int32Array(tokens.length).fill(1) : postings.counts;
  const heaviest = new Int32Array(document.kinds);
  for (let entry = 0; entry < tokens.length; entry++) {
    const token = tokens[entry]!;
    heaviest[token] = Math.max(heaviest[token]!, weights[entry]!);
  }

  /** How much of each token is among the chosen. */
  const taken = new Int32Array(document.kinds);
  const change: Change = {
    shared: new Int32Array(sentences),
    chosen: unique ? new Int32Array(sentences) : document.lengths,
    rest: unique ? new Int32Array(sentences) : document.lengths,
  };

  const sharedOf = (token: number, amount: number) => {
    const left = available[token]! - amount;
    return unique ? Number(amount > 0 && left > 0) : Math.min(amount, left);
  };
  /** Adds (or with sign -1 takes away) what a token now contributes to a sentence's changes. */
  const contribute = (sentence: number, token: number, weight: number, sign: 1 | -1) => {
    const amount = taken[token]!;
    change.shared[sentence]! += sign * (sharedOf(token, amount + weight) - sharedOf(token, amount));
    if (!unique) return;
    if (amount === 0) change.chosen[sentence]! += sign;
    if (available[token]! - amount === 1) change.rest[sentence]! += sign;
  };
  for (let i = 0; i < sentences; i++) {
    for (let entry = offsets[i]!; entry < offsets[i + 1]!; entry++) {
      contribute(i, tokens[entry]!, weights[entry]!, 1);
    }
  }

  const isChosen = new Uint8Array(sentences);
  let shared = 0;
  let chosenSize = 0;
  let restSize = unique ? document.kinds : document.totalTokens;
  const sequence: Sequence = { order: [], scores: [] };

  /** Whether a sentence may now change the counts by something else than before `weight` more was taken. */
  const mayShift = (token: number, weight: number) => {
    const before = taken[token]!;
    const after = before + weight;
    const all = available[token]!;
    if (unique) return before === 0 || all - after === 1;
    return 2 * before < all && 2 * (after + heaviest[token]!) > all;
  };
  const shift = (token: number, weight: number) => {
    const moves = mayShift(token, weight);
    const from = postings.starts[token]!;
    const to = moves ? postings.starts[token + 1]! : from;
    for (let at = from; at < to; at++) {
      const sentence = postings.sentences[at]!;
      if (isChosen[sentence] === 0) contribute(sentence, token, postingWeights[at]!, -1);
    }
    taken[token]! += weight;
    for (let at = from; at < to; at++) {
      const sentence = postings.sentences[at]!;
      if (isChosen[sentence] === 0) contribute(sentence, token, postingWeights[at]!, 1);
    }
  };

  for (let step = 0; step < Math.min(count, sentences); step++) {
    let best = -1;
    let bestScore = -1;
    for (let i = 0; i < sentences; i++) {
      if (isChosen[i] === 1) continue;
      const score = fmeasureOf(
        shared + change.shared[i]!,
        chosenSize + change.chosen[i]!,
        restSize - change.rest[i]!,
      );
      if (score > bestScore) {
        best = i;
        bestScore = score;
      }
    }
    sequence.order.push(best);
    sequence.scores.push(bestScore);
    isChosen[best] = 1;
    shared += change.shared[best]!;
    chosenSize += change.chosen[best]!;
    restSize -= change.rest[best]!;
    for (let entry = offsets[best]!; entry < offsets[best + 1]!; entry++) {
      shift(tokens[entry]!, weights[entry]!);
    }
  }
  return sequence;
}
