// T5 beside the real transformers: strings through its tokenizer, and models of random shape with their gradients.
// @ts-check
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { lines } from "./strings.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../src/text/tokenizers/load.js")} */
const { loadTokenizer } = await compiled("text/tokenizers/load.js");
/** @type {typeof import("../../src/generate/model.js")} */
const { openModel } = await compiled("generate/model.js");
const { runGolden } = await import("../../test/golden/run.mjs");
const { GoldenFolder } = await import("../../test/golden/golden-folder.mjs");
const { readTensors } = await import("../../test/golden/safetensors.mjs");

const script = (/** @type {string} */ name) => new URL(name, import.meta.url).pathname;

/** Largest length of the difference of two gradients of a parameter over that of the expected one. */
const gradientTolerance = 1e-3;

/**
 * Texts, pairs and drawn ids through the tokenizer of a folder.
 * @param {string} python @param {string} folder @param {string} count @param {number} seed
 */
export async function compareT5Strings(python, folder, count, seed) {
  const tokenizer = await loadTokenizer(folder);
  let [strings, different] = [0, 0];
  for await (const line of lines(python, [script("t5_strings.py"), folder, count, String(seed)])) {
    const expected = JSON.parse(line);
    const { text, pair, ids, drawn } = expected;
    const decoded = [ids, drawn].flatMap((row) =>
      [true, false].map((skipSpecialTokens) => tokenizer.decode(row, { skipSpecialTokens })),
    );
    const actual = {
      ...{ text, pair, ids: tokenizer.encode(text), pairIds: tokenizer.encode(text, { pair }) },
      ...{ drawn, decoded },
    };
    const placed = tokenizer.tokenize(text).map(({ id }) => id);
    const isSame =
      JSON.stringify(actual) === JSON.stringify(expected) &&
      JSON.stringify(placed) === JSON.stringify(ids);
    strings += 1;
    if (isSame) continue;
    different += 1;
    if (different <= 3) console.log("different:", JSON.stringify({ actual, expected }));
  }
  console.log(`${"t5 tokenizer".padEnd(34)} ${strings} strings, ${different} different`);
  return strings > 0 && different === 0;
}

/** @param {ArrayLike<number>} values */
const norm = (values) => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));

/** The worst relative difference of a model's gradients on batch 0 of its golden folder. @param {string} folder */
async function compareGradients(folder) {
  const golden = new GoldenFolder(folder);
  const { batches } = await golden.readJson("forward/t5-tiny.json");
  const [batch] = /** @type {Record<string, number[][]>[]} */ (batches);
  const expected = await readTensors(golden, "gradients.safetensors");
  const model = await openModel(path.join(folder, "t5-tiny"), { threads: 1 });
  const actual = await model.gradients({
    inputIds: batch?.input_ids ?? [],
    attentionMask: batch?.attention_mask ?? [],
    labels: batch?.labels ?? [],
  });
  await model.close();
  const largest = Math.max(...[...expected.values()].map(({ data }) => norm(data)));
  let worst = actual.size === expected.size ? 0 : Number.POSITIVE_INFINITY;
  for (const [name, { data }] of expected) {
    const own = actual.get(name)?.data ?? new Float32Array(data.length).fill(Number.NaN);
    const difference = norm(own.map((x, i) => x - (data[i] ?? Number.NaN)));
    const relative = difference / Math.max(norm(data), 1e-4 * largest);
    if (!(relative <= worst)) worst = relative;
  }
  console.log(
    `  gradients                ${actual.size} parameters, worst ${worst.toExponential(1)}`,
  );
  return worst <= gradientTolerance;
}

/**
 * Models of random kind and shape.
 * @param {string} python @param {string} scratch @param {{first: number, count: number}} seeds
 */
export async function compareT5Folders(python, scratch, { first, count }) {
  let held = true;
  for (let seed = first; seed < first + count; seed++) {
    const folder = path.join(scratch, `t5-${seed}`);
    await mkdir(folder, { recursive: true });
    for await (const line of lines(python, [script("make_t5.py"), folder, String(seed)]))
      console.log(line);
    const only = ["forward:t5-tiny", "generate:t5-tiny"];
    const print = (/** @type {string} */ line) => console.log(`  ${line}`);
    const { failed } = await runGolden(folder, { only, print });
    const same = (await compareGradients(folder)) && failed === 0;
    held &&= same;
    if (same) await rm(folder, { recursive: true });
  }
  return held;
}
