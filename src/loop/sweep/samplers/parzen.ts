// A Parzen estimator over a search space: one kernel for each trial seen and one for the space itself, as TPE weighs them.
import type { SeededRandom } from "../../../text/seeded-random.js";
import type { ChoiceDimension, Dimension, NumberDimension, Parameters } from "../dimension.js";
import {
  normalCdf,
  normalLogDensity,
  normalLogMass,
  normalQuantile,
} from "../normal-distribution.js";
import { drawUnit } from "./sampler.js";

/** The weight of the space's own kernel beside a trial's. */
const priorWeight = 1;
/** Trials that count in full; older ones count less the older they are. */
const newest = 25;

/** Weights of n trials from the oldest to the newest. Source: Bergstra et al. 2013, as in hyperopt and Optuna. */
export function ageWeights(n: number): number[] {
  const old = n - newest;
  return Array.from({ length: n }, (_, index) => {
    if (index >= old) return 1;
    return old === 1 ? 1 / n : 1 / n + (index * (1 - 1 / n)) / (old - 1);
  });
}

interface Kernels {
  /** A value of this dimension, from the kernel at an index. */
  draw(kernel: number, random: SeededRandom): unknown;
  /** Adds the logarithm of each kernel's density at a value. */
  addLogDensities(value: unknown, sums: Float64Array): void;
}

/**
 * Widths of the kernels at places of 0..1: the distance to the farther neighbour, but not less than a share that shrinks as
 * trials come in. The outermost look at their one neighbour alone.
 * Source: Bergstra et al. 2011; the limits are Optuna's "magic clip".
 */
export function bandwidths(places: readonly number[]): number[] {
  const n = places.length;
  const order = places.map((_, index) => index).sort((a, b) => places[a]! - places[b]!);
  const sorted = [0, ...order.map((index) => places[index]!), 1];
  const least = 1 / Math.min(100, n + 2);
  const widths = new Array<number>(n);
  for (const [rank, index] of order.entries()) {
    const left = sorted[rank + 1]! - sorted[rank]!;
    const right = sorted[rank + 2]! - sorted[rank + 1]!;
    let width = Math.max(left, right);
    if (n >= 2 && rank === 0) width = right;
    if (n >= 2 && rank === n - 1) width = left;
    widths[index] = Math.min(1, Math.max(least, width));
  }
  return widths;
}

function numberKernels(dimension: NumberDimension, values: readonly unknown[]): Kernels {
  const seen = values.map((value) => dimension.toUnit(value as number));
  const places = [...seen, 0.5];
  const widths = [...bandwidths(seen), 1];
  // What of a kernel lies within 0..1; the rest is cut off.
  const logMasses = places.map((place, k) =>
    normalLogMass(-place / widths[k]!, (1 - place) / widths[k]!),
  );
  return {
    draw(kernel, random) {
      const [place, width] = [places[kernel]!, widths[kernel]!];
      const [low, high] = [normalCdf(-place / width), normalCdf((1 - place) / width)];
      const unit = place + width * normalQuantile(low + drawUnit(random) * (high - low));
      return dimension.fromUnit(Math.min(1, Math.max(0, unit)));
    },
    addLogDensities(value, sums) {
      const cell = dimension.cell?.(value as number);
      const at = dimension.toUnit(value as number);
      for (let k = 0; k < places.length; k++) {
        const [place, width] = [places[k]!, widths[k]!];
        const log =
          cell === undefined
            ? normalLogDensity((at - place) / width) - Math.log(width)
            : normalLogMass((cell[0] - place) / width, (cell[1] - place) / width);
        sums[k]! += log - logMasses[k]!;
      }
    },
  };
}

function choiceKernels(dimension: ChoiceDimension, values: readonly unknown[]): Kernels {
  const n = dimension.weights.length;
  const kernels = values.length + 1;
  const share = values.length === 0 ? 1 : priorWeight / kernels;
  const rows = Array.from({ length: kernels }, (_, kernel) => {
    const row = dimension.weights.map((weight) => weight * n * share);
    if (kernel < values.length) row[dimension.indexOf(values[kernel])]! += 1;
    const sum = row.reduce((total, each) => total + each, 0);
    return row.map((each) => each / sum);
  });
  return {
    draw(kernel, random) {
      const unit = drawUnit(random);
      let sum = 0;
      const index = rows[kernel]!.findIndex((weight) => {
        sum += weight;
        return unit < sum;
      });
      return dimension.values[index === -1 ? n - 1 : index];
    },
    addLogDensities(value, sums) {
      const index = dimension.indexOf(value);
      for (let k = 0; k < kernels; k++) sums[k]! += Math.log(rows[k]![index]!);
    },
  };
}

export interface Parzen {
  draw(random: SeededRandom): Parameters;
  logDensity(parameters: Parameters): number;
}

/** @param seen parameters of trials, the oldest first; each has every dimension */
export function createParzen(
  dimensions: readonly Dimension[],
  seen: readonly Parameters[],
): Parzen {
  const weights = [...ageWeights(seen.length), seen.length === 0 ? 1 : priorWeight];
  const sum = weights.reduce((total, each) => total + each, 0);
  const logWeights = weights.map((weight) => Math.log(weight / sum));
  const kernels = dimensions.map((dimension) => {
    const values = seen.map((parameters) => parameters[dimension.key]);
    const own =
      dimension.kind === "choice"
        ? choiceKernels(dimension, values)
        : numberKernels(dimension, values);
    return [dimension.key, own] as const;
  });
  return {
    draw(random) {
      let rest = drawUnit(random) * sum;
      let kernel = weights.findIndex((weight) => {
        rest -= weight;
        return rest < 0;
      });
      if (kernel === -1) kernel = weights.length - 1;
      return Object.fromEntries(kernels.map(([key, own]) => [key, own.draw(kernel, random)]));
    },
    logDensity(parameters) {
      const sums = Float64Array.from(logWeights);
      for (const [key, own] of kernels) own.addLogDensities(parameters[key], sums);
      const most = sums.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      if (most === Number.NEGATIVE_INFINITY) return most;
      let total = 0;
      for (const each of sums) total += Math.exp(each - most);
      return most + Math.log(total);
    },
  };
}
