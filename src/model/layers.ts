// The layers that encoder-decoder models are made of, as plain functions over the graph.
import { BridleError } from "../errors/error.js";
import type { GraphBuilder, Value } from "../graph/index.js";
import * as ops from "../graph/index.js";

/** Last dimension of x, which a layer's weights depend on and so must be known. */
function width(x: Value): number {
  const last = x.shape.at(-1);
  if (typeof last !== "number") {
    throw new BridleError("SHAPE_MISMATCH", {
      op: "layer",
      reason: `the width of [${x.shape}] is not known`,
    });
  }
  return last;
}

/** x·Wᵀ + b with `name.weight` [size, D] and `name.bias` [size]: x [...,D] → [...,size] */
export function linear(
  g: GraphBuilder,
  x: Value,
  name: string,
  size: number,
  { bias = true } = {},
): Value {
  const weight = g.parameter(`${name}.weight`, [size, width(x)]);
  return ops.linear(g, x, weight, bias ? g.parameter(`${name}.bias`, [size]) : undefined);
}

/** Layer norm with `name.weight` and `name.bias` [D] over the last axis. */
export function layerNorm(g: GraphBuilder, x: Value, name: string): Value {
  const d = width(x);
  return ops.layerNorm(g, x, g.parameter(`${name}.weight`, [d]), g.parameter(`${name}.bias`, [d]));
}

/**
 * Rows of `name.weight` [size, width] at the ids: ids [...] → [...,width]
 * @param options.padding an id whose row learns nothing from being looked up
 */
export function embedding(
  g: GraphBuilder,
  ids: Value,
  name: string,
  size: number,
  width: number,
  options: { readonly padding?: number } = {},
): Value {
  return ops.gather(g, g.parameter(`${name}.weight`, [size, width]), ids, options);
}

/** x/√(mean(x²) + ε) with `name.weight` [D] over the last axis. */
export function rmsNorm(g: GraphBuilder, x: Value, name: string, epsilon: number): Value {
  return ops.rmsNorm(g, x, g.parameter(`${name}.weight`, [width(x)]), epsilon);
}

export interface KeyValue {
  /** [B,H,S,D] */
  readonly k: Value;
  /** [B,H,S,D] */
  readonly v: Value;
}

/** Keys and values of earlier input, and those of the current one where they are not among them. */
export interface CachedKeyValue extends KeyValue {
  /** Of each row, [B,H,T,D]; only the row itself sees them. */
  readonly own?: KeyValue;
  /** Where they are whole numbers, with k [B,H,D,S]: what each place of a vector is a share of, [B,H,1,D]. */
  readonly largest?: KeyValue;
}

/**
 * Where attention takes its keys and values from: `project` computes those of the current input.
 * A cache may answer with more than that, or without computing it.
 */
export type KeyValueCache = (name: string, project: () => KeyValue) => CachedKeyValue;

const uncached: KeyValueCache = (_, project) => project();

/**
 * How the tokens of one side lie where padding takes no part: one after the other, as rows [N,D] in place of [B,T,D]. Attention
 * alone works on padded blocks.
 */
export interface TokenRows {
  /** Where the heads stand, given how many there are. */
  readonly heads: (count: number) => ops.HeadPlaces;
  /** The places of a padded block, [T] int64. */
  readonly positions: Value;
}

/** [B,T,H·D], or the rows of tokens [N,H·D] → [B,H,T,D] */
function splitHeads(g: GraphBuilder, x: Value, heads: number, rows: TokenRows | undefined): Value {
  if (rows !== undefined) return ops.padHeads(g, x, rows.heads(heads));
  const perHead = width(x) / heads;
  return ops.transpose(g, ops.reshape(g, x, [0, 0, heads, perHead]), [0, 2, 1, 3]);
}

/** [B,H,T,D] → [B,T,H·D], or the rows of tokens [N,H·D] */
function mergeHeads(g: GraphBuilder, x: Value, heads: number, rows: TokenRows | undefined): Value {
  if (rows !== undefined) return ops.packHeads(g, x, rows.heads(heads));
  return ops.reshape(g, ops.transpose(g, x, [0, 2, 1, 3]), [0, 0, heads * width(x)]);
}

