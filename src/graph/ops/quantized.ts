// Products with whole-number weights: rows of activations are scaled each by itself, so that none depends on its neighbours.
import type { GraphBuilder } from "../builder.js";
import { type Emitter, microsoft } from "../emitter.js";
import { mismatch, type OpTable, required } from "../op.js";
import type { RewriteRule } from "../rewrite.js";
import type { Dim, Graph, Node, Value, ValueType } from "../value.js";

/** How 8-bit numbers lie in products on a machine; unsigned ones are 128 more than what they say. */
export type WholeNumber = "int8" | "uint8";

/** The element that stands for zero. */
export const zeroOf = (dtype: WholeNumber): 0 | 128 => (dtype === "uint8" ? 128 : 0);

/**
 * Activations are stored as zero + round(steps·x / max|x|). After a ReLU they need no room for signs, and what is negative
 * before one becomes 0 by itself.
 */
export const signed = { steps: 127, zero: zeroOf("uint8") };
const rectified = { steps: 255, zero: 0 };
const codeOf = (node: Node) => (node.attributes.isRectified === true ? rectified : signed);
/** A row without a positive element is divided by this after a ReLU. */
const smallest = 1e-12;

/** Elements of a row that share a scale in 4-bit weights. */
export const blockSize = 32;

const noGradient = { reason: "whole-number weights are made from learned ones" };

function isMatrix(value: ValueType, dtypes: readonly string[]): boolean {
  return value.shape.length === 2 && dtypes.includes(value.dtype);
}

