// A trie over pieces that answers every piece beginning at a place of a text, in flat arrays.

/** Children of a node stand together, sorted by code unit. */
export class PieceTrie {
  private readonly labels: Uint16Array;
  private readonly firstChild: Int32Array;
  /** Id of the piece that ends at a node, or −1. */
  private readonly ids: Int32Array;

  constructor(pieces: readonly { readonly piece: string; readonly id: number }[]) {
    const sorted = [...pieces].sort((a, b) => (a.piece < b.piece ? -1 : 1));
    const labels: number[] = [0];
    const ids: number[] = [-1];
    const firstChild: number[] = [];
    // Breadth first: the range of sorted pieces below each node, in the order nodes are numbered.
    const ranges: [number, number, number][] = [[0, sorted.length, 0]];
    for (let node = 0; node < ranges.length; node++) {
      const [from, to, depth] = ranges[node] as [number, number, number];
      firstChild.push(labels.length);
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
        labels.push(label);
        ids.push(-1);
        ranges.push([i, end, depth + 1]);
        i = end;
      }
    }
    firstChild.push(labels.length);
    this.labels = Uint16Array.from(labels);
    this.ids = Int32Array.from(ids);
    this.firstChild = Int32Array.from(firstChild);
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
