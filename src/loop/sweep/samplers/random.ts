// Random search: every trial is drawn from the space's distributions by itself.
import { drawAllowed, randomOf, type Sampler, type SamplerContext } from "./sampler.js";

export function createRandomSampler(context: SamplerContext): Sampler {
  return {
    size: undefined,
    suggest: (number) => drawAllowed(context, randomOf(context.seed, number)),
  };
}
