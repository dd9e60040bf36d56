// Products with whole-number weights: rows of activations are scaled each by itself, so that none depends on its neighbours.
import type { GraphBuilder } from "../builder.js";
import { type Emitter, microsoft } from "../emitter.js";
import { mismatch, type OpTable, required } from "../op.js";
import type { RewriteRule } from "../rewrite.js";
import type { Dim, Value } from "../value.js";

/** Activations are stored as 128 + round(127·x / max|x|). */
const [steps, middle] = [127, 128];
/** A row of zeros is divided by this instead of by its largest element. */
const smallest = 1e-12;

/** Elements of a row that share a scale in 4-bit weights. */
export const blockSize = 32;

const noGradient = { reason: "whole-number weights are made from learned ones" };

function isMatrix(value: Value, dtypes: readonly string[]): boolean {
  return value.shape.length === 2 && dtypes.includes(value.dtype);
}

/** Adds the bias, where there is one, as the last of what makes `output`. */
function emitSum(e: Emitter, product: [string, string[]], bias: Value | undefined, output: string) {
  const [op, inputs] = product;
  if (bias === undefined) e.into([output], op, inputs);
  else e.into([output], "Add", [e.node(op, inputs), bias.name]);
}

export const quantizedOps: OpTable = {
  quantizeRows: {
    infer(inputs) {
      const { shape } = required("quantizeRows", inputs, 0);
      return [
        { dtype: "uint8", shape },
        { dtype: "float32", shape: [...shape.slice(0, -1), 1] },
      ];
    },
    emit(e, node) {
      const x = required("quantizeRows", node.inputs, 0).name;
      const [rows, largest] = node.outputs as [Value, Value];
      const sizes = node.attributes.isNonNegative === true ? x : e.node("Abs", [x]);
      const most = e.node("ReduceMax", [sizes, e.ints([-1])], { attributes: { keepdims: 1 } });
      e.into([largest.name], "Max", [most, e.scalar(smallest)]);
      const relative = e.node("Div", [x, largest.name]);
      e.into([rows.name], "QuantizeLinear", [relative, e.scalar(1 / steps), e.byte(middle)]);
    },
    vjp: noGradient,
  },
  quantizedLinear: {
    infer(inputs) {
      const [rows, largest, weight, scale] = [0, 1, 2, 3].map((i) =>
        required("quantizedLinear", inputs, i),
      ) as [Value, Value, Value, Value];
      const [inner, out] = weight.shape;
      if (!isMatrix(weight, ["int8", "uint8"]) || rows.shape.at(-1) !== inner) {
        throw mismatch("quantizedLinear", "the last axis must be the weight's first", rows, weight);
      }
      if (rows.dtype !== "uint8" || scale.shape[0] !== out) {
        throw mismatch("quantizedLinear", "each column has a scale", weight, scale);
      }
      return [{ dtype: largest.dtype, shape: [...rows.shape.slice(0, -1), out as Dim] }];
    },
    emit(e, node) {
      const [rows, largest, weight, scale] = [0, 1, 2, 3].map((i) =>
        required("quantizedLinear", node.inputs, i),
      ) as [Value, Value, Value, Value];
      const inputs = [rows.name, weight.name, e.scalar(1 / steps), scale.name, e.byte(middle)];
      if (weight.dtype === "uint8") inputs.push(e.byte(middle));
      const product = e.node("MatMulIntegerToFloat", inputs, { domain: microsoft });
      const output = required("quantizedLinear", node.outputs, 0).name;
      emitSum(e, ["Mul", [product, largest.name]], node.inputs[4], output);
    },
    vjp: noGradient,
  },
  blockLinear: {
    infer(inputs) {
      const [x, weight] = [required("blockLinear", inputs, 0), required("blockLinear", inputs, 1)];
      const [out, blocks, bytes] = weight.shape;
      if (weight.dtype !== "uint8" || x.shape.at(-1) !== Number(blocks) * Number(bytes) * 2) {
        throw mismatch("blockLinear", "the last axis must be the weight's second", x, weight);
      }
      return [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1), out as Dim] }];
    },
    emit(e, node) {
      const [x, weight, scale] = [0, 1, 2].map((i) => required("blockLinear", node.inputs, i)) as [
        Value,
        Value,
        Value,
      ];
      const bias = node.inputs[3];
      const inputs = [x.name, weight.name, scale.name, ...(bias ? ["", "", bias.name] : [])];
      e.into([required("blockLinear", node.outputs, 0).name], "MatMulNBits", inputs, {
        domain: microsoft,
        attributes: {
          ...{ K: Number(x.shape.at(-1)), N: Number(weight.shape[0]) },
          ...{ bits: 4, block_size: blockSize, accuracy_level: 4 },
        },
      });
    },
    vjp: noGradient,
  },
  quantizedGather: {
    infer(inputs) {
      const [table, scale, ids] = [0, 1, 2].map((i) => required("quantizedGather", inputs, i)) as [
        Value,
        Value,
        Value,
      ];
      if (!isMatrix(table, ["int8"]) || scale.shape[0] !== table.shape[0]) {
        throw mismatch("quantizedGather", "each row has a scale", table, scale);
      }
      return [{ dtype: scale.dtype, shape: [...ids.shape, table.shape[1] as Dim] }];
    },
    emit(e, node) {
      const [table, scale, ids] = [0, 1, 2].map(
        (i) => required("quantizedGather", node.inputs, i).name,
      ) as [string, string, string];
      const rows = e.node("Cast", [e.node("Gather", [table, ids])], { attributes: { to: 1 } });
      const scales = e.node("Unsqueeze", [e.node("Gather", [scale, ids]), e.ints([-1])]);
      e.into([required("quantizedGather", node.outputs, 0).name], "Mul", [rows, scales]);
    },
    vjp: noGradient,
  },
};

