// The key/value cache's layout: graphs that fill it and read it, and its memory.
import {
  type Graph,
  GraphBuilder,
  logSumExp,
  type Shape,
  topK,
  type Value,
} from "../graph/index.js";
import type { Family, ModelConfig } from "../model/family.js";
import { logits } from "../model/forward.js";
import type { KeyValueCache } from "../model/layers.js";

/** Names of the graph values that hold an attention's keys and values. */
const names = (attention: string) => ({ k: `${attention}.k`, v: `${attention}.v` });
/** Name of the output that is to be added to a cache. */
export const fresh = (name: string) => `${name}.fresh`;

/** Graph from `ids` [B,S], `mask` [B,1,1,S], `positions` [S] to each decoder layer's cross-attention keys and values [B,H,S,D]. */
export function encoderGraph<C extends ModelConfig>(family: Family<C>, config: C): Graph {
  const g = new GraphBuilder();
  const states = family.encoder(g, config, {
    ids: g.input("ids", "int64", ["batch", "source"]),
    mask: g.input("mask", "float32", ["batch", 1, 1, "source"]),
    positions: g.input("positions", "int64", ["source"]),
  });
  const memory = states.at(-1) ?? states[0];
  const outputs: Value[] = [];
  for (let layer = 0; layer < config.decoderLayers; layer++) {
    const attention = family.crossAttention(layer);
    const { k, v } = family.crossKeyValue(g, config, memory, layer);
    outputs.push(g.output(names(attention).k, k), g.output(names(attention).v, v));
  }
  return g.finish(outputs);
}

/**
 * Graph of one step: `ids` [B,W] are the tokens of a document's W rows, `places` [B,1] how many it has written. Documents
 * may have begun at different steps.
 * Rows of a document share its cross-attention and one cache [B,H,slots,D], where their keys and values lie side by side;
 * `ancestors` [B,1,W,slots+1] hides from each row what is not its own past, and shows it itself at the end. So no row's past
 * is copied when beams change places. `slotPositions` [B,slots+1] are the places at which the slots were
 * written and at last `places`, for families that ask for distances.
 * What is to be added to the caches comes out, [B,H,W,D] for each: whole caches would be copied at every step, since
 * onnxruntime-node copies each output, also one that was written where the caller wants it.
 * Out come also the scores of all tokens, `logits` [B,W,V]; of the likeliest `count` [1] their scores `best` and ids `tokens`
 * [B,W,count]; and `logSum` [B,W,1], less which a score is a log-probability.
 */
export function stepGraph<C extends ModelConfig>(family: Family<C>, config: C): Graph {
  const g = new GraphBuilder();
  const heads = config.decoderHeads;
  const width = config.headWidth;
  const outputs: Value[] = [];
  const crossNames = new Set(
    Array.from({ length: config.decoderLayers }, (_, layer) => family.crossAttention(layer)),
  );

  const cache: KeyValueCache = (attention, project) => {
    const { k, v } = names(attention);
    const held = (shape: Shape) => ({
      k: g.input(k, "float32", shape),
      v: g.input(v, "float32", shape),
    });
    if (crossNames.has(attention)) return held(["batch", heads, "source", width]);
    const own = project();
    outputs.push(g.output(fresh(k), own.k), g.output(fresh(v), own.v));
    return { ...held(["batch", heads, "slots", width]), own };
  };
  const states = family.decoder(g, config, {
    ids: g.input("ids", "int64", ["batch", "width"]),
    positions: g.input("places", "int64", ["batch", 1]),
    mask: g.input("ancestors", "float32", ["batch", 1, "width", "visible"]),
    memoryMask: g.input("mask", "float32", ["batch", 1, 1, "source"]),
    cache,
    keyPositions: () => g.input("slotPositions", "int64", ["batch", "visible"]),
  });
  const scores = logits(g, family.head(g, config, states.at(-1) ?? states[0]));
  const best = topK(g, scores, g.input("count", "int64", [1]));
  return g.finish([
    g.output("logits", scores),
    g.output("best", best.values),
    g.output("tokens", best.indices),
    g.output("logSum", logSumExp(g, scores, best)),
    ...outputs,
  ]);
}

/** Names of the step graph's inputs that hold keys and values: those that grow by each step, and those of the documents. */
export function cacheInputs(graph: Graph): { readonly own: string[]; readonly cross: string[] } {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const names = graph.inputs.map(({ name }) => name);
  return {
    own: names.filter((name) => outputs.has(fresh(name))),
    cross: names.filter((name) => /\.[kv]$/.test(name) && !outputs.has(fresh(name))),
  };
}
