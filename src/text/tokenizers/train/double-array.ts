// Builds a double-array trie from byte keys, unit for unit as darts-clone does, so that SentencePiece can read it.
// Source: S. Yata, darts-clone 0.32 (the layout: units of 32 bits, blocks of 256, the last 16 blocks still open).

export interface KeyValue {
  /** The key's bytes as characters U+0001 to U+00FF, at least one. */
  readonly key: string;
  /** 0 or more. */
  readonly value: number;
}

/** A graph of states in flat arrays: the children of one stand together, by label ascending. */
interface States {
  /** Where the children of a state begin; one more entry closes the last state. */
  readonly starts: readonly number[];
  /** Label of each child; 0 is a leaf. */
  readonly labels: readonly number[];
  /** State below each child, or a leaf's value. */
  readonly targets: readonly number[];
  readonly root: number;
}

/** The keys as a graph in which equal endings are one state. */
function shareEndings(sorted: readonly KeyValue[]): States {
  const starts = [0];
  const labels: number[] = [];
  const targets: number[] = [];
  let table = new Int32Array(1 << 12).fill(-1);

  const hash = (from: number, to: number) => {
    let mixed = 0;
    for (let i = from; i < to; i++) {
      mixed = Math.imul(mixed ^ (labels[i] as number), 0x9e3779b1);
      mixed = Math.imul(mixed ^ (targets[i] as number) ^ (mixed >>> 15), 0x85ebca6b);
    }
    return (mixed ^ (mixed >>> 13)) >>> 0;
  };
  const grow = () => {
    table = new Int32Array(table.length * 2).fill(-1);
    for (let state = 0; state < starts.length - 1; state++) {
      let slot = hash(starts[state] as number, starts[state + 1] as number) % table.length;
      while (table[slot] !== -1) slot = (slot + 1) % table.length;
      table[slot] = state;
    }
  };
  /** The state with the children that stand last, which are taken off where it is known already. */
  const intern = (): number => {
    const from = starts.at(-1) as number;
    const size = labels.length - from;
    if (starts.length * 2 > table.length) grow();
    let slot = hash(from, labels.length) % table.length;
    for (; table[slot] !== -1; slot = (slot + 1) % table.length) {
      const state = table[slot] as number;
      const start = starts[state] as number;
      if ((starts[state + 1] as number) - start !== size) continue;
      let i = 0;
      while (i < size && labels[start + i] === labels[from + i]) {
        if (targets[start + i] !== targets[from + i]) break;
        i++;
      }
      if (i < size) continue;
      labels.length = from;
      targets.length = from;
      return state;
    }
    table[slot] = starts.length - 1;
    return starts.push(labels.length) - 2;
  };
  const build = (from: number, to: number, depth: number): number => {
    const children: number[] = [];
    let at = from;
    const first = sorted[at] as KeyValue;
    if (first.key.length === depth) {
      children.push(0, first.value);
      at++;
    }
    while (at < to) {
      const label = (sorted[at] as KeyValue).key.charCodeAt(depth);
      let end = at + 1;
      while (end < to && (sorted[end] as KeyValue).key.charCodeAt(depth) === label) end++;
      children.push(label, build(at, end, depth + 1));
      at = end;
    }
    for (let i = 0; i < children.length; i += 2) {
      labels.push(children[i] as number);
      targets.push(children[i + 1] as number);
    }
    return intern();
  };
  const root = sorted.length === 0 ? -1 : build(0, sorted.length, 0);
  return { starts, labels, targets, root };
}

const blockSize = 256;
const openBlocks = 16;
/** Book-keeping is held for the open blocks alone, in a ring. */
const ringSize = blockSize * openBlocks;
const upperMask = 0xff << 21;
const lowerMask = 0xff;

/** Units of the array, with a ring of what is free in its open blocks. */
class Units {
  units = new Uint32Array(1 << 16);
  size = 0;
  private readonly previous = new Uint32Array(ringSize);
  private readonly next = new Uint32Array(ringSize);
  private readonly taken = new Uint8Array(ringSize);
  /** Places that are some state's offset already. */
  private readonly usedOffsets = new Uint8Array(ringSize);
  private head = 0;

  setOffset(id: number, offset: number): void {
    const kept = (this.units[id] as number) & ((1 << 31) | (1 << 8) | 0xff);
    this.units[id] = (kept | (offset < 1 << 21 ? offset << 10 : (offset << 2) | (1 << 9))) >>> 0;
  }

  setHasLeaf(id: number): void {
    this.units[id] = ((this.units[id] as number) | (1 << 8)) >>> 0;
  }

  setValue(id: number, value: number): void {
    this.units[id] = (value | (1 << 31)) >>> 0;
  }

  setLabel(id: number, label: number): void {
    this.units[id] = (((this.units[id] as number) & ~0xff) | label) >>> 0;
  }

  useOffset(offset: number): void {
    this.usedOffsets[offset % ringSize] = 1;
  }

