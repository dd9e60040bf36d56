// Golden suite `train:gradients`: the gradient of every parameter on a batch, with and without label smoothing.
// @ts-check
import path from "node:path";
import { GoldenFileError, listIn } from "../golden-folder.mjs";
import { readTensors } from "../safetensors.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/generate/model.js")} */
const { openModel } = await compiled("generate/model.js");

/** Largest length of the difference of two gradients of a parameter over that of the expected one. */
const tolerance = 1e-3;

const smoothed = /^smooth([\d.]+)\.(model\..*)$/;

/** @param {Float32Array} values */
const norm = (values) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

/**
 * @param {Float32Array} actual @param {Float32Array} expected
 * @param {number} largest the largest norm of any gradient
 */
function relative(actual, expected, largest) {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const difference = norm(actual.map((x, i) => x - (expected[i] ?? Number.NaN)));
  // A true gradient of 0, as that of a key's bias, is rounding on both sides: its measure is the others.
  return difference / Math.max(norm(expected), 1e-4 * largest);
}

/** @type {import("../run.mjs").Suite} */
export const gradients = {
  name: "train:gradients",
  tolerance,
  async run({ folder, comparison }) {
    const runs = await folder.readJson("train/runs.json");
    const [batch] =
      /** @type {{input_ids: number[][], attention_mask: number[][], labels: number[][]}[]} */ (
        listIn(runs, "batches", "train/runs.json")
      );
    if (batch === undefined) throw new GoldenFileError("train/runs.json has no batch");
    const golden = await readTensors(folder, "train/gradients.safetensors");
    /** Expected gradients by label smoothing. @type {Map<number, Map<string, Float32Array>>} */
    const wanted = new Map();
    for (const [name, { data }] of golden) {
      const [, epsilon = "0", parameter = name] = smoothed.exec(name) ?? [];
      const group = wanted.get(Number(epsilon)) ?? new Map();
      wanted.set(Number(epsilon), group.set(parameter, data));
    }
    const model = await openModel(path.join(folder.root, String(runs.model)), { threads: 1 });
    for (const [labelSmoothing, expected] of wanted) {
      const actual = await model.gradients(
        {
          inputIds: batch.input_ids,
          attentionMask: batch.attention_mask,
          labels: batch.labels,
        },
        { labelSmoothing },
      );
      const largest = Math.max(...[...expected.values()].map(norm));
      for (const [parameter, data] of expected) {
        const own = actual.get(parameter);
        const where = `${labelSmoothing}.${parameter}`;
        if (own === undefined) comparison.mismatch(where, "has no gradient");
        else comparison.same(where, relative(own.data, data, largest), 0);
      }
      for (const parameter of actual.keys()) {
        if (!expected.has(parameter)) comparison.mismatch(parameter, "is nothing known");
      }
    }
    await model.close();
  },
};
