// Trains as recorded runs were trained, step by step, for the suites that compare whole runs.
// @ts-check
import { GoldenFileError } from "./golden-folder.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../src/model/gradient.js")} */
const { batchFeeds, countLabels, gradientGraph } = await compiled("model/gradient.js");
/** @type {typeof import("../../src/model/gradient-session.js")} */
const { openGradients } = await compiled("model/gradient-session.js");
/** @type {typeof import("../../src/config/optimizer-options.js")} */
const { OptimizerOptions } = await compiled("config/optimizer-options.js");
/** @type {typeof import("../../src/config/schedule-options.js")} */
const { ScheduleOptions } = await compiled("config/schedule-options.js");
/** @type {typeof import("../../src/train/optimizers/create.js")} */
const { createOptimizer } = await compiled("train/optimizers/create.js");
/** @type {typeof import("../../src/train/schedule.js")} */
const { createSchedule } = await compiled("train/schedule.js");
/** @type {typeof import("../../src/train/tensor-memory.js")} */
const { allocateTensors } = await compiled("train/tensor-memory.js");
/** @type {typeof import("../../src/train/gradients.js")} */
const { accumulate, clippingScale, globalNorm, microBatchWeights } =
  await compiled("train/gradients.js");
/** @type {typeof import("../../src/runtime/tensor.js")} */
const { float32 } = await compiled("runtime/tensor.js");
/** @type {typeof import("../../src/text/seeded-random.js")} */
const { seededRandom } = await compiled("text/seeded-random.js");

/**
 * @typedef {{optimizer: string, lr: number | null, weight_decay: number, betas: [number, number], eps: number,
 *   scale_parameter: boolean, relative_step: boolean, warmup_init: boolean, clip_threshold: number, decay_rate: number,
 *   beta1: number | null, schedule: string, warmup_steps: number, total_steps: number, max_grad_norm: number | null,
 *   accumulation: number, accumulation_mode: "mean" | "tokens", label_smoothing: number}} RunConfig
 * @typedef {{shape: number[], norm: number, sum: number, moved: number, first: number[], last: number[]}} Final
 * @typedef {{input_ids: number[][], attention_mask: number[][], labels: number[][]}} Batch
 * @typedef {ReadonlyMap<string, {data: Float32Array}>} Tensors
 * @typedef {{loss: number[], norm: number[], lr: number[], weights: Tensors}} Outcome
 */

/** @param {RunConfig} config */
function optimizerOf(config) {
  const { weight_decay: weightDecay } = config;
  if (config.optimizer === "adamw") {
    const [beta1, beta2] = config.betas;
    const options = { name: "adamw", beta1, beta2, epsilon: config.eps, weightDecay };
    return createOptimizer(OptimizerOptions.parse(options));
  }
  if (config.optimizer !== "adafactor") {
    throw new GoldenFileError(`train/runs.json asks for the optimizer ${config.optimizer}`);
  }
  const options = {
    ...{ name: "adafactor", weightDecay, beta1: config.beta1, decayRate: config.decay_rate },
    ...{ clipThreshold: config.clip_threshold, scaleParameter: config.scale_parameter },
    ...{ relativeStep: config.relative_step, warmupInit: config.warmup_init },
  };
  // The recorded Adafactor runs put all parameters into one group: biases and norms decay, too.
  return createOptimizer(OptimizerOptions.parse(options), { decays: () => true });
}

/**
 * @typedef {{family: import("../../src/model/family.js").Family,
 *   config: import("../../src/model/family.js").ModelConfig,
 *   weights: ReadonlyMap<string, import("../../src/runtime/tensor.js").Tensor>}} Start
 */

/**
 * Opens a run's graph and memory; each call of `train` trains anew.
 * @param {Start} from every weight of the graph, as it is at the start
 * @param {RunConfig} config @param {Batch[]} batches
 * @param {import("../../src/model/gradient.js").GradientGraphOptions} [options] what is learned, and what is added
 */
