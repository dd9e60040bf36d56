// Learns a Unigram vocabulary: rounds of expectation and maximization, after each the pieces that matter least are dropped.
// Source: google/sentencepiece 0.2.3, unigram_model_trainer.cc, with its float32 sums in its order; Kudo 2018.
import { Lattice } from "./lattice.js";
import type { SeedPieces } from "./seed-pieces.js";
import { lanes, type SharedTraining, type TaskRunner } from "./training-tasks.js";
import type { TrainingWords } from "./training-words.js";
import { allocateTrie, countNodes, fillTrie, sortPieces } from "./vocabulary-trie.js";

/** Pieces are let go that are expected less often than this. */
const leastExpected = 0.5;

/** More pieces than wanted are kept to the end, and the likeliest of them taken. */
const surplus = 1.1;

export interface LearnedPiece {
  readonly piece: string;
  /** Log-probability, float32. */
  readonly score: number;
}

export interface TrainerOptions {
  /** Learned pieces wanted, without reserved ones; `vocabSize` is with them. */
  readonly learned: number;
  readonly vocabSize: number;
  /** Share of the pieces that a round keeps. */
  readonly shrinkingFactor: number;
  /** Rounds of expectation and maximization between two droppings. */
  readonly subIterations: number;
}

export interface TrainingRound {
  /** Rounds done, and how many there will be, estimated from the sizes. */
  readonly round: number;
  readonly rounds: number;
  /** Pieces now. */
  readonly pieces: number;
}

/** The derivative of the logarithm of the gamma function, by its asymptotic series. */
export function digamma(of: number): number {
  let result = 0;
  let x = of;
  for (; x < 7; x++) result -= 1 / x;
  x -= 1 / 2;
  const xx = 1 / x;
  const xx2 = xx * xx;
  const xx4 = xx2 * xx2;
  result +=
    Math.log(x) +
    (1 / 24) * xx2 -
    (7 / 960) * xx4 +
    (31 / 8064) * xx4 * xx2 -
    (127 / 30720) * xx4 * xx4;
  return result;
}

/** Allocates what the threads share, for a vocabulary that only shrinks. */
function shareTraining(words: TrainingWords, seeds: SeedPieces): SharedTraining {
  const size = seeds.scores.length;
  const shared = <T extends Uint32Array>(array: T): Uint32Array => {
    const copy = new Uint32Array(new SharedArrayBuffer(array.length * 4));
    copy.set(array);
    return copy;
  };
  const floats = () => new Float32Array(new SharedArrayBuffer(size * 4));
  const pieces = { characters: shared(seeds.characters), starts: shared(seeds.starts) };
  return {
    words: { characters: words.characters, starts: words.starts, counts: words.counts },
    seeds: pieces,
    trie: allocateTrie(countNodes(pieces, sortPieces(pieces)), words.alphabet.codePoints.length),
    order: new Uint32Array(new SharedArrayBuffer(size * 4)),
    scores: floats(),
    sums: Array.from({ length: lanes }, floats),
  };
}

export class UnigramTrainer {
  private readonly shared: SharedTraining;
  private readonly words: TrainingWords;
  private readonly options: TrainerOptions;
  private readonly runner: TaskRunner;
  private readonly sorted: Uint32Array;
  /** Place of each seed in the order of their texts. */
  private readonly ranks: Uint32Array;
  private readonly numberOf: Int32Array;
  private size = 0;
  private leastScore = 0;

  constructor(
    words: TrainingWords,
    seeds: SeedPieces,
    options: TrainerOptions,
    runner: TaskRunner,
  ) {
    const shared = shareTraining(words, seeds);
    this.words = words;
    this.shared = shared;
    this.options = options;
    this.runner = runner;
    this.sorted = sortPieces(shared.seeds);
    this.ranks = new Uint32Array(this.sorted.length);
    for (const [rank, seed] of this.sorted.entries()) this.ranks[seed] = rank;
    this.numberOf = new Int32Array(this.sorted.length);
    this.set(
      Uint32Array.from(seeds.scores, (_, seed) => seed),
      seeds.scores,
    );
  }

