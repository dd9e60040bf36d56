// Attention over heads, and the moves between [B,T,D] and [B,H,T,D/H].
import type { GraphBuilder } from "../builder.js";
import { microsoft } from "../emitter.js";
import { broadcast, mismatch, type OpTable, required } from "../op.js";
import type { Dim, Value } from "../value.js";

export const attentionOps: OpTable = {
  attention: {
    infer(inputs) {
      const [q, k, v] = [0, 1, 2].map((i) => required("attention", inputs, i));
      if (!q || !k || !v) throw mismatch("attention", "q, k and v are needed");
      if ([q, k, v].some(({ shape }) => shape.length !== 4)) {
        throw mismatch("attention", "q, k and v must be [B,H,T,D]", q, k, v);
      }
      if (q.shape[3] !== k.shape[3]) throw mismatch("attention", "q and k differ in D", q, k);
      if (k.shape[2] !== v.shape[2]) throw mismatch("attention", "k and v differ in length", k, v);
      if (q.shape[1] !== k.shape[1] || k.shape[1] !== v.shape[1]) {
        throw mismatch("attention", "q, k and v differ in heads", q, k, v);
      }
      const [batch, heads, length] = q.shape as [Dim, Dim, Dim];
      const mask = inputs[3];
      if (mask !== undefined) {
        const scores = { dtype: q.dtype, shape: [batch, heads, length, k.shape[2] as Dim] };
        broadcast("attention", scores, mask);
      }
      return [{ dtype: q.dtype, shape: [batch, heads, length, v.shape[3] as Dim] }];
    },
    emit(e, node) {
      const [q, k, v] = [0, 1, 2].map((i) => required("attention", node.inputs, i).name);
      const mask = node.inputs[3];
      if (!q || !k || !v) throw mismatch("attention", "q, k and v are needed");
      const scores = e.node("FusedMatMul", [q, k], {
        domain: microsoft,
        attributes: { transB: 1, alpha: { float: Number(node.attributes.scale) } },
      });
      const masked = mask ? e.node("Add", [scores, mask.name]) : scores;
      const weights = e.node("Softmax", [masked], { attributes: { axis: -1 } });
      e.into([required("attention", node.outputs, 0).name], "MatMul", [weights, v]);
    },
  },
};

/**
 * Scaled dot-product attention.
 * q [B,H,T,D], k and v [B,H,S,D], mask broadcast to [B,H,T,S] and added (0 keep, −inf drop) → [B,H,T,D]
 * @throws SHAPE_MISMATCH when D, S or H differ.
 * Source: Vaswani et al. 2017, eq. 1.
 */
export const attention = (
  g: GraphBuilder,
  {
    q,
    k,
    v,
    mask,
    scale,
  }: { q: Value; k: Value; v: Value; mask?: Value | undefined; scale: number },
): Value => g.one("attention", [q, k, v, mask], { scale });
