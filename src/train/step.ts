// One optimizer step: micro-batches through the training graph, their gradients joined, clipped and applied in place.
import type { OptimizerOptions } from "../config/optimizer-options.js";
import { BridleError } from "../errors/error.js";
import type { Family, ModelConfig } from "../model/family.js";
import {
  batchFeeds,
  countLabels,
  type GradientGraphOptions,
  gradientGraph,
  type LabelledBatch,
  namedSizes,
} from "../model/gradient.js";
import { openGradients } from "../model/gradient-session.js";
import { timed } from "../runtime/profile/profiler.js";
import type { SessionOptions } from "../runtime/session.js";
import type { Tensor } from "../runtime/tensor.js";
import { copyWeight, type HeldWeights, readWeight, type Weights } from "../runtime/weights.js";
import { DropoutMasks } from "./dropout-masks.js";
import {
  type AccumulationMode,
  accumulate,
  clippingScale,
  findNonFinite,
  globalNorm,
  microBatchWeights,
} from "./gradients.js";
import { createOptimizer } from "./optimizers/create.js";
import { allocateTensors, type Tensors } from "./tensor-memory.js";
import { rampedDecay, startAverage, updateAverage } from "./weight-average.js";

export interface TrainingStepOptions extends GradientGraphOptions {
  readonly optimizer: OptimizerOptions;
  readonly accumulate: number;
  readonly accumulationMode: AccumulationMode;
  readonly maxGradNorm: number | null;
  /** Decay of the running average of the weights, or null for none. */
  readonly averageDecay: number | null;
  readonly seed: number;
  readonly session: SessionOptions;
}

export interface StepPlace {
  /** How many steps came before; the first is 0. */
  readonly index: number;
  readonly learningRate: number;
}

export interface StepResult {
  readonly loss: number;
  /** Length of the joined gradients before clipping. */
  readonly gradNorm: number;
  /** What the optimizer went by, before it scales it by a parameter's size. */
  readonly learningRate: number;
}

export interface TrainingStep {
  /** Every parameter of the graph; those learned are views that each step changes. */
  readonly weights: HeldWeights;
  /** What is learned, and what must be kept to go on from here, by part (`weight`, the optimizer's slots, `average`). */
  readonly state: Readonly<Record<string, Tensors>>;
  /** The running average where there is one, else the weights learned. */
  readonly result: Tensors;
  /**
   * @throws LOSS_NOT_FINITE naming the first tensor that is not; MASKS_TOO_LARGE, RUN_FAILED, SHAPE_MISMATCH
   */
  run(microBatches: readonly LabelledBatch[], place: StepPlace): Promise<StepResult>;
  /**
   * Looks at the weights as the last step left them; `run` sees only what it was given.
   * @throws LOSS_NOT_FINITE naming the first that is no number
   */
  checkWeights(last: { readonly step: number; readonly loss: number }): void;
  close(): Promise<void>;
}

/**
 * Opens the training graph on a copy of the weights that are learned; the others are used as they are, and read where
 * they lie in files.
 * @param initial every parameter of the graph
 * @throws WEIGHT_MISSING, WEIGHTS_CORRUPT, MEMORY_EXHAUSTED, TENSOR_TOO_LARGE, DEVICE_UNAVAILABLE
 */
