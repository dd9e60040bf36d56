// Golden suites `forward:MODEL`: logits, hidden states and losses of a model on batches.
// @ts-check
import path from "node:path";
import { GoldenFileError, listIn } from "../golden-folder.mjs";
import { readTensors } from "../safetensors.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/generate/model.js")} */
const { openModel } = await compiled("generate/model.js");

/**
 * @typedef {{input_ids: number[][], attention_mask: number[][], labels: number[][], loss: number, loss_float64: number,
 *   label_smoothed_loss: Record<string, number>, label_smoothed_loss_float64: Record<string, number>,
 *   float32_vs_float64_logits_max_abs: number}} Batch
 */

/** Deviations are taken in units of what is allowed. */
const tolerance = 1;

/** Largest difference of a logit or a loss; of a logit besides what the reference is off itself by rounding. */
const allowedDifference = 1e-4;

/** Largest absolute difference; infinite where the sizes differ. @param {Float32Array} actual @param {Float32Array} expected */
function deviation(actual, expected) {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs((actual[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

/** @param {string} model @returns {import("../run.mjs").Suite} */
export const forward = (model) => ({
  name: `forward:${model}`,
  tolerance,
  async run({ folder, comparison }) {
    const file = `forward/${model}.json`;
    const batches = /** @type {Batch[]} */ (listIn(await folder.readJson(file), "batches", file));
    const golden = await readTensors(folder, `forward/${model}.safetensors`);
    const opened = await openModel(path.join(folder.root, model), { threads: 1 });
    const seen = new Set();
    for (const [i, batch] of batches.entries()) {
      const input = {
        inputIds: batch.input_ids,
        attentionMask: batch.attention_mask,
        labels: batch.labels,
      };
      // The reference's own rounding, and for hidden states, whose size differs from the logits', that of their size.
      const rounding = batch.float32_vs_float64_logits_max_abs;
      const check = (/** @type {string} */ name, /** @type {{data: Float32Array}} */ actual) => {
        const expected = golden.get(name);
        if (expected === undefined)
          throw new GoldenFileError(`forward/${model}.safetensors has no ${name}`);
        seen.add(name);
        const largest = expected.data.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
        const allowed = name.includes("hidden.")
          ? allowedDifference * largest
          : allowedDifference + rounding;
        comparison.same(name, deviation(actual.data, expected.data) / allowed, 0);
      };
      const result = await opened.forward(input, { hiddenStates: i === 0 });
      check(`${i}.logits`, result.logits);
      check(`${i}.encoder_last_hidden_state`, result.encoderLastHidden);
      for (const [j, state] of (result.encoderHidden ?? []).entries())
        check(`${i}.encoder_hidden.${j}`, state);
      for (const [j, state] of (result.decoderHidden ?? []).entries())
        check(`${i}.decoder_hidden.${j}`, state);
      const checkLoss = (
        /** @type {string} */ name,
        /** @type {number | undefined} */ actual,
        /** @type {number} */ expected,
      ) => {
        const off = Math.abs((actual ?? Number.NaN) - expected);
        comparison.same(`${i}.${name}`, off / allowedDifference, 0);
      };
      checkLoss("loss", result.loss, batch.loss);
      checkLoss("loss_float64", result.loss, batch.loss_float64);
      for (const suffix of /** @type {const} */ ([
        "label_smoothed_loss",
        "label_smoothed_loss_float64",
      ])) {
        for (const [epsilon, expected] of Object.entries(batch[suffix])) {
          const { loss } = await opened.forward(input, { labelSmoothing: Number(epsilon) });
          checkLoss(`${suffix}.${epsilon}`, loss, expected);
        }
      }
    }
    for (const name of golden.keys())
      if (!seen.has(name)) comparison.mismatch(name, "is nothing known");
    await opened.close();
  },
});
