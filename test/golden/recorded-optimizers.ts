// The figures of optimizers.json, typed, for the unit tests of what they record.
import { readFileSync } from "node:fs";

/** Row-major elements by parameter. */
export type RecordedTensors = Readonly<Record<string, readonly number[]>>;

interface RecordedOptimizers {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly params: RecordedTensors;
  /** One for each step, as are the learning rates. */
  readonly gradients: readonly RecordedTensors[];
  readonly lrs: readonly number[];
  /** Steps whose weights are kept in `weights`. */
  readonly kept: readonly number[];
  readonly runs: readonly {
    readonly options: Readonly<Record<string, unknown>>;
    readonly weights: readonly RecordedTensors[];
    /** The last step's weights of a run in float64. */
    readonly float64: RecordedTensors;
  }[];
  readonly clipping: readonly {
    readonly maxNorm: number;
    readonly step: number;
    readonly norm: number;
    readonly clipped: RecordedTensors;
  }[];
  readonly schedules: readonly {
    readonly options: Readonly<Record<string, unknown>>;
    readonly learningRate: number;
    readonly totalSteps: number;
    readonly lrs: readonly number[];
  }[];
  readonly averages: readonly { readonly decay: number; readonly average: RecordedTensors }[];
}

export const recordedOptimizers: RecordedOptimizers = JSON.parse(
  readFileSync(new URL("./optimizers.json", import.meta.url), "utf8"),
);
