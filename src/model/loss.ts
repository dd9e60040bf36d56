// Cross-entropy of logits against labels, computed on the host for evaluation.
import { BridleError } from "../errors/error.js";
import type { Tensor } from "../runtime/tensor.js";

/** Labels that do not count. */
export const ignored = -100;

/**
 * Mean negative log-likelihood of the labels: logits [B,T,V], labels [B][T].
 * `labelSmoothing` ε mixes in the mean over the vocabulary, as transformers' LabelSmoother does.
 * NaN when no label counts, as in PyTorch.
 * @throws SHAPE_MISMATCH when logits and labels differ in [B,T]; INVALID_PARAMETER for a label outside the vocabulary.
 */
export function crossEntropy(
  logits: Tensor<"float32">,
  labels: readonly (readonly number[])[],
  { labelSmoothing = 0 } = {},
): number {
  const [rows, length, vocabulary] = logits.shape as [number, number, number];
  if (labels.length !== rows || labels.some((row) => row.length !== length)) {
    throw new BridleError("SHAPE_MISMATCH", {
      op: "cross-entropy",
      reason: `logits are [${logits.shape}], labels [${labels.length},${labels[0]?.length}]`,
    });
  }
  let [nll, smooth, count] = [0, 0, 0];
  for (const [place, label] of labels.flat().entries()) {
    if (label === ignored) continue;
    if (label < 0 || label >= vocabulary) {
      throw new BridleError("INVALID_PARAMETER", {
        parameter: "labels",
        value: label,
        expected: `from 0 to ${vocabulary - 1}, or ${ignored}`,
      });
    }
    const row = logits.data.subarray(place * vocabulary, (place + 1) * vocabulary);
    const { logSum, sum } = logSumExp(row);
    nll += logSum - (row[label] ?? Number.NaN);
    smooth += logSum - sum / vocabulary;
    count += 1;
  }
  return ((1 - labelSmoothing) * nll + labelSmoothing * smooth) / count;
}

/** log Σ exp(x) and Σ x of a row, in float64. */
export function logSumExp(row: Float32Array): { logSum: number; sum: number } {
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const x of row) {
    if (x > max) max = x;
    sum += x;
  }
  let total = 0;
  for (const x of row) total += Math.exp(x - max);
  return { logSum: max + Math.log(total), sum };
}

/**
 * Refuses scores [V] that no softmax has an answer for.
 * @param row the document they belong to
 * @throws LOGITS_INVALID where one is NaN or infinite upwards, or none is finite
 */
export function checkLogits(scores: Float32Array, row: number): void {
  let most = Number.NEGATIVE_INFINITY;
  for (const score of scores) {
    if (!(score <= Number.MAX_VALUE))
      throw new BridleError("LOGITS_INVALID", { value: score, row });
    if (score > most) most = score;
  }
  if (most === Number.NEGATIVE_INFINITY)
    throw new BridleError("LOGITS_INVALID", { value: most, row });
}
