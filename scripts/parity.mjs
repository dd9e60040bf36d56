// Compares Bridle with the real reference libraries, on random inputs that no file records.
// Usage: node scripts/parity.mjs --python PYTHON [options], see `usage` below.
// @ts-check
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { makePython } from "../bench/frame/python.mjs";
import { compareDvc } from "./parity/dvc.mjs";
import { compareString, lines as linesOf } from "./parity/strings.mjs";
import { compareSweeps, sweepPackages } from "./parity/sweep.mjs";
import { compareT5Folders, compareT5Strings } from "./parity/t5.mjs";

const usage = `Usage: node scripts/parity.mjs --python PYTHON [options]

  --python PYTHON        has torch, transformers 5, peft, safetensors and sentencepiece
  --python-dvc PYTHON    has dvc 3.67.1, dvc-s3 and moto[server]: for \`dvc\`, which needs git too
  --python-optuna PYTHON has what \`tpe\` needs: ${sweepPackages.join(", ")};
                         made under bench/.cache where it is left out
  --python-4 PYTHON      has transformers 4.57.6 and rouge_score: records tokenizers and ROUGE for \`folders\`
  --python-groups PYTHON has transformers 4.55.4: records diverse beam search for \`folders\`
  --fixtures DIR         golden folder whose pegasus-tiny is used (default: ../shared/fixtures)
  --only NAMES           of sentencepiece, pieces, transformers, trained, folders, t5, dvc, tpe (default:
                         all but tpe and dvc, which is run where --python-dvc is given)
  --strings N            random strings for the fixtures' vocabulary (default: 50000)
  --piece-strings N      random strings for each vocabulary trained by \`pieces\` (default: 5000)
  --folders N            models of random shape that \`folders\` and \`t5\` make (default: 10)
  --seeds N              searches of each function that \`tpe\` makes (default: 20)
  --seed S               the first seed (default: 1)
  --keep DIR             where made files stay, in place of a temporary folder`;

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    "python-dvc": { type: "string" },
    "python-optuna": { type: "string" },
    seeds: { type: "string", default: "20" },
    "python-4": { type: "string" },
    "python-groups": { type: "string" },
    fixtures: { type: "string", default: "../shared/fixtures" },
    only: { type: "string" },
    strings: { type: "string", default: "50000" },
    "piece-strings": { type: "string", default: "5000" },
    folders: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    keep: { type: "string" },
  },
});
const asked = (
  values.only ??
  `sentencepiece,pieces,transformers,trained,folders,t5${values["python-dvc"] === undefined ? "" : ",dvc"}`
).split(",");
const needs = (/** @type {string} */ check) =>
  check === "dvc" ? values["python-dvc"] : check === "tpe" ? "" : values.python;
if (asked.some((check) => needs(check) === undefined)) {
  console.error(usage);
  process.exit(2);
}
const python = values.python ?? "";
const fixtures = path.resolve(values.fixtures);
const seed = Number(values.seed);
const script = (/** @type {string} */ name) =>
  new URL(`./parity/${name}`, import.meta.url).pathname;
const { loadSentencePiece, loadTokenizer } = await import("../dist/text/tokenizers/load.js");
/** @type {typeof import("../src/index.js")} */
const { train } = await import(new URL("../dist/index.js", import.meta.url).href);
const { openModel } = await import("../dist/generate/model.js");
const { runGolden } = await import("../test/golden/run.mjs");

/** @param {string[]} args @param {string} [interpreter] */
const lines = (args, interpreter = python) => linesOf(interpreter, args);

/** @param {string} name @param {string} model a spiece.model @param {string} count @param {number} from seed */
async function compareStrings(name, model, count, from) {
  const ours = await loadSentencePiece(model);
  let [strings, different] = [0, 0];
  for await (const line of lines([script("sentencepiece.py"), model, count, String(from)])) {
    const { isSame, ...both } = compareString(ours, line);
    strings += 1;
    if (isSame) continue;
    different += 1;
    if (different <= 3) console.log("different:", JSON.stringify(both));
  }
  console.log(`${name.padEnd(34)} ${strings} strings, ${different} different`);
  return strings > 0 && different === 0;
}

