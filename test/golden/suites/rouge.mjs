// Golden suite `rouge`: stems, tokens, scores of every setting, several targets, bootstrap aggregation.
// @ts-check
import { GoldenFileError, listIn } from "../golden-folder.mjs";
import { legacyChoices } from "../numpy-random.mjs";
import { splitUntrained } from "../punkt-untrained.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/text/rouge/porter.js")} */
const { porterStem } = await compiled("text/rouge/porter.js");
/** @type {typeof import("../../../src/text/rouge/tokenize.js")} */
const { tokenize } = await compiled("text/rouge/tokenize.js");
/** @type {typeof import("../../../src/text/rouge/rouge.js")} */
const { rouge } = await compiled("text/rouge/rouge.js");
/** @type {typeof import("../../../src/text/rouge/aggregate.js")} */
const { aggregateRouge, meanRouge } = await compiled("text/rouge/aggregate.js");

/**
 * @typedef {import("../../../src/text/rouge/score.js").RougeScore} RougeScore
 * @typedef {{target: string, prediction: string}} Pair
 * @typedef {{n_samples: number, confidence_interval: number, numpy_seed: number, result: object}} Aggregate
 * @typedef {{
 *   pairs: Pair[],
 *   aggregate: Record<string, Aggregate>,
 *   versions: object,
 *   bootstrap_indices: {note: string, rows: number[][]},
 *   multi: {targets: string[], prediction: string, scores: object}[],
 *   sentence_split: {text: string, sentences: string[]}[],
 * }} RougeFile
 */

const types = /** @type {const} */ (["rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"]);

/** @param {RougeScore} score */
const triple = ({ precision, recall, fmeasure }) => [precision, recall, fmeasure];

/** @template Value @template Out @param {Record<string, Value>} record @param {(value: Value) => Out} change */
function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

/**
 * Aggregates one setting with the file's resamples: first all of the first type, then all of the next.
 * @param {Aggregate} expected @param {Record<string, RougeScore>[]} scores
 * @param {number[][]} rows @param {number} seed
 */
function aggregate(expected, scores, rows, seed) {
  const aggregated = Object.keys(expected.result);
  const samples = rows.length / aggregated.length;
  const resamples = Object.fromEntries(
    aggregated.map((type, index) => [type, rows.slice(index * samples, (index + 1) * samples)]),
  );
  const chosen = scores.map((score) =>
    Object.fromEntries(aggregated.map((type) => [type, score[type] ?? missing(type)])),
  );
  const confidence = expected.confidence_interval;
  return {
    n_samples: samples,
    confidence_interval: confidence,
    numpy_seed: seed,
    result: mapValues(aggregateRouge(chosen, { confidence, resamples }), ({ low, mid, high }) =>
      mapValues({ low, mid, high }, triple),
    ),
    mean: mapValues(meanRouge(scores), triple),
  };
}

/** @param {string} name @returns {never} */
function missing(name) {
  throw new GoldenFileError(`aggregate lacks or does not know ${name}`);
}

/** @param {RougeFile} file */
function scorePairs(file) {
  const splits = new Map(file.sentence_split.map(({ text, sentences }) => [text, sentences]));
  // The file lists the sentences of some texts; for the others only its splitter can tell.
  const splitSummaries = (/** @type {string} */ text) => splits.get(text) ?? splitUntrained(text);
  return Object.fromEntries(
    [false, true].flatMap((stemmer) =>
      [false, true].map((split) => [
        `stemmer=${stemmer},split_summaries=${split}`,
        file.pairs.map(({ target, prediction }) =>
          split
            ? rouge(target, prediction, { types: ["rougeLsum"], stemmer, splitSummaries })
            : rouge(target, prediction, { types, stemmer }),
        ),
      ]),
    ),
  );
}

/**
 * Which setting `multi` was scored with is not said: it must agree throughout with one of the two.
 * @param {RougeFile} file @param {import("../comparison.mjs").Comparison} comparison
 */
function scoreMultiple(file, comparison) {
  const [unstemmed, stemmed] = [false, true].map((stemmer) =>
    file.multi.map(({ targets, prediction }) => ({
      targets,
      prediction,
      scores: mapValues(rouge(targets, prediction, { types, stemmer }), triple),
    })),
  );
  const agrees = comparison.fresh().same("", stemmed, file.multi).mismatchCount === 0;
  return agrees ? stemmed : unstemmed;
}

/**
 * The whole file as it must be, made from its inputs.
 * @param {RougeFile} file @param {import("../comparison.mjs").Comparison} comparison
 */
function recompute(file, comparison) {
  const scores = scorePairs(file);
  const { note, rows } = file.bootstrap_indices;
  // All settings were drawn with one seed, so that the resamples are given once.
  const [seed] = Object.values(file.aggregate).map(({ numpy_seed }) => numpy_seed);
  return {
    versions: file.versions,
    triple: "[precision, recall, fmeasure]",
    pairs: file.pairs.map(({ target, prediction }) => ({
      target,
      prediction,
      tokens: [tokenize(target), tokenize(prediction)],
      tokens_stem: [tokenize(target, { stemmer: true }), tokenize(prediction, { stemmer: true })],
    })),
    scores: mapValues(scores, (perPair) => perPair.map((score) => mapValues(score, triple))),
    aggregate: Object.fromEntries(
      [false, true].map((stemmer) => {
        const setting = `stemmer=${stemmer},split_summaries=false`;
        const expected = file.aggregate[setting] ?? missing(setting);
        return [setting, aggregate(expected, scores[setting] ?? [], rows, seed ?? Number.NaN)];
      }),
    ),
    bootstrap_indices: {
      note,
      rows: legacyChoices(seed ?? Number.NaN, rows.length, file.pairs.length),
    },
    multi: scoreMultiple(file, comparison),
    sentence_split: file.sentence_split.map(({ text }) => ({
      text,
      sentences: splitUntrained(text),
    })),
  };
}

/** @param {import("../run.mjs").SuiteContext} context */
async function run(context) {
  await comparePorter(context);
  await compareRouge(context);
}

/** @param {import("../run.mjs").SuiteContext} context */
async function comparePorter({ folder, comparison }) {
  const file = "rouge/porter.json";
  const content = await folder.readJson(file);
  const words = /** @type {[string, string][]} */ (listIn(content, "words", file));
  const { versions, note } = content;
  const stemmed = words.map(([word]) => [word, porterStem(word)]);
  comparison.same("porter", { versions, note, words: stemmed }, content);
}

/** @param {import("../run.mjs").SuiteContext} context */
async function compareRouge({ folder, comparison }) {
  const name = "rouge/rouge.json";
  const content = await folder.readJson(name);
  for (const key of ["pairs", "multi", "sentence_split"]) listIn(content, key, name);
  const file = /** @type {RougeFile} */ (/** @type {unknown} */ (content));

  comparison.same("rouge", recompute(file, comparison), content);
}

/** @type {import("../run.mjs").Suite} */
export const suite = { name: "rouge", tolerance: 1e-9, run };
