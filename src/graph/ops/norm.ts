// Normalizations over the last axis: layer norm, RMS norm, softmax.
import type { GraphBuilder } from "../builder.js";
import type { Emitter } from "../emitter.js";
import { cotangentOf, mismatch, type OpTable, required } from "../op.js";
import type { Dim, Shape, Value, ValueType } from "../value.js";
import { mul, scale, sub } from "./elementwise.js";
import { columnSum, matmul } from "./linear.js";
import { reduceSum } from "./reduce.js";
import { reshape } from "./shape.js";

function checkVector(op: string, x: ValueType, vector: ValueType): void {
  if (vector.shape.length !== 1 || vector.shape[0] !== x.shape.at(-1)) {
    throw mismatch(op, "scale and shift must match the last axis", x, vector);
  }
}

/** One number for each slice of the last axis. */
function perSlice(x: ValueType): Shape {
  return [...x.shape.slice(0, -1), 1];
}

function widthOf(op: string, x: ValueType): number {
  const width = x.shape.at(-1);
  if (typeof width !== "number") throw mismatch(op, "the last axis must be known", x);
  return width;
}

/** Mean of x·vector over the last axis, by a product: x [...,D], vector [D] → [...,1] */
function weightedMean(g: GraphBuilder, x: Value, vector: Value): Value {
  const column = reshape(g, vector, [vector.shape[0] as Dim, 1]);
  return scale(g, matmul(g, x, column), 1 / widthOf("norm", x));
}

export const normOps: OpTable = {
  layerNorm: {
    infer(inputs) {
      const x = required("layerNorm", inputs, 0);
      checkVector("layerNorm", x, required("layerNorm", inputs, 1));
      checkVector("layerNorm", x, required("layerNorm", inputs, 2));
      const statistic = { dtype: x.dtype, shape: perSlice(x) };
      return [x, statistic, statistic];
    },
    emit(e, node) {
      const inputs = [0, 1, 2].map((i) => required("layerNorm", node.inputs, i).name);
      const outputs = node.outputs.map((value, i) =>
        i === 0 || e.isUsed(value) ? value.name : "",
      );
      while (outputs.at(-1) === "") outputs.pop();
      e.into(outputs, "LayerNormalization", inputs, {
        attributes: { axis: -1, epsilon: { float: Number(node.attributes.epsilon) } },
      });
    },
    vjp(g, call) {
      const [x, weight] = [0, 1].map((i) => required("layerNorm", call.inputs, i)) as [
        Value,
        Value,
      ];
      const [, mean, inverse] = call.outputs as [Value, Value, Value];
      const d = cotangentOf("layerNorm", call);
      const normal = mul(g, sub(g, x, mean), inverse);
      const product = mul(g, d, normal);
      const toInput = () => {
        const scaled = mul(g, normal, weightedMean(g, product, weight));
        const centred = sub(g, sub(g, mul(g, d, weight), scaled), weightedMean(g, d, weight));
        return mul(g, inverse, centred);
      };
      return [
        call.wants(0) ? toInput() : undefined,
        call.wants(1) ? columnSum(g, product) : undefined,
        call.wants(2) ? columnSum(g, d) : undefined,
      ];
    },
  },
  rmsNorm: {
    infer(inputs) {
      const x = required("rmsNorm", inputs, 0);
      checkVector("rmsNorm", x, required("rmsNorm", inputs, 1));
      return [x, { dtype: x.dtype, shape: perSlice(x) }];
    },
    emit(e, node) {
      const [x, weight] = [
        required("rmsNorm", node.inputs, 0),
        required("rmsNorm", node.inputs, 1),
      ];
      const [y, inverse] = node.outputs as [Value, Value];
      if (e.target === "serving" && !e.isUsed(inverse)) {
        e.into([y.name], "SimplifiedLayerNormalization", [x.name, weight.name], {
          attributes: { axis: -1, epsilon: { float: Number(node.attributes.epsilon) } },
        });
        return;
      }
      const square = e.node("Mul", [x.name, x.name]);
      const mean = e.node("ReduceMean", [square, e.ints([-1])], { attributes: { keepdims: 1 } });
      const shifted = e.node("Add", [mean, e.scalar(Number(node.attributes.epsilon))]);
      e.into([inverse.name], "Reciprocal", [e.node("Sqrt", [shifted])]);
      const normal = e.node("Mul", [x.name, inverse.name]);
      e.into([y.name], "Mul", [normal, weight.name]);
    },
    vjp(g, call) {
      const [x, weight] = [0, 1].map((i) => required("rmsNorm", call.inputs, i)) as [Value, Value];
      const inverse = required("rmsNorm", call.outputs, 1);
      const d = cotangentOf("rmsNorm", call);
      const normal = mul(g, x, inverse);
      const product = mul(g, d, normal);
      const toInput = () => {
        const scaled = mul(g, normal, weightedMean(g, product, weight));
        return mul(g, inverse, sub(g, mul(g, d, weight), scaled));
      };
      return [
        call.wants(0) ? toInput() : undefined,
        call.wants(1) ? columnSum(g, product) : undefined,
      ];
    },
  },
  softmax: {
    infer: (inputs) => [required("softmax", inputs, 0)],
    emit(e, node) {
      const x = required("softmax", node.inputs, 0);
      e.into([required("softmax", node.outputs, 0).name], "Softmax", [x.name], {
        attributes: { axis: -1 },
      });
    },
    vjp(g, call) {
      const y = required("softmax", call.outputs, 0);
      const d = cotangentOf("softmax", call);
      return [mul(g, y, sub(g, d, reduceSum(g, mul(g, d, y), [-1])))];
    },
  },
  logSoftmax: {
    infer: (inputs) => [required("logSoftmax", inputs, 0)],
    emit(e, node) {
      const x = required("logSoftmax", node.inputs, 0);
      e.into([required("logSoftmax", node.outputs, 0).name], "LogSoftmax", [x.name], {
        attributes: { axis: -1 },
      });
    },
    vjp(g, call) {
      const d = cotangentOf("logSoftmax", call);
      const p = softmax(g, required("logSoftmax", call.inputs, 0));
      return [sub(g, d, mul(g, p, reduceSum(g, d, [-1])))];
    },
  },
  logSumExp: {
    infer(inputs) {
      const x = required("logSumExp", inputs, 0);
      return [{ dtype: x.dtype, shape: perSlice(x) }];
    },
    emit(e, node) {
      const x = required("logSumExp", node.inputs, 0).name;
      const likely = e.node("Softmax", [x], { attributes: { axis: -1 } });
      emitLogSumExp(e, x, likely, required("logSumExp", node.outputs, 0).name);
    },
    vjp(g, call) {
      const x = required("logSumExp", call.inputs, 0);
      return [mul(g, cotangentOf("logSumExp", call), softmax(g, x))];
    },
  },
  probabilityOfFirst: {
    infer(inputs) {
      const x = required("probabilityOfFirst", inputs, 0);
      return [{ dtype: x.dtype, shape: perSlice(x) }];
    },
    emit(e, node) {
      const [x, indices] = [0, 1].map((i) => required("probabilityOfFirst", node.inputs, i).name);
      const all = e.node("Softmax", [x as string], { attributes: { axis: -1 } });
      const at = e.node("Slice", [indices as string, e.ints([0]), e.ints([1]), e.ints([-1])]);
      e.into([required("probabilityOfFirst", node.outputs, 0).name], "GatherElements", [all, at], {
        attributes: { axis: -1 },
      });
    },
    vjp: { reason: "which scores are looked at is no part of training" },
  },
};

