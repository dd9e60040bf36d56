// A sweep of twenty short trials on two workers: its ranked table, what decides the objective, and the best as a registered version,
// which answers.
// node scripts/twenty-trials.mjs [--keep]
// @ts-check
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { prepare } from "./build.mjs";
import { bridle, makeProject } from "./kills/scene.mjs";

const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
await prepare();
const folder = await mkdtemp(path.join(tmpdir(), "bridle-twenty-"));
let failed = 0;
/** @param {boolean} held @param {string} what */
function check(held, what) {
  console.log(`${held ? "ok  " : "FAIL"} ${what}`);
  if (!held) failed++;
}
try {
  await makeProject(folder);
  const sweep = {
    space: {
      "train.learningRate": { min: 1e-4, max: 1e-2, log: true },
      "train.accumulate": { min: 1, max: 4 },
      "train.optimizer.name": ["adamw", "adafactor"],
    },
    pruner: "median",
    trials: 20,
  };
  await writeFile(path.join(folder, "rates.yaml"), JSON.stringify(sweep));
  const words = ["train.maxSteps=12", "train.evaluateEvery=4"];
  const began = performance.now();
  const shown = await bridle(folder, "sweep", "rates.yaml", ...words, "--workers", "2");
  console.log(`${shown}${((performance.now() - began) / 1000).toFixed(0)} s\n`);

  // Asked again it trains nothing, and tells the same for a program.
  const again = await bridle(folder, "sweep", "rates.yaml", ...words, "--resume", "--json");
  const told = JSON.parse(again);
  const [title = "", ...rows] = shown.split("\n").slice(0, 21);
  check(title.startsWith("rank") && rows.length === 20, "a table of twenty trials");
  const ranks = rows.map((row) => row.trim().split(/\s+/));
  const complete = ranks.filter(([rank]) => /^\d+$/.test(rank ?? ""));
  const losses = complete.map(([, , loss]) => Number(loss));
  const isRanked = losses.every((loss, at) => at === 0 || loss >= (losses[at - 1] ?? 0));
  check(complete.length > 0 && isRanked, `${complete.length} complete ones by their loss`);
  const states = told.trials.map((/** @type {{state: string}} */ { state }) => state);
  check(
    states.every((/** @type {string} */ state) => state !== "failed"),
    "none that failed",
  );
  /** @type {number[]} */
  const shares = Object.values(told.importance);
  const sum = shares.reduce((a, b) => a + b, 0);
  check(shares.length === 3 && Math.abs(sum - 1) < 1e-9, "what decides, as shares of one");
  check(shown.includes("What decides the objective, by fANOVA"), "and it is shown");
  const { model, version } = told.registered;
  check(shown.includes(`registered as ${model}:${version}`), `the best is ${model}:${version}`);
  await writeFile(path.join(folder, "a.txt"), "Ship 3 came into the harbour at noon.");
  const answer = JSON.parse(
    await bridle(folder, "summarize", "a.txt", "--model", `${model}:${version}`, "--json"),
  );
  check(typeof answer.summary === "string", "which writes a summary");
} finally {
  if (values.keep) console.log(`kept: ${folder}`);
  else await rm(folder, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
