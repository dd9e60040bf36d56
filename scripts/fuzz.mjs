// Feeds the readers of files from outside spoiled inputs, and fails when one crashes, hangs or takes too much memory.
// Usage: node scripts/fuzz.mjs [--reader NAME]... [--count N] [--seed S] [--from I] [--keep DIR]
//   --reader NAME  which to fuzz; all unless given
//   --count N      inputs for each (default: 10000)
//   --seed S       of the inputs (default: 1)
//   --from I       number of the first input; with --count 1 it repeats that one
//   --keep DIR     writes the inputs that were findings there
// @ts-check
import { fork } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** A reader that says nothing for so long hangs, in milliseconds. */
const patienceMs = 60_000;
/** Memory of JavaScript's heap in which all inputs must be read, in megabytes. */
const heapMb = 256;

const { values } = parseArgs({
  options: {
    reader: { type: "string", multiple: true },
    count: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
    keep: { type: "string" },
  },
});
const [count, seed, from] = [Number(values.count), Number(values.seed), Number(values.from)];
if (![count, seed, from].every(Number.isSafeInteger)) {
  console.error("--count, --seed and --from are whole numbers.");
  process.exit(2);
}

/** @typedef {import("../test/fuzz/run-fuzz.mjs").Report} Report */

/**
 * Runs one reader in a process of its own, so that one that hangs or dies can be told.
 * @param {string} name @returns {Promise<Report>}
 */
function runApart(name) {
  const started = performance.now();
  const child = fork(fileURLToPath(import.meta.url), {
    env: { ...process.env, BRIDLE_FUZZ_READER: JSON.stringify({ name, count, seed, from }) },
    execArgv: [`--max-old-space-size=${heapMb}`],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  let last = from - 1;
  /** @type {Report | undefined} */
  let report;
  let shown = performance.now();
  const broken = (/** @type {string} */ what) => ({
    reader: name,
    count,
    read: 0,
    refused: {},
    largestBytes: 0,
    mostBytesTaken: 0,
    findings: [{ index: last + 1, what: `${what}, at this input or one soon behind it` }],
  });
  return new Promise((resolve) => {
    let timer = setTimeout(hang, patienceMs);
    function hang() {
      resolve(broken(`hangs for more than ${patienceMs / 1000} s`));
      child.kill("SIGKILL");
    }
    child.on("message", (/** @type {{index?: number, report?: Report}} */ message) => {
      clearTimeout(timer);
      timer = setTimeout(hang, patienceMs);
      if (message.index !== undefined) {
        last = message.index;
        if (performance.now() - shown > 10_000) {
          shown = performance.now();
          const seconds = (shown - started) / 1000;
          console.error(`${name}: ${last + 1 - from} of ${count} (${Math.round(seconds)} s)`);
        }
      }
      report = message.report ?? report;
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      resolve(report ?? broken(`the process ended (${signal ?? `code ${code}`})`));
    });
  });
}

/** @param {Report} report */
async function tell(report) {
  const { reader, read, refused, findings, largestBytes, mostBytesTaken } = report;
  const codes = Object.entries(refused)
    .sort((a, b) => b[1] - a[1])
    .map(([code, n]) => `${n} ${code}`)
    .join(", ");
  console.log(
    `${reader.padEnd(15)} ${count} inputs: ${read} read, ${codes || "none refused"}; ` +
      `largest ${largestBytes} bytes, most memory ${(mostBytesTaken / 2 ** 20).toFixed(1)} MB, ` +
      `${findings.length} findings`,
  );
  for (const { index, what } of findings.slice(0, 5)) {
    console.log(`    input ${index}: ${what.split("\n").slice(0, 6).join("\n        ")}`);
  }
  if (values.keep === undefined) return;
  const { spoiledFiles } = await import("../test/fuzz/run-fuzz.mjs");
  for (const { index } of findings.slice(0, 20)) {
    const folder = path.join(values.keep, `${reader}-${seed}-${index}`);
    await mkdir(folder, { recursive: true });
    for (const [name, bytes] of spoiledFiles(reader, seed, index))
      await writeFile(path.join(folder, name), bytes);
  }
}

if (process.env.BRIDLE_FUZZ_READER !== undefined) {
  const { name, ...options } = JSON.parse(process.env.BRIDLE_FUZZ_READER);
  const folder = await mkdtemp(path.join(tmpdir(), "bridle-fuzz-"));
  const { runFuzz } = await import("../test/fuzz/run-fuzz.mjs");
  try {
    const report = await runFuzz(name, {
      ...options,
      folder,
      onProgress: (index) => process.send?.({ index }),
    });
    process.send?.({ report });
  } finally {
    await rm(folder, { recursive: true });
    if (process.connected) process.disconnect();
  }
} else {
  const { readers } = await import("../test/fuzz/readers.mjs");
  const names = readers.map(({ name }) => name);
  const asked = values.reader ?? names;
  const unknown = asked.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    console.error(`There is no reader ${unknown}; there are ${names.join(", ")}.`);
    process.exit(2);
  }
  let findings = 0;
  for (const name of asked) {
    const report = await runApart(name);
    await tell(report);
    findings += report.findings.length;
  }
  process.exit(findings === 0 ? 0 : 1);
}
