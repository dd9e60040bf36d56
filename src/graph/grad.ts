// Reverse-mode automatic differentiation: one walk back over a graph's nodes, each answered by its op's vjp.
import { BridleError } from "../errors/error.js";
import type { GraphBuilder } from "./builder.js";
import type { Cotangent, GradientRows } from "./op.js";
import { add, waitFor } from "./ops/elementwise.js";
import { ops } from "./ops/index.js";
import { type Node, sameShape, type Value } from "./value.js";

/** The gradient of one value: a tensor of its shape, plus slices that whoever reads it adds; without either it is zero. */
export interface Gradient {
  readonly dense: Value | undefined;
  readonly rows: readonly GradientRows[];
}

export interface GradOptions {
  /**
   * Values between which the forward pass is computed again on the way back, in the order they are made: what lies
   * between two of them is not kept. Source: Chen et al. 2016.
   */
  readonly checkpoints?: readonly Value[];
}

/**
 * Appends to the graph the nodes that compute the gradient of a scalar with respect to each wanted value.
 * Where a value is used more than once, what flows back adds up.
 * @throws GRADIENT_MISSING naming the op when a path leads through one without a gradient; GRAPH_INVALID when the loss
 * is no scalar or a vjp answers another shape
 */
export function grad(
  g: GraphBuilder,
  loss: Value,
  wanted: readonly Value[],
  { checkpoints = [] }: GradOptions = {},
): Map<Value, Gradient> {
  if (loss.shape.length > 0) {
    throw new BridleError("GRAPH_INVALID", {
      reason: `a gradient is taken of a scalar, and ${loss.name} is [${loss.shape}]`,
    });
  }
  const forward = [...g.nodes];
  const onPath = dependents(forward, wanted);
  const flows = new Flows(g);
  const replay = new Replay(g, forward, checkpoints);
  flows.add(loss, g.constant(Float32Array.of(1), "float32", []));
  for (const [i, node] of forward.toReversed().entries()) {
    if (!node.outputs.some((output) => onPath.has(output))) continue;
    const cotangents = node.outputs.map((output) => flows.take(output));
    const first = cotangents.find((cotangent) => cotangent !== undefined);
    if (first === undefined) continue;
    const vjp = ops[node.op]?.vjp;
    if (typeof vjp !== "function") {
      throw new BridleError("GRADIENT_MISSING", {
        op: node.op,
        reason: vjp?.reason ?? "it is no op of the table",
      });
    }
    const same = replay.of(forward.length - 1 - i, first);
    const results = vjp(g, {
      inputs: node.inputs.map((input) => input && same(input)),
      outputs: node.outputs.map(same),
      attributes: node.attributes,
      cotangents,
      wants: (index) => {
        const input = node.inputs[index];
        return input !== undefined && onPath.has(input);
      },
    });
    for (const [index, cotangent] of results.entries()) {
      const input = node.inputs[index];
      if (input !== undefined && cotangent !== undefined && onPath.has(input)) {
        flows.add(input, cotangent);
      }
    }
  }
  return new Map(wanted.map((value) => [value, flows.gradient(value)]));
}

/** The wanted values and every float value computed from them. */
function dependents(nodes: readonly Node[], wanted: readonly Value[]): Set<Value> {
  const reached = new Set(wanted);
  for (const { op, inputs, outputs } of nodes) {
    if (op === "stopGradient" || !inputs.some((input) => input && reached.has(input))) continue;
    for (const output of outputs) if (output.dtype === "float32") reached.add(output);
  }
  return reached;
}

/** What has flowed back into each value so far. */
class Flows {
  private readonly g: GraphBuilder;
  private readonly arrived = new Map<Value, Cotangent[]>();

  constructor(g: GraphBuilder) {
    this.g = g;
  }

  add(value: Value, cotangent: Cotangent): void {
    const before = this.arrived.get(value);
    if (before === undefined) this.arrived.set(value, [cotangent]);
    else before.push(cotangent);
  }

