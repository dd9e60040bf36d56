// What flows through a graph: values with a dtype and a shape, and the nodes that make them. All of it is immutable data.

export const dtypes = {
  float32: { onnx: 1, bytes: 4 },
  uint8: { onnx: 2, bytes: 1 },
  int8: { onnx: 3, bytes: 1 },
  int32: { onnx: 6, bytes: 4 },
  int64: { onnx: 7, bytes: 8 },
  bool: { onnx: 9, bytes: 1 },
  float16: { onnx: 10, bytes: 2 },
  bfloat16: { onnx: 16, bytes: 2 },
} as const;

export type DType = keyof typeof dtypes;

/** A size known now, or the name of one known only when the graph runs ("batch"). Equal names mean equal sizes. */
export type Dim = number | string;
export type Shape = readonly Dim[];

export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** One tensor of a graph, named uniquely in it. */
export interface Value extends ValueType {
  readonly name: string;
}

export type Attribute = number | string | boolean | readonly Dim[];
export type Attributes = Readonly<Record<string, Attribute>>;

/** One application of an op. An absent optional input is undefined. */
export interface Node {
  readonly op: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

/** Data the graph carries in itself; small ones only, weights are parameters. */
export interface Constant {
  readonly value: Value;
  readonly data: ConstantData;
}

export type ConstantData = Float32Array | Int32Array | BigInt64Array | Uint8Array | Int8Array;

/** Nodes stand in an order in which every value is made before it is used. */
export interface Graph {
  readonly inputs: readonly Value[];
  /** Weights, named as in the checkpoint: fed or mapped by the runtime, learned by training. */
  readonly parameters: readonly Value[];
  readonly constants: readonly Constant[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
}

/** Number of elements, or undefined while a dimension is only named. */
export function elementCount(shape: Shape): number | undefined {
  let count = 1;
  for (const dim of shape) {
    if (typeof dim === "string") return undefined;
    count *= dim;
  }
  return count;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** "float32[batch,8,64]", for messages. */
export function describe(type: ValueType): string {
  return `${type.dtype}[${type.shape.join(",")}]`;
}