/** The vocabulary of the fixtures. */
const compareSentencePiece = () =>
  compareStrings(
    "sentencepiece",
    path.join(fixtures, "pegasus-tiny/spiece.model"),
    values.strings,
    98 + seed,
  );

/** Vocabularies trained with other settings. @param {string} scratch */
async function comparePieces(scratch) {
  const folder = path.join(scratch, "pieces");
  await mkdir(folder, { recursive: true });
  let held = true;
  for await (const line of lines([script("train_pieces.py"), folder, String(seed)])) {
    const { name, model } = JSON.parse(line);
    try {
      held = (await compareStrings(name, model, values["piece-strings"], seed)) && held;
    } catch (thrown) {
      console.log(`${name.padEnd(34)} ${thrown}`);
      held = false;
    }
  }
  return held;
}

/** A model that Bridle wrote, loaded by transformers. @param {string} scratch */
async function compareTransformers(scratch) {
  const folder = path.join(scratch, "saved");
  const model = await openModel(path.join(fixtures, "pegasus-tiny"));
  await model.save(folder);
  await model.close();
  const args = [
    script("transformers.py"),
    folder,
    path.join(fixtures, "forward/pegasus-tiny.safetensors"),
    path.join(fixtures, "forward/pegasus-tiny.json"),
  ];
  let report = { worst: Number.POSITIVE_INFINITY, missing: [""], unexpected: [""] };
  for await (const line of lines(args)) report = JSON.parse(line);
  console.log(`transformers on a folder Bridle wrote: ${JSON.stringify(report)}`);
  return report.worst <= 1e-4 && report.missing.length === 0 && report.unexpected.length === 0;
}

/**
 * Models that Bridle trained, whole and with adapters, loaded by transformers and peft.
 * @param {string} scratch
 */
async function compareTrained(scratch) {
  let held = true;
  for (const model of ["pegasus-tiny", "bart-tiny", "t5-tiny"]) {
    const folder = path.join(scratch, `trained-${model}`);
    held = (await compareTrainedFrom(path.join(fixtures, model), folder)) && held;
  }
  return held;
}

/** @param {string} base a model folder @param {string} folder where what is trained goes */
async function compareTrainedFrom(base, folder) {
  await mkdir(folder, { recursive: true });
  const row = (/** @type {number} */ i) => ({
    document: `The harbour of town ${i} was closed in winter. Ships went to the next one.`,
    summary: `Harbour ${i} was closed.`,
  });
  const data = path.join(folder, "rows.jsonl");
  await writeFile(
    data,
    Array.from({ length: 24 }, (_, i) => `${JSON.stringify(row(i))}\n`).join(""),
  );
  const inputIds = [[153, 829, 203, 498, 2]];
  const labels = [[513, 537, 630, 2]];
  /** @type {Record<string, import("../src/config/run-config.js").RunConfigInput["model"]["lora"]>} */
  const runs = {
    full: null,
    lora: { rank: 4 },
    rslora: { rank: 4, targets: "all-linear", rankStabilized: true },
  };
  const cases = [];
  for (const [name, lora] of Object.entries(runs)) {
    const output = path.join(folder, name);
    await train({
      model: { name: base, lora },
      data: { train: data, maxTargetTokens: 16 },
      train: { output, maxSteps: 6, learningRate: 5e-3, seed },
    });
    const model = await openModel(output);
    const { logits } = await model.forward({ inputIds, labels });
    await model.close();
    const [rows = 0, length = 0, width = 0] = logits.shape;
    const nested = Array.from({ length: rows }, (_, r) =>
      Array.from({ length }, (_, t) => {
        const start = (r * length + t) * width;
        return [...logits.data.subarray(start, start + width)];
      }),
    );
    const made = { logits: nested, inputIds, labels };
    cases.push({ name, model: output, adapter: null, ...made });
    if (lora !== null) {
      cases.push({
        name: `${name} adapter`,
        model: base,
        adapter: path.join(output, "adapter"),
        ...made,
      });
    }
  }
  const file = path.join(folder, "cases.json");
  await writeFile(file, JSON.stringify(cases));
  const tokenizer = await loadTokenizer(base);
  const tokens = JSON.stringify(tokenizer.encode("The harbour was closed in winter."));
  let found = 0;
  let held = true;
  for await (const line of lines([script("trained.py"), file])) {
    const { name, worst, missing, unexpected, ...rest } = JSON.parse(line);
    console.log(
      `trained: ${path.basename(base).padEnd(14)}${name.padEnd(16)} worst ${worst.toExponential(1)}, missing [${missing}], unexpected [${unexpected}]`,
    );
    held &&= worst <= 1e-4 && missing.length === 0 && unexpected.length === 0;
    held &&= JSON.stringify(rest.tokens) === tokens;
    found += 1;
  }
  return held && found === cases.length;
}

