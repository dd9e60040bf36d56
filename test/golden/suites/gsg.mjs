// Golden suite `gsg`: which gap sentences every strategy chooses, their scores, and the training example.
// @ts-check
import { listIn } from "../golden-folder.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/text/gap-sentences.js")} */
const { gapSentenceExample, selectGapSentences } = await compiled("text/gap-sentences.js");

/**
 * @typedef {import("../../../src/text/gap-sentences.js").GapStrategy} GapStrategy
 * @typedef {{ratio: number}} Selection
 * @typedef {{m_of_ratio: number, strategy: string}} Example
 * @typedef {{sentences: string[], selections: Selection[], example: Example}} GapDocument
 */

/** The strategy a golden name stands for. @param {string} name */
const strategyOf = (name) => /** @type {GapStrategy} */ (name.replace("_", "-"));

/** @param {string[]} sentences @param {number} ratio */
function select(sentences, ratio) {
  const choose = (/** @type {GapStrategy} */ strategy) =>
    selectGapSentences(sentences, { ratio, strategy });
  const [seqOrig, seqUniq] = [choose("seq-orig"), choose("seq-uniq")];
  const withScores = (/** @type {typeof seqOrig} */ { order, scores }) =>
    order.map((index, step) => [index, scores[step]]);
  return {
    ratio,
    m: choose("ind-orig").indices.length,
    ind_orig: choose("ind-orig").indices,
    ind_uniq: choose("ind-uniq").indices,
    seq_orig: seqOrig.order,
    seq_orig_scores: withScores(seqOrig),
    seq_uniq: seqUniq.order,
    seq_uniq_scores: withScores(seqUniq),
    lead: choose("lead").indices,
  };
}

/** The score of every sentence by itself, in document order. @param {string[]} sentences @param {GapStrategy} strategy */
function ownScores(sentences, strategy) {
  const { order, scores } = selectGapSentences(sentences, { ratio: 1, strategy });
  const inOrder = new Array(sentences.length);
  for (const [step, index] of order.entries()) inOrder[index] = scores[step];
  return inOrder;
}

/**
 * A document as it must be. Ratio and strategy are inputs, whose change could go unseen where it does not change
 * the choice; but all documents of a file share them, so those of the first are asked of every one.
 * @param {GapDocument} document @param {GapDocument} first
 */
function recompute({ sentences }, first) {
  const { m_of_ratio, strategy } = first.example;
  const options = { ratio: m_of_ratio, strategy: strategyOf(strategy) };
  const { indices } = selectGapSentences(sentences, options);
  return {
    sentences,
    selections: first.selections.map(({ ratio }) => select(sentences, ratio)),
    ind_orig_scores: ownScores(sentences, "ind-orig"),
    ind_uniq_scores: ownScores(sentences, "ind-uniq"),
    example: { m_of_ratio, strategy, ...gapSentenceExample(sentences, indices) },
  };
}

/** @param {import("../run.mjs").SuiteContext} context */
async function run({ folder, comparison }) {
  const file = "gsg/gsg.json";
  const content = await folder.readJson(file);
  const documents = /** @type {GapDocument[]} */ (listIn(content, "documents", file));
  const { versions, rules } = content;
  const [first] = documents;
  const actual = documents.map((document) => recompute(document, first ?? document));
  comparison.same("gsg", { versions, rules, documents: actual }, content);
}

/** @type {import("../run.mjs").Suite} */
export const suite = { name: "gsg", tolerance: 1e-9, run };
