// Grid search: every combination of the values, once, the last key's turning fastest.
import { BridleError } from "../../../errors/error.js";
import type { Parameters } from "../dimension.js";
import { type Sampler, type SamplerContext, spaceEmpty } from "./sampler.js";

/** More trials than anyone waits for; so many combinations are a slip. */
const largestGrid = 100_000;

function unfit(problem: string): BridleError {
  return new BridleError("SWEEP_SAMPLER_UNFIT", {
    sampler: "grid",
    problem,
    advice:
      "Give a list of values or a range with a step, or take the random, sobol or tpe sampler.",
  });
}

/** @throws SWEEP_SAMPLER_UNFIT for a range without steps and for too many combinations; SWEEP_SPACE_EMPTY */
export function createGridSampler({ dimensions, allows }: SamplerContext): Sampler {
  const values = dimensions.map((dimension) => {
    if (dimension.values === undefined) {
      throw unfit(`${dimension.key} is a range without a step, and has no end of values`);
    }
    return dimension.values;
  });
  const count = values.reduce((product, { length }) => product * length, 1);
  if (count > largestGrid) {
    throw unfit(`the space has ${count} combinations, and a grid may have ${largestGrid}`);
  }
  const combinations: Parameters[] = [];
  for (let index = 0; index < count; index++) {
    let rest = index;
    const parameters: Record<string, unknown> = {};
    for (let at = dimensions.length - 1; at >= 0; at--) {
      const own = values[at]!;
      parameters[dimensions[at]!.key] = own[rest % own.length];
      rest = Math.floor(rest / own.length);
    }
    if (allows(parameters)) combinations.push(parameters);
  }
  if (combinations.length === 0) throw spaceEmpty(count);
  return {
    size: combinations.length,
    suggest: (number) => combinations[number % combinations.length]!,
  };
}
