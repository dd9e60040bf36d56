// `bridle data` over a terminal in memory: what is told, what fails, and what is written.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { seededRandom } from "../text/seeded-random.js";
import { runProgram } from "./program.js";

let folder: string;
let train: string;
let test: string;
const random = seededRandom(1);
const row = () => {
  const words = Array.from({ length: 40 }, () => `word${random.nextBelow(900)}`);
  return { document: words.join(" "), summary: words.slice(0, 5).join(" ") };
};
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-data-"));
  train = path.join(folder, "train.jsonl");
  test = path.join(folder, "test.jsonl");
  const rows = Array.from({ length: 60 }, row);
  const lines = (of: readonly object[]) => of.map((each) => `${JSON.stringify(each)}\n`).join("");
  await writeFile(train, lines(rows));
  await writeFile(test, lines([...Array.from({ length: 9 }, row), rows[3]!]));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]) {
  const terminal = createMemoryTerminal();
  const error = await runProgram(["data", ...args], terminal).then(
    () => undefined,
    (thrown) => thrown,
  );
  return { out: terminal.out(), error };
}

describe("bridle data check", () => {
  it("tells a leak by its lines and fails, and lets it pass where that is asked", async () => {
    const { out, error } = await run("check", train, test);
    expect(out).toContain("train: 60 rows, nothing found\n");
    expect(out).toContain(
      "  FAIL  leakage: 1 of 10 rows have a document that stands in train (10.0 %, at most 0 %)\n",
    );
    expect(out).toContain(`          Line 10 of ${test} as Line 4 of ${train}\n`);
    expect(error).toMatchObject({
      code: "DATA_CHECK_FAILED",
      kind: "gate-failed",
      details: { names: "leakage" },
    });
    expect(error.hint).toContain("--max NAME=SHARE");
    expect(error.hint).not.toContain("allow:");
    const lenient = await run(
      "check",
      train,
      test,
      "--max",
      "leakage=0.2",
      "--max",
      "duplicates=none",
    );
    expect(lenient.error).toBeUndefined();
    expect(lenient.out).toContain("  note  leakage");
  });

  it("gives a program one value, and people a page", async () => {
    const page = path.join(folder, "page.html");
    const { out, error } = await run("check", train, test, "--json", "--report", page);
    expect(error).toMatchObject({ code: "DATA_CHECK_FAILED" });
    const told = JSON.parse(out);
    expect(told).toMatchObject({ passed: false, limits: { leakage: 0 }, tests: null });
    expect(told.findings).toMatchObject([{ check: "leakage", split: "test", failed: true }]);
    expect(told.splits.map(({ rows }: { rows: number }) => rows)).toEqual([60, 10]);
    expect(await readFile(page, "utf8")).toContain("1 check fails.");
  });

  it("takes splits from params.yaml, and runs tests of one's own, alone too", async () => {
    const params = path.join(folder, "params.yaml");
    await writeFile(params, `model: {name: m}\ndata: {train: ${train}, validation: [${test}]}\n`);
    const tests = path.join(folder, "data.tests.yaml");
    await writeFile(
      tests,
      `tests:\n- file: ${train}\n  words: {document: {min: 40}}\n- file: ${test}\n  rows: 9\n`,
    );
    const both = await run("check", "--params", params, "--tests", tests, "--max", "leakage=none");
    expect(both.out).toContain("validation: 10 rows\n");
    expect(both.out).toContain(
      `${tests}: 2 tests, 1 rules broken\n  FAIL  ${tests}:5 rows: ${test} has 10 rows; 9 is asked for\n`,
    );
    expect(both.error).toMatchObject({ details: { names: "rows" } });
    const alone = await run("check", "--tests", tests);
    expect(alone.error.hint).toContain("`allow: SHARE`");
    expect(alone.error.hint).not.toContain("--max");
    expect(alone.out.startsWith(`${tests}: 2 tests`)).toBe(true);
  });

  it("reads the splits of params.yaml as it says, unless flags say otherwise", async () => {
    const table = path.join(folder, "table.csv");
    await writeFile(table, Buffer.from("document~summary\nDie Brücke~Brücke\n", "latin1"));
    const params = path.join(folder, "table.yaml");
    const data = { train: table, encoding: "windows-1252", delimiter: "~" };
    await writeFile(params, JSON.stringify({ model: { name: "m" }, data }));
    const { out } = await run("stats", "--params", params, "--json");
    expect(JSON.parse(out).splits).toMatchObject([{ rows: 1, broken: { rows: 0 } }]);
    const flagged = await run("stats", "--params", params, "--json", "--delimiter", ";");
    expect(JSON.parse(flagged.out).splits).toMatchObject([{ broken: { rows: 1 } }]);
  });

  it.each([
    [["check"], /name files of rows/],
    [["check", "FILE", "--max", "dups=0.1"], /--max is dups; it must be one of broken/],
    [["check", "FILE", "--max", "duplicates=lots"], /--max duplicates/],
    [["check", "FILE", "--similarity", "2"], /--similarity/],
    [["check", "absent.jsonl"], /There is no file absent\.jsonl/],
    [["split", "FILE", "--shares", "train=a"], /--shares/],
    [["split", "FILE", "--exact", "--similarity", "0.9"], /contradict/],
  ])("%j is refused", async (args, message) => {
    const { error } = await run(...args.map((word) => (word === "FILE" ? train : word)));
    expect(error.message).toMatch(message);
  });
});

it("bridle data stats describes each split", async () => {
  const { out, error } = await run("stats", train, test);
  expect(error).toBeUndefined();
  expect(out).toContain(`train: 60 rows, 0.0 MB (${train})\n`);
  expect(out).toContain(
    "  words of documents     median 40, 40 to 40 in nine of ten, mean 40, most 40\n",
  );
  expect(out).toContain("  summary to document    median 0.125");
  const json = JSON.parse((await run("stats", train, "--json")).out);
  expect(json.splits[0]).toMatchObject({ name: "train", ratio: { median: 0.125 } });
});

it("bridle data split writes its files and tells them", async () => {
  const output = path.join(folder, "splits");
  const { out } = await run("split", train, test, "--output", output, "--shares", "train=3,test=1");
  const told = /^train: (\d+) rows \(.* %\) in .*train\.jsonl\ntest: (\d+) rows/.exec(out)!;
  expect(Number(told[1]) + Number(told[2])).toBe(70);
  expect(out).toContain("69 groups were kept together, the largest of 2 rows.");
  expect((await readdir(output)).sort()).toEqual(["split.json", "test.jsonl", "train.jsonl"]);
  const clean = await run(
    "check",
    path.join(output, "train.jsonl"),
    path.join(output, "test.jsonl"),
    "--max",
    "duplicates=1",
  );
  expect(clean.error).toBeUndefined();
});