  /** A place for the state whose labels these are, seen from the unit that leads to it. */
  findOffset(id: number, labels: readonly number[], start: number, end: number): number {
    const atEnd = (this.size | (id & lowerMask)) >>> 0;
    if (this.head >= this.size) return atEnd;
    let free = this.head;
    do {
      const offset = (free ^ (labels[start] as number)) >>> 0;
      if (this.fits(id, offset, labels, start, end)) return offset;
      free = this.next[free % ringSize] as number;
    } while (free !== this.head);
    return atEnd;
  }

  private fits(
    id: number,
    offset: number,
    labels: readonly number[],
    start: number,
    end: number,
  ): boolean {
    if (this.usedOffsets[offset % ringSize]) return false;
    const relative = id ^ offset;
    if (relative & lowerMask && relative & upperMask) return false;
    for (let i = start + 1; i < end; i++) {
      if (this.taken[((offset ^ (labels[i] as number)) >>> 0) % ringSize]) return false;
    }
    return true;
  }

  reserve(id: number): void {
    if (id >= this.size) this.expand();
    const at = id % ringSize;
    if (id === this.head) {
      this.head = this.next[at] as number;
      if (this.head === id) this.head = this.size;
    }
    this.next[(this.previous[at] as number) % ringSize] = this.next[at] as number;
    this.previous[(this.next[at] as number) % ringSize] = this.previous[at] as number;
    this.taken[at] = 1;
  }

  private expand(): void {
    const from = this.size;
    const to = from + blockSize;
    const blocks = from / blockSize;
    if (blocks + 1 > openBlocks) this.close(blocks - openBlocks);
    if (to > this.units.length) {
      const larger = new Uint32Array(this.units.length * 2);
      larger.set(this.units);
      this.units = larger;
    }
    this.size = to;
    if (blocks + 1 > openBlocks) {
      for (let id = from; id < to; id++) {
        this.usedOffsets[id % ringSize] = 0;
        this.taken[id % ringSize] = 0;
      }
    }
    for (let id = from + 1; id < to; id++) {
      this.next[(id - 1) % ringSize] = id;
      this.previous[id % ringSize] = id - 1;
    }
    // First a ring of its own, because the head may be the new block's first unit.
    this.previous[from % ringSize] = to - 1;
    this.next[(to - 1) % ringSize] = from;
    const last = this.previous[this.head % ringSize] as number;
    this.previous[from % ringSize] = last;
    this.next[(to - 1) % ringSize] = this.head;
    this.next[last % ringSize] = from;
    this.previous[this.head % ringSize] = to - 1;
  }

  /** Gives every free unit of a block a label that no lookup can reach. */
  private close(block: number): void {
    const begin = block * blockSize;
    let unused = 0;
    for (let offset = begin; offset < begin + blockSize; offset++) {
      if (this.usedOffsets[offset % ringSize]) continue;
      unused = offset;
      break;
    }
    for (let id = begin; id < begin + blockSize; id++) {
      if (this.taken[id % ringSize]) continue;
      this.reserve(id);
      this.setLabel(id, (id ^ unused) & 0xff);
    }
  }

  finish(): Uint32Array {
    const blocks = this.size / blockSize;
    for (let block = Math.max(0, blocks - openBlocks); block < blocks; block++) this.close(block);
    return this.units.slice(0, this.size);
  }
}

/**
 * The units of the trie.
 * @param pairs different keys, in any order
 */
export function buildDoubleArray(pairs: readonly KeyValue[]): Uint32Array {
  const sorted = [...pairs].sort((a, b) => (a.key < b.key ? -1 : 1));
  const { starts, labels, targets, root } = shareEndings(sorted);
  const units = new Units();
  const offsets = new Uint32Array(starts.length);

  const place = (state: number, id: number): void => {
    const start = starts[state] as number;
    const end = starts[state + 1] as number;
    const known = offsets[state] as number;
    if (known !== 0) {
      const relative = (known ^ id) >>> 0;
      if (!(relative & upperMask) || !(relative & lowerMask)) {
        if (labels[start] === 0) units.setHasLeaf(id);
        units.setOffset(id, relative);
        return;
      }
    }
    const offset = units.findOffset(id, labels, start, end);
    units.setOffset(id, (id ^ offset) >>> 0);
    for (let i = start; i < end; i++) {
      const label = labels[i] as number;
      const child = (offset ^ label) >>> 0;
      units.reserve(child);
      if (label === 0) {
        units.setHasLeaf(id);
        units.setValue(child, targets[i] as number);
      } else units.setLabel(child, label);
    }
    units.useOffset(offset);
    offsets[state] = offset;
    for (let i = start; i < end; i++) {
      const label = labels[i] as number;
      if (label !== 0) place(targets[i] as number, (offset ^ label) >>> 0);
    }
  };

  units.reserve(0);
  units.useOffset(0);
  units.setOffset(0, 1);
  units.setLabel(0, 0);
  if (root >= 0) place(root, 0);
  return units.finish();
}
