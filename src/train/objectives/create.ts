// From a run's configuration to its objective.
import type { RunConfig } from "../../config/run-config.js";
import type { ModelConfig } from "../../model/family.js";
import type { Tokenizer } from "../../text/tokenizers/tokenizer.js";
import type { Objective } from "./objective.js";
import { createSeq2Seq } from "./seq2seq.js";

/** Longest source where neither the configuration nor the model says. */
const defaultSourceTokens = 1024;

export function createObjective(
  { data }: RunConfig,
  { tokenizer, config }: { readonly tokenizer: Tokenizer; readonly config: ModelConfig },
): Objective {
  const reach = config.maxPositions ?? Math.min(tokenizer.modelMaxLength, defaultSourceTokens);
  return createSeq2Seq(tokenizer, {
    maxSourceTokens: Math.min(reach, data.maxSourceTokens ?? reach),
    maxTargetTokens: Math.min(reach, data.maxTargetTokens),
    prefix: data.prefix,
  });
}
