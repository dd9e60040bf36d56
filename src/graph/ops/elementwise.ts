// Elementwise ops: arithmetic with NumPy broadcasting, activations, casts.
import type { GraphBuilder } from "../builder.js";
import { broadcast, mismatch, type OpDefinition, type OpTable, required } from "../op.js";
import { type DType, dtypes, type Value } from "../value.js";

function binary(op: string, opType: string): OpDefinition {
  return {
    infer(inputs) {
      const a = required(op, inputs, 0);
      const b = required(op, inputs, 1);
      if (a.dtype !== b.dtype) throw mismatch(op, "dtypes differ", a, b);
      return [{ dtype: a.dtype, shape: broadcast(op, a, b) }];
    },
    emit(e, node) {
      const [a, b] = [required(op, node.inputs, 0), required(op, node.inputs, 1)];
      e.into([required(op, node.outputs, 0).name], opType, [a.name, b.name]);
    },
  };
}

function unary(op: string, emit: OpDefinition["emit"]): OpDefinition {
  return { infer: (inputs) => [required(op, inputs, 0)], emit };
}

/** An op that ONNX has under a name of its own. */
function plain(op: string, opType: string): OpDefinition {
  return unary(op, (e, node) =>
    e.into([required(op, node.outputs, 0).name], opType, [required(op, node.inputs, 0).name]),
  );
}

const half = 0.5;

export const elementwise: OpTable = {
  add: binary("add", "Add"),
  sub: binary("sub", "Sub"),
  mul: binary("mul", "Mul"),
  identity: plain("identity", "Identity"),
  relu: plain("relu", "Relu"),
  tanh: plain("tanh", "Tanh"),
  sigmoid: plain("sigmoid", "Sigmoid"),
  scale: unary("scale", (e, node) => {
    const factor = e.scalar(Number(node.attributes.factor));
    e.into([required("scale", node.outputs, 0).name], "Mul", [
      required("scale", node.inputs, 0).name,
      factor,
    ]);
  }),
  gelu: unary("gelu", (e, node) => {
    const x = required("gelu", node.inputs, 0).name;
    const inner = e.node("Erf", [e.node("Mul", [x, e.scalar(Math.SQRT1_2)])]);
    const gate = e.node("Mul", [e.node("Add", [inner, e.scalar(1)]), e.scalar(half)]);
    e.into([required("gelu", node.outputs, 0).name], "Mul", [x, gate]);
  }),
  geluTanh: unary("geluTanh", (e, node) => {
    const x = required("geluTanh", node.inputs, 0).name;
    const cube = e.node("Mul", [e.node("Mul", [x, x]), x]);
    const sum = e.node("Add", [x, e.node("Mul", [cube, e.scalar(0.044715)])]);
    const inner = e.node("Tanh", [e.node("Mul", [sum, e.scalar(Math.sqrt(2 / Math.PI))])]);
    const gate = e.node("Mul", [e.node("Add", [inner, e.scalar(1)]), e.scalar(half)]);
    e.into([required("geluTanh", node.outputs, 0).name], "Mul", [x, gate]);
  }),
  cast: {
    infer(inputs, { to }) {
      if (typeof to !== "string" || !(to in dtypes))
        throw mismatch("cast", `there is no dtype ${to}`);
      return [{ dtype: to as DType, shape: required("cast", inputs, 0).shape }];
    },
    emit(e, node) {
      const output = required("cast", node.outputs, 0);
      e.into([output.name], "Cast", [required("cast", node.inputs, 0).name], {
        attributes: { to: dtypes[output.dtype].onnx },
      });
    },
  },
};

/** a + b, broadcast. @throws SHAPE_MISMATCH */
export const add = (g: GraphBuilder, a: Value, b: Value): Value => g.one("add", [a, b]);
/** a − b, broadcast. @throws SHAPE_MISMATCH */
export const sub = (g: GraphBuilder, a: Value, b: Value): Value => g.one("sub", [a, b]);
/** a · b elementwise, broadcast. @throws SHAPE_MISMATCH */
export const mul = (g: GraphBuilder, a: Value, b: Value): Value => g.one("mul", [a, b]);
/** x times a float32 constant. */
export const scale = (g: GraphBuilder, x: Value, factor: number): Value =>
  g.one("scale", [x], { factor });
/** max(x, 0) */
export const relu = (g: GraphBuilder, x: Value): Value => g.one("relu", [x]);
export const tanh = (g: GraphBuilder, x: Value): Value => g.one("tanh", [x]);
export const sigmoid = (g: GraphBuilder, x: Value): Value => g.one("sigmoid", [x]);
/** x·Φ(x), exact (by erf). Source: Hendrycks and Gimpel 2016. */
export const gelu = (g: GraphBuilder, x: Value): Value => g.one("gelu", [x]);
/** The tanh approximation of gelu, transformers' `gelu_new`. Source: Hendrycks and Gimpel 2016. */
export const geluTanh = (g: GraphBuilder, x: Value): Value => g.one("geluTanh", [x]);
export const cast = (g: GraphBuilder, x: Value, to: DType): Value => g.one("cast", [x], { to });
