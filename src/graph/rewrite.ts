// Copies a graph node by node into a new builder, replacing what a rule replaces: how one definition serves every use.
import { GraphBuilder } from "./builder.js";
import type { Graph, Node, Value } from "./value.js";

/**
 * What stands for a node in the copy, given the copies of its inputs: the values for its outputs, or undefined to copy
 * the node as it is.
 */
export type RewriteRule = (
  g: GraphBuilder,
  node: Node,
  inputs: readonly (Value | undefined)[],
) => readonly Value[] | undefined;

export interface Rewritten {
  readonly g: GraphBuilder;
  /** The copy of a value; of an output, the value that it names. @throws nothing; a value of another graph is itself */
  readonly copyOf: (value: Value) => Value;
}

/** A new builder that holds the graph, with outputs still to be named by whoever finishes it. */
export function rewrite(graph: Graph, rule: RewriteRule = () => undefined): Rewritten {
  const g = new GraphBuilder();
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value) => copies.get(value) ?? value;
  for (const value of graph.inputs)
    copies.set(value, g.input(value.name, value.dtype, value.shape));
  for (const value of graph.parameters) {
    copies.set(value, g.parameter(value.name, value.shape, value.dtype));
  }
  for (const { value, data } of graph.constants) {
    copies.set(value, g.constant(data, value.dtype, value.shape));
  }
  const outputs = new Set(graph.outputs);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => input && copyOf(input));
    const [only] = node.outputs;
    if (node.op === "identity" && only !== undefined && outputs.has(only) && inputs[0]) {
      copies.set(only, inputs[0]);
      continue;
    }
    const made = rule(g, node, inputs) ?? g.apply(node.op, inputs, node.attributes);
    for (const [i, output] of node.outputs.entries()) {
      const copy = made[i];
      if (copy !== undefined) copies.set(output, copy);
    }
  }
  return { g, copyOf };
}

/** A graph with the same outputs, made by a rule. */
export function rewriteGraph(graph: Graph, rule: RewriteRule): Graph {
  const { g, copyOf } = rewrite(graph, rule);
  return g.finish(graph.outputs.map((output) => g.output(output.name, copyOf(output))));
}

/** As `rewrite` with each rule in turn, so that a later one sees what an earlier one made. */
export function rewriteInTurn(graph: Graph, rules: readonly RewriteRule[]): Rewritten {
  let last = rewrite(graph, rules[0]);
  for (const rule of rules.slice(1)) {
    const { g, copyOf } = last;
    const made = g.finish(graph.outputs.map((output) => g.output(output.name, copyOf(output))));
    const next = rewrite(made, rule);
    last = { g: next.g, copyOf: (value) => next.copyOf(copyOf(value)) };
  }
  return last;
}

/** A dropout mask that a training graph is fed: 0 where an element is dropped, 1/(1 − rate) where it is kept. */
export interface DropoutMask {
  readonly input: Value;
  readonly rate: number;
}

/**
 * A rule that gives every node with a `dropout` attribute a mask to be fed, and the list that it fills.
 * Masks are named `dropout.0`, `dropout.1`, … in the order of the nodes.
 */
export function feedDropout(): { rule: RewriteRule; masks: DropoutMask[] } {
  const masks: DropoutMask[] = [];
  const rule: RewriteRule = (g, node, inputs) => {
    const { dropout: rate, ...attributes } = node.attributes;
    if (typeof rate !== "number") return undefined;
    // Of attention, its weights are dropped; they are its second output.
    const [place, dropped] = node.op === "attention" ? [4, node.outputs[1]] : [1, node.outputs[0]];
    if (dropped === undefined) return undefined;
    const input = g.input(`dropout.${masks.length}`, "float32", dropped.shape);
    masks.push({ input, rate });
    const fed = [...inputs];
    fed[place] = input;
    return g.apply(node.op, Array.from(fed), attributes);
  };
  return { rule, masks };
}
