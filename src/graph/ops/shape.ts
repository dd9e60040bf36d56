// Ops that move elements without changing them: reshape, transpose, concat, gather, slice.
import type { GraphBuilder } from "../builder.js";
import { axisOf, mismatch, type OpTable, required } from "../op.js";
import {
  type Attributes,
  type Dim,
  elementCount,
  type Shape,
  sameShape,
  type Value,
} from "../value.js";

function numbers(op: string, attributes: Attributes, name: string): readonly number[] {
  const value = attributes[name];
  if (!Array.isArray(value)) throw mismatch(op, `attribute ${name} must be a list of numbers`);
  return value;
}

function axis(attributes: Attributes): number {
  return Number(attributes.axis);
}

/** ONNX's Reshape rule: 0 copies the size at that place, one −1 takes what is left. */
function reshaped(input: Shape, to: readonly number[]): Shape {
  const copied = to.map((dim, i): Dim | undefined => {
    if (dim !== 0) return dim;
    return input[i];
  });
  if (copied.includes(undefined)) {
    throw mismatch("reshape", `[${to}] copies a dimension that [${input}] does not have`);
  }
  const shape = copied as Dim[];
  const free = shape.indexOf(-1);
  if (free < 0) {
    const [before, after] = [elementCount(input), elementCount(shape)];
    if (before !== undefined && after !== undefined && before !== after) {
      throw mismatch("reshape", `[${input}] does not hold as many elements as [${shape}]`);
    }
    return shape;
  }
  // The sizes on both sides cancel, named ones by their name; what remains must be whole.
  const rest: Dim[] = [...input];
  let product = 1;
  for (const [i, dim] of shape.entries()) {
    if (i === free) continue;
    if (typeof dim === "number") product *= dim;
    else {
      const at = rest.indexOf(dim);
      if (at < 0) throw mismatch("reshape", `"${dim}" is not a dimension of [${input}]`);
      rest.splice(at, 1);
    }
  }
  const named = rest.filter((dim) => typeof dim === "string");
  const known = rest.reduce<number>(
    (count, dim) => (typeof dim === "number" ? count * dim : count),
    1,
  );
  if (named.length === 0) {
    if (known % product !== 0) throw mismatch("reshape", `[${input}] does not divide into [${to}]`);
    shape[free] = known / product;
  } else {
    shape[free] = known === product ? named.join("*") : `${named.join("*")}*${known}/${product}`;
  }
  return shape;
}

