// Scaled dot-product attention over heads.
import type { GraphBuilder } from "../builder.js";
import { type Emitter, microsoft } from "../emitter.js";
import { broadcast, cotangentOf, mismatch, type OpTable, required } from "../op.js";
import type { RewriteRule } from "../rewrite.js";
import type { Dim, Value } from "../value.js";
import { mul, sub, waitFor } from "./elementwise.js";
import { matmul } from "./linear.js";
import { reduceSum, sumTo } from "./reduce.js";

/**
 * Below this, in logarithms, a weight adds nothing to a sum of float32 that a weight of one is part of, and is still a normal
 * number. Softmax answers denormal ones of 4e-39 for what a mask drops where MLAS computes it with AVX-512, and what
 * works with these takes several times as long: a softmax of which seven eighths are masked four times.
 */
const least = -80;

/** Scores with a mask added, none of which makes a weight that is no normal number. */
function maskedNormally(e: Emitter, scores: string, mask: string): string {
  const masked = e.node("Add", [scores, mask]);
  const top = e.node("ReduceMax", [masked, e.ints([-1])], { attributes: { keepdims: 1 } });
  return e.node("Max", [masked, e.node("Add", [top, e.scalar(least)])]);
}

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
      const weights = { dtype: q.dtype, shape: [batch, heads, length, k.shape[2] as Dim] };
      for (const factor of [inputs[3], inputs[4]]) {
        if (factor !== undefined) broadcast("attention", weights, factor);
      }
      return [{ dtype: q.dtype, shape: [batch, heads, length, v.shape[3] as Dim] }, weights];
    },
    emit(e, node) {
      const [q, k, v] = [0, 1, 2].map((i) => required("attention", node.inputs, i).name);
      const [, , , mask, kept] = node.inputs;
      if (!q || !k || !v) throw mismatch("attention", "q, k and v are needed");
      const [mixed, weights] = node.outputs as [Value, Value];
      const scores = e.node("FusedMatMul", [q, k], {
        domain: microsoft,
        attributes: { transB: 1, alpha: { float: Number(node.attributes.scale) } },
      });
      let masked = scores;
      if (mask && node.attributes.hasFewRows === true) {
        masked = maskedNormally(e, scores, mask.name);
      } else if (mask) masked = e.node("Add", [scores, mask.name]);
      e.into([weights.name], "Softmax", [masked], { attributes: { axis: -1 } });
      if (!e.isUsed(mixed)) return;
      const thinned = kept ? e.node("Mul", [weights.name, kept.name]) : weights.name;
      e.into([mixed.name], "MatMul", [thinned, v]);
    },
    vjp(g, call) {
      const [q, k, v] = [0, 1, 2].map((i) => required("attention", call.inputs, i)) as [
        Value,
        Value,
        Value,
      ];
      const [, , , mask, kept] = call.inputs;
      const [mixed, before] = call.outputs as [Value, Value];
      const d = cotangentOf("attention", call);
      const { recompute, ...attributes } = call.attributes;
      const again = () => g.apply("attention", [waitFor(g, q, d), k, v, mask], attributes)[1];
      const weights = recompute === true ? (again() as Value) : before;
      const alpha = Number(call.attributes.scale);
      const toWeights = matmul(g, d, v, { transB: true });
      const toKept = kept ? mul(g, toWeights, kept) : toWeights;
      // Σ dP∘P along a row equals Σ dO∘O, which is D wide rather than S. Source: Dao et al. 2022, B.4.
      const rowSum = reduceSum(g, mul(g, d, mixed), [-1]);
      const toScores = mul(g, weights, sub(g, toKept, rowSum));
      const thinned = kept ? mul(g, weights, kept) : weights;
      return [
        call.wants(0) ? matmul(g, toScores, k, { alpha }) : undefined,
        call.wants(1) ? matmul(g, toScores, q, { transA: true, alpha }) : undefined,
        call.wants(2) ? matmul(g, thinned, d, { transA: true }) : undefined,
        mask && call.wants(3) ? sumTo(g, toScores, mask.shape) : undefined,
      ];
    },
  },
  cachedAttention: {
    infer(inputs) {
      const [q, k, v, ownK, ownV] = [0, 1, 2, 3, 4].map((i) =>
        required("cachedAttention", inputs, i),
      ) as [Value, Value, Value, Value, Value];
      if ([q, k, v, ownK, ownV].some(({ shape }) => shape.length !== 4)) {
        throw mismatch("cachedAttention", "q, k and v must be [B,H,T,D]", q, k, v, ownK, ownV);
      }
      if (`${k.shape}` !== `${v.shape}`) {
        throw mismatch("cachedAttention", "k and v differ", k, v);
      }
      if (`${q.shape}` !== `${ownK.shape}` || `${q.shape}` !== `${ownV.shape}`) {
        throw mismatch("cachedAttention", "each row has a key and a value", q, ownK, ownV);
      }
      if (q.shape[1] !== k.shape[1] || q.shape[3] !== k.shape[3]) {
        throw mismatch("cachedAttention", "q and k differ in H or D", q, k);
      }
      return [{ dtype: q.dtype, shape: q.shape }];
    },
    emit(e, node) {
      const [q, k, v, ownK, ownV] = [0, 1, 2, 3, 4].map(
        (i) => required("cachedAttention", node.inputs, i).name,
      ) as [string, string, string, string, string];
      const mask = node.inputs[5];
      const scale = Number(node.attributes.scale);
      const width = Number(required("cachedAttention", node.inputs, 0).shape[3]);
      const past = e.node("FusedMatMul", [q, k], {
        domain: microsoft,
        attributes: { transB: 1, alpha: { float: scale } },
      });
      // Sums of D products, and their scale, by one product with a column.
      const own = e.node("MatMul", [e.node("Mul", [q, ownK]), e.column(scale, width)]);
      const scores = e.node("Concat", [past, own], { attributes: { axis: -1 } });
      const masked = mask ? maskedNormally(e, scores, mask.name) : scores;
      const weights = e.node("Softmax", [masked], { attributes: { axis: -1 } });
      const [first, last, end] = [e.ints([0]), e.ints([-1]), e.ints([Number.MAX_SAFE_INTEGER])];
      const toPast = e.node("Slice", [weights, first, last, last]);
      const toOwn = e.node("Slice", [weights, last, end, last]);
      const fromPast = e.node("MatMul", [toPast, v]);
      const output = required("cachedAttention", node.outputs, 0).name;
      e.into([output], "Add", [fromPast, e.node("Mul", [toOwn, ownV])]);
    },
    vjp: { reason: "training looks at whole sequences, without a cache" },
  },
};

