// The table of every op a graph may hold.
import type { OpTable } from "../op.js";
import { attentionOps } from "./attention.js";
import { crossEntropyOps } from "./cross-entropy.js";
import { dropoutOps } from "./dropout.js";
import { elementwise } from "./elementwise.js";
import { headOps } from "./heads.js";
import { linearOps } from "./linear.js";
import { multiHeadAttentionOps } from "./multi-head-attention.js";
import { normOps } from "./norm.js";
import { quantizedOps } from "./quantized.js";
import { quantizedAttentionOps } from "./quantized-attention.js";
import { reduceOps } from "./reduce.js";
import { selectOps } from "./select.js";
import { shapeOps } from "./shape.js";

export const ops: OpTable = {
  ...elementwise,
  ...reduceOps,
  ...shapeOps,
  ...headOps,
  ...linearOps,
  ...normOps,
  ...attentionOps,
  ...multiHeadAttentionOps,
  ...selectOps,
  ...dropoutOps,
  ...crossEntropyOps,
  ...quantizedOps,
  ...quantizedAttentionOps,
};
