// An ONNX model as plain data: what lowering makes of a graph and proto.ts writes as bytes.
import type { ConstantData, ValueType } from "./value.js";

/** An ONNX attribute; `float` marks numbers that ONNX stores as floats though they may be whole. */
export type OnnxAttribute =
  | number
  | string
  | boolean
  | readonly number[]
  | { readonly float: number }
  | { readonly graph: OnnxSubgraph };

/** What a node runs where it says so; it may read every value that the graph around it has made before that node. */
export interface OnnxSubgraph {
  readonly nodes: readonly OnnxNode[];
  readonly outputs: readonly OnnxValueInfo[];
}

export interface OnnxNode {
  readonly opType: string;
  readonly domain: string;
  readonly name: string;
  /** Value names; an empty name is an absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** Where an initializer's bytes lie outside the model: a file beside it, and the range in it, in bytes. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

export interface OnnxInitializer extends ValueType {
  readonly name: string;
  readonly data: ConstantData | ExternalData;
}

export interface OnnxValueInfo extends ValueType {
  readonly name: string;
}

export interface OnnxModel {
  /** Versions of the operator sets used, by domain ("" is ONNX's own). */
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly initializers: readonly OnnxInitializer[];
  readonly nodes: readonly OnnxNode[];
}

export function isExternal(data: ConstantData | ExternalData): data is ExternalData {
  return "location" in data;
}
