// The key/value cache's layout: graphs that fill it and read it, and its memory.
import {
  type Graph,
  GraphBuilder,
  logSumExp,
  scatterNd,
  topK,
  type Value,
} from "../graph/index.js";
import type { Family, ModelConfig } from "../model/family.js";
import { logits } from "../model/forward.js";
import type { KeyValue, KeyValueCache } from "../model/layers.js";

/** Names of the graph values that hold an attention's keys and values. */
const names = (attention: string) => ({ k: `${attention}.k`, v: `${attention}.v` });
export const written = (name: string) => `${name}.next`;

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
 * may have begun at different steps; `now` [1] is the step by a clock they share, where a family asks for distances.
 * Rows of a document share its cross-attention and write their keys and values side by side into one
 * cache [B,H,slots,D], at `slots` [B,H,W,3]; `ancestors` [B,1,W,slots] hides from each row what is not its own past.
 * So no row's past is ever moved or copied when beams change places. `slotPositions` [slots], the steps by that clock at which
 * the slots were written, goes with `now`.
 * Out come the scores of all tokens, `logits` [B,W,V]; of the likeliest `count` [1] their scores `best` and ids `tokens`
 * [B,W,count]; and `logSum` [B,W,1], less which a score is a log-probability.
 */
export function stepGraph<C extends ModelConfig>(family: Family<C>, config: C): Graph {
  const g = new GraphBuilder();
  const heads = config.decoderHeads;
  const width = config.headWidth;
  const at = g.input("slots", "int64", ["batch", heads, "width", 3]);
  const outputs: Value[] = [];
  const crossNames = new Set(
    Array.from({ length: config.decoderLayers }, (_, layer) => family.crossAttention(layer)),
  );

  const append = (name: string, fresh: Value): Value => {
    const past = g.input(name, "float32", ["batch", heads, "slots", width]);
    const next = g.output(written(name), scatterNd(g, past, at, fresh));
    outputs.push(next);
    return next;
  };
  const cache: KeyValueCache = (attention, project): KeyValue => {
    const { k, v } = names(attention);
    if (crossNames.has(attention)) {
      const shape = ["batch", heads, "source", width];
      return { k: g.input(k, "float32", shape), v: g.input(v, "float32", shape) };
    }
    const fresh = project();
    return { k: append(k, fresh.k), v: append(v, fresh.v) };
  };
  const states = family.decoder(g, config, {
    ids: g.input("ids", "int64", ["batch", "width"]),
    positions: g.input("places", "int64", ["batch", 1]),
    queryPositions: () => g.input("now", "int64", [1]),
    mask: g.input("ancestors", "float32", ["batch", 1, "width", "slots"]),
    memoryMask: g.input("mask", "float32", ["batch", 1, 1, "source"]),
    cache,
    keyPositions: () => g.input("slotPositions", "int64", ["slots"]),
  });
  const scores = logits(g, family.head(g, config, states.at(-1) ?? states[0]));
  const best = topK(g, scores, g.input("count", "int64", [1]));
  return g.finish([
    g.output("logits", scores),
    g.output("best", best.values),
    g.output("tokens", best.indices),
    g.output("logSum", logSumExp(g, scores)),
    ...outputs,
  ]);
}

/** Names of the step graph's inputs that hold keys and values: those that grow by each step, and those of the documents. */
export function cacheInputs(graph: Graph): { readonly own: string[]; readonly cross: string[] } {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const names = graph.inputs.map(({ name }) => name);
  return {
    own: names.filter((name) => outputs.has(written(name))),
    cross: names.filter((name) => /\.[kv]$/.test(name) && !outputs.has(written(name))),
  };
}
