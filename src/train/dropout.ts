// Dropout masks: made outside the graph, the same for the same seed, step and layer on every machine.
import { BridleError } from "../errors/error.js";
import { homeOf } from "./tensor-memory.js";

/** Where a mask stands in a run. Masks that differ in any of these share no random number. */
export interface MaskPlace {
  /** The run's seed, 0..2^53-1. */
  readonly seed: number;
  /** Counts the graph's runs, 0..2^53-1: micro-batches rather than steps. */
  readonly step: number;
  /** Counts the dropouts of one graph, 0..2^32-1. */
  readonly stream: number;
}

/** Elements a mask is filled in groups of. */
const group = 16;

/** How many elements to reserve for a mask of this many. */
export function maskCapacity(elements: number): number {
  return Math.ceil(elements / group) * group;
}

/**
 * Fills a mask with 1/(1 − probability), or with 0 with the given probability (to 2^-32).
 * @param mask a view on a TensorMemory whose length is a multiple of 16; see maskCapacity
 * @throws INVALID_PARAMETER for a probability outside 0..1 or a place out of range.
 */
export function fillDropoutMask(mask: Float32Array, probability: number, place: MaskPlace): void {
  if (!(probability >= 0 && probability <= 1)) {
    throw invalid("dropout", probability, "between 0 and 1");
  }
  for (const [name, most] of [
    ["seed", 2 ** 53],
    ["step", 2 ** 53],
    ["stream", 2 ** 32],
  ] as const) {
    if (!(Number.isSafeInteger(place[name]) && place[name] >= 0 && place[name] < most)) {
      throw invalid(name, place[name], `a whole number in 0..${most - 1}`);
    }
  }
  if (mask.length % group !== 0) {
    throw new BridleError("BUG", { reason: `a dropout mask of ${mask.length} elements` });
  }
  const threshold = Math.round(probability * 2 ** 32);
  if (threshold >= 2 ** 32) {
    mask.fill(0);
    return;
  }
  homeOf(mask).kernels.fillMask(
    ...[mask.byteOffset, mask.length / group, ...words(place.seed), place.stream],
    ...[...words(place.step), threshold, 1 / (1 - probability)],
  );
}

/** The low and the high 32 bits. */
function words(value: number): [number, number] {
  return [value % 2 ** 32, Math.floor(value / 2 ** 32)];
}

function invalid(parameter: string, value: number, expected: string): BridleError {
  return new BridleError("INVALID_PARAMETER", { parameter, value: String(value), expected });
}
