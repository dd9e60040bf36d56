#!/usr/bin/env node
// Fits the weights of the extractive summarizer on train splits, shows them on valid splits, and writes weights.ts.
//
//   npm run build && node scripts/fit-extractive.mjs [--data ../shared/data] [--dry-run] [--leave-out SET] [--folds N]
//
// The features come from the product's own code. Each document's sentences are chosen softly: a sentence is in with
// the probability that its score gives it, such that the probabilities add up to as many sentences as the reference
// has; what is raised is the expected gain in ROUGE. No randomness: the same data give the same weights.
import "./node-version.mjs";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { readSentences } from "../dist/summarize/extractive/document-sentences.js";
import { sentenceFeatures } from "../dist/summarize/extractive/features.js";
import {
  cohesionOf,
  modeShares,
  modes,
  scoreSentences,
} from "../dist/summarize/extractive/ranking.js";
import { selectSentences } from "../dist/summarize/extractive/selection.js";
import { rougeL, rougeN } from "../dist/text/rouge/rouge.js";
import { tokenize } from "../dist/text/rouge/tokenize.js";
import { splitSentences } from "../dist/text/sentences.js";

const root = fileURLToPath(new URL("..", import.meta.url));

/** All train splits count alike, whatever their size; no test split is read. All are English, hence the stemmer. */
const sets = [
  "scitldr",
  "acl_titles",
  "docs",
  "gov_posts",
  "textbooks",
  "mts_dialog",
  "advisories",
];
/** Documents of each set, evenly spaced through it. */
const documentsPerSet = 600;

/** Which features speak in which mode. */
const spec = {
  prose:
    "principal central first second opening depth progress paragraphStart firstParagraph paragraphDepth " +
    "afterHeading short overlong fragment digits authors announces",
  plain: "central authors",
  long: "principal central connected length",
  dialogue: "central length words wordLength first asker",
};
const columns = modes.flatMap((mode) => spec[mode].split(" ").map((name) => ({ mode, name })));

/** Weight of ROUGE-1 beside ROUGE-L's 1 in what is raised. */
const rouge1Share = 0.3;
const iterations = 150;
const rate = 0.06;
/** Pull towards zero: squared and absolute. */
const ridge = 0.001;
const lasso = 0.0005;

const tokensOf = (text) => tokenize(text, { mode: "google", stemmer: true });

/** ROUGE-1, -2, -L F-measures against the reference with the best ROUGE-1. */
function scoreAgainst(references, tokens) {
  let best;
  for (const reference of references) {
    const rouge1 = rougeN(reference, tokens, 1).fmeasure;
    if (best === undefined || rouge1 > best.rouge1) best = { rouge1, reference };
  }
  const { rouge1, reference } = best;
  return {
    rouge1,
    rouge2: rougeN(reference, tokens, 2).fmeasure,
    rougeL: rougeL(reference, tokens).fmeasure,
    size: reference.length,
  };
}

/** One document ready for fitting: its features by mode, and what each sentence would gain. */
function prepare(row) {
  const document = readSentences(row.document);
  const features = sentenceFeatures(document);
  const count = Math.max(1, splitSentences(row.summary).length);
  const shares = modeShares(document, features, count);
  const n = document.counts.sentences;
  const inputs = columns.map(({ mode, name }) =>
    Float64Array.from({ length: n }, (_, i) => features.of[name](i) * shares[mode]),
  );
  const tokens = Array.from({ length: n }, (_, i) => tokensOf(document.textOf(i)));
  const references = (row.references ?? [row.summary]).map(tokensOf);
  const alone = tokens.map((sentence) => scoreAgainst(references, sentence));
  return { document, features, count, shares, n, inputs, tokens, references, alone };
}

/**
 * What each sentence gains. One sentence: its own ROUGE. Several: how far its shared words outweigh the price of its
 * length, so that gains add up over a summary. The price rises with the number of sentences, because each finds
 * words of the reference that others have found already.
 */
function gainsOf({ count, tokens, references, alone }) {
  if (count === 1) return alone.map(({ rougeL, rouge1 }) => rougeL + rouge1Share * rouge1);
  const price = Math.min(0.6, 0.2 + 0.05 * count) * (1 + 1.4 * rouge1Share);
  const scale = 2 * references[0].length;
  return alone.map(({ rougeL, rouge1, size }, i) => {
    const own = tokens[i].length;
    const shared = (rougeL + rouge1Share * rouge1) * (own + size);
    return (shared - price * own) / scale;
  });
}

/** Probabilities that add up to `count`, and their slopes; softmax where one is wanted. */
function softChoice(scores, count) {
  const top = Math.max(...scores);
  if (count === 1) {
    const odds = scores.map((score) => Math.exp(score - top));
    const total = odds.reduce((sum, x) => sum + x, 0);
    const chances = odds.map((x) => x / total);
    return { chances, slopes: chances };
  }
  const chance = (score, threshold) => 1 / (1 + Math.exp(threshold - score));
  let low = Math.min(...scores) - 40;
  let high = top + 40;
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    const total = scores.reduce((sum, score) => sum + chance(score, middle), 0);
    if (total > count) low = middle;
    else high = middle;
  }
  const chances = scores.map((score) => chance(score, (low + high) / 2));
  return { chances, slopes: chances.map((p) => p * (1 - p)) };
}

/** Adds a document's part of the objective's slope. */
function addSlope(slope, { inputs, count, n, gains, share }, values) {
  const scores = new Float64Array(n);
  for (const [j, input] of inputs.entries()) {
    for (let i = 0; i < n; i++) scores[i] += values[j] * input[i];
  }
  const { slopes } = softChoice(scores, count);
  let total = 0;
  let weighted = 0;
  for (let i = 0; i < n; i++) {
    total += slopes[i];
    weighted += slopes[i] * gains[i];
  }
  const mean = total > 0 ? weighted / total : 0;
  for (const [j, input] of inputs.entries()) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += slopes[i] * (gains[i] - mean) * input[i];
    slope[j] += share * sum;
  }
}

