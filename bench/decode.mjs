// Generation beside transformers and CTranslate2 on the same batches: every side a process that is opened once, in turns.
// node bench/decode.mjs [--quick] [--runs 5] [--case "distil 1,128,1"]... [--without transformers]
// @ts-check
import { spawn } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cacheFolder, createRandom, makeCheckpoint, shapes } from "./frame/checkpoint.mjs";
import { median } from "./frame/child.mjs";
import { makePython, packageVersions, transformersPackages } from "./frame/python.mjs";
import { lessIsBetter, machine, report } from "./frame/report.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runs: { type: "string", default: "5" },
    case: { type: "string", multiple: true, default: [] },
    without: { type: "string", multiple: true, default: [] },
  },
});
const runs = values.quick ? 1 : Number(values.runs);
const threads = os.availableParallelism();
const newTokens = 32;

/** @typedef {{model: "full" | "distil" | "small", batch: number, source: number, beams: number}} Case */
/** @param {Case} of */
const nameOf = ({ model, batch, source, beams }) => `${model} ${batch},${source},${beams}`;
/** @type {Case[]} */
const all = values.quick
  ? [{ model: "small", batch: 2, source: 128, beams: 4 }]
  : /** @type {const} */ (["full", "distil"]).flatMap((model) =>
      [1, 8].flatMap((batch) =>
        [128, 512].flatMap((source) => [1, 4, 8].map((beams) => ({ model, batch, source, beams }))),
      ),
    );
const chosen = all.filter(
  (one) => values.case.length === 0 || values.case.some((name) => nameOf(one).startsWith(name)),
);
if (chosen.length === 0) throw new Error(`There is no case named ${values.case.join(", ")}.`);

const started = machine();
const python = makePython([...transformersPackages, "ctranslate2==4.8.5"]);
const versions = packageVersions(python, ["torch", "transformers", "ctranslate2"]);
const script = (/** @type {string} */ file) =>
  fileURLToPath(new URL(`./peers/${file}`, import.meta.url));

/** @typedef {{seconds: number, lengths: number[], residentBytes: number, peakBytes: number}} Answer */
/**
 * @typedef {object} Side
 * @property {string} name
 * @property {(work: object) => Promise<Answer>} run
 * @property {() => void} close
 */

/** @param {string} name @param {string} program @param {string} file @param {object} options @param {Record<string, string>} [env] @returns {Promise<Side>} */
async function open(name, program, file, options, env = {}) {
  const child = spawn(program, [script(file), JSON.stringify(options)], {
    env: { ...process.env, HF_HUB_OFFLINE: "1", TRANSFORMERS_VERBOSITY: "error", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    complaints = (complaints + chunk).slice(-5000);
  });
  /** @type {((line: string) => void)[]} */
  const waiting = [];
  /** @type {((error: Error) => void)[]} */
  const failing = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!line.startsWith("{")) return;
    failing.shift();
    waiting.shift()?.(line);
  });
  child.once("close", (code) => {
    for (const fail of failing) fail(new Error(`${name} ended with ${code}:\n${complaints}`));
  });
  const answer = () =>
    new Promise((resolve, reject) => {
      waiting.push((line) => resolve(JSON.parse(line)));
      failing.push(reject);
    });
  await answer();
  return {
    name,
    run(work) {
      child.stdin.write(`${JSON.stringify(work)}\n`);
      return /** @type {Promise<Answer>} */ (answer());
    },
    close: () => child.stdin.end(),
  };
}

/** @param {string} model @returns {Promise<Side[]>} */
async function openSides(model) {
  const folder = await makeCheckpoint(model, shapes[/** @type {"full"} */ (model)]);
  const home = path.join(cacheFolder, "home");
  const converted = `${folder}-ctranslate2-int8`;
  const bridle = (/** @type {string} */ dtype) =>
    open(
      `Bridle ${dtype}`,
      process.execPath,
      "decode-bridle.mjs",
      { folder, dtype, threads },
      { BRIDLE_HOME: home },
    );
  const hf = (/** @type {string} */ dtype) =>
    open(`transformers ${dtype}`, python, "decode_transformers.py", { folder, dtype, threads });
  const ct2 = (/** @type {string} */ name, /** @type {Record<string, string>} */ env) =>
    open(name, python, "decode_ctranslate2.py", { folder, converted, threads }, env);
  // The first time writes copies of the weights, in memory that is not measured here.
  const first = await bridle("int8");
  await first.run({ inputIds: [[200, 300, 1]], beams: 1, newTokens: 2 });
  first.close();
  const sides = [await bridle("int8"), await bridle("fp32")];
  if (!values.without.includes("ctranslate2")) {
    sides.push(await ct2("CTranslate2 int8, passive", { OMP_WAIT_POLICY: "PASSIVE" }));
    sides.push(await ct2("CTranslate2 int8", {}));
  }
  if (!values.without.includes("transformers"))
    sides.push(await hf("float32"), await hf("bfloat16"));
  return sides;
}