/** What a layer makes of rows that were quantized: [...,in] and [in,out] → [...,out]. @throws SHAPE_MISMATCH */
function productType(
  rows: ValueType,
  largest: ValueType,
  weight: ValueType,
  scale: ValueType,
): ValueType {
  const [inner, out] = weight.shape;
  if (!isMatrix(weight, ["int8", "uint8"]) || rows.shape.at(-1) !== inner) {
    throw mismatch("quantizedLinear", "the last axis must be the weight's first", rows, weight);
  }
  if (rows.dtype !== "uint8" || scale.shape[0] !== out) {
    throw mismatch("quantizedLinear", "each column has a scale", weight, scale);
  }
  return { dtype: largest.dtype, shape: [...rows.shape.slice(0, -1), out as Dim] };
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
      ) as [ValueType, ValueType, ValueType, ValueType];
      return [productType(rows, largest, weight, scale)];
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
  quantizedLinears: {
    infer(inputs) {
      const rows = required("quantizedLinears", inputs, 0);
      const largest = required("quantizedLinears", inputs, 1);
      return layersOf(inputs).map(([weight, scale]) => productType(rows, largest, weight, scale));
    },
    emit(e, node) {
      const [rows, largest] = [0, 1].map((i) => required("quantizedLinears", node.inputs, i)) as [
        Value,
        Value,
      ];
      const layers = layersOf(node.inputs);
      // What is joined are weights: onnxruntime does it once, when the session opens.
      const join = (values: readonly (Value | undefined)[], axis: number) => {
        const names = values.flatMap((value) => (value ? [value.name] : []));
        return e.node("Concat", names, { attributes: { axis } });
      };
      const columns = join(
        layers.map(([weight]) => weight),
        1,
      );
      const scales = join(
        layers.map(([, scale]) => scale),
        0,
      );
      const { steps, zero } = codeOf(node);
      const inputs = [rows.name, columns, e.scalar(1 / steps), scales, e.byte(zero)];
      if (layers[0]?.[0].dtype === "uint8") inputs.push(e.byte(signed.zero));
      const product = e.node("MatMulIntegerToFloat", inputs, { domain: microsoft });
      const scaled = e.node("Mul", [product, largest.name]);
      const biases = layers.map(([, , bias]) => bias);
      const sum = biases[0] === undefined ? scaled : e.node("Add", [scaled, join(biases, 0)]);
      const sizes = node.outputs.map(({ shape }) => Number(shape.at(-1)));
      e.into(
        node.outputs.map(({ name }) => name),
        "Split",
        [sum, e.ints(sizes)],
        { attributes: { axis: -1 } },
      );
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

/** Weight, scale and bias of each layer of `quantizedLinears`; all have a bias, or none has. */
function layersOf<T>(inputs: readonly (T | undefined)[]): readonly [T, T, T | undefined][] {
  const layers: [T, T, T | undefined][] = [];
  for (let i = 2; i < inputs.length; i += 3) {
    const weight = required("quantizedLinears", inputs, i);
    layers.push([weight, required("quantizedLinears", inputs, i + 1), inputs[i + 2]]);
  }
  return layers;
}

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

/** Linear layers that read the same rows, and that one product can stand for: each by its nodes, in their order. */
function findJoined(
  { nodes, parameters }: Graph,
  plan: QuantizationPlan,
): Map<Node, readonly Node[]> {
  const readers = new Map<string, Node[]>();
  for (const node of nodes) {
    const [x, weight, bias] = node.inputs;
    if (node.op !== "linear" || plan.get(weight?.name ?? "") !== "int8") continue;
    if (bias !== undefined && !parameters.includes(bias)) continue;
    const key = `${x?.name} ${bias === undefined}`;
    readers.set(key, [...(readers.get(key) ?? []), node]);
  }
  const joined = new Map<Node, readonly Node[]>();
  for (const group of readers.values()) {
    if (group.length > 1) for (const node of group) joined.set(node, group);
  }
  return joined;
}

/**
 * A rule for serving graphs that computes linear layers and looks rows up with the plan's whole-number weights.
 * @param product how 8-bit weights lie for products: "uint8" are 128 more than "int8"
 * @param fewRows the graph that is rewritten, where its products have so few rows that starting one takes longer than
 * taking several apart again: layers that read the same rows become one product
 */
export function quantizeWeights(
  plan: QuantizationPlan,
  product: WholeNumber,
  fewRows?: Graph,
): RewriteRule {
  const joined = fewRows === undefined ? new Map() : findJoined(fewRows, plan);
  const made = new Map<Node, Value>();
  /** Layers that read the same rows share them. */
  const quantized = new Map<Value, readonly Value[]>();
  /** What a ReLU was applied to, by its result. */
  const beforeRelu = new Map<Value, Value>();
  const product8 = (
    g: GraphBuilder,
    x: Value,
    layers: readonly Node[],
    biasOf: (layer: Node) => Value | undefined,
  ) => {
    const before = beforeRelu.get(x);
    const attributes = before === undefined ? {} : { isRectified: true };
    const rows = quantized.get(x) ?? g.apply("quantizeRows", [before ?? x], attributes);
    quantized.set(x, rows);
    const others = layers.flatMap((layer) => {
      const { name, shape } = required("linear", layer.inputs, 1);
      const [out, inner] = shape.map(Number) as [number, number];
      const names = quantizedNames(name);
      return [
        g.parameter(names.columns, [inner, out], product),
        g.parameter(names.scale, [out]),
        biasOf(layer),
      ];
    });
    const op = layers.length > 1 ? "quantizedLinears" : "quantizedLinear";
    return g.apply(op, [...rows, ...others], attributes);
  };
  return (g, node, inputs) => {
    if (node.op === "linear") {
      const [x, weight, bias] = [required("linear", inputs, 0), inputs[1], inputs[2]];
      const kind = plan.get(weight?.name ?? "");
      if (weight === undefined || kind === undefined) return undefined;
      if (kind === "int4") {
        const [out, inner] = weight.shape.map(Number) as [number, number];
        const names = quantizedNames(weight.name);
        const blocks = inner / blockSize;
        const packed = g.parameter(names.blocks, [out, blocks, blockSize / 2], "uint8");
        return g.apply("blockLinear", [
          x,
          packed,
          g.parameter(names.blockScale, [out * blocks]),
          bias,
        ]);
      }
      const known = made.get(node);
      if (known !== undefined) return [known];
      const group: readonly Node[] = joined.get(node) ?? [node];
      const outputs = product8(g, x, group, (layer) => {
        const other = layer === node ? undefined : layer.inputs[2];
        return layer === node ? bias : other && g.parameter(other.name, other.shape, other.dtype);
      });
      for (const [i, each] of group.entries()) made.set(each, outputs[i] as Value);
      return outputs.slice(group.indexOf(node), group.indexOf(node) + 1);
    }
    if (node.op === "relu") {
      const outputs = g.apply("relu", inputs, node.attributes);
      const [y, x] = [outputs[0], inputs[0]];
      if (y !== undefined && x !== undefined) beforeRelu.set(y, x);
      return outputs;
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