/** Adam on the expected gain, with both pulls towards zero. */
function fitWeights(groups) {
  const documents = groups.flatMap(({ train }) =>
    train
      .filter(({ n, count }) => n > count)
      .map((each) => ({ ...each, gains: gainsOf(each), share: 1 / train.length })),
  );
  const size = columns.length;
  const values = new Float64Array(size);
  const momentum = new Float64Array(size);
  const square = new Float64Array(size);
  for (let step = 1; step <= iterations; step++) {
    const slope = new Float64Array(size);
    for (const each of documents) addSlope(slope, each, values);
    const stepRate = step > 0.7 * iterations ? 0.3 * rate : rate;
    for (let j = 0; j < size; j++) {
      const pulled = slope[j] - ridge * values[j];
      momentum[j] = 0.9 * momentum[j] + 0.1 * pulled;
      square[j] = 0.999 * square[j] + 0.001 * pulled * pulled;
      const scale = stepRate / (Math.sqrt(square[j] / (1 - 0.999 ** step)) + 1e-8);
      const moved = values[j] + (scale * momentum[j]) / (1 - 0.9 ** step);
      values[j] = Math.sign(moved) * Math.max(0, Math.abs(moved) - scale * lasso);
    }
  }
  return weightsOf(values);
}

/** The weights as the product takes them: by feature and mode, to two decimals, zeros left out. */
function weightsOf(values) {
  const weights = {};
  for (const [j, { mode, name }] of columns.entries()) {
    const value = Math.round(values[j] * 100) / 100;
    if (value === 0) continue;
    weights[name] ??= {};
    weights[name][mode] = value;
  }
  return weights;
}

/** Mean ROUGE-1, -2, -L ×100 of the sentences that the product would choose. */
function evaluate(documents, weights) {
  const sums = { rouge1: 0, rouge2: 0, rougeL: 0 };
  for (const { document, features, count, n, shares, tokens, references } of documents) {
    const scores = scoreSentences(features, n, shares, weights);
    const { chosen } = selectSentences(document, scores, {
      count,
      wordsOf: () => 0,
      cohesion: cohesionOf(shares, count),
    });
    const summary = chosen.flatMap((i) => tokens[i]);
    const score = scoreAgainst(references, summary);
    for (const type of Object.keys(sums)) sums[type] += score[type];
  }
  return Object.values(sums).map((sum) => (100 * sum) / documents.length);
}

const show = (figures) => figures.map((figure) => figure.toFixed(2)).join("/");

/** Figures on train documents that the weights were not fitted on: what choices of features and constants go by. */
function crossValidate(count) {
  const sums = new Map(groups.map(({ name }) => [name, [0, 0, 0]]));
  for (let fold = 0; fold < count; fold++) {
    const isHeld = (_, i) => i % count === fold;
    const kept = groups.map(({ name, train }) => ({
      name,
      train: train.filter((each, i) => !isHeld(each, i)),
    }));
    const weights = fitWeights(kept);
    for (const { name, train } of groups) {
      const held = train.filter(isHeld);
      for (const [j, figure] of evaluate(held, weights).entries()) {
        sums.get(name)[j] += (figure * held.length) / train.length;
      }
    }
  }
  for (const [name, figures] of sums) console.log(`${name.padEnd(12)} held out ${show(figures)}`);
}

function readRows(file) {
  const text = gunzipSync(readFileSync(file)).toString("utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Up to `documentsPerSet` rows, evenly spaced. */
function thin(rows) {
  const step = Math.max(1, rows.length / documentsPerSet);
  const kept = Math.min(rows.length, documentsPerSet);
  return Array.from({ length: kept }, (_, i) => rows[Math.floor(i * step)]);
}

const { values: options } = parseArgs({
  options: {
    data: { type: "string", default: path.join(root, "../shared/data") },
    "dry-run": { type: "boolean", default: false },
    "leave-out": { type: "string" },
    folds: { type: "string" },
  },
});

const groups = sets.map((name) => {
  const file = (split) => path.join(options.data, `${name}.${split}.jsonl.gz`);
  return {
    name,
    train: thin(readRows(file("train"))).map(prepare),
    valid: readRows(file("valid")).map(prepare),
  };
});
const leftOut = options["leave-out"];
const folds = Number(options.folds ?? 0);
if (folds > 0) {
  crossValidate(folds);
  process.exit();
}
const weights = fitWeights(groups.filter(({ name }) => name !== leftOut));
for (const { name, train, valid } of groups) {
  const told = name === leftOut ? " (left out of the fit)" : "";
  const [onTrain, onValid] = [train, valid].map((each) => show(evaluate(each, weights)));
  console.log(`${name.padEnd(12)} train ${onTrain}  valid ${onValid}${told}`);
}
console.log(JSON.stringify(weights));
if (!options["dry-run"] && leftOut === undefined) {
  const file = path.join(root, "src/summarize/extractive/weights.ts");
  const lines = Object.entries(weights).map(
    ([name, byMode]) => `  ${name}: ${JSON.stringify(byMode)},`,
  );
  writeFileSync(
    file,
    `// The weight of each feature in each mode, as scripts/fit-extractive.mjs found them; do not edit by hand.
import type { Weights } from "./ranking.js";

export const weights: Weights = {
${lines.join("\n")}
};
`,
  );
  const npx = process.platform === "win32" ? "npx.cmd" : "npx";
  const { status } = spawnSync(npx, ["biome", "format", "--write", file], { stdio: "inherit" });
  process.exitCode = status ?? 1;
}
