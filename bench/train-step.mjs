// One optimizer step beside PyTorch and transformers on the same batch: time and peak memory, each side a process of its own.
// node bench/train-step.mjs [--quick] [--runs 5] [--case a]... [--large] [--device cpu|cuda|webgpu]
// @ts-check
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createRandom, makeCheckpoint, shapes } from "./frame/checkpoint.mjs";
import { median, runToLine } from "./frame/child.mjs";
import { makePython, packageVersions, transformersPackages } from "./frame/python.mjs";
import { lessIsBetter, machine, report } from "./frame/report.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    runs: { type: "string", default: "5" },
    case: { type: "string", multiple: true, default: [] },
    large: { type: "boolean", default: false },
    device: { type: "string", default: "cpu" },
  },
});
/** On a GPU PyTorch uses CUDA whichever way Bridle goes; the bars are the CPU's. */
const onGpu = values.device !== "cpu";
const runs = values.quick ? 1 : Number(values.runs);
const threads = os.availableParallelism();

/** @typedef {{rows: number, source: number, target: number}} Batch */
/**
 * @typedef {object} Case
 * @property {string} name
 * @property {string} model name of the shape
 * @property {import("./frame/checkpoint.mjs").Shape} shape
 * @property {Batch} batch
 * @property {{name: "adamw" | "adafactor"}} optimizer
 * @property {number} dropout
 * @property {{rank: number, alpha: number, targets: string[]} | null} lora
 * @property {boolean} bar whether the bars are set for it
 */

/** @param {number} dModel @param {number} layers @param {number} vocabulary @returns {import("./frame/checkpoint.mjs").Shape} */
const shape = (dModel, layers, vocabulary) => ({
  ...{ dModel, encoderLayers: layers, decoderLayers: layers, heads: dModel / 64 },
  ...{ ffn: 4 * dModel, vocabulary, positions: 1024 },
});
const adamw = /** @type {const} */ ({ name: "adamw" });
const lora = { rank: 16, alpha: 32, targets: ["q_proj", "v_proj"] };
const a = {
  ...{ model: "train-a", shape: shape(256, 4, 16000) },
  ...{ batch: { rows: 16, source: 256, target: 32 }, dropout: 0, lora: null, bar: true },
};
const b = {
  ...{ model: "train-b", shape: shape(512, 6, 32000) },
  ...{ batch: { rows: 8, source: 512, target: 64 }, dropout: 0, lora: null, bar: true },
};
/** @type {Case[]} */
const all = [
  { name: "a", ...a, optimizer: adamw },
  { name: "a, Adafactor", ...a, optimizer: { name: "adafactor" } },
  { name: "a, dropout 0.1", ...a, optimizer: adamw, dropout: 0.1 },
  { name: "b", ...b, optimizer: adamw },
  { name: "c: b with LoRA", ...b, optimizer: adamw, lora },
];
/** @type {Case} */
const large = {
  ...{ name: "pegasus-large with LoRA", model: "full", shape: shapes.full, optimizer: adamw, lora },
  ...{ batch: { rows: 2, source: 512, target: 64 }, dropout: 0, bar: false },
};
/** @type {Case} */
const small = {
  ...{ name: "small", model: "small", shape: shapes.small, optimizer: adamw, lora: null },
  ...{ batch: { rows: 4, source: 64, target: 16 }, dropout: 0, bar: false },
};
const chosen = values.quick
  ? [small]
  : [...all, ...(values.large ? [large] : [])].filter(
      ({ name }) => values.case.length === 0 || values.case.some((one) => name.startsWith(one)),
    );
if (chosen.length === 0) throw new Error(`There is no case named ${values.case.join(", ")}.`);

/** @typedef {{seconds: number[], losses: number[], residentBytes: number, peakBytes: number}} Outcome */
/** @typedef {"bridle" | "torch"} Side */

/** Rows of falling length, as batches of documents have. @param {Case} of */
function makeBatch({ shape: { vocabulary }, batch: { rows, source, target } }) {
  const random = createRandom(7);
  const id = () => 2 + Math.floor(random() * (vocabulary - 2));
  const inputIds = [];
  const attentionMask = [];
  const labels = [];
  for (let row = 0; row < rows; row++) {
    const read = source - Math.floor((row * source) / (4 * rows));
    const written = target - Math.floor((row * target) / (2 * rows));
    inputIds.push(Array.from({ length: source }, (_, i) => (i < read ? id() : 0)));
    attentionMask.push(Array.from({ length: source }, (_, i) => (i < read ? 1 : 0)));
    labels.push(Array.from({ length: target }, (_, i) => (i < written ? id() : -100)));
  }
  return { inputIds, attentionMask, labels };
}

const script = (/** @type {string} */ file) =>
  fileURLToPath(new URL(`./peers/${file}`, import.meta.url));
const started = machine();
const python = makePython(transformersPackages);
const versions = packageVersions(python, ["torch", "transformers", "peft"]);

