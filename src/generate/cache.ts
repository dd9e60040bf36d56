// The key/value cache's layout: graphs that fill it and read it, and its memory.
import {
  type Dim,
  dtypes,
  type Graph,
  GraphBuilder,
  probabilityOfFirst,
  quantizeMemory,
  type Shape,
  topK,
  type Value,
  type ValueType,
  type WholeNumber,
} from "../graph/index.js";
import type { Family, ModelConfig } from "../model/family.js";
import { logits } from "../model/forward.js";
import type { KeyValue, KeyValueCache } from "../model/layers.js";
import { size } from "../runtime/tensor.js";

/** How the keys and values of cross-attention are held: as they are, or as whole numbers with a scale for each place of a head's vectors. */
export type MemoryType = "float32" | WholeNumber;

/** Which keys and values of cross-attention are whole numbers; none are unless it is given. */
export interface MemoryPlan {
  readonly type: WholeNumber;
  /** Attentions whose own stay as they are. */
  readonly exact: ReadonlySet<string> | "all";
}

function memoryTypeOf(plan: MemoryPlan | undefined, attention: string): MemoryType {
  if (plan === undefined || plan.exact === "all" || plan.exact.has(attention)) return "float32";
  return plan.type;
}

/** Names of the graph values that hold an attention's keys and values. */
const names = (attention: string) => ({ k: `${attention}.k`, v: `${attention}.v` });
/** Name of what whole numbers are shares of. */
const largest = (name: string) => `${name}.largest`;
/** Name of the output that is to be added to a cache. */
export const fresh = (name: string) => `${name}.fresh`;

/**
 * Graph from `ids` [B,S], `mask` [B,1,1,S], `positions` [S] to each decoder layer's cross-attention keys and values [B,H,S,D]; as
 * whole numbers, keys are [B,H,D,S], and the scales of both [B,H,1,D] come besides.
 */
export function encoderGraph<C extends ModelConfig>(
  family: Family<C>,
  config: C,
  memory?: MemoryPlan,
): Graph {
  const g = new GraphBuilder();
  const states = family.encoder(g, config, {
    ids: g.input("ids", "int64", ["batch", "source"]),
    mask: g.input("mask", "float32", ["batch", 1, 1, "source"]),
    positions: g.input("positions", "int64", ["source"]),
  });
  const last = states.at(-1) ?? states[0];
  const outputs: Value[] = [];
  for (let layer = 0; layer < config.decoderLayers; layer++) {
    const attention = family.crossAttention(layer);
    const exact = family.crossKeyValue(g, config, last, layer);
    const memoryType = memoryTypeOf(memory, attention);
    for (const part of ["k", "v"] as const) {
      const name = names(attention)[part];
      if (memoryType === "float32") {
        outputs.push(g.output(name, exact[part]));
        continue;
      }
      const turned = part === "k";
      const rounded = quantizeMemory(g, exact[part], { dtype: memoryType, turned });
      outputs.push(g.output(name, rounded.values), g.output(largest(name), rounded.largest));
    }
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
 * [B,W,count], the largest first; and `likeliest` [B,W,1], the first one's probability.
 */
export function stepGraph<C extends ModelConfig>(
  family: Family<C>,
  config: C,
  memory?: MemoryPlan,
): Graph {
  const g = new GraphBuilder();
  const heads = config.decoderHeads;
  const width = config.headWidth;
  const outputs: Value[] = [];
  const crossNames = new Set(
    Array.from({ length: config.decoderLayers }, (_, layer) => family.crossAttention(layer)),
  );

  /** Keys and values of cross-attention as the encoder answers them. */
  const crossInputs = (attention: string): KeyValue & { readonly largest?: KeyValue } => {
    const { k, v } = names(attention);
    const memoryType = memoryTypeOf(memory, attention);
    const ofV = ["batch", heads, "source", width];
    const ofK = memoryType === "float32" ? ofV : ["batch", heads, width, "source"];
    const held = { k: g.input(k, memoryType, ofK), v: g.input(v, memoryType, ofV) };
    if (memoryType === "float32") return held;
    const each = ["batch", heads, 1, width];
    const scales = {
      k: g.input(largest(k), "float32", each),
      v: g.input(largest(v), "float32", each),
    };
    return { ...held, largest: scales };
  };
  const cache: KeyValueCache = (attention, project) => {
    if (crossNames.has(attention)) return crossInputs(attention);
    const { k, v } = names(attention);
    const held = (shape: Shape) => ({
      k: g.input(k, "float32", shape),
      v: g.input(v, "float32", shape),
    });
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
    g.output("likeliest", probabilityOfFirst(g, scores, best.indices)),
    ...outputs,
  ]);
}

/** One of the step graph's inputs that hold what belongs to documents: [B,…,slots,…], or [B,…] without slots. */
export interface CacheInput {
  readonly name: string;
  readonly dtype: MemoryType;
  /** Elements of a document that lie apart, each with the same slots: of keys [B,H,slots,D] the heads. */
  readonly slices: number;
  /** Elements of one slot of a slice. */
  readonly width: number;
  /** Whether there are slots at all; else a document has one. */
  readonly hasSlots: boolean;
  /** Its shape for so many documents and slots. */
  readonly shapeOf: (documents: number, slots: number) => readonly number[];
}

/** Inputs of the step graph that hold keys and values: those that grow by each step, and those of the documents. */
export interface CacheInputs {
  readonly own: readonly CacheInput[];
  readonly cross: readonly CacheInput[];
}

/** Bytes that one document takes in an input with so many slots. */
export function bytesOf(input: CacheInput, slots: number): number {
  const { dtype, slices, width, hasSlots } = input;
  return dtypes[dtype].bytes * slices * width * (hasSlots ? slots : 1);
}

/** What an input of the step graph holds, [B,…] with slots where a size is only named. */
export function cacheInput({
  name,
  dtype,
  shape,
}: ValueType & { readonly name: string }): CacheInput {
  const at = shape.findIndex((dim, axis) => axis > 0 && typeof dim === "string");
  const elements = (dims: readonly Dim[]) => size(dims.map(Number));
  const hasSlots = at > 0;
  return {
    ...{ name, dtype: dtype as MemoryType, hasSlots },
    slices: hasSlots ? elements(shape.slice(1, at)) : 1,
    width: elements(shape.slice(hasSlots ? at + 1 : 1)),
    shapeOf: (documents, slots) =>
      shape.map((dim, axis) => (axis === 0 ? documents : axis === at ? slots : Number(dim))),
  };
}

export function cacheInputs(graph: Graph): CacheInputs {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const isOwn = ({ name }: Value) => outputs.has(fresh(name));
  const held = graph.inputs.filter(({ name }) => /\.[kv](\.largest)?$/.test(name));
  return {
    own: held.filter(isOwn).map(cacheInput),
    cross: held.filter((input) => !isOwn(input)).map(cacheInput),
  };
}
