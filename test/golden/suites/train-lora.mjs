// Golden suite `train:lora`: runs that learn adapters, the adapters they end with, and those merged into the weights.
// @ts-check
import path from "node:path";
import { GoldenFileError, listIn } from "../golden-folder.mjs";
import { readTensors } from "../safetensors.mjs";
import { compareLosses, describe, figures, nearest, prepare, straying } from "../training-run.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/generate/model.js")} */
const { openModel } = await compiled("generate/model.js");
/** @type {typeof import("../../../src/model/families.js")} */
const { findFamily } = await compiled("model/families.js");
/** @type {typeof import("../../../src/model/forward.js")} */
const { feedsOf, forwardGraph, shiftRight } = await compiled("model/forward.js");
/** @type {typeof import("../../../src/model/lora.js")} */
const { addLora, isLoraParameter, mergeLora } = await compiled("model/lora.js");
/** @type {typeof import("../../../src/model/checkpoint/adapter.js")} */
const { readAdapter } = await compiled("model/checkpoint/adapter.js");
/** @type {typeof import("../../../src/runtime/weights.js")} */
const { holdWeights } = await compiled("runtime/weights.js");
/** @type {typeof import("../../../src/runtime/session.js")} */
const { openSession } = await compiled("runtime/session.js");
/** @type {typeof import("../../../src/graph/index.js")} */
const { rewriteInTurn } = await compiled("graph/index.js");

/**
 * @typedef {import("../training-run.mjs").Batch} Batch
 * @typedef {import("../training-run.mjs").Final} Final
 * @typedef {import("../training-run.mjs").Tensors} Tensors
 * @typedef {import("../training-run.mjs").Start} Start
 * @typedef {import("../comparison.mjs").Comparison} Comparison
 * @typedef {{config: import("../training-run.mjs").RunConfig, trainable_parameters: number, loss: number[],
 *   loss_float64: number[], grad_norm_before_clip: number[], lr: number[], final: Record<string, Final>}} Run
 */

/** Deviations are taken in units of what is allowed, which stands beside each comparison. */
const tolerance = 1;

/** Largest difference of logits. */
const logitsAllowed = 1e-4;

/** Largest difference of a merged weight, whose size is about 1: a few units in its last place. */
const mergedAllowed = 1e-6;

/** How far a matrix may end from the recorded one, as a share of the way it moved. */
const strayAllowed = 1e-2;

/** Files of each run that has some beside its adapters at the start and the end. @param {string} name */
const filesOf = (name) => ({
  init: `train/${name}-init`,
  final: `train/${name}-final`,
  logits: `train/${name}-logits-batch1.safetensors`,
  merged: `train/${name}-merged-qv.safetensors`,
});

/** A parameter's name in the graph. @param {string} name as peft's model calls it */
const ownName = (name) => name.replace(/^base_model\.model\./, "").replace(".default.", ".");

/** Largest absolute difference; infinite where the sizes differ. @param {ArrayLike<number>} a @param {Float32Array} b */
function largestDifference(a, b) {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return b.reduce((worst, x, i) => Math.max(worst, Math.abs(x - (a[i] ?? Number.NaN))), 0);
}

/** Euclidean distance. @param {Float32Array} a @param {Float32Array} b */
const distance = (a, b) => describe(a, b).moved;

/**
 * @param {string} name @param {Run} run @param {import("../training-run.mjs").Outcome} outcome
 * @param {Record<"init" | "final", ReadonlyMap<string, import("../../../src/runtime/tensor.js").Tensor>>} adapters
 * @param {Comparison} comparison
 */
