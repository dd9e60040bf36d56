// A seeded generator of random numbers, the same on every machine, for draws that must be repeatable.
import { BridleError } from "../errors/error.js";

export interface SeededRandom {
  /** An unsigned 32-bit integer. */
  nextUint32(): number;
  /** An integer in 0..bound-1, every one equally likely; bound is in 1..2^32. */
  nextBelow(bound: number): number;
}

/** Spreads one number over many 32-bit words. Source: Steele, Lea, Flood 2014, with murmur3's finalizer. */
function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}

const rotateLeft = (x: number, by: number) => (x << by) | (x >>> (32 - by));

/** xoshiro128** from its four words of state, which must not all be 0. Source: Blackman, Vigna 2018. */
export function xoshiro128(state: readonly [number, number, number, number]): SeededRandom {
  let [a, b, c, d] = state;
  const nextUint32 = () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  };
  return {
    nextUint32,
    nextBelow(bound) {
      // Draws above the last whole multiple of bound would favour small results.
      const limit = 2 ** 32 - (2 ** 32 % bound);
      let draw = nextUint32();
      while (draw >= limit) draw = nextUint32();
      return draw % bound;
    },
  };
}

/**
 * xoshiro128** with its state filled from the seed by splitmix32: two words from the seed's low 32 bits,
 * two from its high bits.
 * @param seed an integer in 0..2^53-1.
 * @throws INVALID_PARAMETER for any other seed.
 */
export function seededRandom(seed: number): SeededRandom {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "seed",
      value: String(seed),
      expected: "a whole number in 0..2^53-1",
    });
  }
  const low = splitmix32(seed % 2 ** 32);
  const high = splitmix32(Math.floor(seed / 2 ** 32) ^ 0x6a09e667);
  return xoshiro128([low(), low(), high(), high()]);
}

/** `count` different integers of 0..n-1, each choice equally likely, in the order drawn. */
export function drawDistinct(n: number, count: number, random: SeededRandom): number[] {
  const pool = Array.from({ length: n }, (_, index) => index);
  for (let i = 0; i < count; i++) {
    const j = i + random.nextBelow(n - i);
    [pool[i], pool[j]] = [pool[j]!, pool[i]!];
  }
  return pool.slice(0, count);
}

/**
 * The seed of one part of what another seed decides, such as one epoch of a run or one document of an epoch.
 * @param seed an integer in 0..2^53-1
 * @param part an integer in 0..2^53-1
 * @throws INVALID_PARAMETER for any other seed.
 */
export function deriveSeed(seed: number, part: number): number {
  const random = seededRandom(seed);
  const high = (random.nextUint32() >>> 11) ^ Math.floor(part / 2 ** 32);
  const low = (random.nextUint32() ^ (part % 2 ** 32)) >>> 0;
  // Mixed once more, so that neighbouring parts do not begin alike.
  const mixed = seededRandom(high * 2 ** 32 + low);
  return (mixed.nextUint32() >>> 11) * 2 ** 32 + mixed.nextUint32();
}

/** Puts numbers into an order in which every one is equally likely, in place. Source: Fisher, Yates 1938. */
export function shuffle(numbers: Uint32Array, random: SeededRandom): void {
  for (let i = numbers.length - 1; i > 0; i--) {
    const j = random.nextBelow(i + 1);
    const held = numbers[i]!;
    numbers[i] = numbers[j]!;
    numbers[j] = held;
  }
}