/** How the weights of linear layers and looked-up tables are held; one that is not named stays float32. */
export type QuantizationPlan = ReadonlyMap<string, "int8" | "int4">;

/** Names of the parameters that stand for a quantized weight. */
export const quantizedNames = (weight: string) => ({
  /** [in,out], for products. */
  columns: `${weight}~columns`,
  /** [V,D], looked up row by row. */
  rows: `${weight}~rows`,
  /** One scale for each row of the weight as PyTorch has it. */
  scale: `${weight}~scale`,
  /** [out, in/32, 16], two elements a byte. */
  blocks: `${weight}~blocks`,
  /** One scale for each block. */
  blockScale: `${weight}~block_scale`,
});

/**
 * A rule for serving graphs that computes linear layers and looks rows up with the plan's whole-number weights.
 * @param product how 8-bit weights lie for products: "uint8" are 128 more than "int8"
 */
export function quantizeWeights(plan: QuantizationPlan, product: "int8" | "uint8"): RewriteRule {
  /** Layers that read the same rows share them. */
  const quantized = new Map<Value, readonly Value[]>();
  const nonNegative = new Set<Value>();
  const rowsOf = (g: GraphBuilder, x: Value) => {
    const attributes = nonNegative.has(x) ? { isNonNegative: true } : {};
    const known = quantized.get(x) ?? g.apply("quantizeRows", [x], attributes);
    quantized.set(x, known);
    return known;
  };
  return (g, node, inputs) => {
    if (node.op === "linear") {
      const [x, weight, bias] = [required("linear", inputs, 0), inputs[1], inputs[2]];
      const kind = plan.get(weight?.name ?? "");
      if (weight === undefined || kind === undefined) return undefined;
      const [out, inner] = weight.shape.map(Number) as [number, number];
      const names = quantizedNames(weight.name);
      if (kind === "int4") {
        const blocks = inner / blockSize;
        const packed = g.parameter(names.blocks, [out, blocks, blockSize / 2], "uint8");
        return g.apply("blockLinear", [
          x,
          packed,
          g.parameter(names.blockScale, [out * blocks]),
          bias,
        ]);
      }
      const columns = g.parameter(names.columns, [inner, out], product);
      const scale = g.parameter(names.scale, [out]);
      return g.apply("quantizedLinear", [...rowsOf(g, x), columns, scale, bias]);
    }
    if (node.op === "relu") {
      const made = g.apply("relu", inputs, node.attributes);
      for (const value of made) nonNegative.add(value);
      return made;
    }
    if (node.op === "gather") {
      const [table, ids] = inputs;
      // A table that is looked up has 8 bits even where products have 4: its rows are read one at a time.
      if (table === undefined || !plan.has(table.name)) return undefined;
      const names = quantizedNames(table.name);
      const [size, width] = table.shape as [Dim, Dim];
      const rows = g.parameter(names.rows, [size, width], "int8");
      return g.apply("quantizedGather", [rows, g.parameter(names.scale, [size]), ids]);
    }
    return undefined;
  };
}
