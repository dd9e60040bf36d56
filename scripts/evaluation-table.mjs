// Writes docs/evaluation.md: `bridle evaluate` on every test split, next to the simple systems' published figures.
// @ts-check
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

/**
 * @typedef {{mean: number, low: number, high: number}} Interval
 * @typedef {Record<string, {fmeasure: Interval}>} Scores
 * @typedef {{data: string, model: string, version: string, rows: {scored: number, empty: number, failed: number},
 *   scores: Scores, statistics: {words: number}, reference: {words: number},
 *   baselines: Record<string, {scores: Scores, difference: Record<string, Interval>}>}} Evaluation
 * @typedef {{set: string, scored: number, systems: Map<string, readonly number[]>}} Published
 */

const root = fileURLToPath(new URL("..", import.meta.url));
const systems = ["lead1", "lead3", "leadK", "textrankK", "oracle3"];
/** Differences in ROUGE-L times 100: what still counts as level, and what is too far below. */
const level = 0.1;
const tooFar = 2;

/** The simple systems' lines of BASELINES.md. @param {string} text @returns {Published[]} */
export function readPublished(text) {
  return text
    .split("\n")
    .filter((line) => line.startsWith("- "))
    .map((line) => {
      const set = /^- (\S+):/.exec(line)?.[1];
      const scored = /scored (\d+)/.exec(line)?.[1];
      if (set === undefined || scored === undefined) throw new Error(`Not understood: ${line}`);
      const figures = [
        ...line.matchAll(/\b(lead1|lead3|leadK|textrankK|oracle3) ([\d.]+)\/([\d.]+)\/([\d.]+)/g),
      ];
      return {
        set,
        scored: Number(scored),
        systems: new Map(
          figures.map((match) => [
            match[1] ?? "",
            [match[2], match[3], match[4]].map((n) => Number.parseFloat(n ?? "")),
          ]),
        ),
      };
    });
}

/** ROUGE-L of the better of leadK and textrankK. @param {Published} published */
export function barOf(published) {
  return Math.max(
    ...["leadK", "textrankK"].map((name) => published.systems.get(name)?.[2] ?? Number.NaN),
  );
}

/** Runs the command on one split. @param {string} file @param {readonly string[]} more @returns {Promise<Evaluation>} */
async function evaluateFile(file, more) {
  const command = [path.join(root, "dist", "cli", "main.js"), "evaluate", file];
  const options = ["--sentences", "reference", "--baselines", systems.join(","), "--json", ...more];
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [...command, ...options], { maxBuffer: 1 << 26 });
  return JSON.parse(stdout).evaluations[0];
}

const percent = (/** @type {number} */ share) => (100 * share).toFixed(1);
const signed = (/** @type {number} */ value) =>
  `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

/** F-measures of ROUGE-1, 2 and L. @param {Scores} scores */
function triple(scores) {
  return ["rouge1", "rouge2", "rougeL"]
    .map((type) => percent(scores[type]?.fmeasure.mean ?? Number.NaN))
    .join("/");
}

/** @param {readonly (readonly string[])[]} rows the first is the heading */
function markdown(rows) {
  const [heading = [], ...rest] = rows;
  const rule = heading.map((_, index) => (index === 0 ? "---" : "--:"));
  return [heading, rule, ...rest].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The page. @param {readonly {published: Published, evaluation: Evaluation}[]} results */
export function renderPage(results) {
  const differences = results.map(({ published, evaluation }) => ({
    set: published.set,
    value: 100 * (evaluation.scores.rougeL?.fmeasure.mean ?? Number.NaN) - barOf(published),
  }));
  const within = differences.filter(({ value }) => value >= -level).length;
  const worst = differences.reduce((low, each) => (each.value < low.value ? each : low));
  const { model, version } = /** @type {{evaluation: Evaluation}} */ (results[0]).evaluation;
  const main = results.map(({ published, evaluation }, index) => {
    const { mean, low, high } = /** @type {{fmeasure: Interval}} */ (evaluation.scores.rougeL)
      .fmeasure;
    const of = (/** @type {string} */ name) =>
      (published.systems.get(name) ?? []).map((each) => each.toFixed(1)).join("/");
    return [
      published.set,
      String(evaluation.rows.scored),
      triple(evaluation.scores),
      `${percent(mean)} [${percent(low)}, ${percent(high)}]`,
      of("leadK"),
      of("textrankK"),
      signed(differences[index]?.value ?? Number.NaN),
      evaluation.statistics.words.toFixed(0),
      evaluation.reference.words.toFixed(0),
    ];
  });
  const own = results.map(({ published, evaluation }) => [
    published.set,
    ...systems.map((name) => triple(evaluation.baselines[name]?.scores ?? {})),
  ]);
  return `# Evaluation

<!-- Written by \`node scripts/evaluation-table.mjs\` from \`bridle evaluate\`; run it again after a change to the model. -->

The model ${model} ${version} on the test splits of eleven sets, with as many sentences as each reference has. ROUGE-1/2/L
F-measures times 100, as \`bridle evaluate --sentences reference\` counts them: \`rouge_score\`, stemmed, for English;
Unicode words for other languages; the best reference by ROUGE-1. Brackets hold 95 % bootstrap intervals. leadK and
textrankK are the figures that came with the data; the difference is the model's ROUGE-L less the better one of them.

${markdown([["set", "rows", model, "ROUGE-L", "leadK", "textrankK", "difference", "words", "reference words"], ...main])}

Level with or above the better simple system (−${level} or more) on ${within} of ${results.length} sets; lowest on
${worst.set}, ${signed(worst.value)}. textbooks_es was scored on every third row from the first, up to a hundred, as its
published figures were; all others on every row.

## The simple systems, run here

The same systems by \`bridle evaluate --baselines\`, with Bridle's own sentence splitter. How the published figures split
sentences was not published with them. Here a list number ("1.") is no sentence, a sentence may end inside quotation
marks, and oracle3 considers every sentence of a document, however long.

${markdown([["set", ...systems], ...own])}
`;
}

async function main() {
  const { values } = parseArgs({
    options: {
      data: { type: "string", default: path.join(root, "..", "shared", "data") },
      output: { type: "string", default: path.join(root, "docs", "evaluation.md") },
      only: { type: "string" },
    },
  });
  const published = readPublished(readFileSync(path.join(values.data, "BASELINES.md"), "utf8"));
  const files = new Set(readdirSync(values.data));
  const results = [];
  for (const each of published) {
    const file = `${each.set}.jsonl.gz`;
    if (values.only !== undefined && !each.set.includes(values.only)) continue;
    if (!files.has(file)) throw new Error(`${file} is not in ${values.data}.`);
    const part = each.set === "textbooks_es.test" ? ["--every", "3", "--limit", "100"] : [];
    const evaluation = await evaluateFile(path.join(values.data, file), part);
    if (evaluation.rows.scored !== each.scored) {
      throw new Error(
        `${each.set}: ${evaluation.rows.scored} rows were scored, not ${each.scored}.`,
      );
    }
    const mean = 100 * (evaluation.scores.rougeL?.fmeasure.mean ?? Number.NaN);
    const difference = mean - barOf(each);
    const verdict =
      difference >= -level ? "level or above" : difference < -tooFar ? "TOO FAR BELOW" : "below";
    console.log(`${each.set}: ROUGE-L ${mean.toFixed(2)}, ${signed(difference)}, ${verdict}`);
    results.push({ published: each, evaluation });
  }
  writeFileSync(values.output, renderPage(results));
  console.log(`Wrote ${values.output}.`);
}

if (
  process.argv[1] !== undefined &&
  path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)
) {
  await main();
}
