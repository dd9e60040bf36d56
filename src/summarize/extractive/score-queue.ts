// A priority queue of sentences whose scores change: highest score first, the earlier sentence on a tie.

export interface ScoreQueue {
  /** The sentence at the head; -1 when none is left. */
  readonly head: number;
  /** The score under which a sentence stands. */
  scoreOf(sentence: number): number;
  /** Gives a sentence that still stands in the queue another score, or does nothing. */
  change(sentence: number, score: number): void;
  /** Takes the head out. */
  remove(): void;
}

/**
 * An indexed binary heap over all of `scores`, which it takes for its own. Linear time to make, logarithmic to change;
 * eight bytes a sentence besides the scores.
 */
export function createScoreQueue(scores: Float64Array): ScoreQueue {
  const heap = Int32Array.from(scores.keys());
  const places = Int32Array.from(scores.keys());
  let size = heap.length;

  const isBefore = (a: number, b: number) =>
    scores[a]! > scores[b]! || (scores[a]! === scores[b]! && a < b);
  const put = (sentence: number, at: number) => {
    heap[at] = sentence;
    places[sentence] = at;
  };
  const rise = (sentence: number, from: number) => {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(sentence, heap[parent]!)) break;
      put(heap[parent]!, at);
      at = parent;
    }
    put(sentence, at);
  };
  const sink = (sentence: number, from: number) => {
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, sentence)) break;
      put(heap[child]!, at);
      at = child;
    }
    put(sentence, at);
  };
  for (let at = (size >> 1) - 1; at >= 0; at--) sink(heap[at]!, at);

  return {
    get head() {
      return size > 0 ? heap[0]! : -1;
    },
    scoreOf: (sentence) => scores[sentence]!,
    change(sentence, score) {
      const at = places[sentence]!;
      if (at < 0) return;
      const rises = score > scores[sentence]!;
      scores[sentence] = score;
      if (rises) rise(sentence, at);
      else sink(sentence, at);
    },
    remove() {
      if (size === 0) return;
      places[heap[0]!] = -1;
      size--;
      if (size > 0) sink(heap[size]!, 0);
    },
  };
}
