// Compares Bridle with the real reference libraries: sentencepiece on random strings, transformers on a saved model.
// Usage: node scripts/parity.mjs --python PYTHON [--fixtures DIR] [--strings N]
// PYTHON is a Python with torch, transformers, safetensors and sentencepiece installed.
// @ts-check
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    fixtures: { type: "string", default: "../shared/fixtures" },
    strings: { type: "string", default: "50000" },
  },
});
if (values.python === undefined) {
  console.error("Usage: node scripts/parity.mjs --python PYTHON [--fixtures DIR] [--strings N]");
  process.exit(2);
}
const python = values.python;
const fixtures = path.resolve(values.fixtures);
const script = (/** @type {string} */ name) =>
  new URL(`./parity/${name}`, import.meta.url).pathname;
const { loadSentencePiece } = await import("../dist/text/tokenizers/load.js");
const { openModel } = await import("../dist/generate/model.js");

/** Lines a Python script prints. @param {string[]} args */
async function* lines(args) {
  const child = spawn(python, args, { stdio: ["ignore", "pipe", "inherit"] });
  yield* createInterface({ input: child.stdout });
  const code = await new Promise((resolve) =>
    child.exitCode === null ? child.once("close", resolve) : resolve(child.exitCode),
  );
  if (code !== 0) throw new Error(`${args[0]} ended with code ${code}`);
}

async function compareSentencePiece() {
  const model = path.join(fixtures, "pegasus-tiny/spiece.model");
  const ours = await loadSentencePiece(model);
  let [strings, different] = [0, 0];
  for await (const line of lines([script("sentencepiece.py"), model, values.strings, "99"])) {
    const expected = JSON.parse(line);
    const encoded = ours.encode(expected.text);
    const actual = {
      text: expected.text,
      normalized: ours.normalize(expected.text),
      pieces: encoded.map(({ piece }) => piece),
      ids: encoded.map(({ id }) => id),
      // Decoding from ids, an unknown piece has lost its text.
      decoded: ours.decode(encoded.map(({ id }) => ours.pieceOf(id))),
    };
    strings += 1;
    if (JSON.stringify(actual) === JSON.stringify(expected)) continue;
    different += 1;
    if (different <= 3) console.log("different:", JSON.stringify({ actual, expected }));
  }
  console.log(`sentencepiece: ${strings} strings, ${different} different`);
  return strings > 0 && different === 0;
}

async function compareTransformers() {
  const folder = await mkdtemp(path.join(tmpdir(), "bridle-parity-"));
  try {
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
  } finally {
    await rm(folder, { recursive: true });
  }
}

const held = [await compareSentencePiece(), await compareTransformers()];
process.exit(held.every(Boolean) ? 0 : 1);
