// A trie over pieces of numbered characters, in flat arrays that threads can share and that are filled anew each round.
import type { Pieces } from "./seed-pieces.js";

/** Arrays of a trie; children of a node stand together, by character ascending. Node 0 is the root. */
export interface TrieArrays {
  /** The character that leads to a node. */
  readonly labels: Uint32Array;
  /** Where the children of a node begin; they end where the next node's begin. */
  readonly firstChild: Uint32Array;
  /** Number in the vocabulary of the piece that ends at a node, or −1. */
  readonly pieces: Int32Array;
  /** The root's child by character, or −1. */
  readonly first: Int32Array;
}

/** @param nodes how many nodes at most @param alphabet how many characters there are */
export function allocateTrie(nodes: number, alphabet: number): TrieArrays {
  const words = (length: number) => new SharedArrayBuffer(length * 4);
  return {
    labels: new Uint32Array(words(nodes)),
    firstChild: new Uint32Array(words(nodes + 1)),
    pieces: new Int32Array(words(nodes)),
    first: new Int32Array(words(alphabet)),
  };
}

/** Numbers of pieces in the order of their characters, a shorter one before what it begins. */
export function sortPieces({ characters, starts }: Pieces): Uint32Array {
  const order = Uint32Array.from({ length: starts.length - 1 }, (_, piece) => piece);
  return order.sort((a, b) => {
    let i = starts[a] as number;
    let j = starts[b] as number;
    const endA = starts[a + 1] as number;
    const endB = starts[b + 1] as number;
    while (i < endA && j < endB) {
      const difference = (characters[i++] as number) - (characters[j++] as number);
      if (difference !== 0) return difference;
    }
    return endA - i - (endB - j);
  });
}

/** How many nodes a trie of all the pieces has, its root counted. */
export function countNodes({ characters, starts }: Pieces, sorted: Uint32Array): number {
  let nodes = 1;
  let before = -1;
  for (const piece of sorted) {
    const start = starts[piece] as number;
    const length = (starts[piece + 1] as number) - start;
    let common = 0;
    if (before >= 0) {
      const other = starts[before] as number;
      const most = Math.min(length, (starts[before + 1] as number) - other);
      while (common < most && characters[start + common] === characters[other + common]) common++;
    }
    nodes += length - common;
    before = piece;
  }
  return nodes;
}

/**
 * Fills the arrays with the pieces that are in the vocabulary.
 * @param sorted all pieces, as `sortPieces` orders them
 * @param numberOf the number of a piece in the vocabulary, −1 for one that is not in it
 */
export function fillTrie(
  trie: TrieArrays,
  { characters, starts }: Pieces,
  sorted: Uint32Array,
  numberOf: Int32Array,
): void {
  const { labels, firstChild, pieces, first } = trie;
  const alive = sorted.filter((piece) => (numberOf[piece] as number) >= 0);
  first.fill(-1);
  // Nodes breadth first: each covers a range of the sorted pieces that have its characters in common.
  const from = new Uint32Array(labels.length);
  const to = new Uint32Array(labels.length);
  let nodes = 1;
  to[0] = alive.length;
  let depth = 0;
  let levelEnd = 1;
  for (let node = 0; node < nodes; node++) {
    if (node === levelEnd) {
      depth++;
      levelEnd = nodes;
    }
    firstChild[node] = nodes;
    pieces[node] = -1;
    let at = from[node] as number;
    const end = to[node] as number;
    const lengthOf = (piece: number) => (starts[piece + 1] as number) - (starts[piece] as number);
    const characterOf = (piece: number) => characters[(starts[piece] as number) + depth] as number;
    if (at < end && lengthOf(alive[at] as number) === depth) {
      pieces[node] = numberOf[alive[at] as number] as number;
      at++;
    }
    while (at < end) {
      const label = characterOf(alive[at] as number);
      let next = at + 1;
      while (next < end && characterOf(alive[next] as number) === label) next++;
      if (node === 0) first[label] = nodes;
      labels[nodes] = label;
      from[nodes] = at;
      to[nodes] = next;
      nodes++;
      at = next;
    }
  }
  firstChild[nodes] = nodes;
}

/** The child of a node by a character, or −1. */
export function childOf(trie: TrieArrays, node: number, character: number): number {
  const { labels, firstChild } = trie;
  let low = firstChild[node] as number;
  let high = (firstChild[node + 1] as number) - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const label = labels[middle] as number;
    if (label === character) return middle;
    if (label < character) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
