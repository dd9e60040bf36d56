// What a model family tells the rest of the house: its shape, its graph, its special tokens.
import type { GraphBuilder, Value } from "../graph/index.js";
import type { KeyValue, KeyValueCache, TokenRows } from "./layers.js";

/** What every family's config.json comes down to. */
export interface ModelConfig {
  readonly family: string;
  readonly vocabSize: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly encoderHeads: number;
  readonly decoderHeads: number;
  /** Width of one attention head of the decoder. */
  readonly headWidth: number;
  /** Longest input in tokens, or undefined where positions have no end. */
  readonly maxPositions: number | undefined;
  /** Input that is read at once, in tokens, where neither positions nor the tokenizer have an end. */
  readonly usualTokens?: number;
  /** Text that stands before every document, such as `summarize: `. */
  readonly prefix: string;
  readonly padTokenId: number;
  readonly eosTokenId: number;
  readonly decoderStartTokenId: number;
}

export interface EncoderInput {
  /** [B,S] int64, or [N] where tokens lie as rows. */
  readonly ids: Value;
  /** Added to attention scores, broadcast to [B,H,S,S]. */
  readonly mask: Value;
  /** Places of the tokens, [S] or [N] int64. */
  readonly positions: Value;
  /** How the tokens lie where they lie as rows, without padding; states are [N,D] then. */
  readonly rows?: TokenRows | undefined;
}

export interface DecoderInput {
  /** [B,T] int64, or [N] where tokens lie as rows. */
  readonly ids: Value;
  /** [T] or [N] int64, or [B,1] where all of T stand at one place, each document at its own. */
  readonly positions: Value;
  /** How the tokens lie where they lie as rows, without padding; states are [N,D] then. */
  readonly rows?: TokenRows | undefined;
  /** The encoder's last hidden states [B,S,D] or [N,D]; absent where a cache holds their keys and values. */
  readonly memory?: Value | undefined;
  /** How those lie, where they lie as rows. */
  readonly memoryRows?: TokenRows | undefined;
  /** Added to self-attention's scores, broadcast to [B,H,T,T]. */
  readonly mask?: Value | undefined;
  /** Added to cross-attention's scores, broadcast to [B,H,T,S]. */
  readonly memoryMask: Value;
  readonly cache?: KeyValueCache | undefined;
  /** Places of what self-attention looks at, [S] or [B,S] int64 as `positions`, where a cache holds more than the input. */
  readonly keyPositions?: (() => Value) | undefined;
}

/** Hidden states after the embedding and after each layer; the last one after the final norm, [B,T,D] or [N,D]. */
export type HiddenStates = readonly [Value, ...Value[]];

/** Scores over the vocabulary before softmax are hidden·tableᵀ + bias. */
export interface Head {
  /** [B,T,D] or [N,D] */
  readonly hidden: Value;
  /** [V,D] */
  readonly table: Value;
  /** [V] */
  readonly bias: Value | undefined;
}

/** Shares that training drops: of embeddings and blocks, of attention weights, of the feed-forward's inside. */
export type DropoutShare = "dropout" | "attentionDropout" | "activationDropout";

/** One model definition on one graph: the same functions make the serving and the training graph. */
export interface Family<C extends ModelConfig = ModelConfig> {
  /** Names in config.json's `architectures`. */
  readonly architectures: readonly string[];
  /** @throws CONFIG_INVALID naming the key. */
  readConfig(config: Readonly<Record<string, unknown>>): C;
  encoder(g: GraphBuilder, config: C, input: EncoderInput): HiddenStates;
  decoder(g: GraphBuilder, config: C, input: DecoderInput): HiddenStates;
  /** The output layer on the decoder's last hidden states [B,T,D]. */
  head(g: GraphBuilder, config: C, hidden: Value): Head;
  /** Name of the cross-attention of a decoder layer, whose keys and values depend on the document alone. */
  crossAttention(layer: number): string;
  /** That attention's keys and values for the encoder's last states [B,S,D]. */
  crossKeyValue(g: GraphBuilder, config: C, memory: Value, layer: number): KeyValue;
  /** What names of weights begin with, but for the output layer's; checkpoints of models without one leave it out. */
  readonly basePrefix?: string;
  /** Parameters that training leaves as they are, as transformers' buffers. */
  readonly fixed: readonly string[];
  /** For parameters that checkpoints may hold under other names too: all their names, the one that counts first. */
  aliases(config: C): ReadonlyMap<string, readonly string[]>;
  /**
   * The config for a checkpoint that holds some of those names with values of their own, where the family goes by that
   * rather than by its config.
   */
  withOwnTables?(config: C, own: ReadonlySet<string>): C;
  /** Whether config.json's settings for the task of summarizing are defaults of generation, as with T5's checkpoints. */
  readonly usesTaskSettings?: boolean;
  /** Weights that checkpoints may hold and no layer uses. */
  readonly unused?: readonly string[];
  /** Weights that a checkpoint may leave out because the config determines them. */
  derivedWeights(
    config: C,
  ): ReadonlyMap<string, { shape: readonly number[]; data: () => Float32Array }>;
  /** How a new model's weight is drawn, where that depends on the weight: around a mean, normal, with a deviation. */
  initial?(config: C, name: string): { readonly mean: number; readonly deviation: number };
  /** What a new model's config.json says unless it is told. */
  readonly freshConfig: Readonly<Record<string, unknown>>;
  /** Keys of config.json for the shares that training drops; those that a family does not have are left out. */
  readonly dropoutKeys: Readonly<Partial<Record<DropoutShare, string>>>;
  /** Layers that adapters stand beside unless said: the projections of queries and values. */
  readonly queriesAndValues: readonly string[];
}
