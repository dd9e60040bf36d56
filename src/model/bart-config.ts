// The keys of config.json that transformers gives BART and Pegasus alike.
import { readFields } from "./config.js";
import type { ModelConfig } from "./family.js";
import { type Activation, activations } from "./layers.js";
import { readPrefix } from "./prefix.js";

export interface BartLikeConfig extends ModelConfig {
  readonly dModel: number;
  readonly encoderHeads: number;
  readonly encoderFfn: number;
  readonly decoderFfn: number;
  readonly activation: Activation;
  readonly scaleEmbedding: boolean;
  /** One table for the encoder's tokens, the decoder's and the output layer, as all published models have it. */
  readonly tiedEmbeddings: boolean;
  /** Tables that the checkpoint holds with values of their own although one is to be shared. */
  readonly ownTables: ReadonlySet<string>;
  readonly maxPositions: number;
  /** Shares that training drops: of embeddings and blocks, of attention weights, of the feed-forward's inside. */
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
}

/** Ids that a config may leave out; each family has its own. */
export interface UsualTokens {
  readonly pad: number;
  readonly eos: number;
  readonly decoderStart: number;
}

/** What BART and Pegasus have in common besides. */
export const bartLike = {
  dropoutKeys: {
    dropout: "dropout",
    attentionDropout: "attention_dropout",
    activationDropout: "activation_dropout",
  },
  queriesAndValues: ["q_proj", "v_proj"],
  basePrefix: "model.",
  withOwnTables: (config: BartLikeConfig, ownTables: ReadonlySet<string>): BartLikeConfig =>
    config.tiedEmbeddings ? { ...config, ownTables } : config,
} as const;

/** @throws CONFIG_INVALID naming the key */
export function readBartConfig(
  family: string,
  json: Readonly<Record<string, unknown>>,
  usual: UsualTokens,
): BartLikeConfig {
  const field = readFields(json);
  const dModel = field.size("d_model");
  const vocabSize = field.size("vocab_size");
  const decoderHeads = field.divisor("decoder_attention_heads", dModel);
  return {
    family,
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
    ownTables: new Set(),
    maxPositions: field.rows("max_position_embeddings", dModel),
    dropout: field.share("dropout", 0.1),
    attentionDropout: field.share("attention_dropout", 0),
    activationDropout: field.share("activation_dropout", 0),
    prefix: readPrefix(json),
    padTokenId: field.token("pad_token_id", vocabSize, usual.pad),
    eosTokenId: field.firstToken("eos_token_id", vocabSize, usual.eos),
    decoderStartTokenId: field.token("decoder_start_token_id", vocabSize, usual.decoderStart),
  };
}
