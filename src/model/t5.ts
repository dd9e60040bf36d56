// T5: a transformer encoder-decoder that knows distances instead of places, with root-mean-square norms before each block.
// Source: Raffel et al. 2020 (T5); Shazeer 2020 for the gated feed-forward of version 1.1; Chung et al. 2023 for umT5.

import type { GraphBuilder, Value } from "../graph/index.js";
import * as ops from "../graph/index.js";
import type { DecoderInput, EncoderInput, Family, Head, HiddenStates } from "./family.js";
import {
  activations,
  embedding,
  type KeyValue,
  keyValue,
  linear,
  multiHeadAttention,
  rmsNorm,
} from "./layers.js";
import { relativeBias } from "./relative-positions.js";
import { readT5Config, type T5Config, type T5Name } from "./t5-config.js";

type Side = "encoder" | "decoder";

const shared = "shared.weight";
const tables = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"];

const projections = { q: "q", k: "k", v: "v", out: "o", bias: false };

/** Name of a table, which is the shared one unless the checkpoint has another. */
function tableOf({ ownTables }: T5Config, name: string): string {
  return ownTables.has(name) ? name : shared;
}

function embed(g: GraphBuilder, c: T5Config, ids: Value, side: Side): Value {
  const name = tableOf(c, `${side}.embed_tokens.weight`).slice(0, -".weight".length);
  return ops.dropout(g, embedding(g, ids, name, c.vocabSize, c.dModel), c.dropout);
}

/** The inside of a feed-forward: active(x·W) or, gated, active(x·W₀)⊙(x·W₁). */
function feedForward(g: GraphBuilder, c: T5Config, x: Value, layer: string): Value {
  const product = (name: string) => linear(g, x, `${layer}.${name}`, c.ffn, { bias: false });
  const active = activations[c.activation](g, product(c.gated ? "wi_0" : "wi"));
  const inner = c.gated ? ops.mul(g, active, product("wi_1")) : active;
  return linear(g, ops.dropout(g, inner, c.dropout), `${layer}.wo`, c.dModel, { bias: false });
}

interface SelfAttention {
  /** [T] and [S] int64 */
  readonly queries: Value;
  readonly keys: Value;
  /** Added to the scores besides, broadcast to [B,H,T,S]. */
  readonly mask: Value | undefined;
}

/** For each layer, what is added to its self-attention's scores: distances and mask, summed once for all who share them. */
function biases(
  g: GraphBuilder,
  c: T5Config,
  side: Side,
  { queries, keys, mask }: SelfAttention,
): (layer: number) => Value {
  const heads = side === "encoder" ? c.encoderHeads : c.decoderHeads;
  const options = { heads, buckets: c.buckets, maxDistance: c.maxDistance };
  const made = new Map<number, Value>();
  return (layer) => {
    const owner = c.biasPerLayer ? layer : 0;
    let bias = made.get(owner);
    if (bias === undefined) {
      const name = `${side}.block.${owner}.layer.0.SelfAttention.relative_attention_bias`;
      const bidirectional = side === "encoder";
      bias = relativeBias(g, name, queries, keys, { ...options, bidirectional });
      if (mask !== undefined) bias = ops.add(g, bias, mask);
      made.set(owner, bias);
    }
    return bias;
  };
}

/** Attention without a scale, of the widths that the config says. */
const attentionOf = (c: T5Config, heads: number) => ({
  ...{ heads, headWidth: c.headWidth, projections, scale: 1, dropout: c.dropout },
});

/** Blocks of one side, each on its norm's output and added to what it was given. */
function createBlocks(g: GraphBuilder, c: T5Config, start: Value) {
  const states: [Value, ...Value[]] = [start];
  let x = start;
  return {
    add(layer: string, block: (x: Value) => Value): void {
      const made = block(rmsNorm(g, x, `${layer}.layer_norm`, c.epsilon));
      x = ops.add(g, x, ops.dropout(g, made, c.dropout));
    },
    endLayer: () => states.push(x),
    /** The states, the last one normed. */
    finish(side: Side): HiddenStates {
      const last = rmsNorm(g, x, `${side}.final_layer_norm`, c.epsilon);
      states[states.length - 1] = ops.dropout(g, last, c.dropout);
      return states;
    },
  };
}

