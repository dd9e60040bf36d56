// The greedy oracle: which sentences of a document come closest to its reference, a ceiling for extraction.

function gramsOf(tokens: readonly string[], n: number): string[] {
  if (n === 1) return [...tokens];
  const grams: string[] = [];
  for (let at = 0; at + n <= tokens.length; at++) grams.push(tokens.slice(at, at + n).join(" "));
  return grams;
}

/** Clipped overlap of n-grams with the reference, extended sentence by sentence. */
class Overlap {
  private readonly reference = new Map<string, number>();
  private readonly referenceTotal: number;
  private readonly taken = new Map<string, number>();
  private total = 0;
  private hits = 0;

  constructor(reference: readonly string[]) {
    for (const gram of reference) this.reference.set(gram, (this.reference.get(gram) ?? 0) + 1);
    this.referenceTotal = reference.length;
  }

  /** F1 if these n-grams were added; adds them when `keep`. */
  with(grams: readonly string[], keep = false): number {
    const added = keep ? this.taken : new Map<string, number>();
    let hits = this.hits;
    for (const gram of grams) {
      const wanted = this.reference.get(gram) ?? 0;
      if (wanted === 0) continue;
      const held = (added.get(gram) ?? 0) + (keep ? 0 : (this.taken.get(gram) ?? 0));
      if (held < wanted) hits++;
      added.set(gram, (added.get(gram) ?? 0) + 1);
    }
    const total = this.total + grams.length;
    if (keep) {
      this.hits = hits;
      this.total = total;
    }
    const sum = total + this.referenceTotal;
    return sum === 0 ? 0 : (2 * hits) / sum;
  }
}

/**
 * Up to `most` sentences, each the one that raises ROUGE-1 F1 + ROUGE-2 F1 against the reference most; stops when none
 * raises it. Indices in document order.
 * @param sentences the tokens of each sentence
 * Source: Nallapati et al. 2017, SummaRuNNer, section 3.
 */
export function greedyOracle(
  sentences: readonly (readonly string[])[],
  reference: readonly string[],
  most: number,
): number[] {
  const grams = sentences.map((tokens) => [gramsOf(tokens, 1), gramsOf(tokens, 2)] as const);
  const overlaps = [
    new Overlap(gramsOf(reference, 1)),
    new Overlap(gramsOf(reference, 2)),
  ] as const;
  const chosen: number[] = [];
  let best = 0;
  while (chosen.length < most) {
    let next = -1;
    for (const [index, [one, two]] of grams.entries()) {
      if (chosen.includes(index)) continue;
      const score = overlaps[0].with(one) + overlaps[1].with(two);
      if (score > best) {
        best = score;
        next = index;
      }
    }
    if (next < 0) break;
    chosen.push(next);
    overlaps[0].with(grams[next]![0], true);
    overlaps[1].with(grams[next]![1], true);
  }
  return chosen.sort((a, b) => a - b);
}
