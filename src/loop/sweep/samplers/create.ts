// From a sweep's options to the sampler they name.
import type { SamplerOptions } from "../../../config/sweep-config.js";
import { createGridSampler } from "./grid.js";
import { createRandomSampler } from "./random.js";
import type { Sampler, SamplerContext } from "./sampler.js";
import { createSobolSampler } from "./sobol.js";
import { createTpeSampler } from "./tpe.js";

/** @throws SWEEP_SAMPLER_UNFIT, SWEEP_SPACE_EMPTY */
export function createSampler(options: SamplerOptions, context: SamplerContext): Sampler {
  switch (options.name) {
    case "grid":
      return createGridSampler(context);
    case "random":
      return createRandomSampler(context);
    case "sobol":
      return createSobolSampler(context, options);
    case "tpe":
      return createTpeSampler(context, options);
  }
}
