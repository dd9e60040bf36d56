// Attention with its heads side by side in rows, for encoders that serve: without padding, scores never lie in memory.
import type { GraphBuilder } from "../builder.js";
import { type Emitter, microsoft } from "../emitter.js";
import { mismatch, type OpTable, required } from "../op.js";
import type { RewriteRule } from "../rewrite.js";
import { type Dim, type Graph, type Node, sameShape, type Value } from "../value.js";

/** [B,T,H·D] and its bias [H·D] → [B,H,T,D] */
function splitHeads(e: Emitter, x: Value, bias: Value, heads: number): string {
  const width = Number(x.shape[2]) / heads;
  const biased = e.node("Add", [x.name, bias.name]);
  const split = e.node("Reshape", [biased, e.ints([0, 0, heads, width])]);
  return e.node("Transpose", [split], { attributes: { perm: [0, 2, 1, 3] } });
}

/** Whether a mask drops anything, as a bool scalar. */
function dropsAny(e: Emitter, mask: Value): string {
  return e.once(`drops ${mask.name}`, () => {
    const least = e.node("ReduceMin", [mask.name], { attributes: { keepdims: 0 } });
    return e.node("Less", [least, e.scalar(0)]);
  });
}

export const multiHeadAttentionOps: OpTable = {
  multiHeadAttention: {
    infer(inputs, { heads }) {
      const [q, k, v, mask] = [0, 1, 2, 6].map((i) => required("multiHeadAttention", inputs, i));
      if (!q || !k || !v || !mask) throw mismatch("multiHeadAttention", "four inputs are needed");
      const [batch, , width] = q.shape;
      if (q.shape.length !== 3 || typeof width !== "number" || width % Number(heads) !== 0) {
        throw mismatch("multiHeadAttention", `q must be [B,T,D] and D share ${heads} heads`, q);
      }
      if (!sameShape(k.shape, v.shape) || k.shape.length !== 3 || k.shape[2] !== width) {
        throw mismatch("multiHeadAttention", "k and v must be [B,S,D]", k, v);
      }
      if (!sameShape(mask.shape, [batch as Dim, 1, 1, k.shape[1] as Dim])) {
        throw mismatch("multiHeadAttention", "the mask must be [B,1,1,S]", mask);
      }
      for (const i of [3, 4, 5]) {
        const bias = required("multiHeadAttention", inputs, i);
        if (!sameShape(bias.shape, [width])) {
          throw mismatch("multiHeadAttention", "biases must be [D]", bias);
        }
      }
      return [{ dtype: q.dtype, shape: q.shape }];
    },
    emit(e, node) {
      const [q, k, v, ofQ, ofK, ofV, mask] = node.inputs as readonly Value[] as [
        ...[Value, Value, Value, Value, Value, Value, Value],
      ];
      const [output] = node.outputs as [Value];
      const heads = Number(node.attributes.heads);
      const scale = { float: Number(node.attributes.scale) };
      const masked = () => {
        const [split, keys, values] = [
          splitHeads(e, q, ofQ, heads),
          splitHeads(e, k, ofK, heads),
          splitHeads(e, v, ofV, heads),
        ];
        const scores = e.node("FusedMatMul", [split, keys], {
          domain: microsoft,
          attributes: { transB: 1, alpha: scale },
        });
        const seen = e.node("Add", [scores, mask.name]);
        const weights = e.node("Softmax", [seen], { attributes: { axis: -1 } });
        const mixed = e.node("MatMul", [weights, values]);
        const merged = e.node("Transpose", [mixed], { attributes: { perm: [0, 2, 1, 3] } });
        return e.node("Reshape", [merged, e.ints([0, 0, Number(q.shape[2])])]);
      };
      // onnxruntime joins them when the session opens. What it made so inside a subgraph, it would write into a file twice.
      const biases = e.node("Concat", [ofQ.name, ofK.name, ofV.name], { attributes: { axis: 0 } });
      // The operator takes its quick way, block by block, without a mask alone.
      const whole = () =>
        e.node("MultiHeadAttention", [q.name, k.name, v.name, biases], {
          domain: microsoft,
          attributes: { num_heads: heads, scale },
        });
      e.choose(output, dropsAny(e, mask), masked, whole);
    },
    vjp: { reason: "training works on rows without padding" },
  },
};

