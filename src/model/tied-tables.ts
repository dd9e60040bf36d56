// What Pegasus and BART have in common outside their layers: names, the output layer, and the tables it may share.
import type { GraphBuilder, Value } from "../graph/index.js";
import type { Head } from "./family.js";
import { type KeyValue, keyValue } from "./layers.js";

interface Tables {
  readonly vocabSize: number;
  readonly dModel: number;
  /** One table for the encoder's tokens, the decoder's and the output layer, as all published models have it. */
  readonly tiedEmbeddings: boolean;
  /** Where one is shared: the tables that a checkpoint holds besides with values of their own. */
  readonly ownTables: ReadonlySet<string>;
}

const shared = "model.shared";

const outputTable = "lm_head.weight";
const tableOf = (side: "encoder" | "decoder") => `model.${side}.embed_tokens`;

/** Name of the table of one side's tokens. */
export function tokenTable(
  { tiedEmbeddings, ownTables }: Tables,
  side: "encoder" | "decoder",
): string {
  const own = tableOf(side);
  return tiedEmbeddings && !ownTables.has(`${own}.weight`) ? shared : own;
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
  const isShared = c.tiedEmbeddings && !c.ownTables.has(outputTable);
  const table = isShared ? `${shared}.weight` : outputTable;
  return {
    hidden,
    table: g.parameter(table, [c.vocabSize, c.dModel]),
    bias: g.parameter("final_logits_bias", [c.vocabSize]),
  };
}

/**
 * All names of the tables that checkpoints hold under several, the one that counts first. Tables that are to be shared and are not the
 * same stay apart, whatever the config says.
 * Source: transformers 5.24, `tie_weights`.
 */
export function tableAliases({
  tiedEmbeddings,
  ownTables,
}: Tables): Map<string, readonly string[]> {
  const name = `${shared}.weight`;
  const tables = [`${tableOf("decoder")}.weight`, `${tableOf("encoder")}.weight`];
  if (tiedEmbeddings) {
    const others = [outputTable, ...tables];
    return new Map<string, readonly string[]>([
      [name, [name, ...others.filter((table) => !ownTables.has(table))]],
      ...others
        .filter((table) => ownTables.has(table))
        .map((table): [string, string[]] => [table, [table]]),
    ]);
  }
  // transformers 4 shares the tokens' table even then, and saves it once.
  return new Map(tables.map((table) => [table, [table, name]]));
}

/** The output layer's bias, which checkpoints of transformers 4 may leave out. */
export function derivedBias({ vocabSize }: Tables) {
  return { shape: [1, vocabSize], data: () => new Float32Array(vocabSize) };
}
