// Golden suite `train:runs`: losses, gradient norms, learning rates and weights of whole runs with each optimizer.
// @ts-check
import path from "node:path";
import { GoldenFileError, listIn } from "../golden-folder.mjs";
import { readTensors } from "../safetensors.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/generate/model.js")} */
const { openModel } = await compiled("generate/model.js");
/** @type {typeof import("../../../src/model/families.js")} */
const { findFamily } = await compiled("model/families.js");
/** @type {typeof import("../../../src/model/gradient.js")} */
const { batchFeeds, countLabels, gradientGraph } = await compiled("model/gradient.js");
/** @type {typeof import("../../../src/model/gradient-session.js")} */
const { openGradients } = await compiled("model/gradient-session.js");
/** @type {typeof import("../../../src/runtime/weights.js")} */
const { holdWeights } = await compiled("runtime/weights.js");
/** @type {typeof import("../../../src/config/optimizer-options.js")} */
const { OptimizerOptions } = await compiled("config/optimizer-options.js");
/** @type {typeof import("../../../src/config/schedule-options.js")} */
const { ScheduleOptions } = await compiled("config/schedule-options.js");
/** @type {typeof import("../../../src/train/optimizers/create.js")} */
const { createOptimizer } = await compiled("train/optimizers/create.js");
/** @type {typeof import("../../../src/train/schedule.js")} */
const { createSchedule } = await compiled("train/schedule.js");
/** @type {typeof import("../../../src/train/tensor-memory.js")} */
const { allocateTensors } = await compiled("train/tensor-memory.js");
/** @type {typeof import("../../../src/train/gradients.js")} */
const { accumulate, clippingScale, globalNorm, microBatchWeights } =
  await compiled("train/gradients.js");
/** @type {typeof import("../../../src/text/seeded-random.js")} */
const { seededRandom } = await compiled("text/seeded-random.js");

/**
 * @typedef {{optimizer: string, lr: number | null, weight_decay: number, betas: [number, number], eps: number,
 *   scale_parameter: boolean, relative_step: boolean, warmup_init: boolean, clip_threshold: number, decay_rate: number,
 *   beta1: number | null, schedule: string, warmup_steps: number, total_steps: number, max_grad_norm: number | null,
 *   accumulation: number, accumulation_mode: "mean" | "tokens", label_smoothing: number}} RunConfig
 * @typedef {{shape: number[], norm: number, sum: number, moved: number, first: number[], last: number[]}} Final
 * @typedef {{config: RunConfig, loss: number[], loss_float64: number[], grad_norm_before_clip: number[],
 *   grad_norm_float64: number[], lr: (number | null)[], final: Record<string, Final>,
 *   final_float64: Record<string, Final>}} Run
 * @typedef {{input_ids: number[][], attention_mask: number[][], labels: number[][]}} Batch
 * @typedef {import("../../../src/generate/model.js").Model} Model
 * @typedef {ReadonlyMap<string, {data: Float32Array}>} Tensors
 * @typedef {{loss: number[], norm: number[], lr: number[], weights: Tensors}} Outcome
 */

/** Deviations are taken in units of what is allowed: see `compare`. */
const tolerance = 1;

/** How many times a run that strays is tried again from weights that differ in their last bit. */
const retries = 12;

/** The gap at which a run's last loss shows it to be chaotic, and the one up to which such a run is compared. */
const chaos = { last: 0.05, compared: 1e-4 };

/** Twins that part so many times further than ever before are not those of one run: the file is damaged. */
const suddenly = 1000;

/** Its true gradient is 0: an optimizer blows up whatever rounding leaves. @param {string} name */
const isNoise = (name) => name.endsWith("k_proj.bias");

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
 * Opens a run's graph and memory; each call of the result trains anew.
 * @param {Model} model @param {import("../../../src/model/family.js").Family} family
 * @param {RunConfig} config @param {Batch[]} batches
 */
