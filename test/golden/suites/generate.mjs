// Golden suites `generate:MODEL` and `generate:groups`: the ids, scores and beams that transformers generates.
// @ts-check
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { GoldenFileError, listIn } from "../golden-folder.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/generate/model.js")} */
const { openModel } = await compiled("generate/model.js");
/** @type {typeof import("../../../src/model/checkpoint/safetensors.js")} */
const { readSafetensorsHeader } = await compiled("model/checkpoint/safetensors.js");

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

/**
 * The model with another output bias of its end token, saved and opened anew.
 * @param {import("../../../src/generate/model.js").Model} model @param {number} eosBias @param {string} copy a new folder
 */
async function withEosBias(model, eosBias, copy) {
  await model.save(copy);
  const file = path.join(copy, "model.safetensors");
  const bias = (await readSafetensorsHeader(file)).get("final_logits_bias");
  if (bias !== undefined) {
    const handle = await open(file, "r+");
    const place = bias.offset + 4 * model.config.eosTokenId;
    await handle.write(new Uint8Array(Float32Array.of(eosBias).buffer), 0, 4, place);
    await handle.close();
  }
  return await openModel(copy, { threads: 1 });
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
    const models = new Map([[/** @type {number | undefined} */ (undefined), opened]]);
    const copies = await mkdtemp(path.join(tmpdir(), "bridle-golden-"));
    try {
      for (const [i, { batch, eos_bias: eosBias, config, ...expected }] of cases.entries()) {
        const input = batches[batch];
        if (input === undefined)
          throw new GoldenFileError(`${file}: case ${i} names the batch ${batch}`);
        let used = models.get(eosBias);
        if (used === undefined) {
          const copy = path.join(copies, String(models.size));
          used = await withEosBias(opened, /** @type {number} */ (eosBias), copy);
          models.set(eosBias, used);
        }
        const options = Object.fromEntries(
          Object.entries(config).map(([key, value]) => [camel(key), value]),
        );
        const result = await used.generate(
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
        if (beams !== undefined)
          comparison.same(`${where}.beam_indices`, result.beamIndices, beams);
      }
      for (const each of models.values()) await each.close();
    } finally {
      await rm(copies, { recursive: true });
    }
  },
});
