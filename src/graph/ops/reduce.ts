// Sums over axes and their opposite, repetition along axes.
import type { GraphBuilder } from "../builder.js";
import { axisOf, broadcast, cotangentOf, mismatch, type OpTable, required } from "../op.js";
import { type Attributes, type Dim, type Shape, sameShape, type Value } from "../value.js";

function dims(op: string, attributes: Attributes, name: string): readonly Dim[] {
  const value = attributes[name];
  if (!Array.isArray(value)) throw mismatch(op, `attribute ${name} must be a list`);
  return value;
}

export const reduceOps: OpTable = {
  reduceSum: {
    infer(inputs, attributes) {
      const x = required("reduceSum", inputs, 0);
      const axes = dims("reduceSum", attributes, "axes").map((axis) =>
        axisOf("reduceSum", Number(axis), x),
      );
      return [{ dtype: x.dtype, shape: x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim)) }];
    },
    emit(e, node) {
      const x = required("reduceSum", node.inputs, 0);
      const axes = dims("reduceSum", node.attributes, "axes").map(Number);
      e.into([required("reduceSum", node.outputs, 0).name], "ReduceSum", [x.name, e.ints(axes)], {
        attributes: { keepdims: 1 },
      });
    },
    vjp(g, call) {
      const x = required("reduceSum", call.inputs, 0);
      return [expand(g, cotangentOf("reduceSum", call), x.shape)];
    },
  },
  expand: {
    infer(inputs, attributes) {
      const x = required("expand", inputs, 0);
      const shape = dims("expand", attributes, "shape");
      if (!sameShape(broadcast("expand", x, { dtype: x.dtype, shape }), shape)) {
        throw mismatch("expand", `it does not stretch to [${shape}]`, x);
      }
      return [{ dtype: x.dtype, shape }];
    },
    emit(e, node) {
      const x = required("expand", node.inputs, 0);
      const output = required("expand", node.outputs, 0);
      e.into([output.name], "Expand", [x.name, e.sizes(output.shape)]);
    },
    vjp(g, call) {
      return [sumTo(g, cotangentOf("expand", call), required("expand", call.inputs, 0).shape)];
    },
  },
  squeezeTo: {
    infer(inputs, attributes) {
      const x = required("squeezeTo", inputs, 0);
      const shape = dims("squeezeTo", attributes, "shape");
      const full = (of: Shape) => of.filter((dim) => dim !== 1);
      if (!sameShape(full(x.shape), full(shape))) {
        throw mismatch("squeezeTo", `it differs from [${shape}] in more than sizes of 1`, x);
      }
      return [{ dtype: x.dtype, shape }];
    },
    emit(e, node) {
      const x = required("squeezeTo", node.inputs, 0);
      const output = required("squeezeTo", node.outputs, 0);
      e.into([output.name], "Reshape", [x.name, e.sizes(output.shape, { inferred: true })]);
    },
    vjp(g, call) {
      const x = required("squeezeTo", call.inputs, 0);
      return [squeezeTo(g, cotangentOf("squeezeTo", call), x.shape)];
    },
  },
};

/** Sum over the axes, which stay with size 1. @throws SHAPE_MISMATCH */
export const reduceSum = (g: GraphBuilder, x: Value, axes: readonly number[]): Value =>
  g.one("reduceSum", [x], { axes });
/** x repeated along axes of size 1, and along new ones in front. @throws SHAPE_MISMATCH */
export const expand = (g: GraphBuilder, x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : g.one("expand", [x], { shape });
/** The same elements with axes of size 1 left out or put in. @throws SHAPE_MISMATCH */
export const squeezeTo = (g: GraphBuilder, x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : g.one("squeezeTo", [x], { shape });

/** x summed over the axes along which `shape` was stretched to x's: the gradient of broadcasting. */
export function sumTo(g: GraphBuilder, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((dim, i) =>
    i < lead || (shape[i - lead] === 1 && dim !== 1) ? [i] : [],
  );
  return squeezeTo(g, axes.length === 0 ? x : reduceSum(g, x, axes), shape);
}