export async function openTrainingStep<C extends ModelConfig>(
  family: Family<C>,
  config: C,
  initial: Weights,
  options: TrainingStepOptions,
): Promise<TrainingStep> {
  const graph = gradientGraph(family, config, options);
  const optimizer = createOptimizer(options.optimizer);
  const joined = options.accumulate > 1;
  const memory = allocateTensors(
    graph.gradients.map(({ parameter, shape }) => {
      const { parts, scratchBytes } = optimizer.requirements(shape);
      const own = { weight: shape, gradient: shape };
      const extra = {
        ...(joined && { joined: shape }),
        ...(options.averageDecay !== null && { average: shape }),
      };
      return { name: parameter, parts: { ...own, ...extra, ...parts }, scratchBytes };
    }),
  );
  const learned = memory.tensors("weight");
  const weights = new Map<string, Tensor>(learned);
  for (const [name, { data }] of learned) {
    const from = initial.get(name);
    if (from === undefined) throw new BridleError("WEIGHT_MISSING", { name });
    await copyWeight(from, data);
  }
  for (const [name, weight] of initial) {
    if (!learned.has(name)) weights.set(name, await readWeight(weight));
  }
  const optimizerState = optimizer.init(learned, memory);
  const average = memory.tensors("average");
  if (average.size > 0) startAverage(average, learned);
  const gradients = memory.tensors("gradient");
  const total = joined ? memory.tensors("joined") : gradients;
  const session = await openGradients(graph, weights, options.session);
  const masks = new DropoutMasks(graph.masks, options.seed);
  const { profiler } = options.session;

  return {
    weights,
    state: { weight: learned, ...optimizerState, ...(average.size > 0 && { average }) },
    result: average.size > 0 ? average : learned,
    async run(microBatches, { index, learningRate }) {
      const shares = microBatchWeights(options.accumulationMode, microBatches.map(countLabels));
      let loss = 0;
      for (const [i, batch] of microBatches.entries()) {
        const feeds = timed(profiler, "feeds", () =>
          batchFeeds(config, batch, 1 / Math.max(1, countLabels(batch))),
        );
        const dropped = timed(profiler, "masks", () =>
          masks.next(namedSizes(graph.graph, feeds), index * options.accumulate + i),
        );
        const answer = await session.run({ ...feeds, ...dropped }, gradients);
        const weight = shares[i] as number;
        loss += weight * answer.loss;
        if (joined) {
          timed(profiler, "accumulate", () =>
            accumulate(total, gradients, { weight, first: i === 0 }),
          );
        }
      }
      const gradNorm = timed(profiler, "norm", () => globalNorm(total));
      if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
        throw notFinite(index + 1, loss, weights, learned, total);
      }
      const { maxGradNorm } = options;
      const gradientScale = maxGradNorm === null ? 1 : clippingScale(gradNorm, maxGradNorm);
      timed(profiler, "optimizer", () =>
        optimizer.update(learned, total, optimizerState, {
          index,
          lr: learningRate,
          gradientScale,
        }),
      );
      const { averageDecay } = options;
      if (averageDecay !== null) {
        timed(profiler, "average", () =>
          updateAverage(average, learned, rampedDecay(averageDecay, index)),
        );
      }
      return { loss, gradNorm, learningRate: optimizer.rate(index, learningRate) };
    },
    checkWeights({ step, loss }) {
      if (!Number.isFinite(globalNorm(learned))) throw notFinite(step, loss, weights, learned);
    },
    close: () => session.close(),
  };
}

/** @param weights all of the graph; those that are not learned may be what a model was given with */
function notFinite(
  step: number,
  loss: number,
  weights: HeldWeights,
  learned: Tensors,
  gradients?: Tensors,
): BridleError {
  const frozen = [...weights].find(([name, { data }]) => !learned.has(name) && !areNumbers(data));
  const inWeights = findNonFinite(learned);
  const found = inWeights ?? (gradients && findNonFinite(gradients));
  let what = "no weight and no gradient is";
  if (frozen !== undefined) what = `${frozen[0]} is not, which the model was given with`;
  else if (found !== undefined) {
    what = `the first is element ${found.index} of ${inWeights ? "" : "the gradient of "}${found.name}`;
  }
  return new BridleError("LOSS_NOT_FINITE", { step, loss, what });
}

/** Whether every element is a number; whole numbers all are. */
function areNumbers(data: Tensor["data"]): boolean {
  return !(data instanceof Float32Array) || data.every((element) => Number.isFinite(element));
}
