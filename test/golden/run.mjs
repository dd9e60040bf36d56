// The golden runner: recomputes what the reference libraries recorded in a folder and compares every figure.
// @ts-check
import { readFile } from "node:fs/promises";
import { Comparison } from "./comparison.mjs";
import { GoldenFolder } from "./golden-folder.mjs";
import { suite as dvc } from "./suites/dvc.mjs";
import { forward } from "./suites/forward.mjs";
import { generate } from "./suites/generate.mjs";
import { suite as gsg } from "./suites/gsg.mjs";
import { suite as rouge } from "./suites/rouge.mjs";
import { sampling } from "./suites/sampling.mjs";
import { pegasusTiny, tokenizer } from "./suites/tokenizer.mjs";
import { gradients } from "./suites/train-gradients.mjs";
import { lora } from "./suites/train-lora.mjs";
import { runs } from "./suites/train-runs.mjs";

/**
 * @typedef {{folder: GoldenFolder, comparison: Comparison}} SuiteContext
 * @typedef {{name: string, tolerance: number, run: (context: SuiteContext) => Promise<void>}} Suite
 *   run: throws where a file cannot be used, else hands all it finds to the comparison
 * @typedef {{passed: number, failed: number}} Outcome
 */

/** Every suite that is built, in the order of their lines. @type {Suite[]} */
export const suites = [
  rouge,
  gsg,
  pegasusTiny,
  tokenizer("bart-tiny"),
  tokenizer("t5-tiny"),
  forward("pegasus-tiny"),
  forward("bart-tiny"),
  forward("t5-tiny"),
  generate("pegasus-tiny"),
  generate("bart-tiny"),
  generate("t5-tiny"),
  generate("pegasus-tiny", "groups"),
  sampling,
  gradients,
  runs,
  lora,
  dvc,
];

const usage = "Usage: npm run golden -- DIR [--suite NAME]...";

/** Names of the suites that are still to be built. @returns {Promise<string[]>} */
export async function pendingSuites() {
  return JSON.parse(await readFile(new URL("./pending.json", import.meta.url), "utf8"));
}

/** @param {Comparison} comparison */
function describe(comparison) {
  const { values, worst, tolerance } = comparison;
  return `${values} values, worst deviation ${worst.toExponential(1)} (tolerance ${tolerance})`;
}

/**
 * Runs one suite and prints its line.
 * @param {Suite} suite @param {GoldenFolder} folder @param {(line: string) => void} print
 * @returns {Promise<boolean>} whether it passed
 */
async function runSuite(suite, folder, print) {
  const comparison = new Comparison(suite.tolerance);
  const name = suite.name.padEnd(24);
  try {
    await suite.run({ folder, comparison });
  } catch (thrown) {
    print(`${name} FAILED   ${thrown instanceof Error ? thrown.message : thrown}`);
    return false;
  }
  const passed = comparison.mismatchCount === 0 && comparison.values > 0;
  print(`${name} ${passed ? "passed " : "FAILED "}  ${describe(comparison)}`);
  for (const mismatch of comparison.mismatches) print(`    ${mismatch}`);
  const unsaid = comparison.mismatchCount - comparison.mismatches.length;
  if (unsaid > 0) print(`    and ${unsaid} more`);
  return passed;
}

/**
 * Runs the suites on a folder laid out like the recorded one, and prints a line for each, those to come included.
 * @param {string} directory
 * @param {{only?: string[], print: (line: string) => void}} options only: names of the suites to run, all unless said
 * @returns {Promise<Outcome>}
 */
export async function runGolden(directory, { only, print }) {
  const wanted = (/** @type {string} */ name) => only === undefined || only.includes(name);
  const folder = new GoldenFolder(directory);
  const outcome = { passed: 0, failed: 0 };
  for (const suite of suites.filter(({ name }) => wanted(name))) {
    const passed = await runSuite(suite, folder, print);
    outcome[passed ? "passed" : "failed"]++;
  }
  for (const name of (await pendingSuites()).filter(wanted)) print(`${name.padEnd(24)} pending`);
  print(`${outcome.passed} passed, ${outcome.failed} failed`);
  return outcome;
}

/** @param {string[]} args @returns {{directory: string, only: string[]} | undefined} */
function parseArguments(args) {
  /** @type {string[]} */
  const only = [];
  /** @type {string[]} */
  const folders = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (arg === "--suite") only.push(args[++i] ?? "");
    else folders.push(arg);
  }
  const [directory] = folders;
  const valid = folders.length === 1 && directory !== undefined && !directory.startsWith("-");
  return valid ? { directory, only } : undefined;
}

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code: 0 all passed, 1 something failed, 2 wrong arguments
 */
export async function main(args) {
  const parsed = parseArguments(args);
  if (parsed === undefined) {
    console.error(usage);
    return 2;
  }
  const { directory, only } = parsed;
  const known = suites.map(({ name }) => name);
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`No such suite: ${unknown.join(", ")}. There are ${known.join(", ")}.\n${usage}`);
    return 2;
  }
  const options = only.length > 0 ? { only } : {};
  const print = (/** @type {string} */ line) => console.log(line);
  const { failed } = await runGolden(directory, { ...options, print });
  return failed === 0 ? 0 : 1;
}
