// Kernels of Adafactor's factored update of a matrix: sums of squared gradients, the update's size, the update.
import {
  type Code,
  type Declare,
  defineFunction,
  type Expression,
  type Local,
} from "./assembler.js";
import { countDown, f32, f64, i32 } from "./instructions.js";
import { forEachElement, type Lane, type Lanes } from "./lanes.js";

/**
 * Per row and per column Σ ((gradientScale·g)² + ε), added to float64 arrays that the caller has cleared.
 * g [rows, columns], rowSums [rows], columnSums [columns].
 */
export const sumRowAndColumnSquares = defineFunction(
  "sumRowAndColumnSquares",
  {
    i32: ["g", "rowSums", "columnSums", "rows", "columns"],
    f32: ["gradientScale", "epsilon"],
  },
  ({ g, rowSums, columnSums, rows, columns, ...scalars }, declare) => {
    const total = declare("f64");
    const sums = declare("i32");
    return {
      body: [
        countDown(rows, { step: 1, least: 1 }, [
          total.set(f64.const(0)),
          sums.set(columnSums),
          forEachElement(
            declare,
            { count: columns, arrays: { g, sums }, doubles: ["sums"], scalars, total },
            (l, at, k, step) => {
              const x = step.declare(l.type);
              return [
                x.set(l.mul(at.g.load, k.gradientScale)),
                x.set(l.add(l.mul(x, x), k.epsilon)),
                at.sums.accumulate(l.widen(x)),
                step.addUp(l.widen(x)),
              ];
            },
          ),
          f64.store(rowSums, f64.add(f64.load(rowSums), total)),
          rowSums.set(i32.add(rowSums, i32.const(8))),
        ]),
      ],
    };
  },
);

/** (rowFactor·columnFactor)·(gradientScale·g), rounded as transformers' Adafactor rounds it. */
function factored<T extends Lane>(
  l: Lanes<T>,
  g: Expression<T>,
  columnFactor: Expression<T>,
  k: { readonly rowFactor: Expression<T>; readonly gradientScale: Expression<T> },
): Expression<T> {
  return l.mul(l.mul(k.rowFactor, columnFactor), l.mul(g, k.gradientScale));
}

/** Runs `row` for each row, with that row's factor and the address of the columns' factors. */
function forEachRow(
  declare: Declare,
  rows: Local<"i32">,
  at: Readonly<Record<"rowFactors" | "columnFactors", Local<"i32">>>,
  row: (factors: Local<"i32">, rowFactor: Local<"f32">) => Code,
): Code {
  const factors = declare("i32");
  const rowFactor = declare("f32");
  return countDown(rows, { step: 1, least: 1 }, [
    factors.set(at.columnFactors),
    rowFactor.set(f32.load(at.rowFactors)),
    row(factors, rowFactor),
    at.rowFactors.set(i32.add(at.rowFactors, i32.const(4))),
  ]);
}

const matrix = ["g", "rowFactors", "columnFactors", "rows", "columns"] as const;

/** Σ (rowFactor·columnFactor·gradientScale·g)² over a matrix, summed in float64. */
export const factoredSumSquares = defineFunction(
  "factoredSumSquares",
  { i32: matrix, f32: ["gradientScale"] },
  ({ g, columns: count, gradientScale, ...at }, declare) => {
    const total = declare("f64");
    return {
      body: [
        forEachRow(declare, at.rows, at, (factors, rowFactor) =>
          forEachElement(
            declare,
            { count, arrays: { g, factors }, scalars: { rowFactor, gradientScale }, total },
            (l, cell, k, step) => {
              const update = step.declare(l.type);
              return [
                update.set(factored(l, cell.g.load, cell.factors.load, k)),
                step.addUp(l.widen(update).map((wide) => l.wide.mul(wide, wide))),
              ];
            },
          ),
        ),
      ],
      result: total,
    };
  },
);

/** w ← (w + w·decay) − stepSize·u, with u the factored update. */
export const factoredUpdate = defineFunction(
  "factoredUpdate",
  { i32: ["w", ...matrix], f32: ["gradientScale", "stepSize", "decay"] },
  ({ w, g, columns: count, gradientScale, stepSize, decay, ...at }, declare) => ({
    body: [
      forEachRow(declare, at.rows, at, (factors, rowFactor) =>
        forEachElement(
          declare,
          {
            count,
            arrays: { w, g, factors },
            scalars: { rowFactor, gradientScale, stepSize, decay },
          },
          (l, cell, k, step) => {
            const weight = step.declare(l.type);
            const update = l.mul(factored(l, cell.g.load, cell.factors.load, k), k.stepSize);
            return [
              weight.set(cell.w.load),
              cell.w.store(l.sub(l.add(weight, l.mul(weight, k.decay)), update)),
            ];
          },
        ),
      ),
    ],
  }),
);

/** m ← β1·m + fresh·stepSize·u; w ← (w + w·decay) − m, with u the factored update. */
export const factoredMomentumUpdate = defineFunction(
  "factoredMomentumUpdate",
  {
    i32: ["w", "m", ...matrix],
    f32: ["gradientScale", "stepSize", "decay", "beta1", "fresh"],
  },
  ({ w, m, g, rows, columns: count, rowFactors, columnFactors, ...scalars }, declare) => ({
    body: [
      forEachRow(declare, rows, { rowFactors, columnFactors }, (factors, rowFactor) =>
        forEachElement(
          declare,
          { count, arrays: { w, m, g, factors }, scalars: { ...scalars, rowFactor } },
          (l, cell, k, step) => {
            const weight = step.declare(l.type);
            const mean = step.declare(l.type);
            const update = l.mul(factored(l, cell.g.load, cell.factors.load, k), k.stepSize);
            return [
              mean.set(l.add(l.mul(cell.m.load, k.beta1), l.mul(update, k.fresh))),
              cell.m.store(mean),
              weight.set(cell.w.load),
              cell.w.store(l.sub(l.add(weight, l.mul(weight, k.decay)), mean)),
            ];
          },
        ),
      ),
    ],
  }),
);