export const shapeOps: OpTable = {
  reshape: {
    infer(inputs, attributes) {
      const x = required("reshape", inputs, 0);
      return [
        { dtype: x.dtype, shape: reshaped(x.shape, numbers("reshape", attributes, "shape")) },
      ];
    },
    emit(e, node) {
      const shape = e.ints(numbers("reshape", node.attributes, "shape"));
      const x = required("reshape", node.inputs, 0);
      e.into([required("reshape", node.outputs, 0).name], "Reshape", [x.name, shape]);
    },
  },
  transpose: {
    infer(inputs, attributes) {
      const x = required("transpose", inputs, 0);
      const perm = numbers("transpose", attributes, "perm");
      const sorted = [...perm].sort((a, b) => a - b);
      if (perm.length !== x.shape.length || sorted.some((from, i) => from !== i)) {
        throw mismatch("transpose", `[${perm}] is no permutation of the axes`, x);
      }
      return [{ dtype: x.dtype, shape: perm.map((from) => x.shape[from] as Dim) }];
    },
    emit(e, node) {
      const perm = numbers("transpose", node.attributes, "perm");
      e.into(
        [required("transpose", node.outputs, 0).name],
        "Transpose",
        [required("transpose", node.inputs, 0).name],
        { attributes: { perm } },
      );
    },
  },
  concat: {
    infer(inputs, attributes) {
      const first = required("concat", inputs, 0);
      const at = axisOf("concat", axis(attributes), first);
      const shape = [...first.shape];
      for (let i = 1; i < inputs.length; i++) {
        const next = required("concat", inputs, i);
        const fits = next.shape.every((dim, k) => k === at || dim === first.shape[k]);
        if (next.dtype !== first.dtype || next.shape.length !== shape.length || !fits) {
          throw mismatch("concat", `inputs differ off axis ${at}`, first, next);
        }
        const [a, b] = [shape[at] as Dim, next.shape[at] as Dim];
        shape[at] = typeof a === "number" && typeof b === "number" ? a + b : `${a}+${b}`;
      }
      return [{ dtype: first.dtype, shape }];
    },
    emit(e, node) {
      const inputs = node.inputs.map((_, i) => required("concat", node.inputs, i).name);
      e.into([required("concat", node.outputs, 0).name], "Concat", inputs, {
        attributes: { axis: axis(node.attributes) },
      });
    },
  },
  gather: {
    infer(inputs, attributes) {
      const x = required("gather", inputs, 0);
      const indices = required("gather", inputs, 1);
      const at = axisOf("gather", axis(attributes), x);
      if (indices.dtype !== "int64" && indices.dtype !== "int32") {
        throw mismatch("gather", "indices must be whole numbers", indices);
      }
      return [
        {
          dtype: x.dtype,
          shape: [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)],
        },
      ];
    },
    emit(e, node) {
      const [x, indices] = [required("gather", node.inputs, 0), required("gather", node.inputs, 1)];
      e.into([required("gather", node.outputs, 0).name], "Gather", [x.name, indices.name], {
        attributes: { axis: axis(node.attributes) },
      });
    },
  },
  scatterNd: {
    infer(inputs) {
      const [x, indices, updates] = [0, 1, 2].map((i) => required("scatterNd", inputs, i));
      if (!x || !indices || !updates) throw mismatch("scatterNd", "three inputs are needed");
      const depth = indices.shape.at(-1);
      if (indices.dtype !== "int64" || typeof depth !== "number" || depth > x.shape.length) {
        throw mismatch("scatterNd", "indices must be int64 and as deep as x at most", x, indices);
      }
      const expected = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
      if (updates.dtype !== x.dtype || !sameShape(updates.shape, expected)) {
        throw mismatch("scatterNd", `updates must be [${expected}]`, updates);
      }
      return [x];
    },
    emit(e, node) {
      const inputs = [0, 1, 2].map((i) => required("scatterNd", node.inputs, i).name);
      e.into([required("scatterNd", node.outputs, 0).name], "ScatterND", inputs);
    },
  },
  slice: {
    infer(inputs, attributes) {
      const x = required("slice", inputs, 0);
      const at = axisOf("slice", axis(attributes), x);
      const [start, end] = [Number(attributes.start), Number(attributes.end)];
      const size = x.shape[at];
      if (start < 0 || end <= start || (typeof size === "number" && end > size)) {
        throw mismatch("slice", `${start} to ${end} is not inside axis ${at}`, x);
      }
      return [{ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === at ? end - start : dim)) }];
    },
    emit(e, node) {
      const bounds = [node.attributes.start, node.attributes.end, node.attributes.axis];
      const x = required("slice", node.inputs, 0);
      e.into([required("slice", node.outputs, 0).name], "Slice", [
        x.name,
        ...bounds.map((bound) => e.ints([Number(bound)])),
      ]);
    },
  },
};

/**
 * The same elements in another shape: 0 copies the size at that place, one −1 takes what is left.
 * @throws SHAPE_MISMATCH when the element counts cannot agree.
 */
export const reshape = (g: GraphBuilder, x: Value, shape: readonly number[]): Value =>
  g.one("reshape", [x], { shape });
/** Axes in the order `perm`. @throws SHAPE_MISMATCH */
export const transpose = (g: GraphBuilder, x: Value, perm: readonly number[]): Value =>
  g.one("transpose", [x], { perm });
/** Values joined along an axis. @throws SHAPE_MISMATCH */
export const concat = (g: GraphBuilder, values: readonly Value[], axis: number): Value =>
  g.one("concat", values, { axis });
/** Slices of x at `indices` along an axis; the axis is replaced by the shape of the indices. */
export const gather = (g: GraphBuilder, x: Value, indices: Value, axis = 0): Value =>
  g.one("gather", [x, indices], { axis });
/** Elements start ≤ i < end along an axis. @throws SHAPE_MISMATCH */
export const slice = (g: GraphBuilder, x: Value, axis: number, start: number, end: number): Value =>
  g.one("slice", [x], { axis, start, end });
/**
 * x with slices replaced: indices [...,N] point into the first N axes, updates hold what is written there.
 * Indices must not repeat: onnxruntime writes them in no order.
 * @throws SHAPE_MISMATCH
 */
export const scatterNd = (g: GraphBuilder, x: Value, indices: Value, updates: Value): Value =>
  g.one("scatterNd", [x, indices, updates]);
