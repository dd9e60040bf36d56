// What a legal graph is: checked before any graph is lowered.
import { BridleError } from "../errors/error.js";
import { ops } from "./ops/index.js";
import { describe, type Graph, sameShape, type Value } from "./value.js";

function invalid(reason: string): BridleError {
  return new BridleError("GRAPH_INVALID", { reason });
}

/**
 * Checks that names are unique, every value is made before it is used, every op is in the table,
 * and every output has the type its op infers.
 * @throws GRAPH_INVALID or SHAPE_MISMATCH, naming the node.
 */
export function verify(graph: Graph): void {
  const made = new Map<string, Value>();
  const make = (value: Value, where: string) => {
    if (value.name === "") throw invalid(`${where} makes a value without a name`);
    if (made.has(value.name)) throw invalid(`${where} makes ${value.name} a second time`);
    made.set(value.name, value);
  };
  for (const value of graph.inputs) make(value, "an input");
  for (const value of graph.parameters) make(value, "a parameter");
  for (const { value, data } of graph.constants) {
    make(value, "a constant");
    const count = value.shape.reduce<number>((product, dim) => product * Number(dim), 1);
    if (count !== data.length) {
      throw invalid(`constant ${describe(value)} holds ${data.length} elements`);
    }
  }
  for (const [index, node] of graph.nodes.entries()) {
    const where = `node ${index} (${node.op})`;
    const definition = ops[node.op];
    if (definition === undefined) throw invalid(`${where} is no op of the table`);
    for (const input of node.inputs) {
      if (input !== undefined && made.get(input.name) !== input) {
        throw invalid(`${where} uses ${input.name} before it is made`);
      }
    }
    const types = definition.infer(node.inputs, node.attributes);
    if (types.length !== node.outputs.length) {
      throw invalid(`${where} has ${node.outputs.length} outputs, its op makes ${types.length}`);
    }
    for (const [i, output] of node.outputs.entries()) {
      const type = types[i];
      if (!type || type.dtype !== output.dtype || !sameShape(type.shape, output.shape)) {
        throw invalid(`${where} makes ${type && describe(type)}, declared ${describe(output)}`);
      }
      make(output, where);
    }
  }
  if (graph.outputs.length === 0) throw invalid("it has no output");
  for (const output of graph.outputs) {
    if (made.get(output.name) !== output) throw invalid(`output ${output.name} is made by no node`);
  }
}
