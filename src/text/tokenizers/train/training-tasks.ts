// The parts of a training round that threads share out: expected counts, best cuts, and what would stand for a piece.
import { Lattice, type Vocabulary } from "./lattice.js";
import type { PieceRules } from "./piece-rules.js";
import { findRepeated, type Pieces, type RepeatedStrings, type Strings } from "./seed-pieces.js";
import type { TrieArrays } from "./vocabulary-trie.js";

/**
 * Words are dealt out to so many lanes whatever the number of threads, and the lanes' sums are added in their order: the
 * result is the same on any machine, and the reference's with its own number of threads, 16.
 */
export const lanes = 16;

/** What all threads see; the arrays lie in shared memory. */
export interface SharedTraining {
  readonly words: {
    readonly characters: Uint32Array;
    readonly starts: Uint32Array;
    readonly counts: Float64Array;
  };
  /** All pieces training began with. */
  readonly seeds: Pieces;
  readonly trie: TrieArrays;
  /** Which of the seeds each piece of the vocabulary is. */
  readonly order: Uint32Array;
  readonly scores: Float32Array;
  /** Sums by piece of the vocabulary, for each lane. */
  readonly sums: readonly Float32Array[];
}

/** What a task of a round is about: the shared arrays, how many pieces there are, and the score of the least likely. */
interface RoundTask {
  readonly shared: SharedTraining;
  readonly size: number;
  readonly leastScore: number;
}

/** Adds up a lane's expected counts, or its counts in the likeliest cuts. */
export interface SumTask extends RoundTask {
  readonly kind: "expect" | "cut";
  readonly lane: number;
}

/** Finds what would stand for the pieces from `from` up to `to`. */
export interface AlternativesTask extends RoundTask {
  readonly kind: "alternatives";
  readonly from: number;
  readonly to: number;
}

export interface SeedTask {
  readonly kind: "seeds";
  readonly strings: Strings;
  readonly rules: PieceRules;
  readonly most: number;
}

export type TrainingTask = SumTask | AlternativesTask | SeedTask;

/** How tasks are done: here, or in a thread. */
export interface TaskRunner {
  /** Leaves the sums in the lane's shared array. */
  sum(task: SumTask): Promise<void>;
  /** For each piece the number of pieces that would stand for it and their numbers; −1 where it is cut already. */
  alternatives(task: AlternativesTask): Promise<Int32Array>;
  seeds(task: SeedTask): Promise<RepeatedStrings>;
}

function sum(task: SumTask): void {
  const { shared, size, lane } = task;
  const { characters, starts, counts } = shared.words;
  const lattice = latticeOf(task);
  const sums = shared.sums[lane] as Float32Array;
  sums.fill(0, 0, size);
  const path: number[] = [];
  for (let word = lane; word < counts.length; word += lanes) {
    const count = counts[word] as number;
    lattice.set(characters, starts[word] as number, starts[word + 1] as number);
    if (task.kind === "expect") {
      lattice.addExpected(count, sums);
      continue;
    }
    path.length = 0;
    lattice.cut(path);
    for (const piece of path) sums[piece] = (sums[piece] as number) + Math.fround(count);
  }
}

function latticeOf({ shared, leastScore }: RoundTask): Lattice {
  const vocabulary: Vocabulary = { trie: shared.trie, scores: shared.scores, leastScore };
  return new Lattice(vocabulary);
}

function alternatives(task: AlternativesTask): Int32Array {
  const { seeds, order } = task.shared;
  const lattice = latticeOf(task);
  const found: number[] = [];
  for (let piece = task.from; piece < task.to; piece++) {
    const seed = order[piece] as number;
    lattice.set(seeds.characters, seeds.starts[seed] as number, seeds.starts[seed + 1] as number);
    const others = lattice.alternative();
    if (others === undefined) found.push(-1);
    else found.push(others.length, ...others);
  }
  return Int32Array.from(found);
}

/** Does one task in the thread it is called in. */
export function runTask(task: TrainingTask): Int32Array | RepeatedStrings | undefined {
  if (task.kind === "seeds") return findRepeated(task.strings, task.rules, task.most);
  if (task.kind === "alternatives") return alternatives(task);
  sum(task);
  return undefined;
}
