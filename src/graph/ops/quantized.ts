// Products with whole-number weights: rows of activations are scaled each by itself, so that none depends on its neighbours.
import type { GraphBuilder } from "../builder.js";
import { type Emitter, microsoft } from "../emitter.js";
import { mismatch, type OpTable, required } from "../op.js";
import type { RewriteRule } from "../rewrite.js";
import type { Dim, Node, Value } from "../value.js";

/**
 * Activations are stored as zero + round(steps·x / max|x|). After a ReLU they need no room for signs, and what is negative
 * before one becomes 0 by itself.
 */
const signed = { steps: 127, zero: 128 };
const rectified = { steps: 255, zero: 0 };
const codeOf = (node: Node) => (node.attributes.isRectified === true ? rectified : signed);
/** A row without a positive element is divided by this after a ReLU. */
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
      const { steps, zero } = codeOf(node);
      const attributes = { keepdims: 1 };
      if (zero === 0) {
        const most = e.node("ReduceMax", [x, e.ints([-1])], { attributes });
        e.into([largest.name], "Max", [most, e.scalar(smallest)]);
      } else {
        // A row of zeros becomes whatever 0/0 is as a whole number, and 0 again when the product is scaled back.
        e.into([largest.name], "ReduceMax", [e.node("Abs", [x]), e.ints([-1])], { attributes });
      }
      const relative = e.node("Div", [x, largest.name]);
      e.into([rows.name], "QuantizeLinear", [relative, e.scalar(1 / steps), e.byte(zero)]);
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
      const { steps, zero } = codeOf(node);
      const inputs = [rows.name, weight.name, e.scalar(1 / steps), scale.name, e.byte(zero)];
      if (weight.dtype === "uint8") inputs.push(e.byte(signed.zero));
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
  /** What a ReLU was applied to, by its result. */
  const beforeRelu = new Map<Value, Value>();
  const product8 = (g: GraphBuilder, x: Value, ...others: (Value | undefined)[]) => {
    const before = beforeRelu.get(x);
    const attributes = before === undefined ? {} : { isRectified: true };
    const rows = quantized.get(x) ?? g.apply("quantizeRows", [before ?? x], attributes);
    quantized.set(x, rows);
    return g.apply("quantizedLinear", [...rows, ...others], attributes);
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
      return product8(g, x, columns, scale, bias);
    }
    if (node.op === "relu") {
      const made = g.apply("relu", inputs, node.attributes);
      const [y, x] = [made[0], inputs[0]];
      if (y !== undefined && x !== undefined) beforeRelu.set(y, x);
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