/** What an attention's projections are called, and whether they add a bias. */
export interface Projections {
  readonly q: string;
  readonly k: string;
  readonly v: string;
  readonly out: string;
  readonly bias: boolean;
}

const usualProjections = { q: "q_proj", k: "k_proj", v: "v_proj", out: "out_proj", bias: true };

export interface HeadShape {
  readonly heads: number;
  /** Width of one head; the heads share the model's width among them unless said. */
  readonly headWidth?: number | undefined;
  /** `q_proj`, `k_proj`, `v_proj` and `out_proj`, with biases, unless said. */
  readonly projections?: Projections;
}

interface KeyValueShape extends HeadShape {
  /** How the tokens of what is looked at lie, where they lie as rows. */
  readonly memoryRows?: TokenRows | undefined;
}

/** Keys and values of `memory` [B,S,D], or rows of tokens [N,D], for the attention called `name`. */
export function keyValue(
  g: GraphBuilder,
  memory: Value,
  name: string,
  { heads, headWidth, projections = usualProjections, memoryRows }: KeyValueShape,
): KeyValue {
  const size = headWidth === undefined ? width(memory) : heads * headWidth;
  const project = (projection: string) =>
    splitHeads(g, linear(g, memory, `${name}.${projection}`, size, projections), heads, memoryRows);
  return { k: project(projections.k), v: project(projections.v) };
}

export interface AttentionInput extends KeyValueShape {
  /** What asks: [B,T,D], or rows of tokens [N,D] */
  readonly x: Value;
  /** How the tokens of x lie, where they lie as rows [N,D]. */
  readonly rows?: TokenRows | undefined;
  /** What is looked at, [B,S,D] or [N,D]; x itself in self-attention. Absent where a cache holds its keys and values. */
  readonly memory?: Value | undefined;
  /** Added to the scores, broadcast to [B,H,T,S], or to [B,H,T,S+1] with a cache that lacks the rows' own: 0 keep, −inf drop. */
  readonly mask?: Value | undefined;
  readonly cache?: KeyValueCache | undefined;
  /** Share of the attention weights that training drops. */
  readonly dropout?: number;
  /** What the scores are multiplied by; one over the root of a head's width unless said. */
  readonly scale?: number;
}

/**
 * Multi-head attention: x [B,T,D], or rows of tokens [N,D] → the same shape
 * Source: Vaswani et al. 2017, §3.2.
 */
export function multiHeadAttention(g: GraphBuilder, name: string, input: AttentionInput): Value {
  const { x, rows, memory, mask, dropout, cache = uncached } = input;
  const { heads, headWidth = width(x) / heads, projections = usualProjections } = input;
  const asked = linear(g, x, `${name}.${projections.q}`, heads * headWidth, projections);
  const q = splitHeads(g, asked, heads, rows);
  const { k, v, own, largest } = cache(name, () => {
    if (memory === undefined) {
      throw new BridleError("GRAPH_INVALID", {
        reason: `${name} has neither a memory nor a cache`,
      });
    }
    return keyValue(g, memory, name, input);
  });
  const { scale = headWidth ** -0.5 } = input;
  const attend = () => {
    if (own) return ops.cachedAttention(g, { q, k, v, own, mask, scale });
    if (largest === undefined) {
      return ops.attention(g, { q, k, v, mask, scale, dropout, hasFewRows: cache !== uncached });
    }
    const keys = { values: k, largest: largest.k };
    const values = { values: v, largest: largest.v };
    return ops.quantizedAttention(g, { q, k: keys, v: values, mask, scale });
  };
  return linear(
    g,
    mergeHeads(g, attend(), heads, rows),
    `${name}.${projections.out}`,
    width(x),
    projections,
  );
}

export const activations = {
  relu: ops.relu,
  gelu: ops.gelu,
  gelu_new: ops.geluTanh,
  gelu_pytorch_tanh: ops.geluTanh,
  tanh: ops.tanh,
  sigmoid: ops.sigmoid,
  silu: (g: GraphBuilder, x: Value) => ops.mul(g, x, ops.sigmoid(g, x)),
  swish: (g: GraphBuilder, x: Value) => ops.mul(g, x, ops.sigmoid(g, x)),
} as const;

export type Activation = keyof typeof activations;
