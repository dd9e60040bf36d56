// Golden suites `generate:MODEL` and `generate:groups`: the ids, scores and beams that transformers generates.
// @ts-check
import path from "node:path";
import { GoldenFileError, listIn } from "../golden-folder.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/generate/model.js")} */
const { openModel } = await compiled("generate/model.js");

/**
 * @typedef {{batch: number, eos_bias?: number, config: Record<string, unknown>, sequences: number[][],
 *   sequences_scores?: number[], beam_indices?: number[][]}} Case
 */

/** @param {string} name */
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/** Scores may differ by this much of their size. */
const tolerance = 1e-3;

/** @param {number | undefined} actual @param {number} expected */
function relative(actual, expected) {
  return Math.abs((actual ?? Number.NaN) - expected) / Math.max(Math.abs(expected), 1e-6);
}

/** @param {string} model the model's folder @param {string} [variant] suffix of the golden file @returns {import("../run.mjs").Suite} */
export const generate = (model, variant) => ({
  name: `generate:${variant ?? model}`,
  tolerance,
  async run({ folder, comparison }) {
    const file = `generate/${variant === undefined ? model : `${model}-${variant}`}.json`;
    const content = await folder.readJson(file);
    const own = variant === undefined || Array.isArray(content.batches);
    const inputs = own ? content : await folder.readJson(`generate/${model}.json`);
    const batches = /** @type {{input_ids: number[][], attention_mask: number[][]}[]} */ (
      listIn(inputs, "batches", file)
    );
    const cases = /** @type {Case[]} */ (listIn(content, "cases", file));
    const opened = await openModel(path.join(folder.root, model), { threads: 1 });
    // Of the folder's generation settings only the special tokens count; the cases set all else.
    const { eosTokenId, padTokenId, decoderStartTokenId, forcedBosTokenId, forcedEosTokenId } =
      opened.generationDefaults;
    const special = Object.fromEntries(
      Object.entries({
        eosTokenId,
        padTokenId,
        decoderStartTokenId,
        forcedBosTokenId,
        forcedEosTokenId,
      }).filter(([, id]) => id !== undefined),
    );
    const bias = opened.weights.get("final_logits_bias");
    for (const [i, { batch, eos_bias: eosBias, config, ...expected }] of cases.entries()) {
      const input = batches[batch];
      if (input === undefined)
        throw new GoldenFileError(`${file}: case ${i} names the batch ${batch}`);
      if (eosBias !== undefined && bias !== undefined) {
        /** @type {Float32Array} */ (bias.data)[opened.config.eosTokenId] = eosBias;
      }
      const options = Object.fromEntries(
        Object.entries(config).map(([key, value]) => [camel(key), value]),
      );
      const result = await opened.generate(
        { inputIds: input.input_ids, attentionMask: input.attention_mask },
        { ...special, ...options },
      );
      const where = `cases[${i}]`;
      comparison.same(`${where}.sequences`, result.sequences, expected.sequences);
      const { sequences_scores: scores, beam_indices: beams } = expected;
      if (scores !== undefined) {
        comparison.same(`${where}.sequences_scores`, result.scores.length, scores.length);
        for (const [j, score] of scores.entries()) {
          comparison.same(
            `${where}.sequences_scores[${j}] (relative to ${score})`,
            relative(result.scores[j], score),
            0,
          );
        }
      }
      if (beams !== undefined) comparison.same(`${where}.beam_indices`, result.beamIndices, beams);
    }
    await opened.close();
  },
});
