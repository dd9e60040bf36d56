// Adafactor: Adam's second moments held as a row and a column per matrix, as transformers.optimization.Adafactor has it.
import type { AdafactorOptions } from "../../config/optimizer-options.js";
import { type Home, homeOf } from "../tensor-memory.js";
import {
  initState,
  type Optimizer,
  type OptimizerState,
  pairGradients,
  stateOf,
  type Trained,
} from "./optimizer.js";

type Slot = "expAvg" | "expAvgSq" | "expAvgSqRow" | "expAvgSqCol";

/** What one step does to one parameter. */
interface Move {
  readonly gradientScale: number;
  /** Share of the second moments that is kept. */
  readonly beta2: number;
  /** Learning rate of this parameter, scaled by its size where that is asked for. */
  readonly lr: number;
  readonly decay: number;
}

/**
 * State: for a parameter of two or more dimensions expAvgSqRow (the shape without its last dimension) and expAvgSqCol
 * (without the last but one), for a vector expAvgSq; expAvg of the full shape where beta1 is given.
 * With relativeStep the step's own lr goes unused: the rate follows from the index.
 * @param decays which parameters weight decay applies to, by name
 * Source: Shazeer and Stern 2018, in transformers' formulation.
 */
export function createAdafactor(
  options: AdafactorOptions,
  decays: (name: string) => boolean,
): Optimizer<Slot> {
  const { beta1, decayRate, weightDecay } = options;
  const layout = {
    slots: ["expAvg", "expAvgSq", "expAvgSqRow", "expAvgSqCol"] as const,
    requirements(shape: readonly number[]) {
      const mean = beta1 === null ? {} : { expAvg: shape };
      if (shape.length < 2) return { parts: { ...mean, expAvgSq: shape }, scratchBytes: 0 };
      const { matrices, rows, columns } = asMatrices(shape);
      const leading = shape.slice(0, -2);
      return {
        parts: {
          ...mean,
          expAvgSqRow: [...leading, rows],
          expAvgSqCol: [...leading, columns],
        },
        scratchBytes: 8 * (rows + columns) + 4 * matrices * (rows + columns),
      };
    },
  };
  return {
    ...layout,
    rate: (index, lr) => stepRate(options, index + 1, lr),
    init: (params, memory) => initState(layout, params, memory),
    update(params, grads, state, { index, lr, gradientScale = 1 }) {
      const beta2 = 1 - (index + 1) ** decayRate;
      for (const trained of pairGradients(params, grads)) {
        const { name, weight } = trained;
        const rate = parameterScale(options, weight.data) * stepRate(options, index + 1, lr);
        const decay = -rate * (decays(name) ? weightDecay : 0);
        const move = { gradientScale, beta2, lr: rate, decay };
        if (weight.shape.length < 2) updateVector(options, trained, state, move);
        else updateMatrices(options, trained, state, move);
      }
    },
  };
}

/** The learning rate before it is scaled by the parameter's size. @param count updates including this one */
function stepRate(options: AdafactorOptions, count: number, lr: number): number {
  if (!options.relativeStep) return lr;
  return Math.min(options.warmupInit ? 1e-6 * count : 1e-2, 1 / Math.sqrt(count));
}

function parameterScale({ scaleParameter, epsilon2 }: AdafactorOptions, w: Float32Array): number {
  if (!scaleParameter) return 1;
  const squares = homeOf(w).kernels.sumSquares(w.byteOffset, w.length);
  return Math.max(epsilon2, Math.sqrt(squares / w.length));
}

/** A tensor as a row of equal matrices over its last two dimensions. */
function asMatrices(shape: readonly number[]) {
  const rows = shape.at(-2) ?? 1;
  const columns = shape.at(-1) ?? 1;
  const matrices = shape.slice(0, -2).reduce((product, dim) => product * dim, 1);
  return { matrices, rows, columns };
}

