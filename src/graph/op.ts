// What an op is: a rule for its output types and a way to emit ONNX, in one table entry.
import { BridleError } from "../errors/error.js";
import type { Emitter } from "./emitter.js";
import {
  type Attributes,
  type Dim,
  describe,
  type Node,
  type Shape,
  type ValueType,
} from "./value.js";

export interface OpDefinition {
  /**
   * Types of the outputs for the given inputs.
   * @throws SHAPE_MISMATCH when the inputs do not fit.
   */
  infer(inputs: readonly (ValueType | undefined)[], attributes: Attributes): readonly ValueType[];
  /** Appends the ONNX nodes that compute `node`, ending in values named as its outputs. */
  emit(emitter: Emitter, node: Node): void;
}

export type OpTable = Readonly<Record<string, OpDefinition>>;

export function mismatch(op: string, reason: string, ...types: ValueType[]): BridleError {
  return new BridleError("SHAPE_MISMATCH", {
    op,
    reason: types.length > 0 ? `${reason}: ${types.map(describe).join(", ")}` : reason,
  });
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
