// Seeded draws that are the same on every machine.
import { seededRandom } from "../text/seeded-random.js";

/**
 * Uniform numbers in [0, 1) with 32 bits each.
 * @param stream sets apart draws of one seed, such as those of a batch's documents
 */
export function createRandom(seed: number, stream = 0): () => number {
  const random = seededRandom((seed ^ Math.imul(stream + 1, 0x9e3779b9)) >>> 0);
  return () => random.nextUint32() / 2 ** 32;
}

/**
 * Draws `count` different indices, each with probability proportional to its weight among those left.
 * Fewer come back when fewer weights are above zero.
 * Source: Efraimidis and Spirakis 2006 (exponential keys).
 */
export function drawWithoutReplacement(
  weights: Float32Array,
  count: number,
  random: () => number,
): number[] {
  const indices: number[] = [];
  const keys: number[] = [];
  for (let index = 0; index < weights.length; index++) {
    const weight = weights[index] as number;
    if (!(weight > 0)) continue;
    const uniform = random();
    const isFull = keys.length === count;
    const worst = isFull ? (keys[count - 1] as number) : Number.POSITIVE_INFINITY;
    // −log(1 − u) is u at least: of most no logarithm is needed.
    if (isFull && uniform >= worst * weight) continue;
    const key = -Math.log(1 - uniform) / weight;
    if (isFull && !(key < worst)) continue;
    let at = keys.length;
    while (at > 0 && (keys[at - 1] as number) > key) at--;
    keys.splice(at, 0, key);
    indices.splice(at, 0, index);
    keys.length = indices.length = Math.min(count, keys.length);
  }
  return indices;
}
