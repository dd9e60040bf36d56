// Low-rank adapters: small matrices beside chosen linear layers, learned in place of their weights.
import { BridleError } from "../errors/error.js";
import { add, dropout, type Graph, linear, type RewriteRule, scale } from "../graph/index.js";
import { float32, size, type Tensor } from "../runtime/tensor.js";
import type { HeldWeights } from "../runtime/weights.js";

export interface LoraConfig {
  /** Width of the small matrices. */
  readonly rank: number;
  /** The adapter's part counts alpha/rank, or alpha/√rank where it is rank-stabilized. */
  readonly alpha: number;
  /** Source: Kalajdzievski 2023 (rsLoRA). */
  readonly rankStabilized: boolean;
  /** Share of a layer's input that training drops on its way to the adapter. */
  readonly dropout: number;
  /** Linear layers that get one: last parts of their names, such as `q_proj`, or `all-linear`. */
  readonly targets: readonly string[] | "all-linear";
}

/** What the adapter's part is multiplied by. */
export function loraScale({ rank, alpha, rankStabilized }: LoraConfig): number {
  return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
}

/** Names of an adapted layer's two parameters: A [rank, in], B [out, rank]. */
export function loraNames(layer: string): { a: string; b: string } {
  return { a: `${layer}.lora_A.weight`, b: `${layer}.lora_B.weight` };
}

export function isLoraParameter(name: string): boolean {
  return /\.lora_[AB]\.weight$/.test(name);
}

/** Whether a layer is one of the targets: its name ends in one, as PEFT matches. */
function isTarget(layer: string, targets: LoraConfig["targets"]): boolean {
  if (targets === "all-linear") return true;
  return targets.some((target) => layer === target || layer.endsWith(`.${target}`));
}

/** The layer whose weight a linear node multiplies with. */
function layerOf(weight: { readonly name: string } | undefined): string | undefined {
  return weight?.name.endsWith(".weight") ? weight.name.slice(0, -".weight".length) : undefined;
}

/**
 * A rule that adds the adapters: x·Wᵀ + b becomes x·Wᵀ + b + s·(x·Aᵀ)·Bᵀ.
 * Source: Hu et al. 2021, §4.1.
 */
export function addLora(config: LoraConfig): RewriteRule {
  return (g, node, inputs) => {
    const [x, weight] = inputs;
    const layer = layerOf(weight);
    if (node.op !== "linear" || x === undefined || weight === undefined) return undefined;
    if (layer === undefined || !isTarget(layer, config.targets)) return undefined;
    const [outer, inner] = weight.shape.map(Number) as [number, number];
    const names = loraNames(layer);
    const small = linear(
      g,
      dropout(g, x, config.dropout),
      g.parameter(names.a, [config.rank, inner]),
    );
    const added = linear(
      g,
      scale(g, small, loraScale(config)),
      g.parameter(names.b, [outer, config.rank]),
    );
    return [add(g, g.one("linear", inputs), added)];
  };
}

/**
 * The adapter's parameters that a graph of the family would get, with their shapes; the output layer, which comes last,
 * gets none.
 * @throws INVALID_PARAMETER when no layer is a target
 */
export function loraShapes(
  graph: Graph,
  config: LoraConfig,
): Map<string, readonly [number, number]> {
  const shapes = new Map<string, readonly [number, number]>();
  const layers = new Set<string>();
  for (const { inputs } of graph.nodes.filter(({ op }) => op === "linear").slice(0, -1)) {
    const weight = inputs[1];
    const layer = layerOf(weight);
    if (weight === undefined || layer === undefined) continue;
    layers.add(layer.split(".").at(-1) ?? layer);
    if (!isTarget(layer, config.targets)) continue;
    const [outer, inner] = weight.shape.map(Number) as [number, number];
    const names = loraNames(layer);
    shapes.set(names.a, [config.rank, inner]);
    shapes.set(names.b, [outer, config.rank]);
  }
  if (shapes.size === 0) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "lora.targets",
      value: JSON.stringify(config.targets),
      expected: `all-linear or some of ${[...layers].sort().join(", ")}`,
    });
  }
  return shapes;
}

/**
 * Weights with the adapter's part added in: W + s·B·A. The weights given stay as they are; those of other layers are shared.
 * @throws WEIGHT_MISSING when a layer of the adapter is none of the model; SHAPE_MISMATCH
 */
export function mergeLora(
  weights: HeldWeights,
  adapter: HeldWeights,
  config: LoraConfig,
): HeldWeights {
  const merged = new Map(weights);
  for (const [name, a] of adapter) {
    if (!name.endsWith(".lora_A.weight")) continue;
    const layer = name.slice(0, -".lora_A.weight".length);
    const b = adapter.get(loraNames(layer).b);
    const weight = weights.get(`${layer}.weight`);
    if (b === undefined) throw new BridleError("WEIGHT_MISSING", { name: loraNames(layer).b });
    if (weight === undefined) throw new BridleError("WEIGHT_MISSING", { name: `${layer}.weight` });
    merged.set(`${layer}.weight`, mergedWeight(layer, weight, a, b, loraScale(config)));
  }
  return merged;
}

function mergedWeight(layer: string, weight: Tensor, a: Tensor, b: Tensor, factor: number): Tensor {
  const [outer, inner] = weight.shape as [number, number];
  const [rank] = a.shape as [number];
  if (a.shape[1] !== inner || b.shape[0] !== outer || b.shape[1] !== rank) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: `adapter of ${layer}`,
      reason: `A is [${a.shape}] and B [${b.shape}], the weight [${weight.shape}]`,
    });
  }
  const data = new Float32Array(size(weight.shape));
  const [from, small, large] = [weight, a, b].map((t) => t.data as Float32Array) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const row = new Float64Array(inner);
  for (let i = 0; i < outer; i++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const scaleOfRow = large[i * rank + r] ?? 0;
      for (let j = 0; j < inner; j++) {
        row[j] = (row[j] ?? 0) + scaleOfRow * (small[r * inner + j] ?? 0);
      }
    }
    for (let j = 0; j < inner; j++) {
      data[i * inner + j] = (from[i * inner + j] ?? 0) + factor * (row[j] ?? 0);
    }
  }
  return float32(data, weight.shape);
}
