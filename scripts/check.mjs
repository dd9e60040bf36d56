// `npm run check`, before each commit: formats and lints, renews docs/errors.md, builds what is stale, checks types,
// then runs the tests of the house and those that the uncommitted changes can break.
// @ts-check
import "./node-version.mjs";
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ensureBuilt, ensureInstalled } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Tests that any change can break: they read the whole tree. */
const houseTests = [
  "test/architecture.test.ts",
  "test/errors-doc.test.ts",
  "src/errors/codes.test.ts",
];

/**
 * @typedef {{name: string, run: () => Promise<{ok: boolean, output: string}>}} Step
 */

/** @type {Step[][]} steps of one list do not touch each other's files and run side by side */
const stages = [
  [step("format and lint", "node_modules/@biomejs/biome/bin/biome", ["check", "--write", "."])],
  [step("docs/errors.md", "scripts/errors-doc.mjs", [])],
  [{ name: "build", run: build }],
  [
    step("types", "node_modules/typescript/bin/tsc", ["--noEmit", "-p", "tsconfig.check.json"]),
    step("types of the page", "node_modules/typescript/bin/tsc", ["--noEmit", "-p", "dashboard"]),
  ],
  [{ name: "tests of the house and of what changed", run: testWhatChanged }],
];

/** @param {string} name @param {string} script @param {string[]} args @returns {Step} */
function step(name, script, args) {
  return { name, run: () => runNode(script, args) };
}

/** @param {string} script @param {string[]} args @returns {Promise<{ok: boolean, output: string}>} */
function runNode(script, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, script), ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.once("error", reject);
    child.once("close", (code) => resolve({ ok: code === 0, output }));
  });
}

async function build() {
  let output = "";
  try {
    await ensureBuilt({ log: (line) => (output += `${line}\n`) });
    return { ok: true, output };
  } catch (thrown) {
    return { ok: false, output: `${output}${thrown instanceof Error ? thrown.message : thrown}\n` };
  }
}

async function testWhatChanged() {
  const changed = changedFiles().filter((file) => /^(src|test|scripts)\/.*\.(ts|mjs)$/.test(file));
  return await runNode("node_modules/vitest/vitest.mjs", [
    "related",
    "--run",
    "--reporter=dot",
    ...new Set([...houseTests, ...changed]),
  ]);
}

/** Files that differ from the last commit or are new, as git names them. @returns {string[]} */
function changedFiles() {
  const { status, stdout } = spawnSync(
    "git",
    ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"],
    { cwd: root, encoding: "utf8" },
  );
  if (status !== 0) return [];
  return stdout
    .split("\0")
    .map((row) => row.slice(3))
    .filter((file) => file !== "" && existsSync(path.join(root, file)));
}

await ensureInstalled();
for (const stage of stages) {
  const began = Date.now();
  const results = await Promise.all(stage.map(async (each) => ({ each, ...(await each.run()) })));
  for (const { each, ok, output } of results) {
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    console.log(`${ok ? "ok  " : "FAIL"} ${each.name} (${seconds} s)`);
    if (!ok) console.log(output.trimEnd());
  }
  if (results.some(({ ok }) => !ok)) process.exit(1);
}
console.log("Ready to commit.");
