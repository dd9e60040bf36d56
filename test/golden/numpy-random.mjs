// numpy's legacy random generator as far as the goldens draw from it: Mersenne Twister, seeded by one integer.
// @ts-check

const size = 624;

/**
 * Unsigned 32-bit integers as RandomState(seed) draws them.
 * Source: Matsumoto, Nishimura 1998 (MT19937).
 * @param {number} seed
 */
function mersenneTwister(seed) {
  const state = new Uint32Array(size);
  state[0] = seed;
  for (let i = 1; i < size; i++) {
    const last = state[i - 1] ?? 0;
    state[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i;
  }
  let at = size;
  return () => {
    if (at === size) {
      for (let i = 0; i < size; i++) {
        const y = ((state[i] ?? 0) & 0x80000000) | ((state[(i + 1) % size] ?? 0) & 0x7fffffff);
        state[i] = (state[(i + 397) % size] ?? 0) ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++] ?? 0;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/**
 * What `np.random.seed(seed)` and then `rows` times `np.random.choice(np.arange(n), size=n)` give.
 * Source: numpy's legacy bounded integers: draws masked to the needed bits, those too large dropped.
 * @param {number} seed @param {number} rows @param {number} n
 * @returns {number[][]}
 */
export function legacyChoices(seed, rows, n) {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new RangeError(`numpy has no seed ${seed}`);
  }
  const draw = mersenneTwister(seed);
  const mask = n > 1 ? 2 ** (32 - Math.clz32(n - 1)) - 1 : 0;
  const below = () => {
    if (n === 1) return 0;
    for (;;) {
      const value = (draw() & mask) >>> 0;
      if (value < n) return value;
    }
  };
  return Array.from({ length: rows }, () => Array.from({ length: n }, below));
}
