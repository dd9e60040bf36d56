// An exponential moving average of the weights, which often evaluates better than the last weights do.
import { BridleError } from "../errors/error.js";
import { homeOf, type Tensors } from "./tensor-memory.js";

/** Starts the average as the weights are now. `average` holds tensors of the same names and shapes. */
export function startAverage(average: Tensors, weights: Tensors): void {
  for (const [name, { data }] of weights) averageOf(average, name, data).set(data);
}

/**
 * average ← average + (1 − decay)·(weights − average), as torch.optim.swa_utils.get_ema_multi_avg_fn.
 * @param decay share of the average that is kept, 0..1
 */
export function updateAverage(average: Tensors, weights: Tensors, decay: number): void {
  for (const [name, { data }] of weights) {
    const y = averageOf(average, name, data);
    homeOf(y, data).kernels.moveTowards(y.byteOffset, data.byteOffset, y.length, 1 - decay);
  }
}

/**
 * The decay after so many updates of the average, lower in the beginning so that it soon leaves the first weights
 * behind. Source: TensorFlow's ExponentialMovingAverage with num_updates.
 */
export function rampedDecay(decay: number, updates: number): number {
  return Math.min(decay, (1 + updates) / (10 + updates));
}

function averageOf(average: Tensors, name: string, weight: Float32Array): Float32Array {
  const tensor = average.get(name);
  if (tensor?.data.length !== weight.length) {
    throw new BridleError("BUG", { reason: `the average of the weights has no ${name}` });
  }
  return tensor.data;
}
