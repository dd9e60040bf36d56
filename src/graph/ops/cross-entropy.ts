// The output layer and cross-entropy as one op, whose gradients are made with it: scores over the vocabulary are never kept.
import type { GraphBuilder } from "../builder.js";
import type { Emitter } from "../emitter.js";
import { type Cotangent, cotangentOf, mismatch, type OpTable, required } from "../op.js";
import type { Node, Value } from "../value.js";
import { mul } from "./elementwise.js";
import { emitLogSumExp } from "./norm.js";

const op = "linearCrossEntropy";

/** Rows of h, their labels and weights, as ONNX values. */
interface Rows {
  readonly h: string;
  /** [n,1] */
  readonly labels: string;
  /** [n,1] */
  readonly weights: string;
}

function flatten(e: Emitter, node: Node): Rows {
  const [h, , , labels, weights] = node.inputs as [Value, Value, Value | undefined, Value, Value];
  return {
    h: e.node("Reshape", [h.name, e.ints([-1, Number(h.shape.at(-1))])]),
    labels: e.node("Reshape", [labels.name, e.ints([-1, 1])]),
    weights: e.node("Reshape", [weights.name, e.ints([-1, 1])]),
  };
}

function split(e: Emitter, rows: Rows, chunks: number): Rows[] {
  if (chunks === 1) return [rows];
  const count = e.node("Shape", [rows.h], { attributes: { start: 0, end: 1 } });
  const each = e.node("Div", [count, e.ints([chunks])]);
  const first = e.node("Sub", [count, e.node("Mul", [each, e.ints([chunks - 1])])]);
  const sizes = e.node("Concat", [first, ...Array.from({ length: chunks - 1 }, () => each)], {
    attributes: { axis: 0 },
  });
  const parts = (name: string) => {
    const outputs = Array.from({ length: chunks }, () => e.temporary());
    e.into(outputs, "Split", [name, sizes], { attributes: { axis: 0 } });
    return outputs;
  };
  const [h, labels, weights] = [parts(rows.h), parts(rows.labels), parts(rows.weights)];
  return h.map((part, i) => ({
    h: part,
    labels: labels[i] as string,
    weights: weights[i] as string,
  }));
}

/** Emits one op node; its parts share the table, its mean row and the share ε of label smoothing. */
class CrossEntropyEmission {
  private readonly e: Emitter;
  private readonly table: Value;
  private readonly bias: string;
  private readonly smoothing: number;
  private readonly outputs: { loss: Value; toHidden: Value; toTable: Value; labelRows: Value };
  private readonly vocabulary: number;

  constructor(e: Emitter, node: Node) {
    this.e = e;
    this.table = required(op, node.inputs, 1);
    this.vocabulary = Number(this.table.shape[0]);
    this.bias = node.inputs[2]?.name ?? e.node("ConstantOfShape", [e.ints([this.vocabulary])]);
    this.smoothing = Number(node.attributes.labelSmoothing);
    const [loss, toHidden, toTable, labelRows] = node.outputs as [Value, Value, Value, Value];
    this.outputs = { loss, toHidden, toTable, labelRows };
  }

