// Trains tokenizers with Bridle and with the real sentencepiece on the same text, and compares pieces, scores and ids.
// Usage: node scripts/parity/tokenizer-training.mjs --python PYTHON [--data DIR] [--text FILE] [--strings N] [--only CASE]
// PYTHON is a Python with sentencepiece 0.2.3, protobuf and transformers; DIR holds data sets, FILE any text, a line each.
// @ts-check
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { compareString, lines as linesOf } from "./strings.mjs";

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    data: { type: "string", default: "../shared/data" },
    text: { type: "string" },
    strings: { type: "string", default: "12000" },
    only: { type: "string" },
  },
});
const { python, data, text, strings, only } = values;
if (python === undefined) {
  console.error(
    "Usage: node scripts/parity/tokenizer-training.mjs --python PYTHON [--data DIR] [--text FILE] [--strings N] [--only CASE]",
  );
  process.exit(2);
}
const script = (/** @type {string} */ name) => new URL(name, import.meta.url).pathname;
const { readTexts, saveTokenizer, trainTokenizer, loadTokenizer } = await import(
  "../../dist/index.js"
);
const { loadSentencePiece } = await import("../../dist/text/tokenizers/load.js");
const { seededRandom } = await import("../../dist/text/seeded-random.js");

const lines = (/** @type {string[]} */ args) => linesOf(python, args);

/** Sentences of words in many scripts, with marks and controls among them, some words far more frequent than others. */
function strangeText() {
  const random = seededRandom(7);
  const ranges = [
    [0x20, 0x7e],
    [0x01, 0x1f],
    [0xa0, 0x24f],
    [0x300, 0x36f],
    [0x370, 0x5ff],
    [0x600, 0x6ff],
    [0x900, 0xdff],
    [0x1100, 0x11ff],
    [0x1e00, 0x2bff],
    [0x3000, 0x33ff],
    [0x4e00, 0x9fff],
    [0xac00, 0xd7a3],
    [0xf900, 0xfffd],
    [0x10000, 0x1ffff],
  ];
  const words = ["<n>", "</s>", "\u2581", "a\u2581b", "\u2585", "\u3000", "12", "3.14", "\u00a0"];
  words.push("\ufdfa", "x<n>y", "e\u0301te\u0301", "\u1112\u1161\u11ab", "\u200b");
  for (let i = 0; i < 3000; i++) {
    const plain = random.nextBelow(2) === 0;
    const [first, last] = /** @type {[number, number]} */ (
      plain ? [0x61, 0x7a] : ranges[random.nextBelow(ranges.length)]
    );
    let word = "";
    for (let length = 1 + random.nextBelow(7); length > 0; length--) {
      word += String.fromCodePoint(first + random.nextBelow(last - first + 1));
    }
    words.push(word.replace(/[\n\r ]/gu, ""));
  }
  const sentence = () => {
    const chosen = [];
    for (let count = 1 + random.nextBelow(15); count > 0; count--) {
      // A product of two draws favours the first words.
      const at = Math.floor((random.nextBelow(1000) * random.nextBelow(words.length)) / 1000);
      chosen.push(words[at]);
    }
    return chosen.join(random.nextBelow(10) === 0 ? "  " : " ");
  };
  return Array.from({ length: 6000 }, sentence);
}

/** @param {string[]} names files of the data folder */
async function textOf(names) {
  const texts = [];
  for await (const each of readTexts(names.map((name) => path.join(data, name)))) {
    texts.push(...String(each).split("\n"));
  }
  return texts;
}

const names = /** @type {const} */ ({
  vocabSize: "vocab_size",
  characterCoverage: "character_coverage",
  normalizer: "normalization_rule_name",
  splitDigits: "split_digits",
  byteFallback: "byte_fallback",
  splitByNumber: "split_by_number",
  maxPieceLength: "max_sentencepiece_length",
  seedPieces: "seed_sentencepiece_size",
  shrinkingFactor: "shrinking_factor",
  subIterations: "num_sub_iterations",
});

