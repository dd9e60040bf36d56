// Ops that choose: the k largest of the last axis.
import type { GraphBuilder } from "../builder.js";
import type { Emitter } from "../emitter.js";
import { mismatch, type OpTable, required } from "../op.js";
import type { Value } from "../value.js";

/** From this size of the last axis on, the largest are looked for in two passes. */
const wide = 16_384;
/** Parts of equal length that a wide axis is looked through in at most, and so many at least. */
const [mostParts, leastParts] = [16, 4];
/** Elements with equal values that may stand at the end of the largest, so that of all the earliest are found. */
const mostTied = 8;

/** The most of an axis that `topK` finds where the number is told when the graph runs. */
export function mostOfTopK(length: number): number {
  const parts = partsOf(length);
  return parts === 1 ? length : length / parts - (mostTied - 1);
}

/** How many parts of equal length an axis is looked through in, one beside the other; 1 where that does not pay or divide. */
function partsOf(length: number | string | undefined): number {
  if (typeof length !== "number" || length < wide) return 1;
  for (let parts = mostParts; parts >= leastParts; parts--) if (length % parts === 0) return parts;
  return 1;
}

/**
 * TopK over x as [...,parts,length]: of each place the largest of all parts, then the places with the largest of those, then the
 * largest of what stands there. TopK looks at one element at a time, the largest of parts are found by four at once.
 * Places are put into the order they have, since TopK prefers the earlier of equal ones.
 */
function emitInParts(e: Emitter, node: EmittedTopK, parts: number): void {
  const { x, count, outputs } = node;
  const length = Number(x.shape.at(-1)) / parts;
  const lead = x.shape.slice(0, -1).map(() => 0);
  const inParts = e.node("Reshape", [x.name, e.ints([...lead, parts, length])]);
  const largest = e.node("ReduceMax", [inParts, e.ints([-2])], { attributes: { keepdims: 0 } });
  const more = e.node("Add", [count, e.ints([mostTied - 1])]);
  const [places, inOrder] = [e.temporary(), e.temporary()];
  const unsorted = { axis: -1, largest: 1, sorted: 0 };
  e.into([e.temporary(), places], "TopK", [largest, more], { attributes: unsorted });
  const ascending = { axis: -1, largest: 0, sorted: 1 };
  e.into([inOrder, e.temporary()], "TopK", [places, more], { attributes: ascending });
  const starts = Array.from({ length: parts }, (_, part) => part * length);
  const ids = e.node("Add", [
    e.node("Unsqueeze", [inOrder, e.ints([-2])]),
    e.node("Reshape", [e.ints(starts), e.ints([parts, 1])]),
  ]);
  const candidates = e.node("Reshape", [ids, e.ints([...lead, -1])]);
  const along = { attributes: { axis: -1 } };
  const values = e.node("GatherElements", [x.name, candidates], along);
  const [best, at] = [outputs[0] ?? "", e.temporary()];
  e.into([best, at], "TopK", [values, count], {
    attributes: { axis: -1, largest: 1, sorted: 1 },
  });
  if (outputs[1] !== undefined) e.into([outputs[1]], "GatherElements", [candidates, at], along);
}

interface EmittedTopK {
  readonly x: Value;
  /** Name of how many are asked for. */
  readonly count: string;
  readonly outputs: readonly string[];
}

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
      const { k } = node.attributes;
      const count = node.inputs[1]?.name ?? e.ints([Number(k)]);
      const outputs = node.outputs.map(({ name }) => name);
      const length = x.shape.at(-1);
      const fits = k === undefined || Number(k) <= mostOfTopK(Number(length));
      const parts = fits ? partsOf(length) : 1;
      if (parts > 1) emitInParts(e, { x, count, outputs }, parts);
      else
        e.into(outputs, "TopK", [x.name, count], {
          attributes: { axis: -1, largest: 1, sorted: 1 },
        });
    },
    vjp: { reason: "choosing the largest is no part of training" },
  },
};

/**
 * The k largest of the last axis, largest first and of equal ones the earlier: values and their int64 indices. Where more than
 * eight are equal to the least of them, any of those in an axis of 16,384 elements or more.
 * @param k the number, or int64 [1] where it is told when the graph runs, then `mostOfTopK` at most
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
