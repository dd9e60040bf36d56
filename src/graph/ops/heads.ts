// Ops between tokens that lie one after the other without padding and the padded blocks that attention works on.
import type { GraphBuilder } from "../builder.js";
import { cotangentOf, mismatch, type OpTable, required } from "../op.js";
import type { Dim, Value, ValueType } from "../value.js";

function checkIndices(op: string, places: ValueType, tokens: ValueType): void {
  for (const [indices, rank] of [
    [places, 3],
    [tokens, 2],
  ] as const) {
    if (indices.dtype !== "int32" || indices.shape.length !== rank) {
      throw mismatch(op, `indices must be int32 with ${rank} axes`, indices);
    }
  }
  if (places.shape[1] !== tokens.shape[1]) {
    throw mismatch(op, "places and tokens differ in heads", places, tokens);
  }
}

/** Width of one head of rows [N,H·D], given the number of heads. */
function headWidth(op: string, x: ValueType, heads: Dim | undefined): number {
  const width = x.shape[1];
  if (x.shape.length !== 2 || typeof width !== "number" || typeof heads !== "number") {
    throw mismatch(op, "rows of known width and heads of known number are needed", x);
  }
  if (width % heads !== 0) throw mismatch(op, `a row does not divide into ${heads} heads`, x);
  return width / heads;
}

export const headOps: OpTable = {
  padHeads: {
    infer(inputs) {
      const x = required("padHeads", inputs, 0);
      const places = required("padHeads", inputs, 1);
      const tokens = required("padHeads", inputs, 2);
      checkIndices("padHeads", places, tokens);
      if (x.shape[0] !== tokens.shape[0]) {
        throw mismatch("padHeads", "each row of x is a token", x, tokens);
      }
      const width = headWidth("padHeads", x, places.shape[1]);
      return [{ dtype: x.dtype, shape: [...places.shape, width] }];
    },
    emit(e, node) {
      const x = required("padHeads", node.inputs, 0);
      const places = required("padHeads", node.inputs, 1);
      const output = required("padHeads", node.outputs, 0);
      const rows = e.node("Reshape", [x.name, e.ints([-1, Number(output.shape[3])])]);
      e.into([output.name], "Gather", [rows, places.name], { attributes: { axis: 0 } });
    },
    vjp(g, call) {
      const d = cotangentOf("padHeads", call);
      const places = required("padHeads", call.inputs, 1);
      return [packHeads(g, d, { places, tokens: required("padHeads", call.inputs, 2) })];
    },
  },
  packHeads: {
    infer(inputs) {
      const x = required("packHeads", inputs, 0);
      const tokens = required("packHeads", inputs, 1);
      checkIndices("packHeads", required("packHeads", inputs, 2), tokens);
      const [count, heads] = tokens.shape as [Dim, Dim];
      const width = x.shape[3];
      if (x.shape.length !== 4 || typeof width !== "number" || typeof heads !== "number") {
        throw mismatch("packHeads", "[B,H,T,D] with known H and D is needed", x);
      }
      if (x.shape[1] !== heads) throw mismatch("packHeads", `there are ${heads} heads`, x);
      return [{ dtype: x.dtype, shape: [count, heads * width] }];
    },
    emit(e, node) {
      const x = required("packHeads", node.inputs, 0);
      const tokens = required("packHeads", node.inputs, 1);
      const output = required("packHeads", node.outputs, 0);
      const rows = e.node("Reshape", [x.name, e.ints([-1, Number(x.shape[3])])]);
      const taken = e.node("Gather", [rows, tokens.name], { attributes: { axis: 0 } });
      e.into([output.name], "Reshape", [taken, e.ints([-1, Number(output.shape[1])])]);
    },
    vjp(g, call) {
      const d = cotangentOf("packHeads", call);
      const tokens = required("packHeads", call.inputs, 1);
      return [padHeads(g, d, { places: required("packHeads", call.inputs, 2), tokens })];
    },
  },
};

/** Where the heads of tokens stand, once by place and once by token; each undoes the other. */
export interface HeadPlaces {
  /** int32 [B,H,T]: which part of the rows stands at a place, n·H + h for head h of token n. */
  readonly places: Value;
  /** int32 [N,H]: where each head of a token stands among the places. */
  readonly tokens: Value;
}

/**
 * Rows of tokens as padded blocks, by heads: x [N,H·D] → [B,H,T,D]. The gradient is right only where none reaches a place without
 * a token of its own, such as one that attention masks; what stands there does not matter then.
 * @throws SHAPE_MISMATCH
 */
export const padHeads = (g: GraphBuilder, x: Value, { places, tokens }: HeadPlaces): Value =>
  g.one("padHeads", [x, places, tokens]);

/**
 * Padded blocks as rows of tokens, heads side by side: x [B,H,T,D] → [N,H·D]. The gradient is right only where rows whose place
 * stands for others, too, are given none.
 * @throws SHAPE_MISMATCH
 */
export const packHeads = (g: GraphBuilder, x: Value, { places, tokens }: HeadPlaces): Value =>
  g.one("packHeads", [x, tokens, places]);
