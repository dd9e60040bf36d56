// From a run's configuration to its objective.
import type { RunConfig } from "../../config/run-config.js";
import type { ModelConfig } from "../../model/family.js";
import type { Tokenizer } from "../../text/tokenizers/tokenizer.js";
import { createGapSentences } from "./gap-sentences.js";
import type { Objective } from "./objective.js";
import { createSeq2Seq } from "./seq2seq.js";

/** Longest source where neither the configuration nor the model says. */
const defaultSourceTokens = 1024;

export function createObjective(
  { data, train }: RunConfig,
  { tokenizer, config }: { readonly tokenizer: Tokenizer; readonly config: ModelConfig },
): Objective {
  const reach = config.maxPositions ?? Math.min(tokenizer.modelMaxLength, defaultSourceTokens);
  const limits = {
    maxSourceTokens: Math.min(reach, data.maxSourceTokens ?? reach),
    maxTargetTokens: Math.min(reach, data.maxTargetTokens),
  };
  if (train.objective === "seq2seq") {
    return createSeq2Seq(tokenizer, { ...limits, prefix: data.prefix });
  }
  return createGapSentences(tokenizer, { ...limits, ...train.gapSentences, seed: train.seed });
}