  /** Makes these seeds the vocabulary. */
  private set(order: Uint32Array, scores: Float32Array): void {
    const { shared, numberOf } = this;
    this.size = order.length;
    shared.order.set(order);
    shared.scores.set(scores);
    numberOf.fill(-1);
    let least = Number.POSITIVE_INFINITY;
    for (let piece = 0; piece < order.length; piece++) {
      numberOf[order[piece] as number] = piece;
      least = Math.min(least, scores[piece] as number);
    }
    this.leastScore = least;
    fillTrie(shared.trie, shared.seeds, this.sorted, numberOf);
  }

  /** Makes the given pieces of the vocabulary the vocabulary, in their order. */
  private keep(pieces: readonly number[]): void {
    const { order, scores } = this.shared;
    this.set(
      Uint32Array.from(pieces, (piece) => order[piece] as number),
      Float32Array.from(pieces, (piece) => scores[piece] as number),
    );
  }

  /** Sums over all words by piece: expected counts, or counts in the likeliest cuts. */
  private async sum(kind: "expect" | "cut"): Promise<Float32Array> {
    const { shared, size, leastScore, runner } = this;
    await Promise.all(
      shared.sums.map((_, lane) => runner.sum({ kind, lane, shared, size, leastScore })),
    );
    return shared.sums
      .map((sums) => sums.subarray(0, size))
      .reduce((total, sums) => {
        for (let piece = 0; piece < size; piece++) {
          total[piece] = (total[piece] as number) + (sums[piece] as number);
        }
        return total;
      });
  }

  /** One round: the expected counts become the probabilities, with a prior that favours few pieces. */
  private async maximize(): Promise<void> {
    const expected = await this.sum("expect");
    const { order } = this.shared;
    const kept: number[] = [];
    const counts: number[] = [];
    let sum = 0;
    for (let piece = 0; piece < this.size; piece++) {
      const count = expected[piece] as number;
      if (count < leastExpected) continue;
      kept.push(order[piece] as number);
      counts.push(count);
      sum = Math.fround(sum + count);
    }
    const logarithm = Math.fround(digamma(sum));
    this.set(
      Uint32Array.from(kept),
      Float32Array.from(counts, (count) => digamma(count) - logarithm),
    );
  }

  /** What the loss of each piece would cost, by the pieces that would stand for it; the cheapest are dropped. */
  private async prune(): Promise<void> {
    const { shared, size, leastScore, options, runner } = this;
    const part = Math.max(1000, Math.ceil(size / 64));
    const parts: Promise<Int32Array>[] = [];
    for (let from = 0; from < size; from += part) {
      const to = Math.min(size, from + part);
      parts.push(runner.alternatives({ kind: "alternatives", from, to, shared, size, leastScore }));
    }
    const alternatives = await Promise.all(parts);
    const counts = await this.sum("cut");
    const all = Math.fround(counts.reduce((sum, count) => sum + count, 0));
    const logAll = Math.fround(Math.log(all));
    const kept: number[] = [];
    const candidates: { piece: number; loss: number }[] = [];
    let piece = 0;
    for (const found of alternatives) {
      for (let at = 0; at < found.length; piece++) {
        const others = found[at++] as number;
        const from = at;
        at += Math.max(0, others);
        const count = counts[piece] as number;
        if (count === 0 || others < 0) continue;
        if (others === 0) {
          kept.push(piece);
          continue;
        }
        const logPiece = Math.fround(Math.log(count) - logAll);
        const logOthers = Math.fround(
          Math.log(Math.fround(all + Math.fround(count * (others - 1)))),
        );
        let sum = 0;
        for (let i = from; i < at; i++) {
          const together = Math.fround((counts[found[i] as number] as number) + count);
          sum = Math.fround(sum + (Math.log(together) - logOthers));
        }
        const share = Math.fround(count / all);
        candidates.push({ piece, loss: Math.fround(share * Math.fround(logPiece - sum)) });
      }
    }
    candidates.sort((a, b) => b.loss - a.loss || a.piece - b.piece);
    const share = Math.fround(Math.fround(options.shrinkingFactor) * Math.fround(size));
    const wanted = Math.max(this.desired, Math.trunc(share));
    for (const candidate of candidates) {
      if (kept.length === wanted) break;
      kept.push(candidate.piece);
    }
    this.keep(kept);
  }

