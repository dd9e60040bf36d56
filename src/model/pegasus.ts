// Pegasus: a pre-norm transformer encoder-decoder with sinusoidal positions and one embedding table for everything.
// Source: Zhang et al. 2020 (PEGASUS); the layers as Vaswani et al. 2017 with layer norm before each block.

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

/** Token embeddings, scaled by √d, plus the table's row for each position; padding learns nothing. */
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
  const places = embedding(g, positions, `model.${side}.embed_positions`, c.maxPositions, dModel);
  return ops.dropout(g, ops.add(g, scaled, places), c.dropout);
}

function feedForward(
  g: GraphBuilder,
  c: BartLikeConfig,
  x: Value,
  layer: string,
  size: number,
): Value {
  const inner = linear(g, layerNorm(g, x, `${layer}.final_layer_norm`), `${layer}.fc1`, size);
  const active = ops.dropout(g, activations[c.activation](g, inner), c.activationDropout);
  return linear(g, active, `${layer}.fc2`, c.dModel);
}

/** x plus what a block makes of it. */
function residual(g: GraphBuilder, c: BartLikeConfig, x: Value, block: Value): Value {
  return ops.add(g, x, ops.dropout(g, block, c.dropout));
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
    const own = layerNorm(g, x, `${layer}.self_attn_layer_norm`);
    const self = { ...attention, x: own, memory: own };
    x = residual(g, c, x, multiHeadAttention(g, `${layer}.self_attn`, self));
    x = residual(g, c, x, feedForward(g, c, x, layer, c.encoderFfn));
    states.push(x);
  }
  states[states.length - 1] = layerNorm(g, x, "model.encoder.layer_norm");
  return states;
}

function decoder(g: GraphBuilder, c: BartLikeConfig, input: DecoderInput): HiddenStates {
  const { ids, positions, rows, memory, memoryRows, mask, memoryMask, cache } = input;
  const attention = { heads: c.decoderHeads, rows, cache, dropout: c.attentionDropout };
  let x = embed(g, c, ids, positions, "decoder");
  const states: [Value, ...Value[]] = [x];
  for (let i = 0; i < c.decoderLayers; i++) {
    const layer = `model.decoder.layers.${i}`;
    const own = layerNorm(g, x, `${layer}.self_attn_layer_norm`);
    const self = { ...attention, x: own, memory: own, memoryRows: rows, mask };
    x = residual(g, c, x, multiHeadAttention(g, `${layer}.self_attn`, self));
    const asking = layerNorm(g, x, `${layer}.encoder_attn_layer_norm`);
    const cross = { ...attention, x: asking, memory, memoryRows, mask: memoryMask };
    x = residual(g, c, x, multiHeadAttention(g, crossAttention(i), cross));
    x = residual(g, c, x, feedForward(g, c, x, layer, c.decoderFfn));
    states.push(x);
  }
  states[states.length - 1] = layerNorm(g, x, "model.decoder.layer_norm");
  return states;
}

/**
 * Sinusoidal positions [length, width]: sines in the first half of a row, cosines in the second.
 * Source: transformers' PegasusSinusoidalPositionalEmbedding (Vaswani et al. 2017 interleaves them).
 */
export function sinusoids(length: number, width: number): Float32Array {
  const table = new Float32Array(length * width);
  const half = Math.ceil(width / 2);
  for (let position = 0; position < length; position++) {
    for (let j = 0; j < width; j++) {
      const angle = position / 10000 ** ((2 * (j >> 1)) / width);
      table[position * width + (j % 2 === 0 ? j / 2 : half + (j - 1) / 2)] =
        j % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return table;
}

export const pegasus: Family<BartLikeConfig> = {
  architectures: ["PegasusForConditionalGeneration"],
  readConfig: (json) => readBartConfig("pegasus", json, { pad: 0, eos: 1, decoderStart: 0 }),
  encoder,
  decoder,
  head,
  crossAttention,
  crossKeyValue,
  fixed: [
    "final_logits_bias",
    "model.encoder.embed_positions.weight",
    "model.decoder.embed_positions.weight",
  ],
  aliases: tableAliases,
  ...bartLike,
  freshConfig: {
    architectures: ["PegasusForConditionalGeneration"],
    model_type: "pegasus",
    is_encoder_decoder: true,
    tie_word_embeddings: true,
    scale_embedding: true,
    activation_function: "relu",
    pad_token_id: 0,
    eos_token_id: 1,
    decoder_start_token_id: 0,
    forced_eos_token_id: 1,
  },
  derivedWeights(c) {
    const shape = [c.maxPositions, c.dModel];
    const data = () => sinusoids(c.maxPositions, c.dModel);
    return new Map([
      ["model.encoder.embed_positions.weight", { shape, data }],
      ["model.decoder.embed_positions.weight", { shape, data }],
      ["final_logits_bias", derivedBias(c)],
    ]);
  },
};
