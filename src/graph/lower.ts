// From a graph to the ONNX model of one target: which weights are fed, and which lie in files the runtime maps.
import { Emitter, microsoft, type Target } from "./emitter.js";
import type { ExternalData, OnnxInitializer, OnnxModel, OnnxNode } from "./onnx.js";
import { ops } from "./ops/index.js";
import type { ConstantData, Graph, Value } from "./value.js";
import { verify } from "./verify.js";

export interface LowerOptions {
  /** `serving` unless said. */
  readonly target?: Target;
  /** A parameter's data, or where its bytes lie in a file; one that is found nowhere is fed as an input. */
  readonly findParameter?: (parameter: Value) => ConstantData | ExternalData | undefined;
  /**
   * Makes each use of a parameter that was found an initializer of its own, at the same place. A runtime that lays
   * one use out anew can then let go of it, though another use needs the elements as they lie.
   */
  readonly separateUses?: boolean;
}

const opsets = { "": 21, [microsoft]: 1 };

/**
 * Lowers a verified graph to ONNX. Optimizes nothing: onnxruntime does that.
 * @throws GRAPH_INVALID or SHAPE_MISMATCH, as `verify` does.
 */
export function lower(graph: Graph, options: LowerOptions = {}): OnnxModel {
  verify(graph);
  const used = new Set(graph.outputs.map(({ name }) => name));
  for (const { inputs } of graph.nodes) {
    for (const input of inputs) if (input !== undefined) used.add(input.name);
  }
  const emitter = new Emitter(options.target ?? "serving", graph.inputs, used);
  const fed: Value[] = [];
  const mapped: OnnxInitializer[] = [];
  const found = new Map<Value, { data: ConstantData | ExternalData; uses: number }>();
  for (const parameter of graph.parameters) {
    const data = options.findParameter?.(parameter);
    if (data === undefined) fed.push(parameter);
    else {
      mapped.push({ ...parameter, data });
      found.set(parameter, { data, uses: 0 });
    }
  }
  const separate = (input: Value | undefined): Value | undefined => {
    const use = input && found.get(input);
    if (input === undefined || use === undefined) return input;
    use.uses += 1;
    if (use.uses === 1) return input;
    const own = { ...input, name: `${input.name}~${use.uses}` };
    mapped.push({ ...own, data: use.data });
    return own;
  };
  // Training's order of execution goes by the nodes that only name outputs.
  const named = options.target === "training" ? new Map<Value, Value>() : namedWhereMade(graph);
  const asNamed = (value: Value) => named.get(value) ?? value;
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    if (node.op === "identity" && output && named.get(node.inputs[0] as Value) === output) continue;
    const given = node.inputs.map((input) => input && asNamed(input));
    const inputs = options.separateUses === true ? given.map(separate) : given;
    ops[node.op]?.emit(emitter, { ...node, inputs, outputs: node.outputs.map(asNamed) });
  }
  const constants = graph.constants.map(({ value, data }) => ({ ...value, data }));
  return {
    opsets,
    inputs: [...graph.inputs, ...fed],
    outputs: graph.outputs,
    initializers: [...mapped, ...constants, ...emitter.initializers],
    nodes: options.target === "training" ? leavesLast(emitter.nodes, graph) : emitter.nodes,
  };
}

/**
 * Values that a node makes and an output only gives another name, with that output: made under its name, such a value lies
 * where the caller wants it, and is not copied inside the graph.
 */
function namedWhereMade({ nodes, outputs }: Graph): ReadonlyMap<Value, Value> {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const isOutput = new Set(outputs);
  const named = new Map<Value, Value>();
  for (const node of nodes) {
    const [value, output] = [node.inputs[0], node.outputs[0]];
    if (node.op !== "identity" || value === undefined || output === undefined) continue;
    if (!isOutput.has(output) || !made.has(value)) continue;
    if (!isOutput.has(value) && !named.has(value)) named.set(value, output);
  }
  return named;
}

/**
 * The same nodes, with those that only make outputs at the end and the first of them last. onnxruntime starts its order
 * of execution from the last node without a reader and works its way back from there: this way each gradient is computed
 * as soon as it can be, and what it was computed from is let go, instead of all of them after the whole walk back.
 */
function leavesLast(nodes: readonly OnnxNode[], graph: Graph): OnnxNode[] {
  const readers = new Map<string, OnnxNode[]>();
  for (const node of nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const names = nodes.filter(
    ({ opType, outputs: made }) => opType === "Identity" && outputs.has(made[0] ?? ""),
  );
  const naming = new Set(names);
  const leaves = nodes.filter((node) => {
    const read = node.outputs.flatMap((output) => readers.get(output) ?? []);
    return !naming.has(node) && read.length > 0 && read.every((reader) => naming.has(reader));
  });
  const last = new Set([...leaves, ...names]);
  return [
    ...nodes.filter((node) => !last.has(node)),
    ...leaves.toReversed(),
    ...names.toReversed(),
  ];
}
