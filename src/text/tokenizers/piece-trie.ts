// A trie over pieces that answers every piece beginning at a place of a text, in flat arrays.

/** Children of a node stand together, sorted by code unit. */
export class PieceTrie {
  private readonly labels: Uint16Array;
  private readonly firstChild: Int32Array;
  /** Id of the piece that ends at a node, or −1. */
  private readonly ids: Int32Array;

  constructor(pieces: readonly { readonly piece: string; readonly id: number }[]) {
    const sorted = [...pieces].sort((a, b) => (a.piece < b.piece ? -1 : 1));
    const most = sorted.reduce((sum, { piece }) => sum + piece.length, 1);
    const labels = new Uint16Array(most);
    const ids = new Int32Array(most).fill(-1);
    const firstChild = new Int32Array(most + 1);
    // Breadth first: the range of sorted pieces below each node, in the order nodes are numbered.
    const [begins, ends, depths] = [
      new Int32Array(most),
      new Int32Array(most),
      new Int32Array(most),
    ];
    ends[0] = sorted.length;
    let count = 1;
    for (let node = 0; node < count; node++) {
      const from = begins[node] as number;
      const to = ends[node] as number;
      const depth = depths[node] as number;
      firstChild[node] = count;
      let i = from;
      const own = sorted[i];
      if (own !== undefined && i < to && own.piece.length === depth) {
        ids[node] = own.id;
        i++;
      }
      while (i < to) {
        const label = (sorted[i] as { piece: string }).piece.charCodeAt(depth);
        let end = i + 1;
        while (end < to && (sorted[end] as { piece: string }).piece.charCodeAt(depth) === label)
          end++;
        labels[count] = label;
        begins[count] = i;
        ends[count] = end;
        depths[count] = depth + 1;
        count += 1;
        i = end;
      }
    }
    firstChild[count] = count;
    this.labels = labels.slice(0, count);
    this.ids = ids.slice(0, count);
    this.firstChild = firstChild.slice(0, count + 1);
  }

  static readonly root = 0;

  /** The node below `node` by a code unit, or −1. */
  child(node: number, unit: number): number {
    let low = this.firstChild[node] as number;
    let high = (this.firstChild[node + 1] as number) - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const label = this.labels[middle] as number;
      if (label === unit) return middle;
      if (label < unit) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Id of the piece that ends at the node, or −1. */
  idAt(node: number): number {
    return this.ids[node] as number;
  }
}
