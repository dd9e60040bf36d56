// What an op is: a rule for its output types, a way to emit ONNX and its gradient, in one table entry.
import { BridleError } from "../errors/error.js";
import type { GraphBuilder } from "./builder.js";
import type { Emitter } from "./emitter.js";
import {
  type Attributes,
  type Dim,
  describe,
  type Node,
  type Shape,
  type Value,
  type ValueType,
} from "./value.js";

/** Slices of a gradient: row i is added at `indices[i]` of the first axis; rows of the index `padding` are left out. */
export interface GradientRows {
  readonly indices: Value;
  /** The shape of `indices`, then that of one slice. */
  readonly rows: Value;
  readonly padding?: number | undefined;
}

/**
 * What flows back into an input: a value of its shape; a function that makes one, adding `onto` it what has come from
 * elsewhere where that costs nothing; or, for a table that is looked up, slices of it.
 */
export type Cotangent =
  | Value
  | ((onto: Value | undefined) => Value)
  | { readonly dense?: Value | undefined; readonly rows: GradientRows };

export interface VjpCall {
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
  /** One for each output; undefined where nothing depends on it. */
  readonly cotangents: readonly (Value | undefined)[];
  /** Whether the gradient of the input at an index is wanted. */
  readonly wants: (index: number) => boolean;
}

/** Vector-Jacobian product: appends the nodes that carry cotangents of the outputs back to the inputs, one for each input. */
export type Vjp = (g: GraphBuilder, call: VjpCall) => readonly (Cotangent | undefined)[];

/** Why an op has no gradient. */
export interface NoGradient {
  readonly reason: string;
}

export interface OpDefinition {
  /**
   * Types of the outputs for the given inputs.
   * @throws SHAPE_MISMATCH when the inputs do not fit.
   */
  infer(inputs: readonly (ValueType | undefined)[], attributes: Attributes): readonly ValueType[];
  /** Appends the ONNX nodes that compute `node`, ending in values named as its outputs. */
  emit(emitter: Emitter, node: Node): void;
  readonly vjp: Vjp | NoGradient;
}

export type OpTable = Readonly<Record<string, OpDefinition>>;

export function mismatch(op: string, reason: string, ...types: ValueType[]): BridleError {
  return new BridleError("SHAPE_MISMATCH", {
    op,
    reason: types.length > 0 ? `${reason}: ${types.map(describe).join(", ")}` : reason,
  });
}

/** The cotangent of the only output that has one. */
export function cotangentOf(op: string, call: VjpCall): Value {
  if (call.cotangents.slice(1).some((other) => other !== undefined)) {
    throw new BridleError("GRADIENT_MISSING", {
      op,
      reason: "only its first output can be differentiated through",
    });
  }
  return required(op, call.cotangents, 0);
}

/** The input at `index`, which the op cannot do without. */
export function required<T>(op: string, inputs: readonly (T | undefined)[], index: number): T {
  const input = inputs[index];
  if (input === undefined) throw mismatch(op, `input ${index} is missing`);
  return input;
}

/**
 * Shape of an elementwise result, by NumPy's rule: sizes match or one of them is 1.
 * @throws SHAPE_MISMATCH
 */
export function broadcast(op: string, a: ValueType, b: ValueType): Shape {
  const rank = Math.max(a.shape.length, b.shape.length);
  const shape: Dim[] = [];
  for (let i = 1; i <= rank; i++) {
    const x = a.shape.at(-i) ?? 1;
    const y = b.shape.at(-i) ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw mismatch(op, "shapes do not broadcast", a, b);
    shape.unshift(x === 1 ? y : x);
  }
  return shape;
}

/** An axis counted from the front, whichever way it was given. */
export function axisOf(op: string, axis: number, type: ValueType): number {
  const rank = type.shape.length;
  const normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= rank || !Number.isInteger(axis)) {
    throw mismatch(op, `axis ${axis} is outside`, type);
  }
  return normal;
}
