// Golden suite `train:runs`: losses, gradient norms, learning rates and weights of whole runs with each optimizer.
// @ts-check
import path from "node:path";
import { GoldenFileError, listIn } from "../golden-folder.mjs";
import { readTensors } from "../safetensors.mjs";
import {
  compareLosses,
  describe,
  figures,
  gapsOf,
  nearest,
  prepare,
  straying,
} from "../training-run.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/generate/model.js")} */
const { openModel } = await compiled("generate/model.js");
/** @type {typeof import("../../../src/model/families.js")} */
const { findFamily } = await compiled("model/families.js");
/** @type {typeof import("../../../src/runtime/weights.js")} */
const { holdWeights } = await compiled("runtime/weights.js");

/**
 * @typedef {import("../training-run.mjs").RunConfig} RunConfig
 * @typedef {import("../training-run.mjs").Batch} Batch
 * @typedef {import("../training-run.mjs").Tensors} Tensors
 * @typedef {import("../training-run.mjs").Outcome} Outcome
 * @typedef {import("../training-run.mjs").Final} Final
 * @typedef {{config: RunConfig, loss: number[], loss_float64: number[], grad_norm_before_clip: number[],
 *   grad_norm_float64: number[], lr: (number | null)[], final: Record<string, Final>,
 *   final_float64: Record<string, Final>}} Run
 */

/** Deviations are taken in units of what is allowed: see `compare`. */
const tolerance = 1;

/** The gap at which a run's last loss shows it to be chaotic, and the one up to which such a run is compared. */
const chaos = { last: 0.05, compared: 1e-4 };

/** Its true gradient is 0: an optimizer blows up whatever rounding leaves. @param {string} name */
const isNoise = (name) => name.endsWith("k_proj.bias");

/**
 * Compares what no rounding can change: the number of steps, learning rates, the parameters' names, the first loss.
 * @param {string} name @param {Run} run @param {Outcome} outcome
 * @param {import("../comparison.mjs").Comparison} comparison
 */
function compareGiven(name, run, outcome, comparison) {
  compareLosses(name, run, outcome, comparison);
  for (const [i, lr] of outcome.lr.entries()) {
    const recorded = run.lr[i];
    if (run.config.lr === null) comparison.same(`${name}.lr[${i}]`, null, recorded);
    else comparison.same(`${name}.lr[${i}]`, Math.abs(lr - (recorded ?? Number.NaN)) / 1e-12, 0);
  }
  const names = [...outcome.weights.keys()].toSorted();
  for (const of of /** @type {const} */ (["final", "final_float64"])) {
    comparison.same(`${name}.${of}`, names, Object.keys(run[of]).toSorted());
  }
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
    const from = { family, config: model.config, weights: await holdWeights(model.weights) };
    const start = /** @type {Tensors} */ (from.weights);
    for (const [name, run] of Object.entries(recorded)) {
      const weightsFile = fullWeights[/** @type {keyof typeof fullWeights} */ (name)];
      const expected =
        weightsFile === undefined ? undefined : await readTensors(folder, weightsFile);
      const { train, close } = await prepare(from, run.config, batches);
      await nearest(
        train,
        (outcome, one) => {
          compareGiven(name, run, outcome, one);
          const hopeless = one.mismatchCount > 0;
          const allowed = compare(name, run, outcome, start, one);
          if (expected !== undefined && allowed !== undefined) {
            compareWeights(name, outcome.weights, expected, run, allowed, one);
          }
          return { hopeless };
        },
        comparison,
      );
      await close();
    }
    await model.close();
  },
};
