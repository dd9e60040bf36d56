// The keys of config.json that transformers gives T5, mT5 and umT5 alike.
import { readFields } from "./config.js";
import type { ModelConfig } from "./family.js";
import { type Activation, activations } from "./layers.js";
import { readPrefix } from "./prefix.js";

export interface T5Config extends ModelConfig {
  readonly dModel: number;
  /** Heads of the encoder's attention, as many as the decoder's. */
  readonly encoderHeads: number;
  readonly ffn: number;
  readonly activation: Activation;
  /** Whether the feed-forward's inside is multiplied by a second product. */
  readonly gated: boolean;
  readonly buckets: number;
  readonly maxDistance: number;
  /** Whether each layer has scores for distances of its own, as umT5's have, instead of the first layer's. */
  readonly biasPerLayer: boolean;
  readonly epsilon: number;
  /** Whether the decoder's states are divided by the root of their width before the output layer. */
  readonly scaleOutput: boolean;
  /** Names of the tables that are no copy of `shared.weight`. */
  readonly ownTables: ReadonlySet<string>;
  /** Share that training drops, everywhere. */
  readonly dropout: number;
  /** What a new model's weights are multiplied by. */
  readonly initializerFactor: number;
}

export type T5Name = "t5" | "mt5" | "umt5";

/** What a T5 reads at once where nothing says how long its texts are: the length it was trained on. */
const usualTokens = 512;

/** Distances are looked up in a table. */
const farthest = 2 ** 20;

/** `relu`, or `gated-gelu`, which is gelu's approximation: gated or not, and the activation's name. */
function readFeedForward(json: Readonly<Record<string, unknown>>, family: T5Name) {
  const field = readFields(json);
  const names = Object.keys(activations) as Activation[];
  const choices = names.flatMap((name) => [name, `gated-${name}`]);
  const said = field.oneOf("feed_forward_proj", choices, family === "t5" ? "relu" : "gated-gelu");
  const isGated = said.startsWith("gated-");
  const name = said === "gated-gelu" ? "gelu_new" : (said.replace("gated-", "") as Activation);
  return {
    activation: field.oneOf("dense_act_fn", names, name),
    gated: field.flag("is_gated_act", isGated),
  };
}

/**
 * Source: transformers 5.24, T5Config, MT5Config and UMT5Config.
 * @throws CONFIG_INVALID naming the key
 */
export function readT5Config(family: T5Name, json: Readonly<Record<string, unknown>>): T5Config {
  const field = readFields(json);
  const vocabSize = field.size("vocab_size");
  const encoderLayers = field.layers("num_layers");
  const heads = field.size("num_heads");
  // Since T5 1.1 the output layer has a table of its own, and a config that says so means that nothing is scaled.
  const scales = field.flag("scale_decoder_outputs", field.flag("tie_word_embeddings", true));
  return {
    family,
    vocabSize,
    dModel: field.size("d_model"),
    encoderLayers,
    decoderLayers:
      json.num_decoder_layers == null ? encoderLayers : field.layers("num_decoder_layers"),
    encoderHeads: heads,
    decoderHeads: heads,
    headWidth: field.size("d_kv"),
    ffn: field.size("d_ff"),
    ...readFeedForward(json, family),
    buckets: field.count("relative_attention_num_buckets", 2 ** 16, 32),
    maxDistance: field.count("relative_attention_max_distance", farthest, 128),
    biasPerLayer: family === "umt5",
    epsilon: field.positive("layer_norm_epsilon", 1e-6),
    scaleOutput: family !== "mt5" && scales,
    ownTables: new Set(),
    dropout: field.share("dropout_rate", 0.1),
    initializerFactor: field.positive("initializer_factor", 1),
    maxPositions: undefined,
    usualTokens: field.count("n_positions", farthest, usualTokens),
    prefix: readPrefix(json),
    padTokenId: field.token("pad_token_id", vocabSize, 0),
    eosTokenId: field.firstToken("eos_token_id", vocabSize, 1),
    decoderStartTokenId: field.token("decoder_start_token_id", vocabSize, 0),
  };
}
