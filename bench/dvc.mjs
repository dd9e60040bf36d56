// Versions of data beside dvc: add, push to a folder and pull of many small files and of one large one.
// node bench/dvc.mjs [--quick] [--runs 3] [--files N] [--megabytes N] [--folder FOLDER] [--python PYTHON]
// @ts-check
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createRandom } from "./frame/checkpoint.mjs";
import { median } from "./frame/child.mjs";
import { makePython, packageVersions } from "./frame/python.mjs";
import { lessIsBetter, machine, report } from "./frame/report.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runs: { type: "string", default: "3" },
    files: { type: "string" },
    megabytes: { type: "string" },
    folder: { type: "string", default: os.tmpdir() },
    python: { type: "string" },
  },
});
const runs = Number(values.runs);
const fileCount = Number(values.files ?? (values.quick ? 2000 : 100_000));
const megabytes = Number(values.megabytes ?? (values.quick ? 200 : 5000));
const binary = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const started = machine();
const python = values.python ?? makePython(["dvc==3.67.1"]);
const dvc = path.join(path.dirname(python), "dvc");
const { dvc: version } = packageVersions(python, ["dvc"]);

/** @typedef {"bridle" | "dvc"} Side */
/** @typedef {{seconds: Record<string, number>, peakBytes: number, content: string}} Outcome content: what was added, by its .dvc file */

/** Runs a command to its end. @param {string} program @param {string[]} args @param {string} cwd @returns {Promise<{seconds: number, peakBytes: number}>} */
function run(program, args, cwd) {
  // dvc keeps notes on each repository there; a clone of it on another machine has none.
  const home = path.join(path.dirname(cwd), `home-${path.basename(cwd)}`);
  mkdirSync(home, { recursive: true });
  const env = {
    ...process.env,
    DVC_NO_ANALYTICS: "1",
    DVC_GLOBAL_CONFIG_DIR: home,
    DVC_SYSTEM_CONFIG_DIR: home,
    DVC_SITE_CACHE_DIR: path.join(home, "site"),
  };
  const began = performance.now();
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
  let told = "";
  child.stderr.on("data", (chunk) => {
    told = (told + chunk).slice(-4000);
  });
  let peakBytes = 0;
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, peakOf(child.pid ?? 0));
  }, 20);
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => {
      clearInterval(watch);
      const seconds = (performance.now() - began) / 1000;
      if (code === 0) resolve({ seconds, peakBytes });
      else reject(new Error(`${program} ${args.join(" ")} ended with ${code}:\n${told}`));
    });
  });
}

/** Most memory a process has held so far, as Linux counts it; 0 elsewhere. @param {number} pid */
function peakOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Small files of 100 to 2,000 bytes in folders of a hundred. @param {string} folder */
function makeFiles(folder) {
  const random = createRandom(1);
  for (let i = 0; i < fileCount; i++) {
    if (i % 100 === 0) mkdirSync(path.join(folder, String(i / 100)), { recursive: true });
    const length = 100 + Math.floor(random() * 1900);
    const body = `${i} ${"the harbour silted up ".repeat(100)}`.slice(0, length);
    writeFileSync(path.join(folder, String(Math.floor(i / 100)), `${i}.txt`), body);
  }
}

/** One file of bytes that no compression finds anything in. @param {string} folder */
function makeLarge(folder) {
  mkdirSync(folder, { recursive: true });
  const piece = new Uint32Array(250_000);
  const random = createRandom(2);
  for (let i = 0; i < piece.length; i++) piece[i] = random() * 2 ** 32;
  const fd = openSync(path.join(folder, "large.bin"), "w");
  for (let i = 0; i < megabytes; i++) {
    piece[0] = i;
    writeSync(fd, piece);
  }
  closeSync(fd);
}

/** Names and sizes of a folder's files. @param {string} folder */
function filesIn(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => path.join(each.parentPath, each.name));
  return files
    .map((file) => `${path.relative(folder, file)} ${statSync(file).size}`)
    .sort()
    .join("\n");
}