function encoder(
  g: GraphBuilder,
  c: T5Config,
  { ids, mask, positions, rows }: EncoderInput,
): HiddenStates {
  const places = rows?.positions ?? positions;
  const bias = biases(g, c, "encoder", { queries: places, keys: places, mask });
  const blocks = createBlocks(g, c, embed(g, c, ids, "encoder"));
  const attention = { ...attentionOf(c, c.encoderHeads), rows, memoryRows: rows };
  for (let i = 0; i < c.encoderLayers; i++) {
    const layer = `encoder.block.${i}.layer`;
    blocks.add(`${layer}.0`, (x) =>
      multiHeadAttention(g, `${layer}.0.SelfAttention`, {
        ...{ ...attention, x, memory: x, mask: bias(i) },
      }),
    );
    blocks.add(`${layer}.1`, (x) => feedForward(g, c, x, `${layer}.1.DenseReluDense`));
    blocks.endLayer();
  }
  return blocks.finish("encoder");
}

function decoder(g: GraphBuilder, c: T5Config, input: DecoderInput): HiddenStates {
  const { ids, rows, memory, memoryRows, mask, memoryMask, cache } = input;
  const queries = rows?.positions ?? input.positions;
  const keys = input.keyPositions?.() ?? queries;
  const bias = biases(g, c, "decoder", { queries, keys, mask });
  const blocks = createBlocks(g, c, embed(g, c, ids, "decoder"));
  const attention = { ...attentionOf(c, c.decoderHeads), rows, cache };
  for (let i = 0; i < c.decoderLayers; i++) {
    const layer = `decoder.block.${i}.layer`;
    blocks.add(`${layer}.0`, (x) =>
      multiHeadAttention(g, `${layer}.0.SelfAttention`, {
        ...{ ...attention, x, memory: x, memoryRows: rows, mask: bias(i) },
      }),
    );
    blocks.add(`${layer}.1`, (x) =>
      multiHeadAttention(g, crossAttention(i), {
        ...{ ...attention, x, memory, memoryRows, mask: memoryMask },
      }),
    );
    blocks.add(`${layer}.2`, (x) => feedForward(g, c, x, `${layer}.2.DenseReluDense`));
    blocks.endLayer();
  }
  return blocks.finish("decoder");
}

const crossAttention = (layer: number) => `decoder.block.${layer}.layer.1.EncDecAttention`;

function crossKeyValue(g: GraphBuilder, c: T5Config, memory: Value, layer: number): KeyValue {
  return keyValue(g, memory, crossAttention(layer), attentionOf(c, c.decoderHeads));
}

/** The shared table once more as the output layer, or one of its own, without a bias. */
function head(g: GraphBuilder, c: T5Config, hidden: Value): Head {
  return {
    hidden: c.scaleOutput ? ops.scale(g, hidden, c.dModel ** -0.5) : hidden,
    table: g.parameter(tableOf(c, "lm_head.weight"), [c.vocabSize, c.dModel]),
    bias: undefined,
  };
}

/** Source: transformers 5.24, T5PreTrainedModel._init_weights. */
function initial(c: T5Config, name: string): { mean: number; deviation: number } {
  const factor = c.initializerFactor;
  if (name.endsWith("norm.weight")) return { mean: factor, deviation: 0 };
  const inner = c.encoderHeads * c.headWidth;
  const widths: readonly [RegExp, number][] = [
    [/\.q\.weight$/, c.dModel * c.headWidth],
    [/\.o\.weight$/, inner],
    [/\.wo\.weight$/, c.ffn],
    [/(shared|embed_tokens|lm_head)\.weight$/, 1],
  ];
  const [, width] = widths.find(([ending]) => ending.test(name)) ?? [undefined, c.dModel];
  return { mean: 0, deviation: factor * width ** -0.5 };
}

function t5Family(name: T5Name, architectures: readonly string[]): Family<T5Config> {
  return {
    architectures,
    readConfig: (json) => readT5Config(name, json),
    encoder,
    decoder,
    head,
    crossAttention,
    crossKeyValue,
    fixed: [],
    aliases(c) {
      const all = tables.filter((table) => !c.ownTables.has(table));
      return new Map([
        [shared, [shared, ...all]],
        ...[...c.ownTables].map((table): [string, string[]] => [table, [table]]),
      ]);
    },
    usesTaskSettings: true,
    withOwnTables: (config, ownTables) => ({ ...config, ownTables }),
    unused: ["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"],
    derivedWeights: () => new Map(),
    initial,
    freshConfig: {
      ...{ model_type: name, is_encoder_decoder: true, tie_word_embeddings: true },
      ...{ pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 },
    },
    dropoutKeys: { dropout: "dropout_rate" },
    queriesAndValues: ["q", "v"],
  };
}

export const t5 = t5Family("t5", ["T5ForConditionalGeneration", "T5WithLMHeadModel"]);
export const mt5 = t5Family("mt5", ["MT5ForConditionalGeneration"]);
export const umt5 = t5Family("umt5", ["UMT5ForConditionalGeneration"]);