async function prepare(model, family, config, batches) {
  const optimizer = optimizerOf(config);
  const graph = gradientGraph(family, model.config, { labelSmoothing: config.label_smoothing });
  const memory = allocateTensors(
    graph.gradients.map(({ parameter: name, shape }) => {
      const { parts, scratchBytes } = optimizer.requirements(shape);
      const own = { weight: shape, gradient: shape, total: shape };
      return { name, parts: { ...own, ...parts }, scratchBytes };
    }),
  );
  const [weights, gradients, total] = ["weight", "gradient", "total"].map((part) =>
    memory.tensors(part),
  );
  if (weights === undefined || gradients === undefined || total === undefined) throw new Error();
  const start = await holdWeights(model.weights);
  const fed = new Map([...start, ...weights]);
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
      const feeds = batchFeeds(model.config, batch, 1 / countLabels(batch));
      const answer = await session.run(feeds, gradients);
      const weight = shares[i] ?? Number.NaN;
      loss += weight * answer.loss;
      accumulate(/** @type {any} */ (total), answer.gradients, { weight, first: i === 0 });
    }
    return loss;
  }

  return {
    close: () => session.close(),
    /** @param {number} attempt above 0: start from weights moved within their last bit @returns {Promise<Outcome>} */
    async train(attempt) {
      const random = seededRandom(attempt);
      for (const [name, { data }] of weights) {
        data.set(/** @type {Float32Array} */ (start.get(name)?.data ?? []));
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

/**
 * The distance from the nearer of two references in units of five times the distance between them, plus a floor.
 * @param {number} actual @param {number} single @param {number} double @param {number} gap @param {number} floor
 */
function straying(actual, single, double, gap, floor) {
  return Math.min(Math.abs(actual - single), Math.abs(actual - double)) / (5 * gap + floor);
}

/** How far the two recorded losses of each step are apart. @param {Run} run */
const gapsOf = (run) =>
  run.loss.map((loss, i) => Math.abs(loss - (run.loss_float64[i] ?? Number.NaN)));

/**
 * Compares what no rounding can change: the number of steps, learning rates, the parameters' names, the first loss; and
 * looks for damage among the recorded losses.
 * @param {string} name @param {Run} run @param {Outcome} outcome
 * @param {import("../comparison.mjs").Comparison} comparison
 */
function compareGiven(name, run, outcome, comparison) {
  comparison.same(`${name}.loss.length`, outcome.loss.length, run.loss.length);
  for (const [i, lr] of outcome.lr.entries()) {
    const recorded = run.lr[i];
    if (run.config.lr === null) comparison.same(`${name}.lr[${i}]`, null, recorded);
    else comparison.same(`${name}.lr[${i}]`, Math.abs(lr - (recorded ?? Number.NaN)) / 1e-12, 0);
  }
  const names = [...outcome.weights.keys()].toSorted();
  for (const of of /** @type {const} */ (["final", "final_float64"])) {
    comparison.same(`${name}.${of}`, names, Object.keys(run[of]).toSorted());
  }
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
 * Compares a run with the recorded ones in float32 and float64. The gap between those two is the reference's own
 * rounding; at each step the largest so far counts, because rounding is carried on even where two losses cross.
 * @param {string} name @param {Run} run @param {Outcome} outcome @param {Tensors} start
 * @param {import("../comparison.mjs").Comparison} comparison
 * @returns {number | undefined} how far the weights may be from the recorded ones, as a share of the way they moved;
 *   undefined for a chaotic run
 */
function compare(name, run, outcome, start, comparison) {
  const gaps = gapsOf(run);
  const chaotic = (gaps.at(-1) ?? 0) > chaos.last;
  let lossGap = 0;
  let normGap = 0;
  for (const [i, loss] of run.loss.entries()) {
    const at = (/** @type {readonly (number | null)[]} */ of) => of[i] ?? Number.NaN;
    lossGap = Math.max(lossGap, at(gaps));
    if (chaotic && lossGap > chaos.compared) return undefined;
    const single = at(run.grad_norm_before_clip);
    const double = at(run.grad_norm_float64);
    normGap = Math.max(normGap, Math.abs(single - double));
    const lossStrays = straying(at(outcome.loss), loss, at(run.loss_float64), lossGap, 1e-6);
    comparison.same(`${name}.loss[${i}]`, lossStrays, 0);
    const normStrays = straying(at(outcome.norm), single, double, normGap, 1e-5 * double);
    comparison.same(`${name}.grad_norm_before_clip[${i}]`, normStrays, 0);
  }
  return compareFinal(name, run, outcome, start, comparison);
}

/**
 * Compares the figures of each parameter in units of how far it moved. What float32 strays in nine of ten parameters,
 * or in this one, is the reference's own rounding.
 * @param {string} name @param {Run} run @param {Outcome} outcome @param {Tensors} start
 * @param {import("../comparison.mjs").Comparison} comparison @returns {number} as `compare`
 */
function compareFinal(name, run, outcome, start, comparison) {
  const rows = Object.entries(run.final_float64).flatMap(([parameter, truth]) => {
    const single = run.final[parameter];
    const data = outcome.weights.get(parameter)?.data;
    const first = start.get(parameter)?.data;
    if (isNoise(parameter) || !single || !data || !first) return [];
    const result = describe(data, first);
    const [own, one, two] = [result, single, truth].map(figures);
    const units = figures(truth).map(
      (_, i) => result.moved * (i === 2 ? Math.sqrt(data.length) : 1),
    );
    /** @param {number[] | undefined} a @param {number[] | undefined} b */
    const apart = (a, b) =>
      units.map((unit, i) => Math.abs((a?.[i] ?? Number.NaN) - (b?.[i] ?? Number.NaN)) / unit);
    const twins = apart(one, two);
    const other = apart(own, two);
    const nearer = apart(own, one).map((value, i) => Math.min(value, other[i] ?? Number.NaN));
    return [{ parameter, nearer: Math.max(...nearer), twins: Math.max(...twins) }];
  });
  const sorted = rows.map(({ twins }) => twins).sort((a, b) => a - b);
  const usual = sorted[Math.floor(0.9 * sorted.length)] ?? Number.NaN;
  for (const { parameter, nearer, twins } of rows) {
    const place = `${name}.final.${parameter}`;
    comparison.same(place, nearer / (5 * Math.max(usual, twins) + 1e-5), 0);
    if (!(twins <= 1)) comparison.mismatch(place, "further from its twin than it moved");
  }
  return 5 * (sorted.at(-1) ?? Number.NaN) + 1e-5;
}

/** @param {Final} of */
const figures = (of) => [of.norm, of.moved, of.sum, ...of.first, ...of.last];

/** @param {Float32Array} data @param {Float32Array | ArrayLike<number>} start @returns {Final} */
function describe(data, start) {
  let [squares, sum, moved] = [0, 0, 0];
  for (const [i, value] of data.entries()) {
    squares += value * value;
    sum += value;
    moved += (value - (start[i] ?? Number.NaN)) ** 2;
  }
  const edges = { first: [...data.subarray(0, 8)], last: [...data.subarray(-8)] };
  return { shape: [], norm: Math.sqrt(squares), sum, moved: Math.sqrt(moved), ...edges };
}

/** Recorded weights after a run, in full, by the run's name. */
const fullWeights = {
  adamw: "train/final-adamw.safetensors",
  "adafactor-fixed": "train/final-adafactor-fixed.safetensors",
};

/**
 * @param {string} name @param {Tensors} weights @param {Tensors} expected @param {Run} run
 * @param {number} allowed as `compare` gives it
 * @param {import("../comparison.mjs").Comparison} comparison
 */
function compareWeights(name, weights, expected, run, allowed, comparison) {
  comparison.same(
    `${name}.weights`,
    [...weights.keys()].toSorted(),
    [...expected.keys()].toSorted(),
  );
  for (const [parameter, { data }] of expected) {
    if (isNoise(parameter)) continue;
    const own = weights.get(parameter)?.data ?? new Float32Array();
    const { moved } = describe(data, own);
    const scale = run.final_float64[parameter]?.moved ?? Number.NaN;
    comparison.same(`${name}.weights.${parameter}`, moved / scale / allowed, 0);
  }
}

/** @type {import("../run.mjs").Suite} */
export const runs = {
  name: "train:runs",
  tolerance,
  async run({ folder, comparison }) {
    const file = "train/runs.json";
    const content = await folder.readJson(file);
    const batches = /** @type {Batch[]} */ (listIn(content, "batches", file));
    if (typeof content.runs !== "object" || content.runs === null) {
      throw new GoldenFileError(`${file} has no entries under runs`);
    }
    const recorded = /** @type {Record<string, Run>} */ (content.runs);
    const root = path.join(folder.root, String(content.model));
    const family = findFamily(await folder.readJson(`${content.model}/config.json`));
    const model = await openModel(root, { threads: 1 });
    const start = /** @type {Tensors} */ (await holdWeights(model.weights));
    for (const [name, run] of Object.entries(recorded)) {
      const weightsFile = fullWeights[/** @type {keyof typeof fullWeights} */ (name)];
      const expected =
        weightsFile === undefined ? undefined : await readTensors(folder, weightsFile);
      const { train, close } = await prepare(model, family, run.config, batches);
      // A gradient that rounding may turn to either sign moves a weight either way by a whole step. So a run that
      // strays counts as right if it does not stray from weights that differ within their last bit.
      let result;
      for (let attempt = 0; attempt <= retries; attempt++) {
        const outcome = await train(attempt);
        const one = comparison.fresh();
        compareGiven(name, run, outcome, one);
        const hopeless = one.mismatchCount > 0;
        const allowed = compare(name, run, outcome, start, one);
        if (expected !== undefined && allowed !== undefined) {
          compareWeights(name, outcome.weights, expected, run, allowed, one);
        }
        if (result === undefined || one.mismatchCount < result.mismatchCount) result = one;
        if (result.mismatchCount === 0 || hopeless) break;
      }
      if (result !== undefined) comparison.take(result);
      await close();
    }
    await model.close();
  },
};