/** @type {{ name: string, text: () => Promise<string[]> | string[], options: any }[]} */
const cases = [
  { name: "english", text: () => textOf(["scitldr.train.jsonl.gz"]), options: { vocabSize: 4000 } },
  {
    name: "languages",
    text: () =>
      textOf(["docs_de.test.jsonl.gz", "docs_fr.test.jsonl.gz", "textbooks_es.test.jsonl.gz"]),
    options: { vocabSize: 8000, characterCoverage: 1 },
  },
  {
    name: "folded",
    text: () => textOf(["mts_dialog.train.jsonl.gz"]),
    options: { vocabSize: 1000, normalizer: "nmt_nfkc_cf", splitDigits: true, maxPieceLength: 6 },
  },
  {
    name: "user-defined",
    text: () => textOf(["advisories.train.jsonl.gz"]),
    options: { vocabSize: 1500, userDefined: ["<nn>", "ab", "abc", "the", "er"] },
  },
  {
    name: "bytes",
    text: () => textOf(["docs_de.test.jsonl.gz"]),
    options: { vocabSize: 1200, byteFallback: true, characterCoverage: 0.99 },
  },
  {
    name: "few seeds",
    text: () => textOf(["docs_fr.test.jsonl.gz"]),
    options: { vocabSize: 600, seedPieces: 5000, shrinkingFactor: 0.6, subIterations: 3 },
  },
  ...[
    { normalizer: "nmt_nfkc", characterCoverage: 0.99, vocabSize: 3000 },
    { normalizer: "nfkc", characterCoverage: 1, vocabSize: 5000 },
    { normalizer: "nfkc_cf", characterCoverage: 0.995, vocabSize: 4000 },
    { normalizer: "nmt_nfkc_cf", characterCoverage: 0.98, vocabSize: 3000, splitByNumber: false },
    { normalizer: "identity", characterCoverage: 1, vocabSize: 5000 },
  ].map((options) => ({ name: `strange ${options.normalizer}`, text: strangeText, options })),
];
if (text !== undefined) {
  const options = { vocabSize: 8000 };
  cases.push({
    name: "text",
    text: async () => (await readFile(text, "utf8")).split("\n"),
    options,
  });
}

/** How many random strings Bridle cuts otherwise than the real library. @param {string} model */
async function compareStrings(model) {
  const ours = await loadSentencePiece(model);
  let different = 0;
  for await (const line of lines([script("sentencepiece.py"), model, strings, "5"])) {
    if (!compareString(ours, line).isSame) different += 1;
  }
  return different;
}

/** How many lines transformers' tokenizer of the folder gives other ids for. @param {string} folder @param {string[]} texts */
async function compareTransformers(folder, texts) {
  const tokenizer = await loadTokenizer(folder);
  // Around spaces at a text's ends transformers 5 differs from SentencePiece, and so from its own older self.
  const chosen = texts.filter((line) => line !== "" && line.trim() === line).slice(0, 2000);
  const file = path.join(folder, "lines.txt");
  await writeFile(file, `${chosen.join("\n")}\n`);
  let [row, different] = [0, 0];
  for await (const line of lines([script("pegasus_ids.py"), folder, file])) {
    const ids = tokenizer.encode(/** @type {string} */ (chosen[row++]));
    if (JSON.stringify(ids) !== JSON.stringify(JSON.parse(line))) different += 1;
  }
  return row === chosen.length ? different : Number.NaN;
}

const folder = await mkdtemp(path.join(tmpdir(), "bridle-parity-"));
let held = true;
try {
  for (const { name, text: textsOf, options } of cases) {
    if (only !== undefined && !name.startsWith(only)) continue;
    const texts = await textsOf();
    const target = path.join(folder, name);
    await mkdir(target);
    const corpus = path.join(folder, `${name}.txt`);
    await writeFile(corpus, `${texts.join("\n")}\n`);
    const trained = await trainTokenizer(readTexts(corpus), options);
    await saveTokenizer(target, trained);
    const real = Object.fromEntries(
      Object.entries(names)
        .filter(([ours]) => options[ours] !== undefined)
        .map(([ours, theirs]) => [theirs, options[ours]]),
    );
    real.user_defined_symbols = ["<n>", ...(options.userDefined ?? [])];
    const model = path.join(target, "spiece.model");
    let report = {};
    for await (const line of lines([
      script("train_tokenizer.py"),
      corpus,
      model,
      JSON.stringify(real),
    ])) {
      report = JSON.parse(line);
    }
    const stringsDifferent = await compareStrings(model);
    // transformers 5 gives Pegasus's byte pieces to no one; its older, slow tokenizer does.
    const ordinary = !name.startsWith("strange") && options.byteFallback !== true;
    const linesDifferent = ordinary ? await compareTransformers(target, texts) : undefined;
    console.log(`${name}: ${JSON.stringify({ ...report, stringsDifferent, linesDifferent })}`);
    held &&= "sameBytes" in report && report.sameBytes === true;
    held &&= stringsDifferent === 0 && (linesDifferent ?? 0) === 0;
  }
} finally {
  await rm(folder, { recursive: true });
}
console.log(held ? "the same" : "different");
process.exit(held ? 0 : 1);
