// Tests of the user's own: each rule holds, breaks and tells where; a mistaken file of tests is told by line.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runDataTests } from "./data-tests.js";
import { SeenValues } from "./seen-values.js";

let folder: string;
let rows: string;
let tests: string;
const documents = [
  "The harbour was closed on Monday because of the storm, and the ships had to unload on the island.",
  "Der Hafen war am Montag wegen des Sturms geschlossen, und die Schiffe mussten auf der Insel entladen.",
  "Short.",
];
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-tests-"));
  rows = path.join(folder, "rows.jsonl");
  tests = path.join(folder, "data.tests.yaml");
  await writeFile(
    rows,
    documents
      .map(
        (document, at) =>
          `${JSON.stringify({ id: `r${at % 2}`, document, summary: "The harbour closed.", year: 2020 + at })}\n`,
      )
      .join(""),
  );
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...rules: string[]) {
  await writeFile(
    tests,
    `tests:\n  - file: ${rows}\n${rules.map((rule) => `    ${rule}\n`).join("")}`,
  );
  const { failures } = await runDataTests(tests);
  return failures.map(({ test, rule, message, rows: broken }) => ({
    line: Number(test.slice(tests.length + 1)),
    rule,
    message: message.replaceAll(rows, "FILE"),
    broken,
  }));
}

describe("tests of data", () => {
  it("over no rows fail, unless how many there must be is asked", async () => {
    const nothing = path.join(folder, "nothing.jsonl");
    await writeFile(nothing, "");
    const of = async (rule: string) => {
      await writeFile(tests, `tests:\n  - file: ${nothing}\n    ${rule}\n`);
      return (await runDataTests(tests)).failures.map(({ rule: name, message }) => [name, message]);
    };
    const told = `${nothing} has no rows, so that no rule was looked at`;
    expect(await of("columns: [document]")).toEqual([["rows", told]]);
    expect(await of("unique: [document]\n    rows: {max: 5}")).toEqual([]);
    expect(await of("sizeBytes: 0")).toEqual([]);
  });

  it.each([
    ["rows: 3"],
    ["rows: {min: 2, max: 5}"],
    ["sizeBytes: {max: 1000}"],
    ["columns: [id, document]"],
    ["columns: {id: text, year: integer, summary: any}"],
    ["words: {document: {min: 1, max: 20}}"],
    ["characters: {summary: {max: 30}}"],
    ["languages: {document: [en, de]}"],
    ["unique: [document]"],
    ["values: {id: [r0, r1]}"],
    ["matches: {summary: '^The .*closed\\.$'}"],
    ["ratio: {max: 3}"],
  ])("%s holds", async (rule) => {
    expect(await run(rule)).toEqual([]);
  });

  it.each([
    ["rows: 4", "rows", "FILE has 3 rows; 4 is asked for", undefined],
    ["rows: {max: 2}", "rows", "FILE has 3 rows; at most 2 is allowed", undefined],
    ["sizeBytes: {max: 10}", "sizeBytes", /^FILE has \d+ bytes; at most 10 is allowed$/, undefined],
    [
      "columns: [title]",
      "columns.title",
      "Line 1 of FILE has no column title, and 2 more of 3 rows",
      3,
    ],
    [
      "columns: {year: text}",
      "columns.year",
      /^Line 1 of FILE has in year number where text is asked for/,
      3,
    ],
    [
      "words: {document: {min: 2}}",
      "words.document",
      "Line 3 of FILE has 1 words in document; at least 2 is asked for",
      1,
    ],
    [
      "characters: {document: {max: 50}}",
      "characters.document",
      /^Line 1 of FILE has 97 characters in document; at most 50/,
      2,
    ],
    ["words: {year: {min: 1}}", "words.year", /has no text in year/, 3],
    [
      "languages: {document: [en]}",
      "languages.document",
      "Line 2 of FILE is in de in document; en is asked for",
      1,
    ],
    ["unique: [id]", "unique.0", "Line 3 of FILE has in id what Line 1 of FILE has", 1],
    [
      "values: {year: [2020, 2021]}",
      "values.year",
      "Line 3 of FILE has 2022 in year; allowed is 2020, 2021",
      1,
    ],
    [
      "matches: {document: 'e.*r'}",
      "matches.document",
      "Line 3 of FILE does not match e.*r in document",
      1,
    ],
    [
      "ratio: {max: 1}",
      "ratio",
      "Line 3 of FILE has a summary of 3.00 times its document; at most 1 is allowed",
      1,
    ],
  ])("%s breaks", async (text, rule, message, broken) => {
    const found = await run("allow: 0", text);
    const expected = typeof message === "string" ? message : expect.stringMatching(message);
    expect(found).toEqual([{ line: 4, rule, message: expected, broken }]);
  });

  it("lets a share of the rows pass, and tells files that are not there or cannot be read", async () => {
    expect(await run("words: {document: {min: 2}}", "allow: 0.4")).toEqual([]);
    const broken = path.join(folder, "broken.jsonl");
    await writeFile(broken, '{"document": "a"}\n{"document": \n');
    await writeFile(
      tests,
      `tests:\n- file: ${folder}/absent.jsonl\n- file: [${rows}, ${broken}]\n  rows: 5\n`,
    );
    const { failures, tests: count } = await runDataTests(tests);
    expect(count).toBe(2);
    expect(failures).toMatchObject([
      { test: `${tests}:2`, rule: "file", message: `There is no file ${folder}/absent.jsonl.` },
      {
        test: `${tests}:3`,
        rule: "file",
        rows: 1,
        message: expect.stringMatching(/^Line 2 of .*broken/),
      },
    ]);
  });

  it.each([
    [
      "tests:\n- file: a\n  wrds: {document: 1}\n",
      /line 3: there is no wrds; did you mean words\?/,
    ],
    ["tests:\n- rows: 3\n", /line 2: tests\.0\.file/],
    ["tests:\n- file: a\n  rows: {min: 3, max: 1}\n", /line 3: .*min is above max/],
    ["tests:\n- file: a\n  matches: {b: '('}\n", /line 3: .*no regular expression/],
    ["test: []\n", /line 1: there is no test; did you mean tests\?/],
    ["tests: []\n", /tests/],
  ])("%j is told by its line", async (text, message) => {
    await writeFile(tests, text);
    await expect(runDataTests(tests)).rejects.toMatchObject({
      code: "DATA_TESTS_INVALID",
      message: expect.stringMatching(message),
    });
  });
});

describe("values that were seen", () => {
  it("are known again among a hundred thousand", () => {
    const seen = new SeenValues();
    for (let row = 0; row < 100_000; row++) expect(seen.add(`v${row}`, row)).toBeUndefined();
    for (let row = 0; row < 100_000; row += 997) expect(seen.add(`v${row}`, 1)).toBe(row);
  });
});
