// Ops that move elements without changing them: reshape, transpose, concat, gather, slice.
import type { GraphBuilder } from "../builder.js";
import { axisOf, cotangentOf, mismatch, type OpTable, required } from "../op.js";
import { type Attributes, type Dim, type Shape, sameShape, type Value } from "../value.js";

function dims(op: string, attributes: Attributes, name: string): readonly Dim[] {
  const value = attributes[name];
  if (!Array.isArray(value)) throw mismatch(op, `attribute ${name} must be a list`);
  return value;
}

function numbers(op: string, attributes: Attributes, name: string): readonly number[] {
  return dims(op, attributes, name).map(Number);
}

/** The names that a shape's sizes multiply, in order, and the product of those that are known. */
function factors(shape: Shape): string {
  let known = 1;
  const names: string[] = [];
  for (const dim of shape) {
    if (typeof dim === "number") known *= dim;
    else names.push(...dim.split("*"));
  }
  return `${known} ${names.sort().join("*")}`;
}

function axis(attributes: Attributes): number {
  return Number(attributes.axis);
}

/** ONNX's Reshape rule: 0 copies the size at that place, one −1 takes what is left. */
function reshaped(input: Shape, to: readonly Dim[]): Shape {
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
    if (factors(input) !== factors(shape)) {
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
      return [{ dtype: x.dtype, shape: reshaped(x.shape, dims("reshape", attributes, "shape")) }];
    },
    emit(e, node) {
      const to = dims("reshape", node.attributes, "shape");
      const x = required("reshape", node.inputs, 0);
      const output = required("reshape", node.outputs, 0);
      const shape = to.every((dim) => typeof dim === "number")
        ? e.ints(to)
        : e.sizes(output.shape, { inferred: true });
      e.into([output.name], "Reshape", [x.name, shape]);
    },
    vjp: (g, call) => [
      reshape(g, cotangentOf("reshape", call), required("reshape", call.inputs, 0).shape),
    ],
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
    vjp(g, call) {
      const perm = numbers("transpose", call.attributes, "perm");
      const back = perm.map((_, i) => perm.indexOf(i));
      return [transpose(g, cotangentOf("transpose", call), back)];
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
    vjp(g, call) {
      const d = cotangentOf("concat", call);
      let start = 0;
      return call.inputs.map((_, i) => {
        const part = required("concat", call.inputs, i);
        const size = part.shape[axisOf("concat", axis(call.attributes), part)];
        if (typeof size !== "number") throw mismatch("concat", "a joined size is not known", part);
        start += size;
        return slice(g, d, axis(call.attributes), start - size, start);
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
    vjp(_, call) {
      const x = required("gather", call.inputs, 0);
      if (axisOf("gather", axis(call.attributes), x) !== 0) {
        throw mismatch("gather", "only rows of the first axis can be learned", x);
      }
      const { padding } = call.attributes;
      const indices = required("gather", call.inputs, 1);
      const rows = cotangentOf("gather", call);
      return [
        { rows: { indices, rows, padding: typeof padding === "number" ? padding : undefined } },
      ];
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
    vjp(g, call) {
      const x = required("slice", call.inputs, 0);
      const at = axisOf("slice", axis(call.attributes), x);
      const size = x.shape[at];
      if (typeof size !== "number") throw mismatch("slice", `axis ${at} has no known size`, x);
      const [before, end] = [Number(call.attributes.start), Number(call.attributes.end)];
      return [pad(g, cotangentOf("slice", call), at, before, size - end)];
    },
  },
  pad: {
    infer(inputs, attributes) {
      const x = required("pad", inputs, 0);
      const at = axisOf("pad", axis(attributes), x);
      const size = x.shape[at];
      const [before, after] = [Number(attributes.before), Number(attributes.after)];
      if (typeof size !== "number" || before < 0 || after < 0) {
        throw mismatch("pad", `axis ${at} cannot grow by ${before} and ${after}`, x);
      }
      const shape = x.shape.map((dim, i) => (i === at ? size + before + after : dim));
      return [{ dtype: x.dtype, shape }];
    },
    emit(e, node) {
      const x = required("pad", node.inputs, 0);
      const { before, after } = node.attributes;
      e.into([required("pad", node.outputs, 0).name], "Pad", [
        x.name,
        e.ints([Number(before), Number(after)]),
        "",
        e.ints([axis(node.attributes)]),
      ]);
    },
    vjp(g, call) {
      const x = required("pad", call.inputs, 0);
      const at = axisOf("pad", axis(call.attributes), x);
      const before = Number(call.attributes.before);
      return [slice(g, cotangentOf("pad", call), at, before, before + Number(x.shape[at]))];
    },
  },
};

/**
 * The same elements in another shape: 0 copies the size at that place, one −1 takes what is left, a name stands for itself.
 * @throws SHAPE_MISMATCH when the element counts cannot agree.
 */
export const reshape = (g: GraphBuilder, x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : g.one("reshape", [x], { shape });
/** Axes in the order `perm`. @throws SHAPE_MISMATCH */
export const transpose = (g: GraphBuilder, x: Value, perm: readonly number[]): Value =>
  g.one("transpose", [x], { perm });
/** Values joined along an axis. @throws SHAPE_MISMATCH */
export const concat = (g: GraphBuilder, values: readonly Value[], axis: number): Value =>
  g.one("concat", values, { axis });
/**
 * Slices of x at `indices` along an axis; the axis is replaced by the shape of the indices.
 * @param padding an index whose slice learns nothing, as PyTorch's `padding_idx`
 */
export const gather = (
  g: GraphBuilder,
  x: Value,
  indices: Value,
  { axis = 0, padding }: { axis?: number; padding?: number | undefined } = {},
): Value => g.one("gather", [x, indices], { axis, ...(padding === undefined ? {} : { padding }) });
/** Elements start ≤ i < end along an axis. @throws SHAPE_MISMATCH */
export const slice = (g: GraphBuilder, x: Value, axis: number, start: number, end: number): Value =>
  g.one("slice", [x], { axis, start, end });
/** x with zeros before and after it along an axis of known size. @throws SHAPE_MISMATCH */
export const pad = (
  g: GraphBuilder,
  x: Value,
  axis: number,
  before: number,
  after: number,
): Value => g.one("pad", [x], { axis, before, after });
