// Ops that choose: the k largest of the last axis.
import type { GraphBuilder } from "../builder.js";
import { mismatch, type OpTable, required } from "../op.js";
import type { Value } from "../value.js";

export const selectOps: OpTable = {
  topK: {
    infer(inputs, { k }) {
      const x = required("topK", inputs, 0);
      const last = x.shape.at(-1);
      const count = inputs[1];
      if (count !== undefined) {
        if (count.dtype !== "int64" || count.shape.length !== 1 || count.shape[0] !== 1)
          throw mismatch("topK", "k must be int64[1]", count);
        const shape = [...x.shape.slice(0, -1), "count"];
        return [
          { dtype: x.dtype, shape },
          { dtype: "int64", shape },
        ];
      }
      if (typeof k !== "number" || k < 1 || (typeof last === "number" && k > last)) {
        throw mismatch("topK", `k is ${k}`, x);
      }
      const shape = [...x.shape.slice(0, -1), k];
      return [
        { dtype: x.dtype, shape },
        { dtype: "int64", shape },
      ];
    },
    emit(e, node) {
      const x = required("topK", node.inputs, 0);
      e.into(
        node.outputs.map(({ name }) => name),
        "TopK",
        [x.name, node.inputs[1]?.name ?? e.ints([Number(node.attributes.k)])],
        { attributes: { axis: -1, largest: 1, sorted: 1 } },
      );
    },
    vjp: { reason: "choosing the largest is no part of training" },
  },
};

/**
 * The k largest of the last axis, largest first and of equal ones the earlier: values and their int64 indices.
 * @param k the number, or int64 [1] where it is told when the graph runs
 * @throws SHAPE_MISMATCH
 */
export function topK(
  g: GraphBuilder,
  x: Value,
  k: number | Value,
): { values: Value; indices: Value } {
  const [values, indices] =
    typeof k === "number" ? g.apply("topK", [x], { k }) : g.apply("topK", [x, k]);
  if (!values || !indices) throw mismatch("topK", "two outputs expected");
  return { values, indices };
}
