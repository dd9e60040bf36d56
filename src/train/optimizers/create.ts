// From an optimizer's options to the optimizer.
import type { OptimizerOptions } from "../../config/optimizer-options.js";
import { createAdafactor } from "./adafactor.js";
import { createAdamW } from "./adamw.js";
import type { Optimizer } from "./optimizer.js";
import { createSgd } from "./sgd.js";
import { decays as decaysByName } from "./weight-decay.js";

/**
 * The optimizer that the options name.
 * @param decays which parameters weight decay applies to, by name; as transformers' Trainer chooses unless given
 */
export function createOptimizer(
  options: OptimizerOptions,
  { decays = decaysByName }: { decays?: (name: string) => boolean } = {},
): Optimizer {
  switch (options.name) {
    case "adamw":
      return createAdamW(options, decays);
    case "adafactor":
      return createAdafactor(options, decays);
    case "sgd":
      return createSgd(options, decays);
  }
}
