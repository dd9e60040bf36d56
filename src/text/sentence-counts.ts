// Which token stands how often in which sentence: the counts that gap-sentence scores are made of.

/** Tokens are numbered 0..kinds-1; sentence i's distinct tokens lie at offsets[i]..offsets[i+1]-1. */
export interface SentenceCounts {
  readonly sentences: number;
  /** Number of distinct tokens. */
  readonly kinds: number;
  /** Tokens in the whole document, repeats included. */
  readonly totalTokens: number;
  /** Tokens of each sentence, repeats included. */
  readonly lengths: Int32Array;
  readonly offsets: Int32Array;
  /** Token number of each entry. */
  readonly tokens: Int32Array;
  /** How often the entry's token stands in the entry's sentence. */
  readonly counts: Int32Array;
  /** How often each token stands in the document. */
  readonly inDocument: Int32Array;
  /** In how many sentences each token stands. */
  readonly inSentences: Int32Array;
}

/** A list of 32-bit numbers that doubles as it fills: four bytes a number, where an array of numbers takes eight and more. */
class GrowingInts {
  private values = new Int32Array(64);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = new Int32Array(2 * this.length);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.length++] = value;
  }

  get(index: number): number {
    return this.values[index]!;
  }

  increment(index: number): void {
    this.values[index]!++;
  }

  toArray(): Int32Array {
    return this.values.slice(0, this.length);
  }
}

/** Counts a document given as the tokens of its sentences, in time and memory linear in its tokens; keeps none of them. */
export function countSentences(document: Iterable<readonly string[]>): SentenceCounts {
  const numbers = new Map<string, number>();
  const lengths = new GrowingInts();
  const offsets = new GrowingInts();
  const tokens = new GrowingInts();
  const counts = new GrowingInts();
  const inDocument = new GrowingInts();
  const inSentences = new GrowingInts();
  const lastEntry: number[] = [];
  let totalTokens = 0;
  offsets.push(0);
  for (const sentence of document) {
    const first = tokens.length;
    for (const token of sentence) {
      let number = numbers.get(token);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(token, number);
        inDocument.push(0);
        inSentences.push(0);
        lastEntry.push(-1);
      }
      inDocument.increment(number);
      const entry = lastEntry[number]!;
      if (entry >= first) counts.increment(entry);
      else {
        inSentences.increment(number);
        lastEntry[number] = tokens.length;
        tokens.push(number);
        counts.push(1);
      }
    }
    lengths.push(sentence.length);
    totalTokens += sentence.length;
    offsets.push(tokens.length);
  }
  return {
    sentences: lengths.length,
    kinds: numbers.size,
    totalTokens,
    lengths: lengths.toArray(),
    offsets: offsets.toArray(),
    tokens: tokens.toArray(),
    counts: counts.toArray(),
    inDocument: inDocument.toArray(),
    inSentences: inSentences.toArray(),
  };
}

/** The entries turned round: token t's stand at starts[t]..starts[t+1]-1, by sentence. */
export interface Postings {
  readonly starts: Int32Array;
  readonly sentences: Int32Array;
  readonly counts: Int32Array;
}

export function postingsOf(counted: SentenceCounts): Postings {
  const starts = new Int32Array(counted.kinds + 1);
  for (let t = 0; t < counted.kinds; t++) starts[t + 1] = starts[t]! + counted.inSentences[t]!;
  const next = starts.slice();
  const sentences = new Int32Array(counted.tokens.length);
  const counts = new Int32Array(counted.tokens.length);
  for (let i = 0; i < counted.sentences; i++) {
    for (let entry = counted.offsets[i]!; entry < counted.offsets[i + 1]!; entry++) {
      const at = next[counted.tokens[entry]!]!++;
      sentences[at] = i;
      counts[at] = counted.counts[entry]!;
    }
  }
  return { starts, sentences, counts };
}
