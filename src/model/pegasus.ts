// Pegasus: a pre-norm transformer encoder-decoder with sinusoidal positions and one embedding table for everything.
// Source: Zhang et al. 2020 (PEGASUS); the layers as Vaswani et al. 2017 with layer norm before each block.

import type { GraphBuilder, Value } from "../graph/index.js";
import * as ops from "../graph/index.js";
import { readFields } from "./config.js";
import type { DecoderInput, EncoderInput, Family, HiddenStates, ModelConfig } from "./family.js";
import {
  type Activation,
  activations,
  embedding,
  layerNorm,
  linear,
  multiHeadAttention,
} from "./layers.js";
import { crossAttention, derivedBias, head, tableAliases, tokenTable } from "./tied-tables.js";

export interface PegasusConfig extends ModelConfig {
  readonly family: "pegasus";
  readonly dModel: number;
  readonly encoderHeads: number;
  readonly encoderFfn: number;
  readonly decoderFfn: number;
  readonly activation: Activation;
  readonly scaleEmbedding: boolean;
  /** One table for the encoder's tokens, the decoder's and the output layer, as all published models have it. */
  readonly tiedEmbeddings: boolean;
  readonly maxPositions: number;
  /** Shares that training drops: of embeddings and blocks, of attention weights, of the feed-forward's inside. */
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
}

/** Token embeddings, scaled by √d, plus the table's row for each position; padding learns nothing. */
function embed(
  g: GraphBuilder,
  c: PegasusConfig,
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
  c: PegasusConfig,
  x: Value,
  layer: string,
  size: number,
): Value {
  const inner = linear(g, layerNorm(g, x, `${layer}.final_layer_norm`), `${layer}.fc1`, size);
  const active = ops.dropout(g, activations[c.activation](g, inner), c.activationDropout);
  return linear(g, active, `${layer}.fc2`, c.dModel);
}

/** x plus what a block makes of it. */
function residual(g: GraphBuilder, c: PegasusConfig, x: Value, block: Value): Value {
  return ops.add(g, x, ops.dropout(g, block, c.dropout));
}

function encoder(
  g: GraphBuilder,
  c: PegasusConfig,
  { ids, mask, positions }: EncoderInput,
): HiddenStates {
  const attention = { heads: c.encoderHeads, mask, dropout: c.attentionDropout };
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

function decoder(g: GraphBuilder, c: PegasusConfig, input: DecoderInput): HiddenStates {
  const { ids, positions, memory, mask, memoryMask, cache } = input;
  const attention = { heads: c.decoderHeads, cache, dropout: c.attentionDropout };
  let x = embed(g, c, ids, positions, "decoder");
  const states: [Value, ...Value[]] = [x];
  for (let i = 0; i < c.decoderLayers; i++) {
    const layer = `model.decoder.layers.${i}`;
    const own = layerNorm(g, x, `${layer}.self_attn_layer_norm`);
    const self = { ...attention, x: own, memory: own, mask };
    x = residual(g, c, x, multiHeadAttention(g, `${layer}.self_attn`, self));
    const asking = layerNorm(g, x, `${layer}.encoder_attn_layer_norm`);
    const cross = { ...attention, x: asking, memory, mask: memoryMask };
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

export const pegasus: Family<PegasusConfig> = {
  architectures: ["PegasusForConditionalGeneration"],
  readConfig(json) {
    const field = readFields(json);
    const dModel = field.size("d_model");
    const vocabSize = field.size("vocab_size");
    const decoderHeads = field.divisor("decoder_attention_heads", dModel);
    return {
      family: "pegasus",
      vocabSize,
      dModel,
      encoderLayers: field.layers("encoder_layers"),
      decoderLayers: field.layers("decoder_layers"),
      encoderHeads: field.divisor("encoder_attention_heads", dModel),
      decoderHeads,
      headWidth: dModel / decoderHeads,
      encoderFfn: field.size("encoder_ffn_dim"),
      decoderFfn: field.size("decoder_ffn_dim"),
      activation: field.oneOf(
        "activation_function",
        Object.keys(activations) as Activation[],
        "gelu",
      ),
      scaleEmbedding: field.flag("scale_embedding", false),
      tiedEmbeddings: field.flag("tie_word_embeddings", true),
      maxPositions: field.rows("max_position_embeddings", dModel),
      dropout: field.share("dropout", 0.1),
      attentionDropout: field.share("attention_dropout", 0),
      activationDropout: field.share("activation_dropout", 0),
      padTokenId: field.token("pad_token_id", vocabSize, 0),
      eosTokenId: field.firstToken("eos_token_id", vocabSize, 1),
      decoderStartTokenId: field.token("decoder_start_token_id", vocabSize, 0),
    };
  },
  encoder,
  decoder,
  head,
  crossAttention,
  fixed: [
    "final_logits_bias",
    "model.encoder.embed_positions.weight",
    "model.decoder.embed_positions.weight",
  ],
  aliases: tableAliases,
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