function updateMatrices(
  options: AdafactorOptions,
  { name, weight, gradient }: Trained,
  state: OptimizerState<Slot>,
  { gradientScale, beta2, lr, decay }: Move,
): void {
  const w = weight.data;
  const g = gradient.data;
  const rowMoments = stateOf(state, "expAvgSqRow", name);
  const columnMoments = stateOf(state, "expAvgSqCol", name);
  const home = homeOf(w, g, rowMoments, columnMoments);
  const { kernels } = home;
  const { matrices, rows, columns } = asMatrices(weight.shape);
  const scratch = scratchFor(home, matrices, rows, columns);
  const each = Array.from({ length: matrices }, (_, index) => ({
    g: g.byteOffset + 4 * index * rows * columns,
    w: w.byteOffset + 4 * index * rows * columns,
    rowFactors: scratch.rowFactors.byteOffset + 4 * index * rows,
    columnFactors: scratch.columnFactors.byteOffset + 4 * index * columns,
    offset: 4 * index * rows * columns,
  }));
  let squares = 0;
  for (const [index, at] of each.entries()) {
    const { rowSums, columnSums } = scratch;
    rowSums.fill(0);
    columnSums.fill(0);
    kernels.sumRowAndColumnSquares(
      ...[at.g, rowSums.byteOffset, columnSums.byteOffset, rows, columns],
      ...[gradientScale, options.epsilon1],
    );
    const rowPart = rowMoments.subarray(index * rows, (index + 1) * rows);
    const columnPart = columnMoments.subarray(index * columns, (index + 1) * columns);
    followMeans(rowPart, rowSums, columns, beta2);
    followMeans(columnPart, columnSums, rows, beta2);
    const meanRow = mean(rowPart);
    for (let i = 0; i < rows; i++) {
      scratch.rowFactors[index * rows + i] = 1 / Math.sqrt(rowPart[i]! / meanRow);
    }
    for (let j = 0; j < columns; j++) {
      scratch.columnFactors[index * columns + j] = 1 / Math.sqrt(columnPart[j]!);
    }
    squares += kernels.factoredSumSquares(
      ...[at.g, at.rowFactors, at.columnFactors, rows, columns, gradientScale],
    );
  }
  const stepSize = lr / clipDivisor(options, squares, g.length);
  for (const at of each) {
    const matrix = [at.g, at.rowFactors, at.columnFactors, rows, columns] as const;
    if (options.beta1 === null) {
      kernels.factoredUpdate(at.w, ...matrix, gradientScale, stepSize, decay);
      continue;
    }
    const m = stateOf(state, "expAvg", name);
    homeOf(w, m).kernels.factoredMomentumUpdate(
      ...[at.w, m.byteOffset + at.offset, ...matrix],
      ...[gradientScale, stepSize, decay, options.beta1, 1 - options.beta1],
    );
  }
}

/** Vectors are few and short; plain code does them in well under a millisecond. */
function updateVector(
  options: AdafactorOptions,
  { name, weight, gradient }: Trained,
  state: OptimizerState<Slot>,
  { gradientScale, beta2, lr, decay }: Move,
): void {
  const w = weight.data;
  const g = gradient.data;
  const moments = stateOf(state, "expAvgSq", name);
  const update = new Float32Array(g.length);
  let squares = 0;
  for (let i = 0; i < g.length; i++) {
    const x = Math.fround(g[i]! * gradientScale);
    moments[i] = beta2 * moments[i]! + (1 - beta2) * (x * x + options.epsilon1);
    update[i] = x / Math.sqrt(moments[i]!);
    squares += update[i]! ** 2;
  }
  const stepSize = lr / clipDivisor(options, squares, g.length);
  if (options.beta1 === null) {
    for (let i = 0; i < w.length; i++) w[i] = w[i]! + w[i]! * decay - update[i]! * stepSize;
    return;
  }
  const m = stateOf(state, "expAvg", name);
  for (let i = 0; i < w.length; i++) {
    m[i] = options.beta1 * m[i]! + (1 - options.beta1) * (update[i]! * stepSize);
    w[i] = w[i]! + w[i]! * decay - m[i]!;
  }
}

/** What an update is divided by so that its root mean square stays within the threshold. */
function clipDivisor({ clipThreshold }: AdafactorOptions, squares: number, count: number): number {
  const excess = Math.sqrt(squares / count) / clipThreshold;
  // Not Math.max alone: a NaN has to reach the weights, as in the reference, and not be taken for 1.
  return excess < 1 ? 1 : excess;
}

function followMeans(moments: Float32Array, sums: Float64Array, count: number, beta2: number) {
  for (let i = 0; i < moments.length; i++) {
    moments[i] = beta2 * moments[i]! + (1 - beta2) * (sums[i]! / count);
  }
}

function mean(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function scratchFor(home: Home, matrices: number, rows: number, columns: number) {
  const { buffer, scratchAddress: start } = home;
  const factors = start + 8 * (rows + columns);
  return {
    rowSums: new Float64Array(buffer, start, rows),
    columnSums: new Float64Array(buffer, start + 8 * rows, columns),
    rowFactors: new Float32Array(buffer, factors, matrices * rows),
    columnFactors: new Float32Array(buffer, factors + 4 * matrices * rows, matrices * columns),
  };
}
