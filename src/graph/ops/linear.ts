// Matrix products: linear layers on PyTorch-shaped weights, and plain and batched products.
import type { GraphBuilder } from "../builder.js";
import { type Emitter, microsoft } from "../emitter.js";
import { broadcast, type Cotangent, cotangentOf, mismatch, type OpTable, required } from "../op.js";
import type { RewriteRule } from "../rewrite.js";
import type { Attributes, Dim, Value, ValueType } from "../value.js";
import { sumTo } from "./reduce.js";
import { reshape } from "./shape.js";

/** Sizes of a matrix's last two axes, turned around where asked. */
function sides(type: ValueType, transposed: boolean): [Dim | undefined, Dim | undefined] {
  const [rows, columns] = [type.shape.at(-2), type.shape.at(-1)];
  return transposed ? [columns, rows] : [rows, columns];
}

function transposes({ transA, transB }: Attributes): { transA: boolean; transB: boolean } {
  return { transA: transA === true, transB: transB === true };
}

/** As the training graph computes a linear layer: rows flattened, so that the bias is added by the product itself. */
function emitFlat(e: Emitter, x: Value, weight: Value, bias: Value | undefined, y: Value): void {
  const rows =
    x.shape.length === 2
      ? x.name
      : e.node("Reshape", [x.name, e.sizes([-1, x.shape.at(-1) as Dim])]);
  // The weight is turned around once, because a product of two matrices that lie as they are is the fastest.
  const turned = e.node("Transpose", [weight.name], { attributes: { perm: [1, 0] } });
  const factors = [rows, turned, ...(bias ? [bias.name] : [])];
  if (x.shape.length === 2) {
    e.into([y.name], "Gemm", factors);
    return;
  }
  e.into([y.name], "Reshape", [e.node("Gemm", factors), e.sizes(y.shape, { inferred: true })]);
}

export const linearOps: OpTable = {
  linear: {
    infer(inputs) {
      const x = required("linear", inputs, 0);
      const weight = required("linear", inputs, 1);
      const bias = inputs[2];
      const [out, inner] = weight.shape;
      if (weight.shape.length !== 2 || out === undefined || x.shape.at(-1) !== inner) {
        throw mismatch("linear", "the last axis must be the weight's second", x, weight);
      }
      if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== out)) {
        throw mismatch(
          "linear",
          "the bias must have one element a row of the weight",
          weight,
          bias,
        );
      }
      return [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1), out] }];
    },
    emit(e, node) {
      const x = required("linear", node.inputs, 0);
      const weight = required("linear", node.inputs, 1);
      const bias = node.inputs[2];
      const output = required("linear", node.outputs, 0);
      if (e.target === "training") {
        emitFlat(e, x, weight, bias, output);
        return;
      }
      if (x.shape.length === 2) {
        const inputs = [x.name, weight.name, ...(bias ? [bias.name] : [])];
        e.into([output.name], "Gemm", inputs, { attributes: { transB: 1 } });
        return;
      }
      // FusedMatMul reads the weight transposed as it lies; a Transpose node would be folded into a second copy.
      const options = { domain: microsoft, attributes: { transB: 1, alpha: { float: 1 } } };
      if (bias === undefined) {
        e.into([output.name], "FusedMatMul", [x.name, weight.name], options);
        return;
      }
      const product = e.node("FusedMatMul", [x.name, weight.name], options);
      e.into([output.name], "Add", [product, bias.name]);
    },
    vjp(g, call) {
      const [x, weight] = [required("linear", call.inputs, 0), required("linear", call.inputs, 1)];
      const cotangent = cotangentOf("linear", call);
      const d = flat(g, cotangent);
      const toInput: Cotangent = (onto) =>
        reshape(g, gemm(g, d, weight, { plus: onto && flat(g, onto) }), x.shape);
      return [
        call.wants(0) ? toInput : undefined,
        call.wants(1) ? gemm(g, d, flat(g, x), { transA: true }) : undefined,
        call.wants(2) ? g.one("columnSum", [d]) : undefined,
      ];
    },
  },
  gemm: {
    infer(inputs, attributes) {
      const [a, b] = [required("gemm", inputs, 0), required("gemm", inputs, 1)];
      const { transA, transB } = transposes(attributes);
      const [rows, inner] = sides(a, transA);
      const [innerB, columns] = sides(b, transB);
      if (a.shape.length !== 2 || b.shape.length !== 2 || inner !== innerB) {
        throw mismatch("gemm", "matrices whose inner sizes agree are needed", a, b);
      }
      const type = { dtype: a.dtype, shape: [rows as Dim, columns as Dim] };
      const plus = inputs[2];
      if (plus !== undefined) broadcast("gemm", type, plus);
      return [type];
    },
    emit(e, node) {
      const names = node.inputs.flatMap((input) => (input ? [input.name] : []));
      const { transA, transB } = transposes(node.attributes);
      e.into([required("gemm", node.outputs, 0).name], "Gemm", names, {
        attributes: {
          transA: Number(transA),
          transB: Number(transB),
          alpha: { float: 1 },
          beta: { float: 1 },
        },
      });
    },
    vjp(g, call) {
      const [a, b] = [required("gemm", call.inputs, 0), required("gemm", call.inputs, 1)];
      const { transA, transB } = transposes(call.attributes);
      const d = cotangentOf("gemm", call);
      const toA = () =>
        transA
          ? gemm(g, b, d, { transA: transB, transB: true })
          : gemm(g, d, b, { transB: !transB });
      const toB = () =>
        transB
          ? gemm(g, d, a, { transA: true, transB: transA })
          : gemm(g, a, d, { transA: !transA });
      return [
        call.wants(0) ? toA() : undefined,
        call.wants(1) ? toB() : undefined,
        call.wants(2) ? sumTo(g, d, required("gemm", call.inputs, 2).shape) : undefined,
      ];
    },
  },
  columnSum: {
    infer(inputs) {
      const x = required("columnSum", inputs, 0);
      if (x.shape.length !== 2) throw mismatch("columnSum", "a matrix is needed", x);
      return [{ dtype: x.dtype, shape: x.shape.slice(1) }];
    },
    emit(e, node) {
      const x = required("columnSum", node.inputs, 0);
      const output = required("columnSum", node.outputs, 0);
      if (x.dtype !== "float32") {
        e.into([output.name], "ReduceSum", [x.name, e.ints([0])], { attributes: { keepdims: 0 } });
        return;
      }
      // As a product with ones, which takes a third of ReduceSum's time.
      const sum = e.node("Gemm", [e.onesBefore(x), x.name]);
      e.into([output.name], "Reshape", [sum, e.ints([-1])]);
    },
    vjp(g, call) {
      const { shape } = required("columnSum", call.inputs, 0);
      const d = cotangentOf("columnSum", call);
      return [g.one("expand", [reshape(g, d, [1, shape[1] as Dim])], { shape })];
    },
  },
  matmul: {
    infer(inputs, attributes) {
      const a = required("matmul", inputs, 0);
      const b = required("matmul", inputs, 1);
      const { transA, transB } = transposes(attributes);
      const [rows, inner] = sides(a, transA);
      const [innerB, columns] = sides(b, transB);
      if (a.shape.length < 2 || b.shape.length < 2 || inner !== innerB) {
        throw mismatch("matmul", "inner axes differ", a, b);
      }
      const batch = broadcast(
        "matmul",
        { dtype: a.dtype, shape: a.shape.slice(0, -2) },
        { dtype: b.dtype, shape: b.shape.slice(0, -2) },
      );
      return [{ dtype: a.dtype, shape: [...batch, rows as Dim, columns as Dim] }];
    },
    emit(e, node) {
      const [a, b] = [required("matmul", node.inputs, 0), required("matmul", node.inputs, 1)];
      const output = required("matmul", node.outputs, 0).name;
      const { transA, transB } = transposes(node.attributes);
      const alpha = Number(node.attributes.alpha ?? 1);
      if (!transA && !transB && alpha === 1) {
        e.into([output], "MatMul", [a.name, b.name]);
        return;
      }
      e.into([output], "FusedMatMul", [a.name, b.name], {
        domain: microsoft,
        attributes: { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } },
      });
    },
    vjp(g, call) {
      const [a, b] = [required("matmul", call.inputs, 0), required("matmul", call.inputs, 1)];
      const { transA, transB } = transposes(call.attributes);
      const alpha = Number(call.attributes.alpha ?? 1);
      const d = cotangentOf("matmul", call);
      const toA = () =>
        transA
          ? matmul(g, b, d, { transA: transB, transB: true, alpha })
          : matmul(g, d, b, { transB: !transB, alpha });
      const toB = () =>
        transB
          ? matmul(g, d, a, { transA: true, transB: transA, alpha })
          : matmul(g, a, d, { transA: !transA, alpha });
      return [
        call.wants(0) ? sumTo(g, toA(), a.shape) : undefined,
        call.wants(1) ? sumTo(g, toB(), b.shape) : undefined,
      ];
    },
  },
};

