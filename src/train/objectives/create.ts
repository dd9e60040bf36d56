// From a run's configuration to its objective.
import type { RunConfig } from "../../config/run-config.js";
import type { ModelConfig } from "../../model/family.js";
import { usualReach } from "../../model/prefix.js";
import type { Tokenizer } from "../../text/tokenizers/tokenizer.js";
import { createGapSentences } from "./gap-sentences.js";
import type { Objective } from "./objective.js";
import { createSeq2Seq } from "./seq2seq.js";

export function createObjective(
  { data, train }: RunConfig,
  { tokenizer, config }: { readonly tokenizer: Tokenizer; readonly config: ModelConfig },
): Objective {
  const { maxPositions = Number.POSITIVE_INFINITY } = config;
  const reach = Math.min(
    maxPositions,
    data.maxSourceTokens ?? config.maxPositions ?? usualReach(config, tokenizer),
  );
  const limits = {
    maxSourceTokens: reach,
    maxTargetTokens: Math.min(maxPositions, data.maxTargetTokens),
  };
  if (train.objective === "seq2seq") {
    return createSeq2Seq(tokenizer, { ...limits, prefix: config.prefix });
  }
  return createGapSentences(tokenizer, { ...limits, ...train.gapSentences, seed: train.seed });
}