/**
 * log Σ exp(x) along the last axis as max x − log max softmax(x): onnxruntime's `ReduceLogSumExp` adds 100,000 terms up one
 * by one in float32, which is off by 6e-5, and takes four times as long as `Softmax`, which has many sums side by side.
 * @param likely softmax of x
 */
export function emitLogSumExp(e: Emitter, x: string, likely: string, output?: string): string {
  const [most, mostLikely] = [x, likely].map((name) =>
    e.node("ReduceMax", [name, e.ints([-1])], { attributes: { keepdims: 1 } }),
  ) as [string, string];
  const inputs = [most, e.node("Log", [mostLikely])];
  if (output === undefined) return e.node("Sub", inputs);
  e.into([output], "Sub", inputs);
  return output;
}

/**
 * (x − mean)/√(variance + ε)·scale + shift over the last axis: x [...,D], scale and shift [D]
 * @throws SHAPE_MISMATCH
 * Source: Ba et al. 2016, eq. 4.
 */
export const layerNorm = (
  g: GraphBuilder,
  x: Value,
  scale: Value,
  shift: Value,
  epsilon = 1e-5,
): Value => g.one("layerNorm", [x, scale, shift], { epsilon });
/**
 * x/√(mean(x²) + ε)·scale over the last axis: x [...,D], scale [D]
 * @throws SHAPE_MISMATCH
 * Source: Zhang and Sennrich 2019, eq. 4.
 */
export const rmsNorm = (g: GraphBuilder, x: Value, scale: Value, epsilon = 1e-6): Value =>
  g.one("rmsNorm", [x, scale], { epsilon });
/** exp(x) over its sum along the last axis. */
export const softmax = (g: GraphBuilder, x: Value): Value => g.one("softmax", [x]);
/** log of softmax along the last axis. */
export const logSoftmax = (g: GraphBuilder, x: Value): Value => g.one("logSoftmax", [x]);
/** log of Σ exp(x) along the last axis: x [...,D] → [...,1] */
export const logSumExp = (g: GraphBuilder, x: Value): Value => g.one("logSumExp", [x]);
/**
 * Softmax along the last axis of what stands first among others: x [...,D], indices int64 [...,K] → [...,1]. Of the largest x that
 * is exp(x) over the sum, from which the sum's logarithm follows; onnxruntime's own takes the last elements of an array otherwise
 * than those before them, so that a row's would go by its place.
 */
export const probabilityOfFirst = (g: GraphBuilder, x: Value, indices: Value): Value =>
  g.one("probabilityOfFirst", [x, indices]);
