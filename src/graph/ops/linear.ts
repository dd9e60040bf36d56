// Matrix products: linear layers on PyTorch-shaped weights, and plain batched products.
import type { GraphBuilder } from "../builder.js";
import { microsoft } from "../emitter.js";
import { broadcast, mismatch, type OpTable, required } from "../op.js";
import type { Dim, Value } from "../value.js";

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
      const output = required("linear", node.outputs, 0).name;
      if (x.shape.length === 2) {
        const inputs = [x.name, weight.name, ...(bias ? [bias.name] : [])];
        e.into([output], "Gemm", inputs, { attributes: { transB: 1 } });
        return;
      }
      // FusedMatMul reads the weight transposed as it lies; a Transpose node would be folded into a second copy.
      const options = { domain: microsoft, attributes: { transB: 1, alpha: { float: 1 } } };
      if (bias === undefined) {
        e.into([output], "FusedMatMul", [x.name, weight.name], options);
        return;
      }
      const product = e.node("FusedMatMul", [x.name, weight.name], options);
      e.into([output], "Add", [product, bias.name]);
    },
  },
  matmul: {
    infer(inputs) {
      const a = required("matmul", inputs, 0);
      const b = required("matmul", inputs, 1);
      if (a.shape.length < 2 || b.shape.length < 2 || a.shape.at(-1) !== b.shape.at(-2)) {
        throw mismatch("matmul", "inner axes differ", a, b);
      }
      const batch = broadcast(
        "matmul",
        { dtype: a.dtype, shape: a.shape.slice(0, -2) },
        { dtype: b.dtype, shape: b.shape.slice(0, -2) },
      );
      return [{ dtype: a.dtype, shape: [...batch, a.shape.at(-2) as Dim, b.shape.at(-1) as Dim] }];
    },
    emit(e, node) {
      const [a, b] = [required("matmul", node.inputs, 0), required("matmul", node.inputs, 1)];
      e.into([required("matmul", node.outputs, 0).name], "MatMul", [a.name, b.name]);
    },
  },
};

/**
 * x·Wᵀ + b: x [...,K], weight [M,K] as PyTorch lays it out, bias [M] → [...,M]
 * @throws SHAPE_MISMATCH
 */
export const linear = (g: GraphBuilder, x: Value, weight: Value, bias?: Value): Value =>
  g.one("linear", [x, weight, bias]);
/** a [...,M,K] · b [...,K,N] → [...,M,N] @throws SHAPE_MISMATCH */
export const matmul = (g: GraphBuilder, a: Value, b: Value): Value => g.one("matmul", [a, b]);
