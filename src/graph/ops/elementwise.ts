// Elementwise ops: arithmetic with NumPy broadcasting, activations, casts.
import type { GraphBuilder } from "../builder.js";
import type { Emitter } from "../emitter.js";
import {
  broadcast,
  cotangentOf,
  mismatch,
  type NoGradient,
  type OpDefinition,
  type OpTable,
  required,
  type Vjp,
} from "../op.js";
import { type DType, dtypes, type Value } from "../value.js";
import { sumTo } from "./reduce.js";

function binary(
  op: string,
  opType: string,
  gradients: (g: GraphBuilder, d: Value, a: Value, b: Value) => [() => Value, () => Value],
): OpDefinition {
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
    vjp(g, call) {
      const [a, b] = [required(op, call.inputs, 0), required(op, call.inputs, 1)];
      const [da, db] = gradients(g, cotangentOf(op, call), a, b);
      return [
        call.wants(0) ? sumTo(g, da(), a.shape) : undefined,
        call.wants(1) ? sumTo(g, db(), b.shape) : undefined,
      ];
    },
  };
}

function unary(op: string, emit: OpDefinition["emit"], vjp: Vjp | NoGradient): OpDefinition {
  return { infer: (inputs) => [required(op, inputs, 0)], emit, vjp };
}

/** An op that ONNX has under a name of its own; `gradient` takes the cotangent, the input and the output. */
function plain(
  op: string,
  opType: string,
  gradient: (g: GraphBuilder, d: Value, x: Value, y: Value) => Value,
): OpDefinition {
  return unary(
    op,
    (e, node) =>
      e.into([required(op, node.outputs, 0).name], opType, [required(op, node.inputs, 0).name]),
    (g, call) => [
      gradient(
        g,
        cotangentOf(op, call),
        required(op, call.inputs, 0),
        required(op, call.outputs, 0),
      ),
    ],
  );
}

/** The derivative of an activation as an op of its own: a factor of the cotangent, computed from x. */
function derivative(op: string, emit: (e: Emitter, x: string, output: string) => void) {
  return unary(
    op,
    (e, node) => emit(e, required(op, node.inputs, 0).name, required(op, node.outputs, 0).name),
    { reason: "it is a derivative itself, and only first derivatives are taken" },
  );
}

/** Φ(x), the standard normal distribution function. */
function normalCdf(e: Emitter, x: string): string {
  const inner = e.node("Erf", [e.node("Mul", [x, e.scalar(Math.SQRT1_2)])]);
  return e.node("Mul", [e.node("Add", [inner, e.scalar(1)]), e.scalar(0.5)]);
}

const geluSlope = Math.sqrt(2 / Math.PI);
const geluCubic = 0.044715;

/** tanh of gelu's cubic. */
function geluInner(e: Emitter, x: string): string {
  const cube = e.node("Mul", [e.node("Mul", [x, x]), x]);
  const sum = e.node("Add", [x, e.node("Mul", [cube, e.scalar(geluCubic)])]);
  return e.node("Tanh", [e.node("Mul", [sum, e.scalar(geluSlope)])]);
}

