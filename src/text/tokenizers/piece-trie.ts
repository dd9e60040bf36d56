// A trie over pieces that answers every piece beginning at a place of a text, in flat arrays.

/**
 * Pieces are known by their places in the list. Nodes are found by their parent and code unit, in a table with open addressing:
 * nothing is sorted, and a vocabulary of a hundred thousand pieces is there after some ms.
 */
export class PieceTrie {
  private parents = new Int32Array(64);
  private units = new Uint16Array(64);
  /** One more than the place of the piece that ends at a node, or 0. */
  private ids = new Int32Array(64);
  /** Nodes by hash, in twice as many places; 0, the root, is nobody's child and stands for none. */
  private table = new Int32Array(128);
  private count = 1;
  /** The first piece that stood in the list before; undefined where each is another. */
  readonly twice: string | undefined;

  constructor(pieces: readonly { readonly piece: string }[]) {
    for (let id = 0; id < pieces.length; id++) {
      const { piece } = pieces[id] as { piece: string };
      const node = this.add(piece);
      if (this.ids[node] === 0) this.ids[node] = id + 1;
      else this.twice ??= piece;
    }
  }

  static readonly root = 0;

  /** The node that a piece ends at, made with those before it where there is none. */
  private add(piece: string): number {
    if (this.count + piece.length > this.ids.length) this.grow(this.count + piece.length);
    const { table, parents, units } = this;
    let node: number = PieceTrie.root;
    for (let at = 0; at < piece.length; at++) {
      const unit = piece.charCodeAt(at);
      const place = placeOf(table, parents, units, node, unit);
      let child = table[place] as number;
      if (child === 0) {
        child = this.count++;
        parents[child] = node;
        units[child] = unit;
        table[place] = child;
      }
      node = child;
    }
    return node;
  }

  private grow(atLeast: number): void {
    const size = 2 ** Math.ceil(Math.log2(Math.max(atLeast, 4 * this.ids.length)));
    const { parents, units, ids } = this;
    this.parents = new Int32Array(size);
    this.parents.set(parents);
    this.units = new Uint16Array(size);
    this.units.set(units);
    this.ids = new Int32Array(size);
    this.ids.set(ids);
    this.table = new Int32Array(2 * size);
    for (let node = 1; node < this.count; node++) {
      const parent = parents[node] as number;
      const unit = units[node] as number;
      this.table[placeOf(this.table, this.parents, this.units, parent, unit)] = node;
    }
  }

  /** The node below `node` by a code unit, or −1. */
  child(node: number, unit: number): number {
    const { table, parents, units } = this;
    const found = table[placeOf(table, parents, units, node, unit)] as number;
    return found === 0 ? -1 : found;
  }

  /** Place of the piece that ends at the node, or −1. */
  idAt(node: number): number {
    return (this.ids[node] as number) - 1;
  }

  /** Place of a piece, or −1. */
  find(piece: string): number {
    let node: number = PieceTrie.root;
    for (let at = 0; at < piece.length; at++) {
      node = this.child(node, piece.charCodeAt(at));
      if (node < 0) return -1;
    }
    return this.idAt(node);
  }
}

/** Another in each process, so that nobody can make a vocabulary whose nodes all want the same place. */
const seed = Math.floor(Math.random() * 2 ** 32) | 0;

/** Where a table has the node below `node` by a code unit, or has room for it. */
function placeOf(
  table: Int32Array,
  parents: Int32Array,
  units: Uint16Array,
  node: number,
  unit: number,
): number {
  const mask = table.length - 1;
  // The end of murmur3's finalizer.
  let hash = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b) ^ seed;
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  for (let place = (hash ^ (hash >>> 15)) & mask; ; place = (place + 1) & mask) {
    const found = table[place] as number;
    if (found === 0 || (parents[found] === node && units[found] === unit)) return place;
  }
}