/** Golden folders of models of random shape; seed 0 has the shape of the fixtures. @param {string} scratch */
async function compareFolders(scratch) {
  let held = true;
  for (let own = seed; own < seed + Number(values.folders); own++) {
    const folder = path.join(scratch, `folder-${own}`);
    await mkdir(folder, { recursive: true });
    const only = ["forward:pegasus-tiny", "generate:pegasus-tiny", "generate:sampling"];
    const args = (/** @type {string} */ name) => [script(name), folder, String(own)];
    for await (const line of lines(args("make_model.py"))) console.log(line);
    if (values["python-4"] !== undefined) {
      for (const name of ["make_tokenizer.py", "make_rouge.py"]) {
        for await (const line of lines(args(name), values["python-4"])) console.log(line);
      }
      only.push("rouge", "gsg", "tokenizer:pegasus-tiny");
    }
    if (values["python-groups"] !== undefined) {
      for await (const line of lines(args("make_groups.py"), values["python-groups"]))
        console.log(line);
      only.push("generate:groups");
    }
    const { failed } = await runGolden(folder, {
      only,
      print: (/** @type {string} */ line) => console.log(`  ${line}`),
    });
    held = failed === 0 && held;
    if (failed === 0 && values.keep === undefined) await rm(folder, { recursive: true });
  }
  return held;
}

/** T5's tokenizer and models. @param {string} scratch */
async function compareT5(scratch) {
  const folder = path.join(fixtures, "t5-tiny");
  const same = await compareT5Strings(python, folder, values["piece-strings"], seed);
  const seeds = { first: seed, count: Number(values.folders) };
  return (await compareT5Folders(python, scratch, seeds)) && same;
}

/** Golden folders that the real dvc makes, and one repository that it and Bridle share. @param {string} scratch */
async function compareWithDvc(scratch) {
  const interpreter = values["python-dvc"] ?? "";
  const print = (/** @type {string} */ line) => console.log(line);
  let held = true;
  for (let own = seed; own < seed + Math.min(Number(values.folders), 3); own++) {
    const folder = path.join(scratch, `dvc-${own}`);
    await mkdir(folder, { recursive: true });
    for await (const line of lines([script("make_dvc.py"), folder, String(own)], interpreter))
      print(line);
    const { failed } = await runGolden(folder, {
      only: ["dvc"],
      print: (line) => print(`  ${line}`),
    });
    held = failed === 0 && held;
  }
  return (await compareDvc(interpreter, path.join(scratch, "shared"), print)) && held;
}

/** Search beside Optuna, SciPy and W&B's sweeps. */
const compareSearch = () =>
  compareSweeps(values["python-optuna"] ?? makePython(sweepPackages), (line) => console.log(line), {
    seeds: Number(values.seeds),
    trials: 100,
    first: seed,
  });

/** @type {Record<string, (scratch: string) => Promise<boolean>>} */
const checks = {
  tpe: compareSearch,
  dvc: compareWithDvc,
  sentencepiece: compareSentencePiece,
  pieces: comparePieces,
  transformers: compareTransformers,
  trained: compareTrained,
  folders: compareFolders,
  t5: compareT5,
};
const unknown = asked.find((name) => checks[name] === undefined);
if (unknown !== undefined) {
  console.error(`There is no check ${unknown}.\n\n${usage}`);
  process.exit(2);
}
const scratch = values.keep ?? (await mkdtemp(path.join(tmpdir(), "bridle-parity-")));
let held = true;
try {
  for (const name of asked) held = ((await checks[name]?.(scratch)) ?? false) && held;
} finally {
  if (values.keep === undefined && held) await rm(scratch, { recursive: true });
  else console.log(`What was made stays in ${scratch}.`);
}
console.log(held ? "Everything agrees." : "There are differences.");
process.exit(held ? 0 : 1);
