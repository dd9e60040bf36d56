// Normalizations over the last axis: layer norm, RMS norm, softmax.
import type { GraphBuilder } from "../builder.js";
import { mismatch, type OpTable, required } from "../op.js";
import type { Value, ValueType } from "../value.js";

function checkVector(op: string, x: ValueType, vector: ValueType): void {
  if (vector.shape.length !== 1 || vector.shape[0] !== x.shape.at(-1)) {
    throw mismatch(op, "scale and shift must match the last axis", x, vector);
  }
}

export const normOps: OpTable = {
  layerNorm: {
    infer(inputs) {
      const x = required("layerNorm", inputs, 0);
      checkVector("layerNorm", x, required("layerNorm", inputs, 1));
      checkVector("layerNorm", x, required("layerNorm", inputs, 2));
      return [x];
    },
    emit(e, node) {
      const inputs = [0, 1, 2].map((i) => required("layerNorm", node.inputs, i).name);
      e.into([required("layerNorm", node.outputs, 0).name], "LayerNormalization", inputs, {
        attributes: { axis: -1, epsilon: { float: Number(node.attributes.epsilon) } },
      });
    },
  },
  rmsNorm: {
    infer(inputs) {
      const x = required("rmsNorm", inputs, 0);
      checkVector("rmsNorm", x, required("rmsNorm", inputs, 1));
      return [x];
    },
    emit(e, node) {
      const [x, weight] = [
        required("rmsNorm", node.inputs, 0),
        required("rmsNorm", node.inputs, 1),
      ];
      const square = e.node("Mul", [x.name, x.name]);
      const mean = e.node("ReduceMean", [square, e.ints([-1])], { attributes: { keepdims: 1 } });
      const shifted = e.node("Add", [mean, e.scalar(Number(node.attributes.epsilon))]);
      const inverse = e.node("Reciprocal", [e.node("Sqrt", [shifted])]);
      const normal = e.node("Mul", [x.name, inverse]);
      e.into([required("rmsNorm", node.outputs, 0).name], "Mul", [normal, weight.name]);
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
  },
  logSoftmax: {
    infer: (inputs) => [required("logSoftmax", inputs, 0)],
    emit(e, node) {
      const x = required("logSoftmax", node.inputs, 0);
      e.into([required("logSoftmax", node.outputs, 0).name], "LogSoftmax", [x.name], {
        attributes: { axis: -1 },
      });
    },
  },
};

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