/** @param {Side} side @param {(folder: string) => void} make @returns {Promise<Outcome>} */
async function round(side, make) {
  const scratch = mkdtempSync(path.join(values.folder, "bridle-bench-dvc-"));
  const repo = path.join(scratch, "repo");
  try {
    mkdirSync(repo);
    make(path.join(repo, "data"));
    const command = (
      /** @type {string} */ verb,
      /** @type {string[]} */ rest = [],
      /** @type {string} */ cwd = repo,
    ) =>
      side === "bridle"
        ? run(process.execPath, [binary, "data", verb, ...rest], cwd)
        : run(dvc, [verb, ...rest], cwd);
    if (side === "bridle") await command("init");
    else await run(dvc, ["init", "--no-scm", "-q"], repo);
    if (side === "bridle") await command("remote", ["add", "--default", "store", "../remote"]);
    else {
      await run(dvc, ["remote", "add", "-d", "store", "../remote"], repo);
      // Asking for newer versions would take time from what is timed.
      await run(dvc, ["config", "core.check_update", "false"], repo);
    }
    // What was just made is written to the disk before anything is timed.
    if (process.platform !== "win32") spawnSync("sync");
    /** @type {Record<string, number>} */
    const seconds = {};
    let peakBytes = 0;
    const step = async (/** @type {string} */ verb, /** @type {string[]} */ ...rest) => {
      const done = await command(verb, rest);
      seconds[verb] = done.seconds;
      peakBytes = Math.max(peakBytes, done.peakBytes);
    };
    await step("add", "data");
    await step("push");
    // A clone: DVC's files alone. Nothing is deleted before it is timed, as a disk looks through what was just deleted
    // for every file that is made.
    const clone = path.join(scratch, "clone");
    mkdirSync(path.join(clone, ".dvc"), { recursive: true });
    copyFileSync(path.join(repo, ".dvc", "config"), path.join(clone, ".dvc", "config"));
    copyFileSync(path.join(repo, "data.dvc"), path.join(clone, "data.dvc"));
    const done = await command("pull", [], clone);
    seconds.pull = done.seconds;
    peakBytes = Math.max(peakBytes, done.peakBytes);
    const made = filesIn(path.join(repo, "data"));
    assert.equal(
      filesIn(path.join(clone, "data")),
      made,
      `${side} pulled other files than it added`,
    );
    return { seconds, peakBytes, content: readFileSync(path.join(repo, "data.dvc"), "utf8") };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    // What was deleted is passed over for half a minute wherever a disk keeps no journal.
    if (!values.quick) await new Promise((resolve) => setTimeout(resolve, 36_000));
  }
}

const rows = [];
const cases = /** @type {const} */ ([
  [`${fileCount} small files`, makeFiles, 3],
  [`one file of ${megabytes} MB`, makeLarge, 0.9],
]);
for (const [label, make, atLeast] of cases) {
  /** @type {Record<Side, Outcome[]>} */
  const done = { bridle: [], dvc: [] };
  for (let i = 0; i < runs; i++) {
    for (const side of /** @type {const} */ (["bridle", "dvc"])) {
      const outcome = await round(side, make);
      done[side].push(outcome);
      const steps = Object.entries(outcome.seconds).map(
        ([verb, seconds]) => `${verb} ${seconds.toFixed(1)} s`,
      );
      console.log(
        `${label}, ${side}, ${i + 1} of ${runs}: ${steps.join(", ")}, peak ${Math.round(outcome.peakBytes / 1e6)} MB`,
      );
    }
  }
  const [first, ...others] = [...done.bridle, ...done.dvc].map(({ content }) => content);
  for (const other of others) assert.equal(other, first, "both must have added the same");
  const compare = (
    /** @type {string} */ metric,
    /** @type {(outcome: Outcome) => number} */ of,
  ) => ({
    case: label,
    peer: "dvc",
    metric,
    bridle: median(done.bridle.map(of)),
    other: median(done.dvc.map(of)),
  });
  const total = lessIsBetter(
    compare("add + push + pull, s", ({ seconds }) =>
      Object.values(seconds).reduce((sum, each) => sum + each, 0),
    ),
  );
  const bar = "dvc's time over Bridle's: at least 3 and 0.9 (median of 3)";
  rows.push(values.quick ? total : { ...total, bar, held: total.ratio >= atLeast });
  for (const verb of ["add", "push", "pull"]) {
    rows.push(lessIsBetter(compare(`${verb}, s`, ({ seconds }) => seconds[verb] ?? Number.NaN)));
  }
  rows.push(lessIsBetter(compare("peak RSS, MB", ({ peakBytes }) => peakBytes / 1e6)));
}
report("dvc", rows, [
  `Machine: ${started}. Median of ${runs} alternating runs in ${values.folder}; every command a process of its own.`,
  `dvc ${version}: default settings, no Git, the remote a folder; both pull into a clone without cache and data.`,
  "Small files are 100 to 2,000 bytes in folders of a hundred; bytes of the large one are random.",
]);
