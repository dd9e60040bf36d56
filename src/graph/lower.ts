// From a graph to the ONNX model of one target: which weights are fed, and which lie in files the runtime maps.
import { Emitter, microsoft, type Target } from "./emitter.js";
import type { ExternalData, OnnxInitializer, OnnxModel } from "./onnx.js";
import { ops } from "./ops/index.js";
import type { ConstantData, Graph, Value } from "./value.js";
import { verify } from "./verify.js";

export interface LowerOptions {
  /** `serving` unless said. */
  readonly target?: Target;
  /** A parameter's data, or where its bytes lie in a file; one that is found nowhere is fed as an input. */
  readonly findParameter?: (parameter: Value) => ConstantData | ExternalData | undefined;
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
  for (const parameter of graph.parameters) {
    const data = options.findParameter?.(parameter);
    if (data === undefined) fed.push(parameter);
    else mapped.push({ ...parameter, data });
  }
  for (const node of graph.nodes) ops[node.op]?.emit(emitter, node);
  const constants = graph.constants.map(({ value, data }) => ({ ...value, data }));
  return {
    opsets,
    inputs: [...graph.inputs, ...fed],
    outputs: graph.outputs,
    initializers: [...mapped, ...constants, ...emitter.initializers],
    nodes: emitter.nodes,
  };
}