/** The GPU as PyTorch names it. */
function gpuName() {
  const code = "import torch; print(torch.cuda.get_device_name())";
  return execFileSync(python, ["-c", code], { encoding: "utf8" }).trim();
}

/** @param {Side} side @param {object} options @returns {Promise<Outcome>} */
async function runSide(side, options) {
  const argument = JSON.stringify(options);
  const { result } =
    side === "bridle"
      ? await runToLine(process.execPath, [script("train-bridle.mjs"), argument], {
          // CUDA's libraries round products to TF32 unless told not to; PyTorch tells them by itself.
          NVIDIA_TF32_OVERRIDE: "0",
        })
      : await runToLine(python, [script("train_torch.py"), argument], {
          HF_HUB_OFFLINE: "1",
          TRANSFORMERS_VERBOSITY: "error",
        });
  return result;
}

const scratch = mkdtempSync(path.join(os.tmpdir(), "bridle-bench-"));
const rows = [];
/** @type {number[]} */
const ratios = [];
try {
  for (const one of chosen) {
    const folder = await makeCheckpoint(one.model, one.shape);
    const batch = path.join(scratch, `${one.model}.json`);
    writeFileSync(batch, JSON.stringify(makeBatch(one)));
    const { optimizer, dropout, lora: adapter } = one;
    const steps = one === large ? 2 : values.quick ? 3 : 8;
    const options = {
      ...{ folder, batch, optimizer, dropout, lora: adapter, threads, device: values.device },
      ...{ warmUp: one === large ? 1 : 3, steps, learningRate: 1e-4 },
    };
    /** @type {Record<Side, Outcome[]>} */
    const done = { bridle: [], torch: [] };
    for (let round = 0; round < (one === large ? Math.min(runs, 2) : runs); round++) {
      for (const side of /** @type {const} */ (["bridle", "torch"])) {
        const outcome = await runSide(side, options);
        done[side].push(outcome);
        console.log(
          `${one.name}, ${side}, ${round + 1} of ${runs}: ${(1000 * median(outcome.seconds)).toFixed(0)} ms a step, ` +
            `loss ${outcome.losses[0]?.toFixed(5)} → ${outcome.losses.at(-1)?.toFixed(5)}, ` +
            `peak ${Math.round(outcome.peakBytes / 1e6)} MB`,
        );
      }
      // The same work: dropout aside, both sides have the same losses.
      const [first, last] = [0, -1].map((i) =>
        Math.abs(
          (done.bridle[round]?.losses.at(i) ?? Number.NaN) -
            (done.torch[round]?.losses.at(i) ?? Number.NaN),
        ),
      );
      if (dropout === 0 && !((first ?? 1) < 1e-4 && (last ?? 1) < 1e-2)) {
        throw new Error(`the losses differ by ${first} at first and ${last} at last`);
      }
    }
    const compare = (/** @type {string} */ metric, /** @type {(side: Side) => number} */ of) => ({
      case: one.name,
      peer: "torch",
      metric,
      bridle: of("bridle"),
      other: of("torch"),
    });
    const time = compare("ms a step", (side) =>
      median(done[side].flatMap(({ seconds }) => seconds).map((s) => 1000 * s)),
    );
    const peak = compare("peak RSS, MB", (side) =>
      median(done[side].map(({ peakBytes }) => peakBytes / 1e6)),
    );
    const ratio = time.other / time.bridle;
    const isBarred = one.bar && !onGpu;
    if (isBarred) ratios.push(ratio);
    rows.push(
      lessIsBetter({
        ...time,
        ...(isBarred && { bar: "at least 1.4 in every case", held: ratio >= 1.4 }),
      }),
      lessIsBetter({
        ...peak,
        ...(isBarred && {
          bar: "Peak RSS at most PyTorch's in every case",
          held: peak.bridle <= peak.other,
        }),
      }),
    );
  }
} finally {
  rmSync(scratch, { recursive: true });
}
const mean = Math.exp(ratios.reduce((sum, one) => sum + Math.log(one), 0) / ratios.length);
if (ratios.length === all.length) {
  rows.push({
    ...{ case: "geometric mean of the times", peer: "torch", metric: "ratio" },
    ...{ bridle: mean, other: 1, ratio: mean, bar: "1.75 in the geometric mean" },
    held: mean >= 1.75,
  });
}
report("train-step", rows, [
  `Machine: ${started}. Median of the steps of ${runs} alternating runs, each a process of its own, ${threads} threads.`,
  `Device: ${onGpu ? `Bridle on ${values.device}, torch on ${gpuName()}, both in whole float32 (no TF32)` : "the CPU"}.`,
  `torch ${versions.torch}, eager, float32; transformers ${versions.transformers}, SDPA attention; fused AdamW, or transformers.optimization's Adafactor; peft ${versions.peft}.`,
  "a: d256, 4+4 layers, vocabulary 16k, batch 16, 256→32. b: d512, 6+6, 32k, batch 8, 512→64. c: LoRA r=16 on q and v. Some rows end in padding; dropout is the config's `dropout`.",
]);
