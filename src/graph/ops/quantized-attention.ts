// Attention to keys and values that are kept as whole numbers: a quarter of the bytes that every step reads.
import type { GraphBuilder } from "../builder.js";
import { type Emitter, microsoft } from "../emitter.js";
import { broadcast, mismatch, type OpTable, required } from "../op.js";
import { type Dim, sameShape, type Value, type ValueType } from "../value.js";
import { mul } from "./elementwise.js";
import { signed, type WholeNumber, zeroOf } from "./quantized.js";

/**
 * Weights after a softmax are not negative: round(steps·x / max x), and what is left of each in so many steps more. Where one token has half
 * of the weight and a thousand share the rest, none of these would be as much as half a step.
 */
const weightSteps = 255;
const restSteps = 2 * signed.steps;
/** What has no element above this is divided by it. Weights below it are no part of any sum, and many are no normal numbers. */
const smallest = 1e-12;

const isWhole = (dtype: unknown): dtype is WholeNumber => dtype === "int8" || dtype === "uint8";

/** Rows of whole numbers times columns of them, as float32. */
function product(e: Emitter, rows: Factor, columns: Value): string {
  const scales = [rows.scale, 1 / signed.steps].map((scale) => e.scalar(scale));
  const inputs = [rows.name, columns.name, ...scales, e.byte(rows.zero)];
  if (columns.dtype === "uint8") inputs.push(e.byte(zeroOf(columns.dtype)));
  return e.node("MatMulIntegerToFloat", inputs, { domain: microsoft });
}

interface Factor {
  readonly name: string;
  readonly scale: number;
  readonly zero: number;
}

/** Tokens of which the largest elements are found together. */
const pooledTokens = 16;

/**
 * The largest |element| over the tokens of [B,H,S,D], as [B,H,1,D]. For a single document onnxruntime looks for the largest along an
 * axis one element at a time, unless it is the last: pooling rows as the layer has made them does most of that in vectors.
 */
function emitLargest(e: Emitter, x: Value): string {
  const [, heads, , width] = x.shape.map(Number) as [number, number, number, number];
  const rows = e.node("Transpose", [e.node("Abs", [x.name])], {
    attributes: { perm: [0, 2, 1, 3] },
  });
  const plane = e.node("Reshape", [rows, e.ints([0, 1, -1, heads * width])]);
  const kernel = [pooledTokens, 1];
  const attributes = { kernel_shape: kernel, strides: kernel, ceil_mode: 1 };
  const pooled = e.node("MaxPool", [plane], { attributes });
  const most = e.node("ReduceMax", [pooled, e.ints([2])], { attributes: { keepdims: 1 } });
  return e.node("Reshape", [most, e.ints([0, heads, 1, width])]);
}

