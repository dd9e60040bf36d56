// The graph room's public face, `bridle/graph`: build, verify, lower and write ONNX graphs with no dependencies.
export { GraphBuilder } from "./builder.js";
export type { Target } from "./emitter.js";
export { type Gradient, type GradOptions, grad } from "./grad.js";
export { type LowerOptions, lower } from "./lower.js";
export type {
  ExternalData,
  OnnxAttribute,
  OnnxInitializer,
  OnnxModel,
  OnnxNode,
  OnnxSubgraph,
  OnnxValueInfo,
} from "./onnx.js";
export type { GradientRows } from "./op.js";
export * from "./ops/attention.js";
export * from "./ops/cross-entropy.js";
export * from "./ops/dropout.js";
export * from "./ops/elementwise.js";
export * from "./ops/heads.js";
export * from "./ops/linear.js";
export { joinHeads } from "./ops/multi-head-attention.js";
export * from "./ops/norm.js";
export {
  blockSize,
  type QuantizationPlan,
  quantizedNames,
  quantizeWeights,
  type WholeNumber,
  zeroOf,
} from "./ops/quantized.js";
export { quantizedAttention, quantizeMemory } from "./ops/quantized-attention.js";
export * from "./ops/reduce.js";
export * from "./ops/select.js";
export * from "./ops/shape.js";
export { decodeModel, encodeModel } from "./proto.js";
export {
  type DropoutMask,
  feedDropout,
  type RewriteRule,
  type Rewritten,
  rewrite,
  rewriteGraph,
  rewriteInTurn,
} from "./rewrite.js";
export type {
  Attribute,
  Attributes,
  Constant,
  ConstantData,
  Dim,
  DType,
  Graph,
  Node,
  Shape,
  Value,
  ValueType,
} from "./value.js";
export { dtypes } from "./value.js";
export { verify } from "./verify.js";