export async function prepare(from, config, batches, options = {}) {
  const { family, weights: start } = from;
  const optimizer = optimizerOf(config);
  const graph = gradientGraph(family, from.config, {
    ...options,
    labelSmoothing: config.label_smoothing,
  });
  const memory = allocateTensors(
    graph.gradients.map(({ parameter: name, shape }) => {
      const { parts, scratchBytes } = optimizer.requirements(shape);
      const own = { weight: shape, gradient: shape, total: shape };
      return { name, parts: { ...own, ...parts }, scratchBytes };
    }),
  );
  const weights = memory.tensors("weight");
  const gradients = memory.tensors("gradient");
  const total = memory.tensors("total");
  const frozen = [...start].map(
    ([name, { data, shape }]) =>
      /** @type {const} */ ([name, float32(new Float32Array(data.length), shape)]),
  );
  const fed = new Map([...frozen, ...weights]);
  const session = await openGradients(graph, fed, { threads: 1 });
  const schedule = createSchedule(
    ScheduleOptions.parse({ name: config.schedule, warmupSteps: config.warmup_steps }),
    { learningRate: config.lr ?? 0, totalSteps: config.total_steps },
  );

  /** @param {number} index @returns {Promise<number>} the loss; the gradient is in `total` */
  async function differentiate(index) {
    const microBatches = Array.from({ length: config.accumulation }, (_, i) => {
      const batch = batches[(index * config.accumulation + i) % batches.length];
      if (batch === undefined) throw new GoldenFileError("train/runs.json has no batch");
      const { input_ids: inputIds, attention_mask: attentionMask, labels } = batch;
      return { inputIds, attentionMask, labels };
    });
    const shares = microBatchWeights(config.accumulation_mode, microBatches.map(countLabels));
    let loss = 0;
    for (const [i, batch] of microBatches.entries()) {
      const feeds = batchFeeds(from.config, batch, 1 / countLabels(batch));
      const answer = await session.run(feeds, gradients);
      const weight = shares[i] ?? Number.NaN;
      loss += weight * answer.loss;
      accumulate(total, answer.gradients, { weight, first: i === 0 });
    }
    return loss;
  }

  return {
    close: () => session.close(),
    /** @param {number} attempt above 0: start from weights moved within their last bit @returns {Promise<Outcome>} */
    async train(attempt) {
      const random = seededRandom(attempt);
      for (const [name, { data }] of fed) {
        data.set(/** @type {Float32Array} */ (start.get(name)?.data));
        if (attempt > 0) {
          for (let i = 0; i < data.length; i++) {
            data[i] = (data[i] ?? 0) * (1 + (random.nextUint32() / 2 ** 31 - 1) * 2 ** -23);
          }
        }
      }
      const state = optimizer.init(weights, memory);
      /** @type {Outcome} */
      const outcome = { loss: [], norm: [], lr: [], weights };
      for (let index = 0; index < config.total_steps; index++) {
        outcome.loss.push(await differentiate(index));
        const norm = globalNorm(total);
        const lr = schedule(index);
        outcome.norm.push(norm);
        outcome.lr.push(lr);
        const clip = config.max_grad_norm;
        const gradientScale = clip === null ? 1 : clippingScale(norm, clip);
        optimizer.update(weights, total, state, { index, lr, gradientScale });
      }
      return outcome;
    },
  };
}

/** Twins that part so many times further than ever before are not those of one run: the file is damaged. */
const suddenly = 1000;

/**
 * Compares what no rounding can change of two recorded runs' losses, and looks for damage among them.
 * @param {string} name
 * @param {{loss: number[], loss_float64: number[]}} run @param {Outcome} outcome
 * @param {import("./comparison.mjs").Comparison} comparison
 */
export function compareLosses(name, run, outcome, comparison) {
  comparison.same(`${name}.loss.length`, outcome.loss.length, run.loss.length);
  let largest = 0;
  for (const [i, gap] of gapsOf(run).entries()) {
    if (!(gap <= suddenly * (largest + 1e-6))) {
      comparison.mismatch(`${name}.loss[${i}]`, `${gap} off its twin, ${largest} before`);
    }
    largest = Math.max(largest, gap);
  }
  const [first] = run.loss_float64;
  const off = Math.abs((outcome.loss[0] ?? Number.NaN) - (first ?? Number.NaN));
  comparison.same(`${name}.loss_float64[0]`, off / (1e-5 * Math.abs(first ?? Number.NaN)), 0);
}

/**
 * How far the two recorded losses of each step are apart.
 * @param {{loss: number[], loss_float64: number[]}} run
 */
export const gapsOf = (run) =>
  run.loss.map((loss, i) => Math.abs(loss - (run.loss_float64[i] ?? Number.NaN)));

/** How many times a run that strays is tried again from weights that differ in their last bit. */
const retries = 12;

/**
 * Trains and compares, again and again until nothing strays. A gradient that rounding may turn to either sign, or an
 * activation to either side of 0, moves weights either way by a whole step. So a run that strays counts as right if it
 * does not stray from weights that differ within their last bit.
 * @param {(attempt: number) => Promise<Outcome>} train
 * @param {(outcome: Outcome, comparison: import("./comparison.mjs").Comparison) => {hopeless: boolean}} compare
 *   hopeless: no rounding can have made the difference
 * @param {import("./comparison.mjs").Comparison} comparison takes the attempt that strays least
 */
export async function nearest(train, compare, comparison) {
  let result = comparison.fresh();
  for (let attempt = 0; attempt <= retries; attempt++) {
    const one = comparison.fresh();
    const { hopeless } = compare(await train(attempt), one);
    if (attempt === 0 || one.mismatchCount < result.mismatchCount) result = one;
    if (result.mismatchCount === 0 || hopeless) break;
  }
  comparison.take(result);
}

/**
 * The distance from the nearer of two references in units of five times the distance between them, plus a floor.
 * @param {number} actual @param {number} single @param {number} double @param {number} gap @param {number} floor
 */
export function straying(actual, single, double, gap, floor) {
  return Math.min(Math.abs(actual - single), Math.abs(actual - double)) / (5 * gap + floor);
}

/** @param {Final} of */
export const figures = (of) => [of.norm, of.moved, of.sum, ...of.first, ...of.last];

/** @param {Float32Array} data @param {Float32Array | ArrayLike<number>} start @returns {Final} */
export function describe(data, start) {
  let [squares, sum, moved] = [0, 0, 0];
  for (const [i, value] of data.entries()) {
    squares += value * value;
    sum += value;
    moved += (value - (start[i] ?? Number.NaN)) ** 2;
  }
  const edges = { first: [...data.subarray(0, 8)], last: [...data.subarray(-8)] };
  return { shape: [], norm: Math.sqrt(squares), sum, moved: Math.sqrt(moved), ...edges };
}
