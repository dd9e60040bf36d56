// The Sobol sequence: points that fill the unit cube evenly, each worked out from its index alone.
import { BridleError } from "../../../errors/error.js";
import type { SeededRandom } from "../../../text/seeded-random.js";

/** Binary digits of a coordinate. */
const bits = 30;

/**
 * The first direction numbers of dimensions 2 to 37, one row for each primitive polynomial of degree 1 to 7. They can be chosen
 * freely as far as they are odd and row's number k is below 2^k; these were found by a search for even projections onto pairs of
 * dimensions.
 * Source: S. Joe, F. Y. Kuo, "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci. Comput. 30
 * (2008), criterion D(6). The polynomials themselves are worked out by `primitivePolynomials`.
 */
const firstNumbers: readonly (readonly number[])[] = [
  [1],
  [1, 3],
  [1, 3, 1],
  [1, 1, 1],
  [1, 1, 3, 3],
  [1, 3, 5, 13],
  [1, 1, 5, 5, 17],
  [1, 1, 5, 5, 5],
  [1, 1, 7, 11, 19],
  [1, 1, 5, 1, 1],
  [1, 1, 1, 3, 11],
  [1, 3, 5, 5, 31],
  [1, 3, 3, 9, 7, 49],
  [1, 1, 1, 15, 21, 21],
  [1, 3, 1, 13, 27, 49],
  [1, 1, 1, 15, 7, 5],
  [1, 3, 1, 15, 13, 25],
  [1, 1, 5, 5, 19, 61],
  [1, 3, 7, 11, 23, 15, 103],
  [1, 3, 7, 13, 13, 15, 69],
  [1, 1, 3, 13, 7, 35, 63],
  [1, 3, 5, 9, 1, 25, 53],
  [1, 3, 1, 13, 9, 35, 107],
  [1, 3, 1, 5, 27, 61, 31],
  [1, 1, 5, 11, 19, 41, 61],
  [1, 3, 5, 3, 3, 13, 69],
  [1, 1, 7, 13, 1, 19, 1],
  [1, 3, 7, 5, 13, 19, 59],
  [1, 1, 3, 9, 25, 29, 41],
  [1, 3, 5, 13, 23, 1, 55],
  [1, 3, 7, 3, 13, 59, 17],
  [1, 3, 1, 3, 5, 53, 69],
  [1, 1, 5, 5, 23, 33, 13],
  [1, 1, 7, 7, 1, 61, 123],
  [1, 1, 7, 9, 13, 61, 49],
  [1, 3, 3, 5, 3, 55, 33],
];

export const mostDimensions = firstNumbers.length + 1;

/** Whether x has the order 2^degree − 1 modulo a polynomial over {0, 1}, whose coefficients are the bits of a number. */
function isPrimitive(polynomial: number, degree: number): boolean {
  const order = 2 ** degree - 1;
  let power = 1;
  for (let exponent = 1; exponent <= order; exponent++) {
    power <<= 1;
    if (power & (1 << degree)) power ^= polynomial;
    if (power === 1) return exponent === order;
  }
  return false;
}

/** The primitive polynomials over {0, 1} from degree 1 on, in ascending order of their coefficients read as a number. */
export function* primitivePolynomials(): Generator<{ polynomial: number; degree: number }> {
  for (let degree = 1; ; degree++) {
    for (let polynomial = 2 ** degree + 1; polynomial < 2 ** (degree + 1); polynomial += 2) {
      if (isPrimitive(polynomial, degree)) yield { polynomial, degree };
    }
  }
}

/** Direction numbers of all dimensions, the highest digit first. Source: Bratley and Fox 1988, eq. 2. */
function directions(dimensions: number): Uint32Array[] {
  const first = Uint32Array.from({ length: bits }, (_, bit) => 2 ** (bits - 1 - bit));
  const all = [first];
  const polynomials = primitivePolynomials();
  for (const given of firstNumbers.slice(0, dimensions - 1)) {
    const { polynomial, degree } = polynomials.next().value!;
    const numbers = [...given];
    for (let k = degree; k < bits; k++) {
      let number = numbers[k - degree]! ^ (numbers[k - degree]! * 2 ** degree);
      for (let j = 1; j < degree; j++) {
        // The products stay below 2^31, where shifts of signed numbers do no harm.
        if ((polynomial >> (degree - j)) & 1) number ^= numbers[k - j]! << j;
      }
      numbers.push(number);
    }
    all.push(Uint32Array.from(numbers, (number, k) => number * 2 ** (bits - 1 - k)));
  }
  return all;
}

/** Multiplies digits by a random lower triangular matrix: each digit is changed by those before it. Source: Matoušek 1998. */
function scrambled(numbers: Uint32Array, random: SeededRandom): Uint32Array {
  const rows = Array.from({ length: bits }, (_, row) => {
    const own = 2 ** (bits - 1 - row);
    // Bits above the diagonal's are those of the digits before.
    const before = row === 0 ? 0 : random.nextUint32() & (2 ** bits - 2 * own);
    return own | before;
  });
  return numbers.map((number) =>
    rows.reduce((sum, row, at) => sum | (parity(row & number) << (bits - 1 - at)), 0),
  );
}

function parity(number: number): number {
  let rest = number;
  for (let shift = 16; shift > 0; shift >>= 1) rest ^= rest >> shift;
  return rest & 1;
}

export interface SobolSequence {
  /** A point's coordinates, in 0..1 with 1 left out. Without scrambling point 0 is the corner at 0. */
  point(index: number): number[];
}

/**
 * @param scramble its draws; left out, the sequence is the plain one
 * @throws SWEEP_SAMPLER_UNFIT for more dimensions than there are direction numbers
 */
export function createSobolSequence(dimensions: number, scramble?: SeededRandom): SobolSequence {
  if (dimensions > mostDimensions) {
    throw new BridleError("SWEEP_SAMPLER_UNFIT", {
      sampler: "sobol",
      problem: `the space has ${dimensions} keys, and the sequence is known for ${mostDimensions}`,
      advice: "Try fewer keys at once, or take the random or tpe sampler.",
    });
  }
  const plain = directions(dimensions);
  const numbers = scramble === undefined ? plain : plain.map((each) => scrambled(each, scramble));
  const shifts = numbers.map(() =>
    scramble === undefined ? 0 : scramble.nextUint32() >>> (32 - bits),
  );
  return {
    point(index) {
      // In the order of the Gray code, as the reference implementations count.
      const code = index ^ (index >>> 1);
      return numbers.map((own, dimension) => {
        let digits = shifts[dimension]!;
        for (let bit = 0; code >>> bit > 0; bit++) if ((code >>> bit) & 1) digits ^= own[bit]!;
        return digits / 2 ** bits;
      });
    },
  };
}
