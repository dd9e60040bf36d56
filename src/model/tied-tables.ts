// What Pegasus and BART have in common outside their layers: names, the output layer, and the tables it may share.
import type { GraphBuilder, Value } from "../graph/index.js";
import type { Head } from "./family.js";
import { type KeyValue, keyValue } from "./layers.js";

interface Tables {
  readonly vocabSize: number;
  readonly dModel: number;
  /** One table for the encoder's tokens, the decoder's and the output layer, as all published models have it. */
  readonly tiedEmbeddings: boolean;
}

const shared = "model.shared";

/** Name of the table of one side's tokens. */
export function tokenTable({ tiedEmbeddings }: Tables, side: "encoder" | "decoder"): string {
  return tiedEmbeddings ? shared : `model.${side}.embed_tokens`;
}

/** Name of the cross-attention of a decoder layer. */
export function crossAttention(layer: number): string {
  return `model.decoder.layers.${layer}.encoder_attn`;
}

/** Keys and values of a decoder layer's cross-attention for the encoder's last states. */
export function crossKeyValue(
  g: GraphBuilder,
  { decoderHeads }: { readonly decoderHeads: number },
  memory: Value,
  layer: number,
): KeyValue {
  return keyValue(g, memory, crossAttention(layer), { heads: decoderHeads });
}

/** The embedding table once more as the output layer (or one of its own), plus a bias. */
export function head(g: GraphBuilder, c: Tables, hidden: Value): Head {
  const table = c.tiedEmbeddings ? `${shared}.weight` : "lm_head.weight";
  return {
    hidden,
    table: g.parameter(table, [c.vocabSize, c.dModel]),
    bias: g.parameter("final_logits_bias", [c.vocabSize]),
  };
}

/** All names of the tables that checkpoints hold under several, the one that counts first. */
export function tableAliases({ tiedEmbeddings }: Tables): Map<string, readonly string[]> {
  const name = `${shared}.weight`;
  const tables = ["encoder", "decoder"].map((side) => `model.${side}.embed_tokens.weight`);
  if (tiedEmbeddings) return new Map([[name, [name, ...tables, "lm_head.weight"]]]);
  // transformers 4 shares the tokens' table even then, and saves it once.
  return new Map(tables.map((table) => [table, [table, name]]));
}

/** The output layer's bias, which checkpoints of transformers 4 may leave out. */
export function derivedBias({ vocabSize }: Tables) {
  return { shape: [1, vocabSize], data: () => new Float32Array(vocabSize) };
}
