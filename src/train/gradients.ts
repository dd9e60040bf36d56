// What happens to gradients between the graph and the optimizer: accumulation, their global norm, clipping, the search for NaN.

import { BridleError } from "../errors/error.js";
import { sameShape } from "../graph/value.js";
import { homeOf, type Tensors } from "./tensor-memory.js";

/** How the micro-batches of one step count: each the same, or each by the label tokens in it. */
export type AccumulationMode = "mean" | "tokens";

/**
 * The weight of each micro-batch's mean gradient (and mean loss) in the step's; they sum up to 1.
 * @param labelTokens label tokens of each micro-batch that take part in the loss
 */
export function microBatchWeights(
  mode: AccumulationMode,
  labelTokens: readonly number[],
): number[] {
  const all = labelTokens.reduce((sum, tokens) => sum + tokens, 0);
  if (mode === "mean" || all === 0) return labelTokens.map(() => 1 / labelTokens.length);
  return labelTokens.map((tokens) => tokens / all);
}

/**
 * Adds a micro-batch's gradients, times its weight, to the step's; the first one overwrites what was there.
 * @throws SHAPE_MISMATCH when the two do not hold the same tensors.
 */
export function accumulate(
  total: Tensors,
  gradients: Tensors,
  { weight, first }: { weight: number; first: boolean },
): void {
  for (const name of new Set([...total.keys(), ...gradients.keys()])) {
    const [sum, added] = [total.get(name)?.shape, gradients.get(name)?.shape];
    if (sum === undefined || added === undefined || !sameShape(sum, added)) {
      const [inSum, inGradients] = [sum, added].map((shape) => (shape ? `[${shape}]` : "absent"));
      throw new BridleError("SHAPE_MISMATCH", {
        op: "accumulate",
        reason: `${name} is ${inSum} in the sum and ${inGradients} in the gradients`,
      });
    }
  }
  for (const [name, { data: x }] of gradients) {
    const y = total.get(name)!.data;
    const { kernels } = homeOf(y, x);
    if (first) {
      y.set(x);
      kernels.scale(y.byteOffset, y.length, weight);
    } else {
      kernels.addScaled(y.byteOffset, x.byteOffset, y.length, weight);
    }
  }
}

/** The L2 norm of all tensors as one vector, summed in float64. NaN or Infinity where an element is. */
export function globalNorm(tensors: Tensors): number {
  let squares = 0;
  for (const { data } of tensors.values()) {
    squares += homeOf(data).kernels.sumSquares(data.byteOffset, data.length);
  }
  return Math.sqrt(squares);
}

/**
 * What gradients of this norm are taken times so that their norm is at most `maxNorm`; never above 1. Goes into a
 * step's `gradientScale`, which saves a pass over the gradients. Semantics of torch.nn.utils.clip_grad_norm_, its
 * 1e-6 included.
 */
export function clippingScale(norm: number, maxNorm: number): number {
  const scale = Math.fround(maxNorm / (norm + 1e-6));
  return scale > 1 ? 1 : scale;
}

export interface NonFinite {
  readonly name: string;
  /** Place of the element in row-major order. */
  readonly index: number;
  readonly value: number;
}

/** The first element that is NaN or infinite, in the order of the tensors. */
export function findNonFinite(tensors: Tensors): NonFinite | undefined {
  for (const [name, { data }] of tensors) {
    const squares = homeOf(data).kernels.sumSquares(data.byteOffset, data.length);
    if (Number.isFinite(squares)) continue;
    const index = data.findIndex((value) => !Number.isFinite(value));
    return { name, index, value: data[index]! };
  }
  return undefined;
}
