// TextRank sentence extraction, a baseline that any summarizer should be compared with.

/** A document longer than this many sentences is ranked by its first ones only: the graph has an edge for every pair. */
export const maxTextRankSentences = 3000;

const damping = 0.85;
const tolerance = 1e-6;
const maxIterations = 100;

/**
 * PageRank of each sentence in the graph whose edges weigh |shared words| / (ln |a| + ln |b|).
 * @param sentences the words of each sentence; sentences of fewer than two words get no edges.
 * Source: Mihalcea and Tarau 2004, TextRank: Bringing Order into Texts, section 4.
 */
export function textRank(sentences: readonly (readonly string[])[]): Float64Array {
  const count = Math.min(sentences.length, maxTextRankSentences);
  const sets = sentences.slice(0, count).map((words) => new Set(words));
  const holders = new Map<string, number[]>();
  for (const [index, words] of sets.entries()) {
    for (const word of words) {
      const held = holders.get(word);
      if (held) held.push(index);
      else holders.set(word, [index]);
    }
  }
  const weights = new Float64Array(count * count);
  const strength = new Float64Array(count);
  const shared = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    shared.fill(0);
    for (const word of sets[i]!) for (const j of holders.get(word)!) shared[j]!++;
    for (let j = 0; j < count; j++) {
      const logs = Math.log(sets[i]!.size) + Math.log(sets[j]!.size);
      if (i === j || !(logs > 0)) continue;
      weights[i * count + j] = shared[j]! / logs;
      strength[i]! += weights[i * count + j]!;
    }
  }
  let ranks = new Float64Array(count).fill(1);
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const next = new Float64Array(count).fill(1 - damping);
    for (let i = 0; i < count; i++) {
      if (strength[i] === 0) continue;
      const share = (damping * ranks[i]!) / strength[i]!;
      for (let j = 0; j < count; j++) next[j]! += share * weights[i * count + j]!;
    }
    let change = 0;
    for (let i = 0; i < count; i++) change = Math.max(change, Math.abs(next[i]! - ranks[i]!));
    ranks = next;
    if (change < tolerance) break;
  }
  return ranks;
}

/** Indices of the `k` highest ranks, earlier sentences first on ties, in document order. */
export function highest(ranks: ArrayLike<number>, k: number): number[] {
  return Array.from({ length: ranks.length }, (_, index) => index)
    .sort((a, b) => ranks[b]! - ranks[a]! || a - b)
    .slice(0, k)
    .sort((a, b) => a - b);
}
