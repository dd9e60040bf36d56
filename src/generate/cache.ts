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
import { dropped, logits } from "../model/forward.js";
import type { KeyValue, KeyValueCache } from "../model/layers.js";
import { float32, int64, type Tensor } from "../runtime/tensor.js";

/** Names of the graph values that hold an attention's keys and values. */
const names = (attention: string) => ({ k: `${attention}.k`, v: `${attention}.v` });
const written = (name: string) => `${name}.next`;

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
 * Graph of one step: `ids` [B,W] are the tokens of a document's W rows, `position` [1] their place.
 * Rows of a document share its cross-attention and write their keys and values side by side into one
 * cache [B,H,slots,D], at `slots` [B,H,W,3]; `ancestors` [B,1,W,slots] hides from each row what is not its own past.
 * So no row's past is ever moved or copied when beams change places. `slotPositions` [slots], the places of what the
 * slots hold, is an input where a family asks for it.
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
    positions: g.input("position", "int64", [1]),
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

/** Steps by which the cache grows. */
const growth = 16;

/** The self-attention cache of one batch, and which slots each row may see. */
export class SelfAttentionCache {
  private readonly tensors = new Map<string, Tensor<"float32">>();
  /** For each document and row, the slot taken at each step so far. */
  private pasts: number[][][];
  private steps = 0;
  private capacity = 0;

  private readonly inputs: readonly string[];
  private readonly batch: number;
  private readonly width: number;
  private readonly heads: number;
  private readonly headWidth: number;

  /** @param inputs names of the step graph's inputs that are caches */
  constructor(
    inputs: readonly string[],
    size: { batch: number; width: number; heads: number; headWidth: number },
  ) {
    this.inputs = inputs;
    this.batch = size.batch;
    this.width = size.width;
    this.heads = size.heads;
    this.headWidth = size.headWidth;
    this.pasts = Array.from({ length: size.batch }, () =>
      Array.from({ length: size.width }, () => []),
    );
  }

  /** Bytes held. */
  get sizeBytes(): number {
    let total = 0;
    for (const { data } of this.tensors.values()) total += data.byteLength;
    return total;
  }

  private grow(): void {
    const { batch, heads, headWidth, width } = this;
    const before = this.capacity * width * headWidth;
    this.capacity += growth;
    const after = this.capacity * width * headWidth;
    for (const name of this.inputs) {
      const data = new Float32Array(batch * heads * after);
      const old = this.tensors.get(name)?.data;
      if (old) {
        for (let i = 0; i < batch * heads; i++)
          data.set(old.subarray(i * before, (i + 1) * before), i * after);
      }
      this.tensors.set(name, float32(data, [batch, heads, this.capacity * width, headWidth]));
    }
  }

  /**
   * Feeds and fetches of the next step. The caches are both: the step writes into them in place.
   * @param parents for each document and row, the row of the previous step it continues
   */
  next(parents: readonly (readonly number[])[]): {
    feeds: Record<string, Tensor>;
    fetches: Record<string, Tensor>;
  } {
    const { batch, heads, width, steps } = this;
    if (steps === this.capacity) this.grow();
    const slots = this.capacity * width;
    this.pasts = this.pasts.map((rows, b) =>
      rows.map((_, row) => [...(rows[parents[b]?.[row] ?? row] ?? []), steps * width + row]),
    );
    const at = new BigInt64Array(batch * heads * width * 3);
    const ancestors = new Float32Array(batch * width * slots).fill(dropped);
    let i = 0;
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        for (let row = 0; row < width; row++) {
          at[i++] = BigInt(b);
          at[i++] = BigInt(h);
          at[i++] = BigInt(steps * width + row);
        }
      }
      for (const [row, past] of (this.pasts[b] ?? []).entries()) {
        for (const slot of past) ancestors[(b * width + row) * slots + slot] = 0;
      }
    }
    this.steps += 1;
    const feeds: Record<string, Tensor> = {
      slots: { dtype: "int64", shape: [batch, heads, width, 3], data: at },
      ancestors: float32(ancestors, [batch, 1, width, slots]),
      position: int64([steps], [1]),
      slotPositions: int64(
        Array.from({ length: slots }, (_, slot) => Math.floor(slot / width)),
        [slots],
      ),
    };
    const fetches: Record<string, Tensor> = {};
    for (const [name, tensor] of this.tensors) {
      feeds[name] = tensor;
      fetches[written(name)] = tensor;
    }
    return { feeds, fetches };
  }
}

/** Names of the step graph's inputs that hold the growing cache. */
export function selfAttentionInputs(graph: Graph): string[] {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return graph.inputs.map(({ name }) => name).filter((name) => outputs.has(written(name)));
}
