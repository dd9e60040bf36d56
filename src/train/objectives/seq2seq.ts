// The objective of fine-tuning: read a document, write its summary.
import type { Tokenizer } from "../../text/tokenizers/tokenizer.js";
import { cut, type Objective, type ObjectiveLimits } from "./objective.js";

/**
 * Documents and summaries end with the end token and are cut where they are longer than the limits; what is cut is
 * counted.
 * @param options.prefix put before every document
 */
export function createSeq2Seq(
  tokenizer: Tokenizer,
  { maxSourceTokens, maxTargetTokens, prefix = "" }: ObjectiveLimits & { readonly prefix?: string },
): Objective {
  const { eosTokenId } = tokenizer;
  return {
    encode({ document, summary }) {
      const source = cut(tokenizer.encode(prefix + document), maxSourceTokens, eosTokenId);
      const target = cut(tokenizer.encode(summary), maxTargetTokens, eosTokenId);
      return {
        inputIds: source.ids,
        labels: target.ids,
        lostSource: source.lost,
        lostTarget: target.lost,
      };
    },
  };
}
