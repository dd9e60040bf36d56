// Quasi-random search: trials at the points of a Sobol sequence, one coordinate for each key.
import { seededRandom } from "../../../text/seeded-random.js";
import type { Parameters } from "../dimension.js";
import { mostDraws, type Sampler, type SamplerContext, spaceEmpty } from "./sampler.js";
import { createSobolSequence } from "./sobol-sequence.js";

/** @throws SWEEP_SAMPLER_UNFIT for too many keys */
export function createSobolSampler(
  { dimensions, allows, seed }: SamplerContext,
  { scramble }: { readonly scramble: boolean },
): Sampler {
  const sequence = createSobolSequence(
    dimensions.length,
    scramble ? seededRandom(seed) : undefined,
  );
  // Points that the constraints refuse are passed over, so that a trial's point depends on those before.
  const allowed: Parameters[] = [];
  let next = 0;
  return {
    size: undefined,
    suggest(number) {
      for (let refused = 0; allowed.length <= number; next++) {
        const point = sequence.point(next);
        const parameters = Object.fromEntries(
          dimensions.map((dimension, at) => [dimension.key, dimension.fromUnit(point[at]!)]),
        );
        if (allows(parameters)) {
          allowed.push(parameters);
          refused = 0;
        } else if (++refused >= mostDraws) throw spaceEmpty(refused);
      }
      return allowed[number]!;
    },
  };
}