  private get desired(): number {
    return Math.trunc(this.options.vocabSize * surplus);
  }

  /** Drops pieces that no text can be cut into, because others are always likelier. */
  private dropShadowed(): void {
    const { shared, size } = this;
    const { seeds, order, scores, trie } = shared;
    const lattice = new Lattice({ trie, scores, leastScore: this.leastScore });
    const kept: number[] = [];
    for (let piece = 0; piece < size; piece++) {
      const seed = order[piece] as number;
      lattice.set(seeds.characters, seeds.starts[seed] as number, seeds.starts[seed + 1] as number);
      if (!lattice.isShadowed(piece)) kept.push(piece);
    }
    this.keep(kept);
  }

  private textOf(seed: number): string {
    const { characters, starts } = this.shared.seeds;
    const { codePoints } = this.words.alphabet;
    let text = "";
    for (let i = starts[seed] as number; i < (starts[seed + 1] as number); i++) {
      text += String.fromCodePoint(codePoints[characters[i] as number] as number);
    }
    return text;
  }

  /** The alphabet, then the likeliest pieces, in the order of their scores. */
  private finish(): LearnedPiece[] {
    const { alphabet } = this.words;
    const { order, scores, seeds } = this.shared;
    const scoreOf = new Map<number, number>();
    for (let piece = 0; piece < this.size; piece++) {
      const seed = order[piece] as number;
      const start = seeds.starts[seed] as number;
      if ((seeds.starts[seed + 1] as number) - start !== 1) continue;
      scoreOf.set(seeds.characters[start] as number, scores[piece] as number);
    }
    const learned = new Map<string, number>();
    let penalty = 0;
    for (const number of alphabet.byFrequency) {
      const piece = String.fromCodePoint(alphabet.codePoints[number] as number);
      const score = scoreOf.get(number);
      learned.set(piece, score ?? Math.fround(this.leastScore + penalty));
      // Rare characters must not all be equally likely.
      if (score === undefined) penalty = Math.fround(penalty + Math.fround(0.0001));
    }
    const likeliest = Array.from({ length: this.size }, (_, piece) => piece).sort((a, b) => {
      const byScore = (scores[b] as number) - (scores[a] as number);
      return (
        byScore ||
        (this.ranks[order[a] as number] as number) - (this.ranks[order[b] as number] as number)
      );
    });
    for (const piece of likeliest) {
      if (learned.size === this.options.learned) break;
      const text = this.textOf(order[piece] as number);
      if (!learned.has(text)) learned.set(text, scores[piece] as number);
    }
    return Array.from(learned, ([piece, score]) => ({ piece, score, bytes: Buffer.from(piece) }))
      .sort((a, b) => b.score - a.score || Buffer.compare(a.bytes, b.bytes))
      .map(({ piece, score }) => ({ piece, score }));
  }

  /** The learned pieces, likeliest first: as many as wanted, or fewer where the corpus has no more. */
  async train(onRound: (round: TrainingRound) => void): Promise<LearnedPiece[]> {
    const { subIterations, shrinkingFactor } = this.options;
    let round = 0;
    do {
      for (let i = 0; i < subIterations; i++) {
        const droppings = Math.max(
          1,
          Math.ceil(Math.log(this.desired / this.size) / Math.log(shrinkingFactor)),
        );
        const rounds = round - i + droppings * subIterations;
        onRound({ round, rounds, pieces: this.size });
        await this.maximize();
        round++;
      }
      await this.prune();
    } while (this.size > this.desired);
    this.dropShadowed();
    onRound({ round, rounds: round, pieces: this.size });
    return this.finish();
  }
}
