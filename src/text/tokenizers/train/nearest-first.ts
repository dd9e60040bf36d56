// A heap of half-finished ways that hands out the best first; equal ones in the very order the C++ library's heap does.
// Source: libstdc++, bits/stl_heap.h: std::push_heap and std::pop_heap, whose order of equals shows in the result.

/** Ways are numbered as they are added. */
export class NearestFirst {
  private size = 0;
  private nodes = new Int32Array(256);
  private nexts = new Int32Array(256);
  /** What the whole way may reach at best, by which ways are ordered. */
  private reach = new Float32Array(256);
  private behind = new Float32Array(256);
  private readonly heap: number[] = [];

  clear(): void {
    this.size = 0;
    this.heap.length = 0;
  }

  nodeOf(way: number): number {
    return this.nodes[way] as number;
  }

  nextOf(way: number): number {
    return this.nexts[way] as number;
  }

  behindOf(way: number): number {
    return this.behind[way] as number;
  }

  /** @param next the way that this one goes on from @param behind the score of what is settled already */
  add(node: number, next: number, reach: number, behind: number): void {
    if (this.size === this.nodes.length) this.grow();
    const way = this.size++;
    this.nodes[way] = node;
    this.nexts[way] = next;
    this.reach[way] = reach;
    this.behind[way] = behind;
    this.heap.push(way);
    this.rise(this.heap.length - 1, way);
  }

  private rise(from: number, way: number): void {
    const { heap, reach } = this;
    let hole = from;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!((reach[heap[parent] as number] as number) < (reach[way] as number))) break;
      heap[hole] = heap[parent] as number;
      hole = parent;
    }
    heap[hole] = way;
  }

  /** The best way, taken off; −1 when none is left. */
  take(): number {
    const { heap, reach } = this;
    const top = heap[0];
    if (top === undefined) return -1;
    const moved = heap.pop() as number;
    const length = heap.length;
    if (length === 0) return top;
    let hole = 0;
    let child = 0;
    while (child < (length - 1) >> 1) {
      child = 2 * (child + 1);
      const right = reach[heap[child] as number] as number;
      if (right < (reach[heap[child - 1] as number] as number)) child--;
      heap[hole] = heap[child] as number;
      hole = child;
    }
    if ((length & 1) === 0 && child === (length - 2) >> 1) {
      child = 2 * (child + 1);
      heap[hole] = heap[child - 1] as number;
      hole = child - 1;
    }
    this.rise(hole, moved);
    return top;
  }

  private grow(): void {
    const length = this.nodes.length * 2;
    const nodes = new Int32Array(length);
    nodes.set(this.nodes);
    this.nodes = nodes;
    const nexts = new Int32Array(length);
    nexts.set(this.nexts);
    this.nexts = nexts;
    const reach = new Float32Array(length);
    reach.set(this.reach);
    this.reach = reach;
    const behind = new Float32Array(length);
    behind.set(this.behind);
    this.behind = behind;
  }
}
