// Stochastic gradient descent with momentum, dampening, Nesterov's variant and weight decay, as torch.optim.SGD.
import type { SgdOptions } from "../../config/optimizer-options.js";
import { homeOf } from "../tensor-memory.js";
import { initState, type Optimizer, pairGradients, stateOf } from "./optimizer.js";

/**
 * State: momentumBuffer of the weight's shape where momentum is above 0, else none. Weight decay goes through the
 * gradient and so through the momentum, unlike AdamW's.
 * @param decays which parameters weight decay applies to, by name
 * Source: Sutskever et al. 2013, in torch's formulation.
 */
export function createSgd(
  options: SgdOptions,
  decays: (name: string) => boolean,
): Optimizer<"momentumBuffer"> {
  const { momentum, dampening, nesterov, weightDecay } = options;
  const layout = {
    slots: ["momentumBuffer"] as const,
    requirements: (shape: readonly number[]) => ({
      parts: momentum > 0 ? { momentumBuffer: shape } : {},
      scratchBytes: 0,
    }),
  };
  return {
    ...layout,
    rate: (_, lr) => lr,
    init: (params, memory) => initState(layout, params, memory),
    update(params, grads, state, { index, lr, gradientScale = 1 }) {
      for (const { name, weight, gradient } of pairGradients(params, grads)) {
        const w = weight.data;
        const g = gradient.data;
        const decay = decays(name) ? weightDecay : 0;
        if (momentum === 0) {
          const { kernels } = homeOf(w, g);
          kernels.sgd(w.byteOffset, g.byteOffset, w.length, gradientScale, decay, lr);
          continue;
        }
        const buffer = stateOf(state, "momentumBuffer", name);
        // The buffer starts as the first gradient itself, not as its dampened share.
        const fresh = index === 0 ? 1 : 1 - dampening;
        const [ownShare, bufferShare] = nesterov ? [1, momentum] : [0, 1];
        homeOf(w, g, buffer).kernels.sgdMomentum(
          ...[w.byteOffset, g.byteOffset, buffer.byteOffset, w.length],
          ...[gradientScale, decay, momentum, fresh, ownShare, bufferShare, lr],
        );
      }
    },
  };
}