/** All axes but the last as one. */
function flat(g: GraphBuilder, x: Value): Value {
  return x.shape.length === 2 ? x : reshape(g, x, [-1, x.shape.at(-1) as Dim]);
}

/**
 * x·Wᵀ + b: x [...,K], weight [M,K] as PyTorch lays it out, bias [M] → [...,M]
 * @throws SHAPE_MISMATCH
 */
export const linear = (g: GraphBuilder, x: Value, weight: Value, bias?: Value): Value =>
  g.one("linear", [x, weight, bias]);

/**
 * a·b + plus of matrices, the first two transposed where asked: a [M,K], b [K,N], plus broadcast to [M,N] → [M,N]
 * @throws SHAPE_MISMATCH
 */
export const gemm = (
  g: GraphBuilder,
  a: Value,
  b: Value,
  options: { transA?: boolean; transB?: boolean; plus?: Value | undefined } = {},
): Value =>
  g.one("gemm", options.plus ? [a, b, options.plus] : [a, b], {
    transA: options.transA ?? false,
    transB: options.transB ?? false,
  });

/**
 * alpha·a·b, the last two axes transposed where asked: a [...,M,K], b [...,K,N] → [...,M,N]
 * @throws SHAPE_MISMATCH
 */
export const matmul = (
  g: GraphBuilder,
  a: Value,
  b: Value,
  { transA = false, transB = false, alpha = 1 } = {},
): Value => g.one("matmul", [a, b], { transA, transB, alpha });

/** Sum over all axes but the last: x [...,D] → [D] */
export const columnSum = (g: GraphBuilder, x: Value): Value => g.one("columnSum", [flat(g, x)]);

/**
 * A rule that adds no zeros: leaves out the biases of linear layers that are named. Over a vocabulary of 96,000 the sum takes
 * as long as a tenth of the product.
 */
export const withoutBiases =
  (names: ReadonlySet<string>): RewriteRule =>
  (g, node, inputs) => {
    const bias = inputs[2];
    if (node.op !== "linear" || bias === undefined || !names.has(bias.name)) return undefined;
    return g.apply("linear", inputs.slice(0, 2), node.attributes);
  };