  /** The sum of what has arrived at a value that is computed, taken when all of it has. */
  take(value: Value): Value | undefined {
    const { dense, rows } = this.gradient(value);
    if (rows.length > 0) {
      throw new BridleError("GRADIENT_MISSING", {
        op: "gather",
        reason: `${value.name} is looked up by index, which only a parameter can be`,
      });
    }
    if (dense !== undefined) this.arrived.set(value, [dense]);
    return dense;
  }

  gradient(value: Value): Gradient {
    let dense: Value | undefined;
    const rows: GradientRows[] = [];
    const open: ((onto: Value | undefined) => Value)[] = [];
    for (const cotangent of this.arrived.get(value) ?? []) {
      if (typeof cotangent === "function") open.push(cotangent);
      else if ("rows" in cotangent) {
        rows.push(cotangent.rows);
        if (cotangent.dense) dense = this.sum(dense, cotangent.dense);
      } else dense = this.sum(dense, cotangent);
    }
    // Those that can add to a sum come last, and take it in.
    for (const make of open) dense = make(dense);
    if (dense !== undefined && !sameShape(dense.shape, value.shape)) {
      throw new BridleError("GRAPH_INVALID", {
        reason: `the gradient of ${value.name} [${value.shape}] came out as [${dense.shape}]`,
      });
    }
    return { dense, rows };
  }

  private sum(a: Value | undefined, b: Value): Value {
    return a === undefined ? b : add(this.g, a, b);
  }
}

/** Computes stretches of the forward pass again, each when the walk back first enters it. */
class Replay {
  private readonly g: GraphBuilder;
  private readonly forward: readonly Node[];
  /** Index of the node that makes each checkpoint, in order. */
  private readonly borders: readonly number[];
  private readonly made = new Map<number, Map<Value, Value>>();
  private readonly inForward = new Set<Value>();

  constructor(g: GraphBuilder, forward: readonly Node[], checkpoints: readonly Value[]) {
    this.g = g;
    this.forward = forward;
    this.borders = checkpoints
      .map((value) => forward.findIndex(({ outputs }) => outputs.includes(value)))
      .filter((index) => index >= 0)
      .sort((a, b) => a - b);
    for (const { outputs } of forward) for (const output of outputs) this.inForward.add(output);
  }

  /** For the node at an index: from a value of the forward pass to the one to differentiate with. */
  of(index: number, cotangent: Value): (value: Value) => Value {
    const next = this.borders.findIndex((border) => border >= index);
    // What follows the last checkpoint is still there, and what comes before the first is cheap.
    if (next <= 0) return (value) => value;
    let values = this.made.get(next);
    if (values === undefined) {
      values = this.replay(
        this.borders[next - 1] as number,
        this.borders[next] as number,
        cotangent,
      );
      this.made.set(next, values);
    }
    const again = values;
    return (value) => again.get(value) ?? value;
  }

  private replay(after: number, last: number, cotangent: Value): Map<Value, Value> {
    const values = new Map<Value, Value>();
    const waiting = new Map<Value, Value>();
    const stretch = this.forward.slice(after + 1, last + 1);
    const made = new Set(stretch.flatMap(({ outputs }) => outputs));
    /** A value from before the stretch, there only once the cotangent is: else it would be computed at once, and kept. */
    const wait = (value: Value): Value => {
      if (!this.inForward.has(value) || value.dtype !== "float32") return value;
      const known = waiting.get(value);
      if (known !== undefined) return known;
      const late = waitFor(this.g, value, cotangent);
      waiting.set(value, late);
      return late;
    };
    for (const node of stretch) {
      const inputs = node.inputs.map((input) => {
        if (input === undefined) return undefined;
        return made.has(input) ? values.get(input) : wait(input);
      });
      const outputs = this.g.apply(node.op, inputs, node.attributes);
      for (const [i, output] of node.outputs.entries()) {
        values.set(output, outputs[i] as Value);
      }
    }
    return values;
  }
}