export const quantizedAttentionOps: OpTable = {
  quantizeMemory: {
    infer(inputs, { dtype, turned }) {
      const x = required("quantizeMemory", inputs, 0);
      if (x.shape.length !== 4) throw mismatch("quantizeMemory", "[B,H,S,D] is needed", x);
      if (!isWhole(dtype)) throw mismatch("quantizeMemory", `${String(dtype)} is no whole number`);
      const [batch, heads, length, width] = x.shape as [Dim, Dim, Dim, Dim];
      if (typeof heads !== "number" || typeof width !== "number")
        throw mismatch("quantizeMemory", "heads and their width must be known", x);
      return [
        {
          dtype,
          shape: turned === true ? [batch, heads, width, length] : x.shape,
        },
        { dtype: "float32", shape: [batch, heads, 1, width] },
      ];
    },
    emit(e, node) {
      const x = required("quantizeMemory", node.inputs, 0);
      const [values, largest] = node.outputs as [Value, Value];
      e.into([largest.name], "Max", [emitLargest(e, x), e.scalar(smallest)]);
      const relative = e.node("Div", [x.name, largest.name]);
      const zero = values.dtype === "uint8" ? e.byte(zeroOf(values.dtype)) : e.signedByte(0);
      const inputs = [relative, e.scalar(1 / signed.steps), zero];
      if (node.attributes.turned !== true) e.into([values.name], "QuantizeLinear", inputs);
      else {
        e.into([values.name], "Transpose", [e.node("QuantizeLinear", inputs)], {
          attributes: { perm: [0, 1, 3, 2] },
        });
      }
    },
    vjp: { reason: "training keeps keys and values as they are" },
  },
  quantizedAttention: {
    infer(inputs) {
      const [q, largestQ, k, v, largestV] = [0, 1, 2, 3, 4].map((i) =>
        required("quantizedAttention", inputs, i),
      ) as [ValueType, ValueType, ValueType, ValueType, ValueType];
      const [batch, heads, rows, width] = q.shape as [Dim, Dim, Dim, Dim];
      const length = v.shape[2] as Dim;
      if (q.shape.length !== 4 || q.dtype !== "uint8" || !isWhole(k.dtype) || v.dtype !== k.dtype) {
        throw mismatch("quantizedAttention", "q, k and v must be whole numbers", q, k, v);
      }
      if (!sameShape(k.shape, [batch, heads, width, length])) {
        throw mismatch("quantizedAttention", "k must be [B,H,D,S]", q, k);
      }
      if (!sameShape(v.shape, [batch, heads, length, width])) {
        throw mismatch("quantizedAttention", "v must be [B,H,S,D]", q, v);
      }
      if (!sameShape(largestQ.shape, [batch, heads, rows, 1])) {
        throw mismatch("quantizedAttention", "each query has a scale", q, largestQ);
      }
      if (!sameShape(largestV.shape, [batch, heads, 1, width])) {
        throw mismatch("quantizedAttention", "each head has [1,D] scales", v, largestV);
      }
      const { dtype } = largestQ;
      const scores = { dtype, shape: [batch, heads, rows, length] };
      if (inputs[5] !== undefined) broadcast("quantizedAttention", scores, inputs[5]);
      return [{ dtype, shape: q.shape }];
    },
    emit(e, node) {
      const [q, largestQ, k, v, largestV] = [0, 1, 2, 3, 4].map((i) =>
        required("quantizedAttention", node.inputs, i),
      ) as [Value, Value, Value, Value, Value];
      const mask = node.inputs[5];
      const { steps, zero } = signed;
      const scale = Number(node.attributes.scale) / steps;
      const scores = e.node("Mul", [product(e, { name: q.name, scale, zero }, k), largestQ.name]);
      const masked = mask ? e.node("Add", [scores, mask.name]) : scores;
      const exact = e.node("Softmax", [masked], { attributes: { axis: -1 } });
      const weights = e.node("Max", [exact, e.scalar(smallest)]);
      const heaviest = e.node("ReduceMax", [weights, e.ints([-1])], {
        attributes: { keepdims: 1 },
      });
      const shares = e.node("Div", [weights, heaviest]);
      const step = [e.scalar(1 / weightSteps), e.byte(0)];
      const most = e.node("QuantizeLinear", [shares, ...step]);
      const rest = e.node("Sub", [shares, e.node("DequantizeLinear", [most, ...step])]);
      const restScale = 1 / weightSteps / restSteps;
      const least = e.node("QuantizeLinear", [rest, e.scalar(restScale), e.byte(zero)]);
      const mixed = e.node("Add", [
        product(e, { name: most, scale: 1 / weightSteps, zero: 0 }, v),
        product(e, { name: least, scale: restScale, zero }, v),
      ]);
      const output = required("quantizedAttention", node.outputs, 0).name;
      e.into([output], "Mul", [e.node("Mul", [mixed, heaviest]), largestV.name]);
    },
    vjp: { reason: "training keeps keys and values as they are" },
  },
};

/** Whole numbers, and what each place of a vector was divided by before it was rounded to steps. */
export interface QuantizedVectors {
  readonly values: Value;
  /** [B,H,1,D] */
  readonly largest: Value;
}

/**
 * Keys or values of whole documents as whole numbers, with a scale for each head and place of a vector: x [B,H,S,D] →
 * [B,H,S,D], or [B,H,D,S] where it is turned.
 * @throws SHAPE_MISMATCH
 * Source: Liu et al. 2024 (KIVI), §3, for keys.
 */
export function quantizeMemory(
  g: GraphBuilder,
  x: Value,
  { dtype, turned = false }: { readonly dtype: WholeNumber; readonly turned?: boolean },
): QuantizedVectors {
  const [values, largest] = g.apply("quantizeMemory", [x], { dtype, turned });
  return { values: values as Value, largest: largest as Value };
}

/**
 * Attention of a few rows to keys and values that are whole numbers. Queries are rounded to 127 steps of each row's largest element,
 * weights to 64,770 of each row's; sums are whole numbers.
 * q [B,H,T,D], k [B,H,D,S], v [B,H,S,D], mask broadcast to [B,H,T,S] and added → [B,H,T,D]
 * @throws SHAPE_MISMATCH when D, S or H differ, or the mask does not fit.
 */
export const quantizedAttention = (
  g: GraphBuilder,
  input: {
    q: Value;
    k: QuantizedVectors;
    v: QuantizedVectors;
    mask?: Value | undefined;
    scale: number;
  },
): Value => {
  const { q, k, v, mask, scale } = input;
  // A key's scales, one for each place of a vector, are the query's.
  const rows = g.apply("quantizeRows", [mul(g, q, k.largest)]);
  const inputs = [...rows, k.values, v.values, v.largest, mask];
  return g.one("quantizedAttention", inputs, { scale });
};