/** Which of Bridle's sides a peer's bar is for, and how far ahead it must be. */
const bars = [
  {
    bridle: "Bridle int8",
    peer: "CTranslate2 int8",
    least: 1,
    bar: "at least 1.0x CTranslate2 int8 in every case",
  },
  { bridle: "Bridle int8", peer: "transformers float32", least: 3, bar: "at least 3x HF fp32" },
  {
    bridle: "Bridle int8",
    peer: "transformers bfloat16",
    least: 2,
    bar: "2x HF bf16 in every case",
  },
  {
    bridle: "Bridle fp32",
    peer: "transformers float32",
    least: 1.5,
    bar: "Bridle fp32 at least 1.5x HF fp32",
  },
];

/** @type {import("./frame/report.mjs").Row[]} */
const rows = [];
/** @type {number[]} */
const beside = [];
for (const model of new Set(chosen.map((one) => one.model))) {
  const sides = await openSides(model);
  try {
    for (const one of chosen.filter((each) => each.model === model)) {
      const random = createRandom(3);
      const { vocabulary } = shapes[one.model];
      const inputIds = Array.from({ length: one.batch }, () => [
        ...Array.from(
          { length: one.source - 1 },
          () => 110 + Math.floor(random() * (vocabulary - 110)),
        ),
        1,
      ]);
      /** @type {Map<string, {seconds: number[], peak: number}>} */
      const measured = new Map();
      // The first round warms up.
      for (let round = 0; round <= runs; round++) {
        for (const side of sides) {
          const { seconds, lengths, peakBytes } = await side.run({
            inputIds,
            beams: one.beams,
            newTokens,
          });
          if (lengths.length !== one.batch || lengths.some((length) => length !== newTokens))
            throw new Error(`${side.name} wrote ${lengths} tokens instead of ${newTokens}`);
          const so = measured.get(side.name) ?? { seconds: [], peak: 0 };
          if (round > 0) so.seconds.push(seconds);
          measured.set(side.name, { ...so, peak: peakBytes });
        }
      }
      const time = (/** @type {string} */ name) =>
        1000 * median(measured.get(name)?.seconds ?? [Number.NaN]);
      console.log(
        `${nameOf(one)}: ${[...measured.keys()].map((name) => `${name} ${time(name).toFixed(0)} ms`).join(", ")}`,
      );
      for (const { bridle, peer, least, bar } of bars) {
        // Of the peer's settings the better.
        const others = [...measured.keys()].filter((name) => name.startsWith(peer)).map(time);
        if (others.length === 0) continue;
        const row = lessIsBetter({
          ...{ case: nameOf(one), peer: `${peer} (${bridle})`, metric: "ms" },
          ...{ bridle: time(bridle), other: Math.min(...others) },
        });
        if (peer.startsWith("CTranslate2")) beside.push(row.ratio);
        rows.push({ ...row, bar, held: row.ratio >= least });
      }
      const peaks = ["Bridle int8", "CTranslate2 int8"].map(
        (name) => (measured.get(name)?.peak ?? Number.NaN) / 1e6,
      );
      if (measured.has("CTranslate2 int8")) {
        rows.push(
          lessIsBetter({
            ...{
              case: nameOf(one),
              peer: "CTranslate2 int8 (Bridle int8)",
              metric: "peak RSS so far, MB",
            },
            ...{ bridle: peaks[0] ?? Number.NaN, other: peaks[1] ?? Number.NaN },
          }),
        );
      }
    }
  } finally {
    for (const side of sides) side.close();
  }
}
if (beside.length > 0) {
  const mean = Math.exp(beside.reduce((sum, ratio) => sum + Math.log(ratio), 0) / beside.length);
  rows.push({
    ...{
      case: "geometric mean",
      peer: "CTranslate2 int8",
      metric: "ratio",
      bridle: mean,
      other: 1,
      ratio: mean,
    },
    ...{ bar: "1.6x in the geometric mean", held: mean >= 1.6 },
  });
}
report("decode", rows, [
  `Machine: ${started}. Median of ${runs} alternating runs, ${threads} threads, ${newTokens} new tokens.`,
  `torch ${versions.torch}, transformers ${versions.transformers}; CTranslate2 ${versions.ctranslate2} with int8 weights, with OMP_WAIT_POLICY=PASSIVE and as it comes, the better of the two.`,
  "Cases: shape, then batch, source tokens, beams. full: pegasus-large's 16+16 layers; distil: 16+4.",
]);
