// Dropout, which does nothing until a training graph is given masks for it.
import type { GraphBuilder } from "../builder.js";
import { broadcast, cotangentOf, type OpTable, required } from "../op.js";
import type { Value } from "../value.js";
import { mul } from "./elementwise.js";

export const dropoutOps: OpTable = {
  dropout: {
    infer(inputs) {
      const x = required("dropout", inputs, 0);
      const kept = inputs[1];
      if (kept !== undefined) broadcast("dropout", x, kept);
      return [x];
    },
    emit(e, node) {
      const x = required("dropout", node.inputs, 0);
      const kept = node.inputs[1];
      const output = required("dropout", node.outputs, 0).name;
      if (kept === undefined) e.into([output], "Identity", [x.name]);
      else e.into([output], "Mul", [x.name, kept.name]);
    },
    vjp(g, call) {
      const d = cotangentOf("dropout", call);
      const kept = call.inputs[1];
      return [kept === undefined ? d : mul(g, d, kept)];
    },
  },
};

/**
 * x, of which training drops a share of the elements and scales the others up by 1/(1 − rate).
 * The masks are fed: `feedDropout` makes inputs of them. Source: Srivastava et al. 2014.
 */
export const dropout = (g: GraphBuilder, x: Value, rate: number): Value =>
  rate === 0 ? x : g.one("dropout", [x], { dropout: rate });
