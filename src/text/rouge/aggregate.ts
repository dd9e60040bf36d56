// Means of many ROUGE scores with bootstrap confidence intervals, computed as rouge_score and numpy do.
import { BridleError } from "../../errors/error.js";
import { seededRandom } from "../seeded-random.js";
import type { RougeScore } from "./score.js";

/** Index lists into the scores, one per resample. */
export type Resamples = readonly (readonly number[])[];

export interface AggregateOptions {
  /** How many resamples to draw. Default 1000; not with `resamples`. */
  readonly samples?: number;
  /** Width of the interval, 0..1. Default 0.95: from the 2.5th to the 97.5th percentile. */
  readonly confidence?: number;
  /** Seed of the draws (see seededRandom). Default 0. All types share the draws, so they can be compared. */
  readonly seed?: number;
  /** Resamples to use instead of drawing: the same for all types, or per type. */
  readonly resamples?: Resamples | Readonly<Record<string, Resamples>>;
}

export interface AggregateScore {
  /** Plain mean over the scores. */
  readonly mean: RougeScore;
  /** Lower end of the interval of the resampled means. */
  readonly low: RougeScore;
  /** Median of the resampled means. */
  readonly mid: RougeScore;
  /** Upper end of the interval. */
  readonly high: RougeScore;
}

/**
 * The q-th quantile (q in 0..1) of ascending values, interpolated linearly between neighbours.
 * Source: numpy's percentile, method "linear", in its order of operations.
 */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const share = position - below;
  const a = sorted[below]!;
  const b = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return share >= 0.5 ? b - (b - a) * (1 - share) : a + (b - a) * share;
}

const measures = ["precision", "recall", "fmeasure"] as const;

function perMeasure(value: (measure: (typeof measures)[number]) => number): RougeScore {
  return {
    precision: value("precision"),
    recall: value("recall"),
    fmeasure: value("fmeasure"),
  };
}

/** One type's scores as three columns of numbers. */
type Matrix = Readonly<Record<(typeof measures)[number], Float64Array>>;

function matrixOf(scores: readonly Readonly<Record<string, RougeScore>>[], type: string): Matrix {
  const column = (measure: (typeof measures)[number]) =>
    Float64Array.from(scores, (score, index) => {
      const value = score[type]?.[measure];
      if (typeof value === "number" && Number.isFinite(value)) return value;
      throw invalid(`scores[${index}].${type}.${measure}`, String(value), "a finite number");
    });
  return {
    precision: column("precision"),
    recall: column("recall"),
    fmeasure: column("fmeasure"),
  };
}

function invalid(parameter: string, value: string, expected: string): BridleError {
  return new BridleError("INVALID_PARAMETER", { parameter, value, expected });
}

function meanOf(values: Float64Array, indices?: ArrayLike<number>): number {
  let sum = 0;
  if (indices === undefined) {
    for (const value of values) sum += value;
    return sum / values.length;
  }
  for (let i = 0; i < indices.length; i++) sum += values[indices[i]!]!;
  return sum / indices.length;
}

/** Calls `use` with each resample; drawn ones share one buffer. */
type EachResample = (use: (indices: ArrayLike<number>, resample: number) => void) => void;

function drawn(count: number, size: number, seed: number): EachResample {
  return (use) => {
    const random = seededRandom(seed);
    const indices = new Uint32Array(size);
    for (let resample = 0; resample < count; resample++) {
      for (let i = 0; i < size; i++) indices[i] = random.nextBelow(size);
      use(indices, resample);
    }
  };
}

function checkResamples(resamples: Resamples | undefined, name: string, size: number): Resamples {
  if (!Array.isArray(resamples) || resamples.length === 0) {
    throw invalid(name, String(resamples), "a list of at least one resample");
  }
  for (const [row, indices] of (resamples as Resamples).entries()) {
    const valid =
      Array.isArray(indices) &&
      indices.length > 0 &&
      indices.every((index) => Number.isInteger(index) && index >= 0 && index < size);
    if (!valid) {
      throw invalid(`${name}[${row}]`, JSON.stringify(indices), `a list of indices 0..${size - 1}`);
    }
  }
  return resamples;
}

function interval(matrix: Matrix, count: number, confidence: number, each: EachResample) {
  const means: Matrix = {
    precision: new Float64Array(count),
    recall: new Float64Array(count),
    fmeasure: new Float64Array(count),
  };
  each((indices, resample) => {
    for (const measure of measures) means[measure][resample] = meanOf(matrix[measure], indices);
  });
  for (const measure of measures) means[measure].sort();
  const tail = (1 - confidence) / 2;
  const at = (q: number) => perMeasure((measure) => quantile(means[measure], q));
  return { low: at(tail), mid: at(0.5), high: at(1 - tail) };
}

/** Plain mean of each type that the first score has. */
export function meanRouge<Type extends string>(
  scores: readonly Readonly<Record<Type, RougeScore>>[],
): Record<Type, RougeScore> {
  const types = typesOf(scores);
  return Object.fromEntries(
    types.map((type) => {
      const matrix = matrixOf(scores, type);
      return [type, perMeasure((measure) => meanOf(matrix[measure]))];
    }),
  ) as Record<Type, RougeScore>;
}

function typesOf(scores: readonly Readonly<Record<string, RougeScore>>[]): string[] {
  const [first] = scores;
  if (first === undefined) throw invalid("scores", "an empty list", "at least one score");
  return Object.keys(first);
}

/**
 * Mean of each type over many scores, with a bootstrap confidence interval: means of resamples drawn with
 * replacement, and their percentiles. Types are those of the first score; every score must have them.
 * @throws INVALID_PARAMETER for no scores, a score without a type, bad samples, confidence, seed or resamples.
 * Source: rouge_score 0.1.2, BootstrapAggregator; draws by xoshiro128** in place of numpy's generator.
 */
export function aggregateRouge<Type extends string>(
  scores: readonly Readonly<Record<Type, RougeScore>>[],
  options: AggregateOptions = {},
): Record<Type, AggregateScore> {
  const { samples = 1000, confidence = 0.95, seed = 0, resamples } = options;
  const types = typesOf(scores);
  if (!Number.isInteger(samples) || samples < 1 || samples > 10_000_000) {
    throw invalid("samples", String(samples), "a whole number in 1..10000000");
  }
  if (typeof confidence !== "number" || !(confidence >= 0 && confidence <= 1)) {
    throw invalid("confidence", String(confidence), "a number in 0..1");
  }
  const result = types.map((type): [string, AggregateScore] => {
    const matrix = matrixOf(scores, type);
    const mean = perMeasure((measure) => meanOf(matrix[measure]));
    if (resamples === undefined) {
      const each = drawn(samples, scores.length, seed);
      return [type, { mean, ...interval(matrix, samples, confidence, each) }];
    }
    const isShared = Array.isArray(resamples);
    const given = isShared
      ? checkResamples(resamples as Resamples, "resamples", scores.length)
      : checkResamples(
          (resamples as Readonly<Record<string, Resamples>>)[type],
          `resamples.${type}`,
          scores.length,
        );
    const each: EachResample = (use) => {
      for (const [resample, indices] of given.entries()) use(indices, resample);
    };
    return [type, { mean, ...interval(matrix, given.length, confidence, each) }];
  });
  return Object.fromEntries(result) as Record<Type, AggregateScore>;
}
