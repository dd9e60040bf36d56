// Golden suite `generate:sampling`: what warpers keep and with which probability, and single logits processors.
// @ts-check
import { GoldenFileError, listIn } from "../golden-folder.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/generate/processors.js")} */
const processors = await compiled("generate/processors.js");
/** @type {typeof import("../../../src/generate/warpers.js")} */
const warpers = await compiled("generate/warpers.js");
/** @type {typeof import("../../../src/generate/math.js")} */
const { softmax } = await compiled("generate/math.js");

/** @typedef {{kind: string, value: unknown, input_ids: number[][], scores: (number | null)[][], out: (number | null)[][]}} ProcessorCase */

/** Warpers by the name of the option that asks for them. @type {Record<string, (value: number) => import("../../../src/generate/warpers.js").Warper>} */
const byOption = {
  temperature: (value) => warpers.temperature(value),
  top_k: (value) => warpers.topK(value, 1),
  top_p: (value) => warpers.topP(value, 1),
  min_p: (value) => warpers.minP(value, 1),
  typical_p: (value) => warpers.typicalP(value, 1),
  epsilon_cutoff: (value) => warpers.epsilonCutoff(value, 1),
  eta_cutoff: (value) => warpers.etaCutoff(value, 1),
};

/** The end token of the single processors' cases, as the file's note says. */
const eos = [1];

/** @param {ProcessorCase} c @returns {import("../../../src/generate/processors.js").LogitsProcessor} */
function processorOf({ kind, value }) {
  if (kind === "repetition_penalty") return processors.repetitionPenalty(Number(value));
  if (kind === "no_repeat_ngram_size")
    return processors.banning(processors.noRepeatNgram(Number(value)));
  if (kind === "min_length") return processors.banning(processors.minLength(Number(value), eos));
  if (kind === "bad_words_ids")
    return processors.banning(processors.badWords(/** @type {number[][]} */ (value), []));
  throw new GoldenFileError(`generate/sampling.json names the unknown processor ${kind}`);
}

/** null stands for −∞. @param {Float32Array} scores */
const toJson = (scores) =>
  [...scores].map((score) => (score === Number.NEGATIVE_INFINITY ? null : score));

/** @type {import("../run.mjs").Suite} */
export const sampling = {
  name: "generate:sampling",
  tolerance: 1e-5,
  async run({ folder, comparison }) {
    const file = "generate/sampling.json";
    const content = await folder.readJson(file);
    const order = /** @type {string[]} */ (listIn(content, "order", file));
    const cases =
      /** @type {{config: Record<string, number>, logits: number[][], kept: number[][], probs: number[][]}[]} */ (
        listIn(content, "cases", file)
      );
    for (const [i, { config, logits, ...expected }] of cases.entries()) {
      for (const option of Object.keys(config)) {
        if (!order.includes(option) || byOption[option] === undefined)
          throw new GoldenFileError(`${file}: case ${i} sets ${option}, which is not known`);
      }
      const rows = logits.map((row) => {
        const scores = Float32Array.from(row);
        for (const option of order)
          if (config[option] !== undefined) byOption[option]?.(config[option])(scores);
        return scores;
      });
      const kept = rows.map((row) =>
        [...row.keys()].filter((id) => row[id] !== Number.NEGATIVE_INFINITY),
      );
      comparison.same(
        `cases[${i}]`,
        { kept, probs: rows.map((row) => [...softmax(row)]) },
        expected,
      );
    }
    const single = /** @type {ProcessorCase[]} */ (listIn(content, "processors", file));
    for (const [i, c] of single.entries()) {
      const out = c.input_ids.map((ids, row) => {
        const scores = Float32Array.from(
          c.scores[row] ?? [],
          (score) => score ?? Number.NEGATIVE_INFINITY,
        );
        processorOf(c)({ ids, source: [] }, scores);
        return toJson(scores);
      });
      comparison.same(`processors[${i}] (${c.kind})`, out, c.out);
    }
  },
};