export const elementwise: OpTable = {
  add: binary("add", "Add", (_, d) => [() => d, () => d]),
  sub: binary("sub", "Sub", (g, d) => [() => d, () => scale(g, d, -1)]),
  mul: binary("mul", "Mul", (g, d, a, b) => [() => mul(g, d, b), () => mul(g, d, a)]),
  identity: plain("identity", "Identity", (_, d) => d),
  stopGradient: unary(
    "stopGradient",
    (e, node) =>
      e.into([required("stopGradient", node.outputs, 0).name], "Identity", [
        required("stopGradient", node.inputs, 0).name,
      ]),
    () => [undefined],
  ),
  // x + 0·y[0]: x, but not before y.
  waitFor: {
    infer: (inputs) => [required("waitFor", inputs, 0)],
    emit(e, node) {
      const [x, y] = [required("waitFor", node.inputs, 0), required("waitFor", node.inputs, 1)];
      const flat = e.node("Reshape", [y.name, e.ints([-1])]);
      const first = e.node("Slice", [flat, e.ints([0]), e.ints([1])]);
      const zero = e.node("Mul", [first, e.scalar(0)]);
      e.into([required("waitFor", node.outputs, 0).name], "Add", [x.name, zero]);
    },
    vjp: (_, call) => [cotangentOf("waitFor", call)],
  },
  relu: plain("relu", "Relu", (g, d, _, y) => mul(g, d, g.one("reluSlope", [y]))),
  tanh: plain("tanh", "Tanh", (g, d, _, y) => sub(g, d, mul(g, d, mul(g, y, y)))),
  sigmoid: plain("sigmoid", "Sigmoid", (g, d, _, y) => {
    const passed = mul(g, d, y);
    return sub(g, passed, mul(g, passed, y));
  }),
  scale: unary(
    "scale",
    (e, node) => {
      const factor = e.scalar(Number(node.attributes.factor));
      e.into([required("scale", node.outputs, 0).name], "Mul", [
        required("scale", node.inputs, 0).name,
        factor,
      ]);
    },
    (g, call) => [scale(g, cotangentOf("scale", call), Number(call.attributes.factor))],
  ),
  gelu: unary(
    "gelu",
    (e, node) => {
      const x = required("gelu", node.inputs, 0).name;
      e.into([required("gelu", node.outputs, 0).name], "Mul", [x, normalCdf(e, x)]);
    },
    (g, call) => [
      mul(g, cotangentOf("gelu", call), g.one("geluSlope", [required("gelu", call.inputs, 0)])),
    ],
  ),
  geluTanh: unary(
    "geluTanh",
    (e, node) => {
      const x = required("geluTanh", node.inputs, 0).name;
      const gate = e.node("Mul", [e.node("Add", [geluInner(e, x), e.scalar(1)]), e.scalar(0.5)]);
      e.into([required("geluTanh", node.outputs, 0).name], "Mul", [x, gate]);
    },
    (g, call) => [
      mul(
        g,
        cotangentOf("geluTanh", call),
        g.one("geluTanhSlope", [required("geluTanh", call.inputs, 0)]),
      ),
    ],
  ),
  // 1 where y > 0, else 0, in one threaded pass: Sign runs on one thread, Greater and Cast are two passes.
  reluSlope: derivative("reluSlope", (e, y, output) =>
    e.into([output], "HardSigmoid", [y], {
      attributes: { alpha: { float: 1e30 }, beta: { float: 0 } },
    }),
  ),
  // Φ(x) + x·φ(x)
  geluSlope: derivative("geluSlope", (e, x, output) => {
    const square = e.node("Mul", [e.node("Mul", [x, x]), e.scalar(-0.5)]);
    const density = e.node("Mul", [e.node("Exp", [square]), e.scalar(1 / Math.sqrt(2 * Math.PI))]);
    e.into([output], "Add", [normalCdf(e, x), e.node("Mul", [x, density])]);
  }),
  // (1 + t)/2 + x·(1 − t²)·s·(1 + 3cx²)/2 with t = tanh(s·(x + cx³))
  geluTanhSlope: derivative("geluTanhSlope", (e, x, output) => {
    const t = geluInner(e, x);
    const gate = e.node("Mul", [e.node("Add", [t, e.scalar(1)]), e.scalar(0.5)]);
    const rest = e.node("Sub", [e.scalar(1), e.node("Mul", [t, t])]);
    const cubic = e.node("Mul", [e.node("Mul", [x, x]), e.scalar(3 * geluCubic)]);
    const slope = e.node("Mul", [e.node("Add", [cubic, e.scalar(1)]), e.scalar(geluSlope / 2)]);
    const bend = e.node("Mul", [e.node("Mul", [x, rest]), slope]);
    e.into([output], "Add", [gate, bend]);
  }),
  clamp: {
    infer(inputs, { least, most }) {
      const x = required("clamp", inputs, 0);
      if (x.dtype !== "int64") throw mismatch("clamp", "only whole numbers are clamped", x);
      if (!Number.isInteger(least) || !Number.isInteger(most) || Number(least) > Number(most))
        throw mismatch("clamp", `${least} to ${most} is no range`);
      return [x];
    },
    emit(e, node) {
      const { least, most } = node.attributes;
      const x = required("clamp", node.inputs, 0).name;
      const above = e.node("Max", [x, e.ints([Number(least)])]);
      e.into([required("clamp", node.outputs, 0).name], "Min", [above, e.ints([Number(most)])]);
    },
    vjp: { reason: "whole numbers are indices, and nothing is learned through an index" },
  },
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
    vjp: (g, call) => [cast(g, cotangentOf("cast", call), required("cast", call.inputs, 0).dtype)],
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
  factor === 1 ? x : g.one("scale", [x], { factor });
/** max(x, 0) */
export const relu = (g: GraphBuilder, x: Value): Value => g.one("relu", [x]);
export const tanh = (g: GraphBuilder, x: Value): Value => g.one("tanh", [x]);
export const sigmoid = (g: GraphBuilder, x: Value): Value => g.one("sigmoid", [x]);
/** x·Φ(x), exact (by erf). Source: Hendrycks and Gimpel 2016. */
export const gelu = (g: GraphBuilder, x: Value): Value => g.one("gelu", [x]);
/** The tanh approximation of gelu, transformers' `gelu_new`. Source: Hendrycks and Gimpel 2016. */
export const geluTanh = (g: GraphBuilder, x: Value): Value => g.one("geluTanh", [x]);
/** Whole numbers moved into the range from `least` to `most`. @throws SHAPE_MISMATCH for other numbers */
export const clamp = (g: GraphBuilder, x: Value, least: number, most: number): Value =>
  g.one("clamp", [x], { least, most });
export const cast = (g: GraphBuilder, x: Value, to: DType): Value =>
  x.dtype === to ? x : g.one("cast", [x], { to });
/** x, which nothing behind it learns through. */
export const stopGradient = (g: GraphBuilder, x: Value): Value => g.one("stopGradient", [x]);
/** x, which is there only once y is: orders what is computed again after what needs it. */
export const waitFor = (g: GraphBuilder, x: Value, y: Value): Value => g.one("waitFor", [x, y]);
