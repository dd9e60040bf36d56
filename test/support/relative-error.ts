// How far numbers are from those they should be.

/** √(Σ(x − y)² / Σx²) */
export function relativeError(x: Float32Array, y: Float32Array): number {
  let [off, all] = [0, 0];
  for (const [i, value] of x.entries()) {
    off += (value - (y[i] as number)) ** 2;
    all += value ** 2;
  }
  return Math.sqrt(off / all);
}
