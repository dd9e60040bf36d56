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
  const keys: { index: number; key: number }[] = [];
  for (let index = 0; index < weights.length; index++) {
    const weight = weights[index] as number;
    if (!(weight > 0)) continue;
    keys.push({ index, key: -Math.log(1 - random()) / weight });
  }
  keys.sort((a, b) => a.key - b.key || a.index - b.index);
  return keys.slice(0, count).map(({ index }) => index);
}
