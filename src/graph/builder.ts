// Builds a graph node by node: every op is checked and its output types inferred as it is added.
import { BridleError } from "../errors/error.js";
import { ops } from "./ops/index.js";
import {
  type Attributes,
  type Constant,
  type ConstantData,
  type Dim,
  type DType,
  elementCount,
  type Graph,
  type Node,
  type Shape,
  sameShape,
  type Value,
} from "./value.js";

export class GraphBuilder {
  private readonly inputs: Value[] = [];
  private readonly parameters = new Map<string, Value>();
  private readonly constants: Constant[] = [];
  private readonly appended: Node[] = [];
  private readonly names = new Set<string>();
  private unnamed = 0;

  /** Nodes so far, in the order they were added. */
  get nodes(): readonly Node[] {
    return this.appended;
  }

  /** Parameters so far, in the order they were first asked for. */
  get known(): readonly Value[] {
    return [...this.parameters.values()];
  }

  private value(name: string, dtype: DType, shape: Shape): Value {
    if (this.names.has(name)) {
      throw new BridleError("GRAPH_INVALID", { reason: `two values are named ${name}` });
    }
    this.names.add(name);
    return { name, dtype, shape };
  }

  private fresh(): string {
    this.unnamed += 1;
    return `%${this.unnamed}`;
  }

  /** A value fed at every run. */
  input(name: string, dtype: DType, shape: Shape): Value {
    const value = this.value(name, dtype, shape);
    this.inputs.push(value);
    return value;
  }

  /**
   * A weight, by its checkpoint name; asking again for the same name gives the same value.
   * @throws SHAPE_MISMATCH when it was asked for before with another shape.
   */
  parameter(name: string, shape: Shape, dtype: DType = "float32"): Value {
    const known = this.parameters.get(name);
    if (known === undefined) {
      const value = this.value(name, dtype, shape);
      this.parameters.set(name, value);
      return value;
    }
    if (known.dtype !== dtype || !sameShape(known.shape, shape)) {
      throw new BridleError("SHAPE_MISMATCH", {
        op: `parameter ${name}`,
        reason: `it is used as [${known.shape}] and as [${shape}]`,
      });
    }
    return known;
  }

  /** @throws SHAPE_MISMATCH when the data does not fill the shape. */
  constant(data: ConstantData, dtype: DType, shape: Shape): Value {
    if (elementCount(shape) !== data.length) {
      throw new BridleError("SHAPE_MISMATCH", {
        op: "constant",
        reason: `${data.length} elements do not fill [${shape}]`,
      });
    }
    const value = this.value(this.fresh(), dtype, shape);
    this.constants.push({ value, data });
    return value;
  }

  /** Whether a value is the constant 1. */
  isOne(value: Value): boolean {
    const constant = this.constants.find((known) => known.value === value);
    return constant?.data.length === 1 && Number(constant.data[0]) === 1;
  }

  /**
   * Adds one node and answers its outputs.
   * @throws SHAPE_MISMATCH when the inputs do not fit the op; GRAPH_INVALID when the op is not in the table.
   */
  apply(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes = {},
  ): readonly Value[] {
    const definition = ops[op];
    if (definition === undefined) {
      throw new BridleError("GRAPH_INVALID", { reason: `there is no op named ${op}` });
    }
    const outputs = definition
      .infer(inputs, attributes)
      .map(({ dtype, shape }) => this.value(this.fresh(), dtype, shape));
    this.appended.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  /** As `apply`, for an op with one output. */
  one(op: string, inputs: readonly (Value | undefined)[], attributes: Attributes = {}): Value {
    const [output] = this.apply(op, inputs, attributes);
    if (output === undefined)
      throw new BridleError("GRAPH_INVALID", { reason: `${op} has no output` });
    return output;
  }

  /** Gives a value its public name. */
  output(name: string, value: Value): Value {
    const named = this.value(name, value.dtype, value.shape);
    this.appended.push({ op: "identity", inputs: [value], outputs: [named], attributes: {} });
    return named;
  }

  /** The finished graph, with nodes and parameters that no output needs left out. */
  finish(outputs: readonly Value[]): Graph {
    const live = new Set<Value>(outputs);
    const nodes: Node[] = [];
    for (const node of this.appended.toReversed()) {
      if (!node.outputs.some((value) => live.has(value))) continue;
      nodes.push(node);
      for (const value of node.inputs) if (value !== undefined) live.add(value);
    }
    this.keepSizes(nodes, live);
    return {
      inputs: this.inputs.filter((value) => live.has(value)),
      parameters: [...this.parameters.values()].filter((value) => live.has(value)),
      constants: this.constants.filter(({ value }) => live.has(value)),
      nodes: nodes.reverse(),
      outputs: [...outputs],
    };
  }

  /** Keeps the inputs on which a size that some node names can be measured. */
  private keepSizes(nodes: readonly Node[], live: Set<Value>): void {
    const measured = new Set<Dim>();
    for (const { shape } of this.inputs.filter((input) => live.has(input))) {
      for (const dim of shape) measured.add(dim);
    }
    for (const { attributes } of nodes) {
      if (!Array.isArray(attributes.shape)) continue;
      const names = (attributes.shape as readonly Dim[]).flatMap((dim) =>
        typeof dim === "string" ? dim.split("*") : [],
      );
      for (const name of names) {
        const input = this.inputs.find(({ shape }) => shape.includes(name));
        if (measured.has(name) || input === undefined) continue;
        live.add(input);
        for (const dim of input.shape) measured.add(dim);
      }
    }
  }
}
