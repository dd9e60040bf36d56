// What every sampler is: it names the parameters of the next trial from those before, the same ones whenever it is asked.

import { BridleError } from "../../../errors/error.js";
import { deriveSeed, type SeededRandom, seededRandom } from "../../../text/seeded-random.js";
import type { Allows } from "../constraints.js";
import type { Dimension, Parameters } from "../dimension.js";
import type { SweepTrial } from "../trial.js";

export interface Sampler {
  /** How many different trials there are; undefined where there is no end of them. */
  readonly size: number | undefined;
  /**
   * Parameters of a trial, constants not among them. It depends on the number, the seed and the trials told alone, so that a
   * sweep that is taken up again goes on as it would have gone.
   * @throws SWEEP_SPACE_EMPTY when the constraints allow none of many
   */
  suggest(number: number, trials: readonly SweepTrial[]): Parameters;
}

export interface SamplerContext {
  readonly dimensions: readonly Dimension[];
  readonly allows: Allows;
  readonly seed: number;
}

/** Combinations that are drawn before a space counts as empty. */
export const mostDraws = 10_000;

export function spaceEmpty(tried: number): BridleError {
  return new BridleError("SWEEP_SPACE_EMPTY", { tried });
}

/** The draws of one trial. */
export function randomOf(seed: number, number: number): SeededRandom {
  return seededRandom(deriveSeed(seed, number));
}

/** A uniform draw of 0..1, 1 left out, with 53 random bits. */
export function drawUnit(random: SeededRandom): number {
  return (random.nextUint32() * 2 ** 21 + (random.nextUint32() >>> 11)) / 2 ** 53;
}

/** Parameters drawn from the space's own distributions, the first that are allowed. @throws SWEEP_SPACE_EMPTY */
export function drawAllowed(
  { dimensions, allows }: SamplerContext,
  random: SeededRandom,
): Parameters {
  for (let draw = 0; draw < mostDraws; draw++) {
    const parameters = Object.fromEntries(
      dimensions.map((dimension) => [dimension.key, dimension.fromUnit(drawUnit(random))]),
    );
    if (allows(parameters)) return parameters;
  }
  throw spaceEmpty(mostDraws);
}