  emit(node: Node): void {
    const { e, outputs } = this;
    const all = flatten(e, node);
    const weighted = e.node("Mul", [all.h, all.weights]);
    const losses: string[] = [];
    const toHidden: string[] = [];
    let toTable: string | undefined;
    let before: readonly string[] = [];
    for (const rows of split(e, all, Number(node.attributes.chunks))) {
      const bias = this.after(before, this.bias, [-1]);
      const scores = e.node("Gemm", [rows.h, this.table.name, bias], { attributes: { transB: 1 } });
      const p = e.node("Softmax", [scores], { attributes: { axis: -1 } });
      const loss = this.loss(rows, scores, p);
      losses.push(loss);
      if (e.isUsed(outputs.toHidden)) {
        // Nothing else needs the loss before the whole walk back is done, and the scores would be kept for it.
        const weights = this.after([loss], rows.weights, [-1, 1]);
        toHidden.push(this.toHidden({ ...rows, weights }, p));
      }
      if (e.isUsed(outputs.toTable))
        toTable = this.toTable(rows, p, toTable ?? this.spread(weighted));
      const made = [loss, toHidden.at(-1), toTable];
      before = made.filter((part) => part !== undefined);
    }
    e.into([outputs.loss.name], losses.length === 1 ? "Identity" : "Sum", losses);
    if (e.isUsed(outputs.toHidden)) {
      const joined =
        toHidden.length === 1
          ? (toHidden[0] as string)
          : e.node("Concat", toHidden, { attributes: { axis: 0 } });
      this.shaped(outputs.toHidden, joined);
    }
    if (toTable !== undefined) e.into([outputs.toTable.name], "Identity", [toTable]);
    if (e.isUsed(outputs.labelRows)) {
      this.shaped(outputs.labelRows, e.node("Mul", [weighted, e.scalar(this.smoothing - 1)]));
    }
  }

  private shaped(output: Value, flat: string): void {
    this.e.into([output.name], "Reshape", [flat, this.e.sizes(output.shape, { inferred: true })]);
  }

  /**
   * A value, made to wait for others, so that only one chunk's scores exist at a time. They lend none of their elements,
   * because one that is no number would spread.
   * @param shape of the value, -1 for its first size
   */
  private after(made: readonly string[], value: string, shape: readonly number[]): string {
    const { e } = this;
    if (made.length === 0) return value;
    const nothing = made.map((part) => {
      const shaped = e.node("Reshape", [part, e.ints(shape)]);
      return e.node("Slice", [shaped, e.ints([0]), e.ints([0])]);
    });
    return e.node("Concat", [value, ...nothing], { attributes: { axis: 0 } });
  }

  /** Σ w·(log Σ exp z − (1 − ε)·z[label] − ε·mean z) */
  private loss(rows: Rows, scores: string, p: string): string {
    const { e, smoothing } = this;
    const attributes = { keepdims: 1 };
    const logSum = emitLogSumExp(e, scores, p);
    const ofLabel = e.node("GatherElements", [scores, rows.labels], { attributes: { axis: 1 } });
    const likely = e.node("Mul", [ofLabel, e.scalar(1 - smoothing)]);
    let each = e.node("Sub", [logSum, likely]);
    if (smoothing > 0) {
      const mean = e.node("ReduceMean", [scores, e.ints([-1])], { attributes });
      each = e.node("Sub", [each, e.node("Mul", [mean, e.scalar(smoothing)])]);
    }
    return e.node("ReduceSum", [e.node("Mul", [each, rows.weights])], {
      attributes: { keepdims: 0 },
    });
  }

  /** w·(p·E − (1 − ε)·E[label] − ε·mean E) */
  private toHidden(rows: Rows, p: string): string {
    const { e, smoothing, table } = this;
    const flat = e.node("Reshape", [rows.labels, e.ints([-1])]);
    const ofLabel = e.node("Gather", [table.name, flat], { attributes: { axis: 0 } });
    const likely = e.node("Mul", [ofLabel, e.scalar(1 - smoothing)]);
    let each = e.node("Sub", [e.node("Gemm", [p, table.name]), likely]);
    if (smoothing > 0) {
      const mean = e.node("ReduceMean", [table.name, e.ints([0])], { attributes: { keepdims: 1 } });
      each = e.node("Sub", [each, e.node("Mul", [mean, e.scalar(smoothing)])]);
    }
    return e.node("Mul", [each, rows.weights]);
  }

  /** What label smoothing takes off each row of the table's gradient, [1,D]: ε/V·Σ w·h */
  private spread(weighted: string): string | undefined {
    const { e, smoothing, vocabulary } = this;
    if (smoothing === 0) return undefined;
    const sum = e.node("ReduceSum", [weighted, e.ints([0])], { attributes: { keepdims: 1 } });
    return e.node("Mul", [sum, e.scalar(-smoothing / vocabulary)]);
  }

