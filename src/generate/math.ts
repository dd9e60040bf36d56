// Softmax, entropy and the k largest of a row, with float32 results as PyTorch gives them.

/** Stable log-softmax of a row into `out`. */
export function logSoftmax(
  row: Float32Array,
  out: Float32Array = new Float32Array(row.length),
): Float32Array {
  let max = Number.NEGATIVE_INFINITY;
  for (const x of row) if (x > max) max = x;
  let total = 0;
  for (const x of row) total += Math.exp(x - max);
  const shift = max + Math.log(total);
  for (let i = 0; i < row.length; i++) out[i] = (row[i] as number) - shift;
  return out;
}

/** Softmax of a row. */
export function softmax(row: Float32Array): Float32Array {
  const out = new Float32Array(row.length);
  let max = Number.NEGATIVE_INFINITY;
  for (const x of row) if (x > max) max = x;
  let total = 0;
  for (const x of row) total += Math.exp(x - max);
  for (let i = 0; i < row.length; i++) out[i] = Math.exp((row[i] as number) - max) / total;
  return out;
}

/** Entropy in nats of the distribution whose logits are given; impossible entries count nothing. */
export function entropy(row: Float32Array): number {
  let sum = 0;
  for (const x of logSoftmax(row)) if (x !== Number.NEGATIVE_INFINITY) sum -= x * Math.exp(x);
  return Math.fround(sum);
}

/** Running sums, each rounded to float32 as it is stored. */
export function cumulativeSum(row: Float32Array): Float32Array {
  let sum = 0;
  return row.map((x) => {
    sum += x;
    return sum;
  });
}

/**
 * Indices of the row in ascending order of value; equal values keep their order. NaN comes last.
 * @param row of 2^21 values at most
 */
export function argsort(row: Float32Array): Uint32Array {
  const { length } = row;
  const values = new Float32Array(length);
  // Zeros of both signs are equal.
  for (let i = 0; i < length; i++) values[i] = (row[i] as number) + 0;
  const bits = new Uint32Array(values.buffer);
  // A float's bits in the order of its value, and the index behind them: numbers are sorted quickly where nothing is called to compare.
  const keys = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const own = bits[i] as number;
    keys[i] = (own >= 2 ** 31 ? 2 ** 32 - 1 - own : own + 2 ** 31) * length + i;
  }
  keys.sort();
  const order = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = (keys[i] as number) % length;
  return order;
}

export interface Ranked {
  readonly index: number;
  readonly value: number;
}

/** From so many on, a place among those that are kept is found in a heap rather than by looking at one after the other. */
const manyKept = 64;

/** The k largest values, largest first; of equal ones the earlier. NaN never ranks. */
export function largest(row: ArrayLike<number>, k: number): Ranked[] {
  if (k >= manyKept) return largestOfMany(row, k);
  const best: Ranked[] = [];
  let threshold = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < row.length; index++) {
    const value = row[index] as number;
    if (best.length === k && !(value > threshold)) continue;
    if (Number.isNaN(value)) continue;
    let at = best.length;
    while (at > 0 && (best[at - 1] as Ranked).value < value) at--;
    best.splice(at, 0, { index, value });
    if (best.length > k) best.pop();
    if (best.length === k) threshold = (best[k - 1] as Ranked).value;
  }
  return best;
}

/** As `largest`, with the least of those that are kept on top of a heap. */
function largestOfMany(row: ArrayLike<number>, k: number): Ranked[] {
  const heap: number[] = [];
  const valueAt = (place: number) => row[heap[place] as number] as number;
  /** Whether one goes before another is dropped: it is less, or as large and later. */
  const isLess = (a: number, b: number) =>
    valueAt(a) < valueAt(b) ||
    (valueAt(a) === valueAt(b) && (heap[a] as number) > (heap[b] as number));
  const swap = (a: number, b: number) => {
    const moved = heap[a] as number;
    heap[a] = heap[b] as number;
    heap[b] = moved;
  };
  const rise = (from: number) => {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!isLess(at, parent)) return;
      swap(at, parent);
      at = parent;
    }
  };
  const sink = () => {
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && isLess(child, least)) least = child;
      if (least === at) return;
      swap(at, least);
      at = least;
    }
  };
  for (let index = 0; index < row.length; index++) {
    const value = row[index] as number;
    if (Number.isNaN(value)) continue;
    if (heap.length < k) {
      heap.push(index);
      rise(heap.length - 1);
    } else if (value > valueAt(0)) {
      heap[0] = index;
      sink();
    }
  }
  return heap
    .map((index) => ({ index, value: row[index] as number }))
    .sort((a, b) => b.value - a.value || a.index - b.index);
}
