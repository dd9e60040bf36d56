// AdamW: Adam with weight decay apart from the gradient, as torch.optim.AdamW computes it.
import type { AdamWOptions } from "../../config/optimizer-options.js";
import { homeOf } from "../tensor-memory.js";
import { initState, type Optimizer, pairGradients, stateOf } from "./optimizer.js";

/**
 * State: expAvg and expAvgSq, each of the weight's shape.
 * @param decays which parameters weight decay applies to, by name
 * Source: Loshchilov and Hutter 2019; the order of operations is torch's single-tensor path.
 */
export function createAdamW(
  options: AdamWOptions,
  decays: (name: string) => boolean,
): Optimizer<"expAvg" | "expAvgSq"> {
  const { beta1, beta2, epsilon, weightDecay } = options;
  const layout = {
    slots: ["expAvg", "expAvgSq"] as const,
    requirements: (shape: readonly number[]) => ({
      parts: { expAvg: shape, expAvgSq: shape },
      scratchBytes: 0,
    }),
  };
  return {
    ...layout,
    rate: (_, lr) => lr,
    init: (params, memory) => initState(layout, params, memory),
    update(params, grads, state, { index, lr, gradientScale = 1 }) {
      const stepSize = lr / (1 - beta1 ** (index + 1));
      const rootScale = 1 / Math.sqrt(1 - beta2 ** (index + 1));
      for (const { name, weight, gradient } of pairGradients(params, grads)) {
        const w = weight.data;
        const m = stateOf(state, "expAvg", name);
        const v = stateOf(state, "expAvgSq", name);
        const keep = 1 - lr * (decays(name) ? weightDecay : 0);
        homeOf(w, gradient.data, m, v).kernels.adamw(
          ...[w.byteOffset, gradient.data.byteOffset, m.byteOffset, v.byteOffset, w.length],
          ...[gradientScale, keep, 1 - beta1, beta2, 1 - beta2, stepSize, rootScale, epsilon],
        );
      }
    },
  };
}
