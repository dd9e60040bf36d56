// Every way to cut one string into pieces, with the sums and best ways that training needs, rounded as the reference does.
// Source: google/sentencepiece 0.2.3, unigram_model.cc, Lattice; Kudo 2018, "Subword regularization".
import { NearestFirst } from "./nearest-first.js";
import { childOf, type TrieArrays } from "./vocabulary-trie.js";

/** How much less likely than the least likely piece an unknown character is. */
const unknownPenalty = 10;

/** A character that is no piece counts as this one; the reference's trainer leaves the number of the unknown at 0. */
const unknownPiece = 0;

export interface Vocabulary {
  readonly trie: TrieArrays;
  /** Log-probabilities by number of the piece. */
  readonly scores: Float32Array;
  readonly leastScore: number;
}

/** log(exp(a) + exp(b)) with its result in float32. */
function logSum(a: number, b: number): number {
  const least = a < b ? a : b;
  const most = a < b ? b : a;
  if (most > Math.fround(least + 50)) return most;
  return Math.fround(most + Math.log1p(Math.exp(Math.fround(least - most))));
}

export class Lattice {
  private readonly vocabulary: Vocabulary;
  private readonly unknownScore: number;
  private length = 0;
  /** Nodes by where they begin, shorter ones first: where they begin and end, their piece and its score. */
  private nodes = 0;
  private begins = new Uint32Array(64);
  private ends = new Uint32Array(64);
  private pieces = new Uint32Array(64);
  private scores = new Float32Array(64);
  /** The first node that begins at a place. */
  private firstAt = new Uint32Array(64);
  /** Nodes that end at a place, in the order they were made: the first, the last, and the next of each node. */
  private firstEnding = new Int32Array(64);
  private lastEnding = new Int32Array(64);
  private nextEnding = new Int32Array(64);
  private forward = new Float32Array(64);
  private backward = new Float32Array(64);
  /** Score of the best way up to a node's end, and the node before it on that way; −1 for none. */
  private best = new Float32Array(64);
  private previous = new Int32Array(64);
  private readonly agenda = new NearestFirst();

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    this.unknownScore = Math.fround(vocabulary.leastScore - unknownPenalty);
  }

  private reservePlaces(places: number): void {
    if (places <= this.firstAt.length) return;
    const length = places * 2;
    this.firstAt = new Uint32Array(length);
    this.firstEnding = new Int32Array(length);
    this.lastEnding = new Int32Array(length);
    this.forward = new Float32Array(length);
    this.backward = new Float32Array(length);
  }

  private reserveNodes(): void {
    const length = this.begins.length * 2;
    const copy = <T extends Uint32Array | Int32Array | Float32Array>(grown: T, old: T): T => {
      grown.set(old);
      return grown;
    };
    this.begins = copy(new Uint32Array(length), this.begins);
    this.ends = copy(new Uint32Array(length), this.ends);
    this.pieces = copy(new Uint32Array(length), this.pieces);
    this.scores = copy(new Float32Array(length), this.scores);
    this.nextEnding = copy(new Int32Array(length), this.nextEnding);
    this.best = new Float32Array(length);
    this.previous = new Int32Array(length);
  }

  private insert(begin: number, end: number, piece: number, score: number): void {
    const node = this.nodes++;
    if (node === this.begins.length) this.reserveNodes();
    this.begins[node] = begin;
    this.ends[node] = end;
    this.pieces[node] = piece;
    this.scores[node] = score;
    this.nextEnding[node] = -1;
    const last = this.lastEnding[end] as number;
    if (last < 0) this.firstEnding[end] = node;
    else this.nextEnding[last] = node;
    this.lastEnding[end] = node;
  }

  /** Finds the pieces in the string of `characters` from `from` up to `to`. */
  set(characters: Uint32Array, from: number, to: number): void {
    const { trie, scores } = this.vocabulary;
    this.length = to - from;
    this.nodes = 0;
    this.reservePlaces(this.length + 1);
    this.firstEnding.fill(-1, 0, this.length + 1);
    this.lastEnding.fill(-1, 0, this.length + 1);
    for (let begin = 0; begin < this.length; begin++) {
      this.firstAt[begin] = this.nodes;
      let single = false;
      let node = trie.first[characters[from + begin] as number] as number;
      for (let end = begin + 1; node >= 0; end++) {
        const piece = trie.pieces[node] as number;
        if (piece >= 0) {
          this.insert(begin, end, piece, scores[piece] as number);
          if (end === begin + 1) single = true;
        }
        if (end === this.length) break;
        node = childOf(trie, node, characters[from + end] as number);
      }
      if (!single) this.insert(begin, begin + 1, unknownPiece, this.unknownScore);
    }
    this.firstAt[this.length] = this.nodes;
  }

  /**
   * Adds `count` times the probability of each piece to `expected`.
   * @returns the log-probability of the string, over all ways to cut it
   */
  addExpected(count: number, expected: Float32Array): number {
    const { begins, ends, pieces, scores, forward, backward, firstAt, length } = this;
    forward.fill(Number.NaN, 0, length + 1);
    forward[0] = 0;
    for (let node = 0; node < this.nodes; node++) {
      const end = ends[node] as number;
      const sum = Math.fround(
        (scores[node] as number) + (forward[begins[node] as number] as number),
      );
      const known = forward[end] as number;
      forward[end] = Number.isNaN(known) ? sum : logSum(known, sum);
    }
    backward[length] = 0;
    for (let begin = length - 1; begin >= 0; begin--) {
      let all = Number.NaN;
      const last = firstAt[begin + 1] as number;
      for (let node = firstAt[begin] as number; node < last; node++) {
        const sum = Math.fround(
          (scores[node] as number) + (backward[ends[node] as number] as number),
        );
        all = Number.isNaN(all) ? sum : logSum(all, sum);
      }
      backward[begin] = all;
    }
    const total = forward[length] as number;
    const times = Math.fround(count);
    for (let node = 0; node < this.nodes; node++) {
      const before = Math.fround(
        (forward[begins[node] as number] as number) + (scores[node] as number),
      );
      const all = Math.fround(before + (backward[ends[node] as number] as number));
      const piece = pieces[node] as number;
      expected[piece] = (expected[piece] as number) + times * Math.exp(Math.fround(all - total));
    }
    return total;
  }

  /** Best ways up to every node, the first found where several are as good. The score of the best way to the end. */
  private findBest(): number {
    const { begins, scores, best, previous } = this;
    for (let node = 0; node < this.nodes; node++) {
      const begin = begins[node] as number;
      const score = scores[node] as number;
      if (begin === 0) {
        best[node] = score;
        previous[node] = -1;
        continue;
      }
      let before = this.firstEnding[begin] as number;
      previous[node] = before;
      let most = Math.fround((best[before] as number) + score);
      for (before = this.nextEnding[before] as number; before >= 0; ) {
        const sum = Math.fround((best[before] as number) + score);
        if (sum > most) {
          most = sum;
          previous[node] = before;
        }
        before = this.nextEnding[before] as number;
      }
      best[node] = most;
    }
    return best[this.bestLast()] as number;
  }

  /** The last node of the best way to the end. */
  private bestLast(): number {
    let last = this.firstEnding[this.length] as number;
    for (let node = this.nextEnding[last] as number; node >= 0; ) {
      if ((this.best[node] as number) > (this.best[last] as number)) last = node;
      node = this.nextEnding[node] as number;
    }
    return last;
  }

  /** Pieces of the most likely cut, last first. */
  cut(into: number[]): void {
    this.findBest();
    for (let node = this.bestLast(); node >= 0; node = this.previous[node] as number) {
      into.push(this.pieces[node] as number);
    }
  }

  /** Whether some cut into several pieces is likelier than the whole string as the piece `whole`. */
  isShadowed(whole: number): boolean {
    for (let node = 0; node < (this.firstAt[1] as number); node++) {
      if (this.pieces[node] !== whole || this.ends[node] !== this.length) continue;
      const own = this.scores[node] as number;
      this.scores[node] = Number.NEGATIVE_INFINITY;
      const other = this.findBest();
      this.scores[node] = own;
      return other > own;
    }
    return true;
  }

  /**
   * What the string, itself a piece, is cut into when it is not one: the pieces of the second-best way where the best is
   * the whole string; undefined where already the best way has several pieces; empty where there is no second way.
   */
  alternative(): number[] | undefined {
    this.findBest();
    const { agenda } = this;
    const start = -1;
    const finish = -2;
    agenda.clear();
    // Ways are followed from the end to the beginning; what is left is known exactly, so the best come out first.
    agenda.add(finish, -1, this.best[this.bestLast()] as number, 0);
    let found = 0;
    for (let way = agenda.take(); way >= 0; way = agenda.take()) {
      const node = agenda.nodeOf(way);
      if (node === start) {
        found++;
        const path: number[] = [];
        for (let next = agenda.nextOf(way); agenda.nodeOf(next) !== finish; ) {
          path.push(this.pieces[agenda.nodeOf(next)] as number);
          next = agenda.nextOf(next);
        }
        if (found === 1 && path.length > 1) return undefined;
        if (found === 2) return path;
        continue;
      }
      const at = node === finish ? this.length : (this.begins[node] as number);
      const behind = agenda.behindOf(way);
      if (at === 0) {
        agenda.add(start, way, behind, behind);
        continue;
      }
      for (let before = this.firstEnding[at] as number; before >= 0; ) {
        agenda.add(
          before,
          way,
          Math.fround((this.best[before] as number) + behind),
          Math.fround((this.scores[before] as number) + behind),
        );
        before = this.nextEnding[before] as number;
      }
    }
    return [];
  }
}