/** A rule for training graphs that computes attention weights [B,H,T,S] again on the way back instead of keeping them. */
export const recomputeAttention: RewriteRule = (g, node, inputs) =>
  node.op === "attention"
    ? g.apply("attention", inputs, { ...node.attributes, recompute: true })
    : undefined;

/**
 * Scaled dot-product attention.
 * q [B,H,T,D], k and v [B,H,S,D], mask broadcast to [B,H,T,S] and added (0 keep, −inf drop) → [B,H,T,D]
 * @param dropout share of the attention weights that training drops
 * @param hasFewRows whether T is so small beside S that one more pass over the scores costs less than products with what was
 * masked
 * @throws SHAPE_MISMATCH when D, S or H differ.
 * Source: Vaswani et al. 2017, eq. 1.
 */
export const attention = (
  g: GraphBuilder,
  input: {
    q: Value;
    k: Value;
    v: Value;
    mask?: Value | undefined;
    scale: number;
    dropout?: number | undefined;
    hasFewRows?: boolean | undefined;
  },
): Value => {
  const { q, k, v, mask, scale, dropout = 0, hasFewRows = false } = input;
  return g.one("attention", [q, k, v, mask], {
    scale,
    ...(dropout > 0 && { dropout }),
    ...(hasFewRows && { hasFewRows }),
  });
};

/**
 * Attention of rows to a cache, and each to its own key and value, which the cache does not have yet.
 * q, ownK and ownV [B,H,T,D], k and v [B,H,S,D], mask broadcast to [B,H,T,S+1] and added, a row's own last → [B,H,T,D]
 * @throws SHAPE_MISMATCH when D, S, T or H differ.
 */
export const cachedAttention = (
  g: GraphBuilder,
  input: {
    q: Value;
    k: Value;
    v: Value;
    own: { readonly k: Value; readonly v: Value };
    mask?: Value | undefined;
    scale: number;
  },
): Value => {
  const { q, k, v, own, mask, scale } = input;
  return g.one("cachedAttention", [q, k, v, own.k, own.v, mask], { scale });
};
