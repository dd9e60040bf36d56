// Warpers: processors that narrow the distribution before a token is drawn, to Hugging Face's figures.
import { argsort, cumulativeSum, entropy, largest, logSoftmax, softmax } from "./math.js";
import type { ResolvedOptions } from "./options.js";

/** Changes the scores [V] of one row in place; dropped tokens become −∞. */
export type Warper = (scores: Float32Array) => void;

const dropped = Number.NEGATIVE_INFINITY;

export function temperature(value: number): Warper {
  return (scores) => {
    for (let i = 0; i < scores.length; i++) scores[i] = (scores[i] as number) / value;
  };
}

/** The k-th largest score, which everything kept must reach. */
function kth(scores: Float32Array, k: number): number {
  return largest(scores, Math.min(k, scores.length)).at(-1)?.value ?? dropped;
}

/** Most tokens that top-H sampling looks at, as in transformers. */
const topHReach = 100;

/** Source: Potraghloo et al. 2025 (top-H decoding). */
export function topH(share: number): Warper {
  return (scores) => {
    const best = largest(scores, topHReach);
    const row = Float32Array.from(best, ({ value }) => value);
    const probabilities = softmax(row);
    const limit = Math.fround(entropy(row) * share);
    let sum = 0;
    const kept = new Set<number>();
    for (const [rank, { index }] of best.entries()) {
      const p = probabilities[rank] as number;
      sum = Math.fround(sum + Math.fround(-p * Math.fround(Math.log(p))));
      // An impossible token makes the sum NaN, and nothing behind it is kept.
      if (rank === 0 || sum <= limit) kept.add(index);
    }
    for (let i = 0; i < scores.length; i++) if (!kept.has(i)) scores[i] = dropped;
  };
}

/** Source: Fan et al. 2018, §5.4. */
export function topK(k: number, minKeep: number): Warper {
  return (scores) => {
    const least = kth(scores, Math.max(k, minKeep));
    for (let i = 0; i < scores.length; i++) if ((scores[i] as number) < least) scores[i] = dropped;
  };
}

/** Source: Holtzman et al. 2019, §3.1 (nucleus sampling). */
export function topP(p: number, minKeep: number): Warper {
  return (scores) => {
    const order = argsort(scores);
    const sorted = Float32Array.from(order, (i) => scores[i] as number);
    const mass = cumulativeSum(softmax(sorted));
    const limit = Math.fround(1 - p);
    for (let rank = 0; rank < order.length - minKeep; rank++) {
      if ((mass[rank] as number) <= limit) scores[order[rank] as number] = dropped;
    }
  };
}

/** Source: Nguyen et al. 2024 (min-p sampling). */
export function minP(p: number, minKeep: number): Warper {
  return (scores) => {
    const probabilities = softmax(scores);
    const kept = new Set(largest(probabilities, minKeep).map(({ index }) => index));
    const least = Math.fround(p * probabilities.reduce((a, b) => Math.max(a, b), 0));
    for (let i = 0; i < scores.length; i++) {
      if ((probabilities[i] as number) < least && !kept.has(i)) scores[i] = dropped;
    }
  };
}

/** Source: Meister et al. 2022 (locally typical sampling). */
export function typicalP(mass: number, minKeep: number): Warper {
  return (scores) => {
    const normal = logSoftmax(scores);
    const h = entropy(scores);
    const distance = normal.map((x) => Math.abs(Math.fround(-x) - h));
    const order = argsort(distance);
    const sums = cumulativeSum(softmax(Float32Array.from(order, (i) => scores[i] as number)));
    const below = sums.filter((sum) => sum < Math.fround(mass)).length;
    const last = distance[order[Math.min(below, order.length - 1)] as number] as number;
    for (let rank = minKeep; rank < order.length; rank++) {
      const i = order[rank] as number;
      if ((distance[i] as number) > last) scores[i] = dropped;
    }
  };
}

function dropBelow(scores: Float32Array, probability: number, minKeep: number): void {
  const probabilities = softmax(scores);
  const least = kth(scores, minKeep);
  for (let i = 0; i < scores.length; i++) {
    if ((probabilities[i] as number) < probability && (scores[i] as number) < least)
      scores[i] = dropped;
  }
}

/** Source: Hewitt et al. 2022 (epsilon sampling). */
export function epsilonCutoff(epsilon: number, minKeep: number): Warper {
  return (scores) => dropBelow(scores, Math.fround(epsilon), minKeep);
}

/** Source: Hewitt et al. 2022 (eta sampling). */
export function etaCutoff(epsilon: number, minKeep: number): Warper {
  return (scores) => {
    const eta = Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy(scores)));
    dropBelow(scores, Math.fround(eta), minKeep);
  };
}

/** The warpers that the options ask for, in the order transformers applies them. */
export function warpersOf(o: ResolvedOptions): Warper[] {
  // Beams need one token more than the end tokens, so that a search can always go on.
  const minKeep = o.numBeams > 1 ? o.eosTokenIds.length + 1 : 1;
  const list: (Warper | undefined | false)[] = [
    o.temperature !== 1 && temperature(o.temperature),
    o.topH !== undefined && topH(o.topH),
    o.topK > 0 && topK(o.topK, minKeep),
    o.topP < 1 && topP(o.topP, minKeep),
    o.minP !== undefined && minP(o.minP, minKeep),
    o.typicalP < 1 && typicalP(o.typicalP, minKeep),
    o.epsilonCutoff > 0 && o.epsilonCutoff < 1 && epsilonCutoff(o.epsilonCutoff, minKeep),
    o.etaCutoff > 0 && o.etaCutoff < 1 && etaCutoff(o.etaCutoff, minKeep),
    o.renormalizeLogits && ((scores) => void logSoftmax(scores, scores)),
  ];
  return list.filter((warper) => typeof warper === "function");
}
