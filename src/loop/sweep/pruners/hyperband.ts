// Hyperband: several brackets of successive halving that begin to prune at different steps. Source: Li et al. 2018.
import { crc32 } from "node:zlib";
import { type Pruner, settle } from "./pruner.js";
import { createHalvingPruner } from "./successive-halving.js";

export interface HyperbandOptions {
  readonly minResource: number;
  /** Steps of a whole trial; auto is one more than the first complete one had, and nothing is pruned before there is one. */
  readonly maxResource: number | "auto";
  readonly reductionFactor: number;
  readonly bootstrapCount: number;
}

/** How many of the trials each bracket gets, the one that prunes earliest first. */
export function bracketSizes(min: number, max: number, factor: number): number[] {
  let count = 1;
  while (min * factor ** count <= max) count++;
  return Array.from({ length: count }, (_, bracket) => {
    const halvings = count - 1 - bracket;
    return Math.ceil((count * factor ** halvings) / (halvings + 1));
  });
}

/**
 * @param name what the sweep is called: with a trial's number it decides the bracket, the same one as in Optuna's study of
 *   that name
 */
export function createHyperbandPruner(options: HyperbandOptions, name: string): Pruner {
  const { minResource, maxResource, reductionFactor, bootstrapCount } = options;
  const bracketOf = (number: number, sizes: readonly number[]) => {
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let place = crc32(`${name}_${number}`) % total;
    return sizes.findIndex((size) => {
      place -= size;
      return place < 0;
    });
  };
  return {
    prunes(trial, all) {
      let [max, others] = [maxResource, all];
      if (max === "auto") {
        const settled = settle(all);
        if (settled === undefined) return false;
        [max, others] = [settled.steps + 1, settled.others];
      }
      const sizes = bracketSizes(minResource, max, reductionFactor);
      const bracket = bracketOf(trial.number, sizes);
      const pruner = createHalvingPruner({
        minResource,
        reductionFactor,
        minEarlyStoppingRate: bracket,
        bootstrapCount,
      });
      return pruner.prunes(
        trial,
        others.filter(({ number }) => bracketOf(number, sizes) === bracket),
      );
    },
  };
}