function compareOutcome(name, run, outcome, adapters, comparison) {
  const { final } = filesOf(name);
  compareLosses(name, run, outcome, comparison);
  for (const [i, lr] of outcome.lr.entries()) {
    const off = Math.abs(lr - (run.lr[i] ?? Number.NaN));
    comparison.same(`${name}.lr[${i}]`, off / 1e-12, 0);
  }
  const learned = [...outcome.weights.keys()].toSorted();
  const elements = [...outcome.weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  comparison.same(
    `${name}.trainable_parameters`,
    String(elements),
    String(run.trainable_parameters),
  );
  comparison.same(`${name}.final`, learned, Object.keys(run.final).map(ownName).toSorted());
  comparison.same(final, learned, [...adapters.final.keys()].toSorted());
  const hopeless = comparison.mismatchCount > 0;
  let gap = 0;
  for (const [i, loss] of outcome.loss.entries()) {
    const single = run.loss[i] ?? Number.NaN;
    const double = run.loss_float64[i] ?? Number.NaN;
    gap = Math.max(gap, Math.abs(single - double));
    comparison.same(`${name}.loss[${i}]`, straying(loss, single, double, gap, 1e-6), 0);
    const norm = run.grad_norm_before_clip[i] ?? Number.NaN;
    const off = Math.abs((outcome.norm[i] ?? Number.NaN) - norm) / (1e-3 * norm);
    comparison.same(`${name}.grad_norm_before_clip[${i}]`, off, 0);
  }
  for (const [parameter, recorded] of Object.entries(run.final)) {
    const own = ownName(parameter);
    const data = outcome.weights.get(own)?.data;
    const start = /** @type {Float32Array | undefined} */ (adapters.init.get(own)?.data);
    const end = /** @type {Float32Array | undefined} */ (adapters.final.get(own)?.data);
    if (data === undefined || start === undefined || end === undefined) continue;
    const allowed = strayAllowed * recorded.moved;
    const result = figures(describe(data, start));
    for (const [i, value] of figures(recorded).entries()) {
      // A sum strays as the square root of its length where each of its elements strays alike.
      const unit = allowed * (i === 2 ? Math.sqrt(data.length) : 1);
      const off = Math.abs((result[i] ?? Number.NaN) - value) / unit;
      comparison.same(`${name}.final.${parameter}`, off, 0);
    }
    comparison.same(`${final}.${own}`, distance(data, end) / allowed, 0);
  }
  return { hopeless };
}

/**
 * Trains an adapter and compares the whole of the way with the recorded one.
 * @param {string} name @param {Run} run @param {Start} base @param {Batch[]} batches
 * @param {import("../golden-folder.mjs").GoldenFolder} folder @param {Comparison} comparison
 */
async function compareTraining(name, run, base, batches, folder, comparison) {
  const files = filesOf(name);
  const init = await readAdapter(path.join(folder.root, files.init));
  const final = await readAdapter(path.join(folder.root, files.final));
  const from = { ...base, weights: new Map([...base.weights, ...init.weights]) };
  const { train, close } = await prepare(from, run.config, batches, {
    learns: isLoraParameter,
    extend: addLora(init.config),
  });
  const compare = (
    /** @type {import("../training-run.mjs").Outcome} */ outcome,
    /** @type {Comparison} */ one,
  ) => compareOutcome(name, run, outcome, { init: init.weights, final: final.weights }, one);
  await nearest(train, compare, comparison);
  await close();
  return final;
}

/**
 * Compares the model with the recorded adapter beside its layers, and with the adapter merged into them.
 * @param {string} name @param {Awaited<ReturnType<typeof readAdapter>>} adapter @param {Start} base @param {Batch} batch
 * @param {import("../golden-folder.mjs").GoldenFolder} folder @param {Comparison} comparison
 */
async function compareLogits(name, adapter, base, batch, folder, comparison) {
  const files = filesOf(name);
  const { family, config } = base;
  const weights = mergeLora(base.weights, adapter.weights, adapter.config);
  const expected = await readTensors(folder, files.logits);
  const feeds = feedsOf(
    config,
    batch.input_ids,
    batch.attention_mask,
    shiftRight(batch.labels, config),
  );
  const plain = forwardGraph(family, config);
  const { g, copyOf } = rewriteInTurn(plain, [addLora(adapter.config)]);
  const beside = g.finish(plain.outputs.map((output) => g.output(output.name, copyOf(output))));
  const runs = {
    adapter: { graph: beside, weights: new Map([...base.weights, ...adapter.weights]) },
    merged: { graph: plain, weights },
  };
  comparison.same(files.logits, Object.keys(runs).toSorted(), [...expected.keys()].toSorted());
  for (const [kind, { graph, weights: held }] of Object.entries(runs)) {
    const session = await openSession(graph, held, { threads: 1 });
    const { logits } = await session.run(feeds);
    await session.close();
    const own = /** @type {Float32Array} */ (logits?.data ?? new Float32Array());
    const recorded = expected.get(kind)?.data ?? new Float32Array();
    const off = largestDifference(own, recorded) / logitsAllowed;
    comparison.same(`${files.logits}.${kind}`, off, 0);
  }
  return weights;
}

/** @type {import("../run.mjs").Suite} */
export const lora = {
  name: "train:lora",
  tolerance,
  async run({ folder, comparison }) {
    const given = await folder.readJson("train/runs.json");
    const batches = /** @type {Batch[]} */ (listIn(given, "batches", "train/runs.json"));
    const content = await folder.readJson("train/lora.json");
    const recorded = /** @type {Record<string, Run>} */ (content.runs ?? {});
    if (Object.keys(recorded).length === 0) {
      throw new GoldenFileError("train/lora.json has no entries under runs");
    }
    const second = batches[1];
    if (second === undefined) throw new GoldenFileError("train/runs.json has no second batch");
    const family = findFamily(await folder.readJson(`${given.model}/config.json`));
    const model = await openModel(path.join(folder.root, String(given.model)), { threads: 1 });
    const base = { family, config: model.config, weights: await holdWeights(model.weights) };
    for (const [name, run] of Object.entries(recorded)) {
      const adapter = await compareTraining(name, run, base, batches, folder, comparison);
      const weights = await compareLogits(name, adapter, base, second, folder, comparison);
      if (name !== "lora") continue;
      // peft's merge, recorded for this run alone.
      const { merged } = filesOf(name);
      for (const [parameter, { data }] of await readTensors(folder, merged)) {
        const own = weights.get(parameter)?.data;
        const off = largestDifference(/** @type {Float32Array} */ (own ?? []), data);
        comparison.same(`${merged}.${parameter}`, off / mergedAllowed, 0);
      }
    }
    await model.close();
  },
};