  /** pᵀ·(w·h), added to what the chunks before made; the labels' part comes as rows. */
  private toTable(rows: Rows, p: string, plus: string | undefined): string {
    const { e } = this;
    const weighted = e.node("Mul", [rows.h, rows.weights]);
    return e.node("Gemm", [p, weighted, ...(plus === undefined ? [] : [plus])], {
      attributes: { transA: 1 },
    });
  }
}

export const crossEntropyOps: OpTable = {
  [op]: {
    infer(inputs, attributes) {
      const [h, table, labels, weights] = [0, 1, 3, 4].map((i) => required(op, inputs, i)) as [
        Value,
        Value,
        Value,
        Value,
      ];
      const bias = inputs[2];
      if (table.shape.length !== 2 || table.shape.some((dim) => typeof dim !== "number")) {
        throw mismatch(op, "the table must be a matrix of known size", table);
      }
      if (h.shape.at(-1) !== table.shape[1] || (bias && bias.shape[0] !== table.shape[0])) {
        throw mismatch(op, "hidden states, table and bias do not fit", h, table);
      }
      const places = h.shape.slice(0, -1).join();
      if (labels.shape.join() !== places || weights.shape.join() !== places) {
        throw mismatch(op, "a label and a weight are needed for each hidden state", h, labels);
      }
      const { labelSmoothing, chunks } = attributes;
      if (typeof labelSmoothing !== "number" || labelSmoothing < 0 || labelSmoothing > 1) {
        throw mismatch(op, `label smoothing of ${labelSmoothing} is not from 0 to 1`);
      }
      if (typeof chunks !== "number" || !Number.isInteger(chunks) || chunks < 1) {
        throw mismatch(op, `${chunks} chunks`);
      }
      return [{ dtype: h.dtype, shape: [] }, h, table, h];
    },
    emit: (e, node) => new CrossEntropyEmission(e, node).emit(node),
    vjp(g, call) {
      if (call.wants(2) || call.wants(4)) {
        throw mismatch(op, "the bias and the weights of the labels have no gradient");
      }
      const d = cotangentOf(op, call);
      const [, toHidden, toTable, rows] = call.outputs as [Value, Value, Value, Value];
      const indices = required(op, call.inputs, 3);
      // The loss is nearly always what is differentiated, so that d is 1: spare passes over the whole table.
      const times = (value: Value) => (g.isOne(d) ? value : mul(g, value, d));
      const table: Cotangent = {
        dense: times(toTable),
        rows: { indices, rows: times(rows) },
      };
      return [call.wants(0) ? times(toHidden) : undefined, call.wants(1) ? table : undefined];
    },
  },
};

export interface CrossEntropyInput {
  /** [...,D] */
  readonly hidden: Value;
  /** Output layer [V,D]. */
  readonly table: Value;
  /** [V] */
  readonly bias?: Value | undefined;
  /** int64 [...], each from 0 to V − 1. */
  readonly labels: Value;
  /** [...]: 0 where a label does not count; the loss is the weighted sum. */
  readonly weights: Value;
  /** Share ε of the probability that is spread over the vocabulary. */
  readonly labelSmoothing?: number;
  /** Parts the rows are worked on in: with k, a k-th of the scores over the vocabulary is in memory at a time. */
  readonly chunks?: number;
}

/**
 * Σ weight·(cross-entropy of softmax(hidden·tableᵀ + bias) against the label), a scalar.
 * @throws SHAPE_MISMATCH
 * Source: label smoothing as transformers' LabelSmoother; gradients made chunk by chunk as in Hsu et al. 2024 (Liger).
 */
export const linearCrossEntropy = (g: GraphBuilder, input: CrossEntropyInput): Value =>
  g.one(op, [input.hidden, input.table, input.bias, input.labels, input.weights], {
    labelSmoothing: input.labelSmoothing ?? 0,
    chunks: input.chunks ?? 1,
  });
