// The standard normal distribution to double precision: density, distribution function and its inverse.

const rootTwo = Math.SQRT2;
const rootTwoPi = Math.sqrt(2 * Math.PI);
const logRootTwoPi = Math.log(rootTwoPi);

/** The density at x. */
export function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) / rootTwoPi;
}

export function normalLogDensity(x: number): number {
  return -0.5 * x * x - logRootTwoPi;
}

/** erf(x) by its series for |x| < 3, where every term that counts has the same sign. Source: DLMF 7.6.2. */
function erfBySeries(x: number): number {
  const square = 2 * x * x;
  let term = x;
  let sum = x;
  for (let k = 1; term > sum * 1e-17 && k < 200; k++) {
    term *= square / (2 * k + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** erfc(x) for x ≥ 2 by its continued fraction, evaluated from the end. Source: DLMF 7.9.1. */
function erfcByFraction(x: number): number {
  let fraction = x;
  for (let k = 90; k > 0; k--) fraction = x + k / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}

/** 1 − erf(x), with all digits where it is small. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  return x < 2 ? 1 - erfBySeries(x) : erfcByFraction(x);
}

/** The probability of a value up to x. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x / rootTwo);
}

/** The logarithm of `normalCdf`, finite where the probability itself is too small for a double. */
export function normalLogCdf(x: number): number {
  if (x > -36) return Math.log(normalCdf(x));
  // Source: Abramowitz and Stegun 26.2.12, whose terms shrink by more than a thousandfold each at such x.
  const square = 1 / (x * x);
  const series = 1 - square * (1 - 3 * square * (1 - 5 * square));
  return normalLogDensity(x) - Math.log(-x) + Math.log(series);
}

/** The logarithm of the probability of a value between a and b, a ≤ b; worked out in the tail that loses no digits. */
export function normalLogMass(a: number, b: number): number {
  if (a > 0) return normalLogMass(-b, -a);
  if (b > 0) return Math.log(normalCdf(b) - normalCdf(a));
  const [low, high] = [normalLogCdf(a), normalLogCdf(b)];
  return high + Math.log(-Math.expm1(low - high));
}

/**
 * The x up to which a share p of all values lies; −∞ at 0 and ∞ at 1.
 * Starts from Abramowitz and Stegun 26.2.23 and is made exact by Newton's method with Halley's correction.
 */
export function normalQuantile(p: number): number {
  if (p <= 0) return Number.NEGATIVE_INFINITY;
  if (p >= 1) return Number.POSITIVE_INFINITY;
  if (p > 0.5) return -lowerQuantile(1 - p);
  return lowerQuantile(p);
}

function lowerQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p));
  let x =
    (2.515517 + t * (0.802853 + t * 0.010328)) /
      (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
    t;
  for (let round = 0; round < 4; round++) {
    const step = (normalCdf(x) - p) / normalDensity(x);
    x -= step / (1 + (x * step) / 2);
    if (Math.abs(step) < 1e-15 * Math.abs(x)) break;
  }
  return x;
}
