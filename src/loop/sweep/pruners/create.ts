// From a sweep's options to the pruner they name.
import type { PrunerOptions } from "../../../config/sweep-config.js";
import { createBandsPruner } from "./bands.js";
import { createHyperbandPruner } from "./hyperband.js";
import { createMedianPruner } from "./median.js";
import type { Pruner } from "./pruner.js";
import { createHalvingPruner } from "./successive-halving.js";

/** @param name the sweep's, which decides Hyperband's brackets */
export function createPruner(options: PrunerOptions, name: string): Pruner {
  switch (options.name) {
    case "none":
      return { prunes: () => false };
    case "median":
      return createMedianPruner(options);
    case "asha":
      return createHalvingPruner(options);
    case "hyperband":
      return createHyperbandPruner(options, name);
    case "bands":
      return createBandsPruner(options);
  }
}
