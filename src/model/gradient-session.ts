// Runs a training graph: a batch in, its loss and every gradient out, slices of tables already added in.
import { BridleError } from "../errors/error.js";
import { timed } from "../runtime/profile/profiler.js";
import { openSession, type Session, type SessionOptions } from "../runtime/session.js";
import { float32, size, type Tensor } from "../runtime/tensor.js";
import type { HeldWeights } from "../runtime/weights.js";
import { addRows, type GradientGraph, type GradientOutput } from "./gradient.js";

export interface BatchGradients {
  readonly loss: number;
  /** By parameter name; the tensors given to `run`, where some were. */
  readonly gradients: Map<string, Tensor<"float32">>;
}

export interface GradientSession {
  /**
   * Runs one batch.
   * @param feeds as `batchFeeds` makes them, and the dropout masks the graph asks for
   * @param into tensors that gradients are written into, in place of new ones
   * @throws RUN_FAILED with onnxruntime's words
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    into?: ReadonlyMap<string, Tensor<"float32">>,
  ): Promise<BatchGradients>;
  close(): Promise<void>;
}

/** Opens a training graph on its weights, which are fed from where they lie: change them in place between runs. */
export async function openGradients(
  { graph, gradients }: GradientGraph,
  weights: HeldWeights,
  options: SessionOptions = {},
): Promise<GradientSession> {
  const session: Session = await openSession(graph, weights, {
    ...{ ...options, target: "training", label: "gradients" },
  });
  return {
    async run(feeds, into) {
      const targets = new Map(
        gradients.map(({ parameter, shape }) => [
          parameter,
          into?.get(parameter) ?? float32(new Float32Array(size(shape)), shape),
        ]),
      );
      const fetches: Record<string, Tensor> = {};
      for (const { parameter, dense } of gradients) {
        const target = targets.get(parameter);
        if (dense !== undefined && target !== undefined) fetches[dense] = target;
      }
      const outputs = await session.run(feeds, fetches);
      timed(options.profiler, "tables", () => {
        for (const gradient of gradients) {
          const target = targets.get(gradient.parameter);
          if (target !== undefined) collect(gradient, target, feeds, outputs);
        }
      });
      return { loss: Number(outputs.loss?.data[0]), gradients: targets };
    },
    close: () => session.close(),
  };
}

function collect(
  { parameter, dense, rows }: GradientOutput,
  target: Tensor<"float32">,
  feeds: Readonly<Record<string, Tensor>>,
  outputs: Readonly<Record<string, Tensor>>,
): void {
  if (dense === undefined) target.data.fill(0);
  for (const { output, indices, padding } of rows) {
    const slices = outputs[output] as Tensor<"float32"> | undefined;
    const ids = (feeds[indices] ?? outputs[indices]) as Tensor<"int64"> | undefined;
    if (slices === undefined || ids === undefined) {
      throw new BridleError("BUG", { reason: `the gradient of ${parameter} lacks ${output}` });
    }
    addRows(target.data, slices.data, ids.data, slices.shape.at(-1) ?? 0, padding);
  }
}
