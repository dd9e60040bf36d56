// Measures what quantization does to each layer on real text, so that one that suffers can stay as it was.
import {
  type Graph,
  type GraphBuilder,
  mul,
  type Node,
  quantizedAttention,
  quantizeMemory,
  quantizeWeights,
  type RewriteRule,
  reduceSum,
  rewrite,
  sub,
  type Value,
} from "../../graph/index.js";
import { openSession, type SessionOptions } from "../../runtime/session.js";
import type { Tensor } from "../../runtime/tensor.js";
import type { Weights } from "../../runtime/weights.js";
import type { ModelConfig } from "../family.js";
import { feedsOf } from "../forward.js";
import type { OnStep, QuantizedWeights } from "./store.js";

/**
 * A layer whose output is off by more than this, as root mean square over the output's own, is not quantized. Weights and
 * activations without outliers give 0.01 at 8 bits and 0.08 at 4.
 */
export const mostError = { int8: 0.1, int4: 0.2 } as const;

/** Tokens of a document that layers are measured on; what is written to it begins like it. */
const [sourceTokens, targetTokens] = [256, 32];
/** Tokens of all documents one after the other, which show what cross-attention makes of long ones. */
const longTokens = 512;

/** Attention of one side to the other: that of a side to itself has as many keys as queries. */
function isCross({ op, inputs: [q, k] }: Node): boolean {
  return op === "attention" && q?.shape[2] !== k?.shape[2];
}

/**
 * Relative error of every quantized layer's output, given exact inputs: √(Σ(y − ŷ)² / Σy²), by the weight's name. A
 * weight used several times counts with its worst. Besides, of what cross-attention makes of keys and values that are whole
 * numbers, by the attention's name: of single documents or of one that is as long as all of them, whichever is worse.
 * @param graph the whole model in float32
 * @param attentions names of its cross-attentions, in the order of its layers
 */
export async function measureLayers(
  config: ModelConfig,
  graph: Graph,
  weights: Weights,
  quantized: QuantizedWeights,
  attentions: readonly string[],
  documents: readonly (readonly number[])[],
  { onMeasured, ...options }: SessionOptions & { readonly onMeasured?: OnStep } = {},
): Promise<Map<string, number>> {
  const quantize = quantizeWeights(quantized.plan, quantized.product);
  const measured: { name: string; off: Value; all: Value }[] = [];
  const left = [...attentions];
  const { product: dtype } = quantized;
  /** What attention makes of whole numbers. */
  const attend = (g: GraphBuilder, node: Node, inputs: readonly (Value | undefined)[]) => {
    const [q, k, v, mask] = inputs;
    if (q === undefined || k === undefined || v === undefined) return undefined;
    const keys = quantizeMemory(g, k, { dtype, turned: true });
    const values = quantizeMemory(g, v, { dtype });
    const scale = Number(node.attributes.scale);
    return quantizedAttention(g, { q, k: keys, v: values, mask, scale });
  };
  const rule: RewriteRule = (g, node, inputs) => {
    if (node.op !== "linear" && !isCross(node)) return undefined;
    const made = g.apply(node.op, inputs, node.attributes);
    const [exact] = made;
    const [rounded, name = ""] =
      node.op === "linear"
        ? [quantize(g, node, inputs)?.[0], inputs[1]?.name]
        : [attend(g, node, inputs), left.shift()];
    if (exact === undefined || rounded === undefined) return made;
    const axes = exact.shape.map((_, axis) => axis);
    const difference = sub(g, exact, rounded);
    measured.push({
      name,
      off: reduceSum(g, mul(g, difference, difference), axes),
      all: reduceSum(g, mul(g, exact, exact), axes),
    });
    return made;
  };
  const { g } = rewrite(graph, rule);
  const outputs = measured.flatMap(({ off, all }, i) => [
    g.output(`off.${i}`, off),
    g.output(`all.${i}`, all),
  ]);
  const session = await openSession(
    g.finish(outputs),
    new Map([...weights, ...quantized.weights]),
    { ...options, device: "cpu" },
  );
  /** What outputs are off by on documents, each read by itself. */
  let done = 0;
  const errorsOn = async (sources: readonly (readonly number[])[]) => {
    const sums = measured.map(() => ({ off: 0, all: 0 }));
    for (const source of sources) {
      const target = [config.decoderStartTokenId, ...source.slice(0, targetTokens - 1)];
      const found = await session.run(feedsOf(config, [source], undefined, [target]));
      for (const [i, sum] of sums.entries()) {
        sum.off += (found[`off.${i}`] as Tensor<"float32">).data[0] as number;
        sum.all += (found[`all.${i}`] as Tensor<"float32">).data[0] as number;
      }
      done += 1;
      // One more is made of all of them.
      onMeasured?.(done, documents.length + 1);
    }
    return sums.map(({ off, all }) => (all === 0 ? 0 : Math.sqrt(off / all)));
  };
  const errors = new Map<string, number>();
  const note = (i: number, error: number) => {
    const { name } = measured[i] as { name: string };
    errors.set(name, Math.max(errors.get(name) ?? 0, error));
  };
  try {
    const { maxPositions = longTokens } = config;
    const most = Math.min(sourceTokens, maxPositions);
    const short = await errorsOn(documents.map((ids) => ids.slice(0, most)));
    for (const [i, error] of short.entries()) note(i, error);
    const long = await errorsOn([atLength(documents, Math.min(longTokens, maxPositions))]);
    for (const [i, error] of long.entries()) {
      if (attentions.includes(measured[i]?.name ?? "")) note(i, error);
    }
  } finally {
    await session.close();
  }
  return errors;
}

/** Documents one after the other, from the first again where there are too few. */
function atLength(documents: readonly (readonly number[])[], length: number): number[] {
  const all = documents.flat();
  return Array.from({ length }, (_, i) => all[i % all.length] as number);
}

/** Layers whose error is above a bound. A table that is looked up too is judged by its products. */
export function layersAbove(errors: ReadonlyMap<string, number>, most: number): Set<string> {
  return new Set([...errors].filter(([, error]) => !(error <= most)).map(([name]) => name));
}