/** An attention and what stands around it: rows split into heads, and heads put side by side again. */
interface Found {
  readonly heads: number;
  readonly scale: number;
  readonly mask: Value;
  /** The layers that make queries, keys and values. */
  readonly layers: readonly [Node, Node, Node];
}

/** Attentions by the node that puts their heads side by side. */
function findAttentions({ nodes, outputs }: Graph): Map<Node, Found> {
  const madeBy = new Map<Value, Node>();
  const uses = new Map<Value, number>();
  for (const value of outputs) uses.set(value, 1);
  for (const node of nodes) {
    for (const output of node.outputs) madeBy.set(output, node);
    for (const input of node.inputs) if (input) uses.set(input, (uses.get(input) ?? 0) + 1);
  }
  /** The node that made a value which nobody else reads. */
  const before = (value: Value | undefined, op: string): Node | undefined => {
    const node = value && uses.get(value) === 1 ? madeBy.get(value) : undefined;
    return node?.op === op ? node : undefined;
  };
  const isTurned = (node: Node | undefined) => `${node?.attributes.perm}` === "0,2,1,3";
  const found = new Map<Node, Found>();
  for (const node of nodes) {
    if (node.op !== "reshape") continue;
    const merged = before(node.inputs[0], "transpose");
    const attention = isTurned(merged) ? before(merged?.inputs[0], "attention") : undefined;
    const [q, k, v, mask, kept] = attention?.inputs ?? [];
    if (attention === undefined || !q || mask === undefined || kept !== undefined) continue;
    const [batch, heads, , width] = q.shape as [Dim, Dim, Dim, Dim];
    if (!sameShape(mask.shape, [batch, 1, 1, k?.shape[2] as Dim])) continue;
    if (attention.attributes.hasFewRows === true || node.outputs[0]?.shape.length !== 3) continue;
    const layers = [q, k, v].map((each) => {
      const turned = before(each, "transpose");
      const layer = before(before(turned?.inputs[0], "reshape")?.inputs[0], "linear");
      return isTurned(turned) && layer?.inputs[2] !== undefined ? layer : undefined;
    });
    if (layers.includes(undefined) || layers.some((l) => l?.outputs[0]?.shape.length !== 3))
      continue;
    if (typeof heads !== "number" || typeof width !== "number") continue;
    found.set(node, {
      ...{ heads, mask, scale: Number(attention.attributes.scale) },
      layers: layers as [Node, Node, Node],
    });
  }
  return found;
}

/**
 * A rule for graphs of encoders that serve on the CPU: attention under a mask of padding alone works on rows as its layers make
 * them, adds their biases itself, and where nothing is padded never writes its scores down.
 * @param graph the graph that is rewritten
 * Source: Dao et al. 2022 (FlashAttention), as onnxruntime's MultiHeadAttention computes it.
 */
export function joinHeads(graph: Graph): RewriteRule {
  const found = findAttentions(graph);
  const layers = new Set([...found.values()].flatMap((each) => each.layers));
  /** What layers make before their biases are added, and the biases. */
  const rows = new Map<Node, { readonly product: Value; readonly bias: Value }>();
  const copies = new Map<Value, Value>();
  return (g: GraphBuilder, node, inputs) => {
    if (node.op === "attention") {
      const [mask, copy] = [node.inputs[3], inputs[3]];
      if (mask !== undefined && copy !== undefined) copies.set(mask, copy);
    }
    if (layers.has(node)) {
      const product = g.one("linear", inputs.slice(0, 2), node.attributes);
      const bias = required("linear", inputs, 2);
      rows.set(node, { product, bias });
      return [g.one("add", [product, bias])];
    }
    const attention = found.get(node);
    if (attention === undefined) return undefined;
    const made = attention.layers.map((layer) => rows.get(layer));
    const mask = copies.get(attention.mask);
    const products = made.map((each) => each?.product);
    const biases = made.map((each) => each?.bias);
    const { heads, scale } = attention;
    return g.apply("multiHeadAttention", [...products, ...biases, mask], { heads, scale });
  };
}
