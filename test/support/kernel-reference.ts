// What the training kernels compute, in plain TypeScript: every float32 operation rounded on its own, in the same order.

const round = Math.fround;
const times = (a: number, b: number) => round(a * b);
const plus = (a: number, b: number) => round(a + b);
const minus = (a: number, b: number) => round(a - b);

/** A copy in which `update(i)` has replaced each element. */
function each(of: Float32Array, update: (i: number) => number): Float32Array {
  return of.map((_, i) => update(i));
}

export const reference = {
  scale: (x: Float32Array, a: number) => each(x, (i) => times(x[i]!, round(a))),

  addScaled: (y: Float32Array, x: Float32Array, a: number) =>
    each(y, (i) => plus(y[i]!, times(x[i]!, round(a)))),

  moveTowards: (y: Float32Array, x: Float32Array, t: number) =>
    each(y, (i) => plus(y[i]!, times(minus(x[i]!, y[i]!), round(t)))),

  sumSquares: (x: Float32Array) => x.reduce((sum, value) => sum + value * value, 0),

  adamw(w: Float32Array, g: Float32Array, m: Float32Array, v: Float32Array, factors: number[]) {
    const [scale, keep, freshMean, beta2, freshSquare, stepSize, rootScale, epsilon] = factors.map(
      round,
    ) as [number, number, number, number, number, number, number, number];
    const x = each(g, (i) => times(g[i]!, scale));
    const mean = each(m, (i) => plus(m[i]!, times(minus(x[i]!, m[i]!), freshMean)));
    const square = each(v, (i) =>
      plus(times(v[i]!, beta2), times(times(freshSquare, x[i]!), x[i]!)),
    );
    const weight = each(w, (i) => {
      const divisor = plus(times(round(Math.sqrt(square[i]!)), rootScale), epsilon);
      return minus(times(w[i]!, keep), round(times(stepSize, mean[i]!) / divisor));
    });
    return { w: weight, m: mean, v: square };
  },

  sgd(w: Float32Array, g: Float32Array, factors: number[]) {
    const [scale, decay, lr] = factors.map(round) as [number, number, number];
    return each(w, (i) => minus(w[i]!, times(plus(times(g[i]!, scale), times(w[i]!, decay)), lr)));
  },

  sgdMomentum(w: Float32Array, g: Float32Array, b: Float32Array, factors: number[]) {
    const [scale, decay, momentum, fresh, ownShare, bufferShare, lr] = factors.map(round) as [
      ...[number, number, number, number],
      ...[number, number, number],
    ];
    const x = each(g, (i) => plus(times(g[i]!, scale), times(w[i]!, decay)));
    const buffer = each(b, (i) => plus(times(b[i]!, momentum), times(x[i]!, fresh)));
    const weight = each(w, (i) =>
      minus(w[i]!, times(plus(times(x[i]!, ownShare), times(buffer[i]!, bufferShare)), lr)),
    );
    return { w: weight, b: buffer };
  },

  /** Sums of (scale·g)² + ε over the rows and over the columns of g. */
  rowAndColumnSquares(g: Float32Array, columns: number, scale: number, epsilon: number) {
    const rowSums = new Float64Array(g.length / columns);
    const columnSums = new Float64Array(columns);
    for (let i = 0; i < g.length; i++) {
      const x = times(g[i]!, round(scale));
      const square = plus(times(x, x), round(epsilon));
      rowSums[Math.floor(i / columns)]! += square;
      columnSums[i % columns]! += square;
    }
    return { rowSums, columnSums };
  },

  /** (rowFactor·columnFactor)·(scale·g) */
  factored(g: Float32Array, rowFactors: Float32Array, columnFactors: Float32Array, scale: number) {
    const columns = columnFactors.length;
    return each(g, (i) =>
      times(
        times(rowFactors[Math.floor(i / columns)]!, columnFactors[i % columns]!),
        times(g[i]!, round(scale)),
      ),
    );
  },

  factoredUpdate(w: Float32Array, update: Float32Array, stepSize: number, decay: number) {
    return each(w, (i) =>
      minus(plus(w[i]!, times(w[i]!, round(decay))), times(update[i]!, round(stepSize))),
    );
  },

  factoredMomentumUpdate(w: Float32Array, m: Float32Array, u: Float32Array, factors: number[]) {
    const [stepSize, decay, beta1, fresh] = factors.map(round) as [number, number, number, number];
    const mean = each(m, (i) => plus(times(m[i]!, beta1), times(times(u[i]!, stepSize), fresh)));
    const weight = each(w, (i) => minus(plus(w[i]!, times(w[i]!, decay)), mean[i]!));
    return { w: weight, m: mean };
  },

  mask(elements: number, key: [number, number], place: number[], threshold: number, kept: number) {
    const mask = new Float32Array(elements);
    for (let i = 0; i < elements; i++) {
      const block = 4 * Math.floor(i / 16) + (i % 4);
      const words = philox4x32([block, ...place] as Counter, key);
      mask[i] = words[Math.floor((i % 16) / 4)]! >= threshold ? kept : 0;
    }
    return mask;
  },
};

export type Counter = [number, number, number, number];

/** Philox4x32-10. Source: Salmon, Moraes, Dror, Shaw 2011. */
export function philox4x32(counter: Counter, key: [number, number]): Counter {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const first = BigInt(c0) * 0xd2511f53n;
    const second = BigInt(c2) * 0xcd9e8d57n;
    c0 = (Number(second >> 32n) ^ c1 ^ k0) >>> 0;
    c1 = Number(second & 0xffff_ffffn);
    c2 = (Number(first >> 32n) ^ c3 ^ k1) >>> 0;
    c3 = Number(first & 0xffff_ffffn);
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}
