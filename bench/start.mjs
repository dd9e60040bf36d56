// From nothing to the first summary: time from the start of the process, and the memory it takes, beside transformers.
// node bench/start.mjs [--quick] [--runs 5]
// @ts-check
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeCheckpoint, makeDocument, shapes, weightBytes } from "./frame/checkpoint.mjs";
import { median, runToLine } from "./frame/child.mjs";
import { makePython, packageVersions, transformersPackages } from "./frame/python.mjs";
import { lessIsBetter, machine, report } from "./frame/report.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runs: { type: "string", default: "5" },
  },
});
const runs = values.quick ? 1 : Number(values.runs);
const name = values.quick ? "small" : "full";
const shape = shapes[name];
const newTokens = 32;
const cases = values.quick
  ? [{ source: 64, beams: 2 }]
  : [
      { source: 128, beams: 1 },
      { source: 512, beams: 8 },
      { source: 1024, beams: 8 },
    ];
const threads = os.availableParallelism();

/** @typedef {{summary: string, inputTokens: number, outputTokens: number, residentBytes: number, peakBytes: number}} Outcome */
/** @typedef {"bridle" | "transformers"} Side */

const script = (/** @type {string} */ file) =>
  fileURLToPath(new URL(`./peers/${file}`, import.meta.url));
const started = machine();
const python = makePython(transformersPackages);
const versions = packageVersions(python, ["torch", "transformers"]);
const folder = await makeCheckpoint(name, shape);
const weights = weightBytes(shape);
const limit = 1.3 * weights + 200e6;
const bar = "peak RSS below 1.3x the bytes of its distinct tensors in the loaded dtype plus 200 MB";

/** @param {Side} side @param {object} options @returns {Promise<import("./frame/child.mjs").Run<Outcome>>} */
function runSide(side, options) {
  const argument = JSON.stringify(options);
  return side === "bridle"
    ? runToLine(process.execPath, [script("start-bridle.mjs"), argument])
    : runToLine(python, [script("start_transformers.py"), argument], {
        HF_HUB_OFFLINE: "1",
        TRANSFORMERS_VERBOSITY: "error",
      });
}

const scratch = mkdtempSync(path.join(os.tmpdir(), "bridle-bench-"));
const rows = [];
try {
  for (const { source, beams } of cases) {
    const label = `${name}, ${source} tokens, ${beams === 1 ? "greedy" : `${beams} beams`}`;
    const document = path.join(scratch, `${source}.txt`);
    writeFileSync(document, makeDocument(shape, source, source));
    const options = { folder, document, beams, newTokens, threads };
    /** @type {Record<Side, import("./frame/child.mjs").Run<Outcome>[]>} */
    const done = { bridle: [], transformers: [] };
    // One run of each that is not counted, so that both find the weights in the system's cache.
    for (let round = -1; round < runs; round++) {
      for (const side of /** @type {const} */ (["bridle", "transformers"])) {
        const run = await runSide(side, options);
        const { inputTokens, outputTokens, peakBytes } = run.result;
        if (inputTokens !== source || outputTokens !== newTokens) {
          throw new Error(`${side} read ${inputTokens} tokens and wrote ${outputTokens}`);
        }
        const which = round < 0 ? "not counted" : `${round + 1} of ${runs}`;
        console.log(
          `${label}, ${side}, ${which}: ${run.seconds.toFixed(1)} s, peak ${Math.round(peakBytes / 1e6)} MB`,
        );
        if (round >= 0) done[side].push(run);
      }
    }
    const compare = (
      /** @type {string} */ metric,
      /** @type {(run: import("./frame/child.mjs").Run<Outcome>) => number} */ of,
    ) => ({
      case: label,
      peer: "transformers",
      metric,
      bridle: median(done.bridle.map(of)),
      other: median(done.transformers.map(of)),
    });
    const peak = compare("peak RSS, MB", ({ result }) => result.peakBytes / 1e6);
    rows.push(
      lessIsBetter(compare("start to first summary, s", ({ seconds }) => seconds)),
      lessIsBetter(compare("RSS after it, MB", ({ result }) => result.residentBytes / 1e6)),
      values.quick
        ? lessIsBetter(peak)
        : lessIsBetter({
            ...peak,
            bar,
            held: done.bridle.every(({ result }) => result.peakBytes < limit),
          }),
    );
  }
} finally {
  rmSync(scratch, { recursive: true });
}
report("start", rows, [
  `Machine: ${started}. Median of ${runs} alternating runs, each a process of its own, weights in the system's cache.`,
  `Weights: random, float32, ${Math.round(weights / 1e6)} MB; with 1.3x and 200 MB more, ${Math.round(limit / 1e6)} MB. ${newTokens} new tokens on both sides, ${threads} threads.`,
  `transformers ${versions.transformers}, torch ${versions.torch}: dtype auto (float32), SDPA attention, inference mode.`,
]);
