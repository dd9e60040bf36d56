// Ops between tokens that lie one after the other without padding and the padded blocks that attention works on.
import type { GraphBuilder } from "../builder.js";
import { cotangentOf, mismatch, type OpTable, required } from "../op.js";
import type { Dim, Value, ValueType } from "../value.js";

function checkIndices(op: string, indices: ValueType, rank: number): void {
  if (indices.dtype !== "int32" || indices.shape.length !== rank) {
    throw mismatch(op, `indices must be int32 with ${rank} axes`, indices);
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
      checkIndices("padHeads", places, 3);
      checkIndices("padHeads", required("padHeads", inputs, 2), 2);
      const width = headWidth("padHeads", x, places.shape[1]);
      return [{ dtype: x.dtype, shape: [...places.shape, width] }];
    },
    emit(e, node) {
      const [x, places] = [0, 1].map((i) => required("padHeads", node.inputs, i));
      const output = required("padHeads", node.outputs, 0);
      const rows = e.node("Reshape", [x?.name ?? "", e.ints([-1, Number(output.shape[3])])]);
      e.into([output.name], "Gather", [rows, places?.name ?? ""], { attributes: { axis: 0 } });
    },
    vjp(g, call) {
      const [places, tokens] = [1, 2].map((i) => required("padHeads", call.inputs, i));
      return [g.one("packHeads", [cotangentOf("padHeads", call), tokens, places])];
    },
  },
  packHeads: {
    infer(inputs) {
      const x = required("packHeads", inputs, 0);
      const tokens = required("packHeads", inputs, 1);
      checkIndices("packHeads", tokens, 2);
      checkIndices("packHeads", required("packHeads", inputs, 2), 3);
      const [count, heads] = tokens.shape as [Dim, Dim];
      const width = x.shape[3];
      if (x.shape.length !== 4 || typeof width !== "number" || typeof heads !== "number") {
        throw mismatch("packHeads", "[B,H,T,D] with known H and D is needed", x);
      }
      if (x.shape[1] !== heads) throw mismatch("packHeads", `there are ${heads} heads`, x);
      return [{ dtype: x.dtype, shape: [count, heads * width] }];
    },
    emit(e, node) {
      const [x, tokens] = [0, 1].map((i) => required("packHeads", node.inputs, i));
      const output = required("packHeads", node.outputs, 0);
      const rows = e.node("Reshape", [x?.name ?? "", e.ints([-1, Number(x?.shape[3])])]);
      const taken = e.node("Gather", [rows, tokens?.name ?? ""], { attributes: { axis: 0 } });
      e.into([output.name], "Reshape", [taken, e.ints([-1, Number(output.shape[1])])]);
    },
    vjp(g, call) {
      const [tokens, places] = [1, 2].map((i) => required("packHeads", call.inputs, i));
      return [g.one("padHeads", [cotangentOf("packHeads", call), places, tokens])];
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
 * Rows of tokens as padded blocks, by heads: x [N,H·D] → [B,H,T,D]. Places without a token may hold any, as long as no
 * gradient reaches them.
 * @throws SHAPE_MISMATCH
 */
export const padHeads = (g: GraphBuilder, x: Value, { places, tokens }: HeadPlaces): Value =>
  g.one("padHeads", [x, places, tokens]);

/**
 * Padded blocks as rows of tokens, heads side by side: x [B,H,T,D] → [N,H·D]. Every place that a gradient is to reach must be
 * some token's.
 * @throws SHAPE_MISMATCH
 */
export const packHeads = (g: GraphBuilder, x: Value, { places, tokens }: HeadPlaces): Value =>
  g.one("packHeads", [x, tokens, places]);
