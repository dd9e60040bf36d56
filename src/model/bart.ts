// BART: a transformer encoder-decoder with layer norm after each block, learned positions and one embedding table.
// Source: Lewis et al. 2020 (BART); the layers as Vaswani et al. 2017.

import type { GraphBuilder, Value } from "../graph/index.js";
import * as ops from "../graph/index.js";
import { type BartLikeConfig, bartLike, readBartConfig } from "./bart-config.js";
import type { DecoderInput, EncoderInput, Family, HiddenStates } from "./family.js";
import { activations, embedding, layerNorm, linear, multiHeadAttention } from "./layers.js";
import {
  crossAttention,
  crossKeyValue,
  derivedBias,
  head,
  tableAliases,
  tokenTable,
} from "./tied-tables.js";

/** The first rows of the table of positions belong to nobody: fairseq counted from the padding token's id on. */
const positionOffset = 2;

/** Token embeddings plus the learned row of each position, normed; padding learns nothing. */
function embed(
  g: GraphBuilder,
  c: BartLikeConfig,
  ids: Value,
  positions: Value,
  side: "encoder" | "decoder",
): Value {
  const { vocabSize, dModel, padTokenId: padding } = c;
  const tokens = embedding(g, ids, tokenTable(c, side), vocabSize, dModel, { padding });
  const scaled = c.scaleEmbedding ? ops.scale(g, tokens, Math.sqrt(c.dModel)) : tokens;
  const offset = g.constant(BigInt64Array.of(BigInt(positionOffset)), "int64", [1]);
  const rows = ops.add(g, positions, offset);
  const table = `model.${side}.embed_positions`;
  const places = embedding(g, rows, table, c.maxPositions + positionOffset, dModel);
  const normed = layerNorm(g, ops.add(g, scaled, places), `model.${side}.layernorm_embedding`);
  return ops.dropout(g, normed, c.dropout);
}

function feedForward(
  g: GraphBuilder,
  c: BartLikeConfig,
  x: Value,
  layer: string,
  size: number,
): Value {
  const inner = linear(g, x, `${layer}.fc1`, size);
  const active = ops.dropout(g, activations[c.activation](g, inner), c.activationDropout);
  return linear(g, active, `${layer}.fc2`, c.dModel);
}

/** x plus what a block makes of it, normed. */
function residual(g: GraphBuilder, c: BartLikeConfig, x: Value, block: Value, norm: string): Value {
  return layerNorm(g, ops.add(g, x, ops.dropout(g, block, c.dropout)), norm);
}

function encoder(
  g: GraphBuilder,
  c: BartLikeConfig,
  { ids, mask, positions, rows }: EncoderInput,
): HiddenStates {
  const layout = { rows, memoryRows: rows };
  const attention = { heads: c.encoderHeads, mask, dropout: c.attentionDropout, ...layout };
  let x = embed(g, c, ids, positions, "encoder");
  const states: [Value, ...Value[]] = [x];
  for (let i = 0; i < c.encoderLayers; i++) {
    const layer = `model.encoder.layers.${i}`;
    const self = multiHeadAttention(g, `${layer}.self_attn`, { ...attention, x, memory: x });
    x = residual(g, c, x, self, `${layer}.self_attn_layer_norm`);
    const inner = feedForward(g, c, x, layer, c.encoderFfn);
    x = residual(g, c, x, inner, `${layer}.final_layer_norm`);
    states.push(x);
  }
  return states;
}

function decoder(g: GraphBuilder, c: BartLikeConfig, input: DecoderInput): HiddenStates {
  const { ids, positions, rows, memory, memoryRows, mask, memoryMask, cache } = input;
  const attention = { heads: c.decoderHeads, rows, cache, dropout: c.attentionDropout };
  let x = embed(g, c, ids, positions, "decoder");
  const states: [Value, ...Value[]] = [x];
  for (let i = 0; i < c.decoderLayers; i++) {
    const layer = `model.decoder.layers.${i}`;
    const own = { ...attention, x, memory: x, memoryRows: rows, mask };
    const self = multiHeadAttention(g, `${layer}.self_attn`, own);
    x = residual(g, c, x, self, `${layer}.self_attn_layer_norm`);
    const asked = { ...attention, x, memory, memoryRows, mask: memoryMask };
    const cross = multiHeadAttention(g, crossAttention(i), asked);
    x = residual(g, c, x, cross, `${layer}.encoder_attn_layer_norm`);
    const inner = feedForward(g, c, x, layer, c.decoderFfn);
    x = residual(g, c, x, inner, `${layer}.final_layer_norm`);
    states.push(x);
  }
  return states;
}

export const bart: Family<BartLikeConfig> = {
  architectures: ["BartForConditionalGeneration"],
  readConfig: (json) => readBartConfig("bart", json, { pad: 1, eos: 2, decoderStart: 2 }),
  encoder,
  decoder,
  head,
  crossAttention,
  crossKeyValue,
  fixed: ["final_logits_bias"],
  aliases: tableAliases,
  ...bartLike,
  unused: ["model.encoder.version", "model.decoder.version"],
  freshConfig: {
    architectures: ["BartForConditionalGeneration"],
    model_type: "bart",
    is_encoder_decoder: true,
    tie_word_embeddings: true,
    scale_embedding: false,
    activation_function: "gelu",
    pad_token_id: 1,
    bos_token_id: 0,
    eos_token_id: 2,
    decoder_start_token_id: 2,
    forced_eos_token_id: 2,
  },
  derivedWeights: (c) => new Map([["final_logits_bias", derivedBias(c)]]),
};
