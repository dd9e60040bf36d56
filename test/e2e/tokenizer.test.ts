// `bridle tokenizer train` as a shell runs it: what it writes and prints, and how it ends when something is wrong.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBridle } from "../support/run-bridle.js";

let folder: string;
const sentences = Array.from(
  { length: 60 },
  (_, i) => `the harbour of town ${i % 7} silted up and ship ${i} unloaded on island ${i % 5}`,
);

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bridle-tokenizer-"));
  writeFileSync(path.join(folder, "notes.txt"), `${sentences.join("\n")}\n`);
  const rows = sentences.map((document) => JSON.stringify({ document, summary: "ships unloaded" }));
  writeFileSync(path.join(folder, "rows.jsonl.gz"), gzipSync(rows.join("\n")));
});
afterAll(() => rmSync(folder, { recursive: true }));

const train = (...args: string[]) =>
  runBridle(["tokenizer", "train", ...args, "--normalizer", "identity"], { cwd: folder });

describe("bridle tokenizer train", () => {
  it("writes a folder and tells what a model needs", async () => {
    const { code, stdout } = await train("notes.txt", "--vocab-size", "40", "--output", "a/b");
    expect(code).toBe(0);
    expect(stdout).toContain("40 pieces");
    expect(stdout).toContain("vocab_size is 143");
    expect(readdirSync(path.join(folder, "a/b"))).toContain("spiece.model");
  });

  it("prints one JSON value, and writes the same bytes again for any number of threads", async () => {
    const args = ["notes.txt", "--vocab-size", "40", "--json"];
    const first = await train(...args, "--output", "c", "--threads", "1");
    const second = await train(...args, "--output", "d", "--threads", "4");
    const [one, two] = [JSON.parse(first.stdout), JSON.parse(second.stdout)];
    expect(one).toMatchObject({
      output: "c",
      vocabSize: 40,
      modelVocabSize: 143,
      sentences: 60,
      sentencesInAll: 60,
      leftOut: 0,
      files: ["tokenizer_config.json", "special_tokens_map.json", "spiece.model"],
    });
    expect(two.sha256).toBe(one.sha256);
    const bytes = (name: string) => readFileSync(path.join(folder, name, "spiece.model"));
    expect(bytes("c").equals(bytes("d"))).toBe(true);
  });

  it("reads documents and summaries of packed rows, or the columns that are named", async () => {
    const all = await train("rows.jsonl.gz", "--vocab-size", "40", "--output", "e", "--json");
    expect(JSON.parse(all.stdout).sentences).toBe(120);
    const some = await train(
      ...["rows.jsonl.gz", "--text-column", "summary", "--vocab-size", "18", "--output", "f"],
      ...["--layout", "t5", "--user-defined", "<a>", "--user-defined", "<b>", "--json"],
    );
    expect(JSON.parse(some.stdout)).toMatchObject({ sentences: 60, modelVocabSize: 118 });
  });

  it.each([
    ["no such file", ["absent.txt", "--vocab-size", "40"], 4, "FILE_NOT_FOUND"],
    ["too many pieces", ["notes.txt", "--vocab-size", "5000"], 2, "VOCABULARY_TOO_LARGE"],
    ["too few pieces", ["notes.txt", "--vocab-size", "9"], 2, "VOCABULARY_TOO_SMALL"],
    ["no vocabulary size", ["notes.txt"], 2, "COMMAND_LINE_INVALID"],
    [
      "a column that is not there",
      ["rows.jsonl.gz", "--text-column", "x", "--vocab-size", "40"],
      2,
      "COLUMN_MISSING",
    ],
  ])("%s", async (_, args, code, error) => {
    const outcome = await train(...args, "--output", "g", "--json");
    expect(outcome.code).toBe(code);
    expect(JSON.parse(outcome.stdout).error.code).toBe(error);
    expect(readdirSync(folder).includes("g") && readdirSync(path.join(folder, "g"))).not.toContain(
      "spiece.model",
    );
  });

  it("keeps a tokenizer that is there", async () => {
    writeFileSync(path.join(folder, "special_tokens_map.json"), "{}");
    const { code, stderr } = await train("notes.txt", "--vocab-size", "40", "--output", ".");
    expect(code).toBe(5);
    expect(stderr).toContain("special_tokens_map.json is there already");
    expect(stderr).toContain("--overwrite");
  });

  it("has help with examples", async () => {
    const { code, stdout } = await runBridle(["tokenizer", "train", "--help"]);
    expect(code).toBe(0);
    for (const word of ["--vocab-size", "nmt_nfkc", "--text-column", "Examples:"]) {
      expect(stdout).toContain(word);
    }
  });
});
