// Which weights of a model become whole numbers, and the tensors that stand for them.
import {
  blockSize,
  type Graph,
  quantizedNames,
  type WholeNumber,
  zeroOf,
} from "../../graph/index.js";
import type { Tensor } from "../../runtime/tensor.js";
import { readWeight, type Weight, type Weights } from "../../runtime/weights.js";
import type { TensorToMake } from "../checkpoint/write.js";
import { packBlocks, packColumns, packRows, rowScales } from "./pack.js";

export type QuantizedDType = "int8" | "int4";
/** How 8-bit weights lie for products on a machine: see `wholeNumberProducts`. */
export type ProductType = WholeNumber;

/** How a weight is used. */
export interface Use {
  readonly kind: QuantizedDType;
  readonly multiplied: boolean;
  readonly lookedUp: boolean;
}

/**
 * Every weight of a linear layer, and every table that has a row a token; norms, biases and positions stay float32.
 * @param keep weights that stay float32
 */
export function planQuantization(
  graph: Graph,
  dtype: QuantizedDType,
  vocabSize: number,
  keep: ReadonlySet<string> = new Set(),
): Map<string, Use> {
  const plan = new Map<string, Use>();
  const parameters = new Set(graph.parameters);
  for (const { op, inputs } of graph.nodes) {
    const multiplied = op === "linear";
    const weight = inputs[multiplied ? 1 : 0];
    if (weight === undefined || !parameters.has(weight) || keep.has(weight.name)) continue;
    if (!multiplied && !(op === "gather" && weight.shape[0] === vocabSize)) continue;
    const known = plan.get(weight.name);
    const inner = Number(weight.shape[1]);
    plan.set(weight.name, {
      kind: dtype === "int4" && inner % blockSize === 0 ? "int4" : "int8",
      multiplied: multiplied || known?.multiplied === true,
      lookedUp: !multiplied || known?.lookedUp === true,
    });
  }
  return plan;
}

/**
 * The tensors of a model whose weights are quantized by a plan, each made when it is written. What is not in the plan
 * stays as it is.
 */
export function quantizedTensors(
  weights: Weights,
  plan: ReadonlyMap<string, Use>,
  product: ProductType,
): Map<string, Weight | TensorToMake> {
  const tensors = new Map<string, Weight | TensorToMake>();
  for (const [name, weight] of weights) {
    const use = plan.get(name);
    if (use === undefined) {
      tensors.set(name, weight);
      continue;
    }
    const [out, inner] = weight.shape as [number, number];
    const names = quantizedNames(name);
    const read = async () => (await readWeight(weight)).data as Float32Array;
    const add = (
      of: string,
      dtype: "float32" | "int8" | "uint8",
      shape: readonly number[],
      make: (data: Float32Array) => Tensor["data"],
    ) =>
      tensors.set(of, {
        dtype,
        shape,
        make: async () => ({ dtype, shape, data: make(await read()) }) as Tensor,
      });
    const needsScale = use.lookedUp || use.kind === "int8";
    if (needsScale) add(names.scale, "float32", [out], (data) => rowScales(data, out));
    if (use.lookedUp)
      add(names.rows, "int8", [out, inner], (data) => packRows(data, rowScales(data, out)));
    if (!use.multiplied) continue;
    if (use.kind === "int8") {
      add(names.columns, product, [inner, out], (data) =>
        packColumns(data, rowScales(data, out), zeroOf(product)),
      );
    } else {
      const blocks = inner / blockSize;
      const shape = [out, blocks, blockSize / 2];
      add(names.blocks, "uint8", shape, (data) => packBlocks(data).blocks);
      add(names.blockScale, "float32", [out * blocks], (data) => packBlocks(data).scales);
    }
  }
  return tensors;
}

/** The plan that a set of quantized tensors was made by. */
export function planOf(names: Iterable<string>): Map<string, QuantizedDType> {
  const plan = new Map<string, QuantizedDType>();
  for (const name of names) {
    const weight = name.slice(0, Math.max(0, name.indexOf("~")));
    if (weight === "") continue;
    const { blocks, columns, rows } = quantizedNames(weight);
    if (name === blocks) plan.set(weight, "int4");
    else if ((name === columns || name === rows) && !plan.has(weight)) plan.set(weight, "int8");
  }
  return plan;
}
