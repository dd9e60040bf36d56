// A profile: every fault that is put in is counted where it stands, what is sound is not, and nothing of the texts is told.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CheckLimits } from "../../config/check-limits.js";
import { seededRandom } from "../../text/seeded-random.js";
import { findFaults } from "./findings.js";
import { type ProfileOptions, profileData, type SplitFiles } from "./profile.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-profile-"));
});
afterAll(() => rm(folder, { recursive: true }));

const english =
  "the a of and to in that it was his with for as had but not at which from they were by have".split(
    " ",
  );
const nouns = Array.from({ length: 900 }, (_, i) => `place${"abcdefghij"[i % 10]}${i}`);
const random = seededRandom(3);
/** English enough to be told as such, and unlike any other. */
const text = (words = 60) =>
  Array.from({ length: words }, (_, i) =>
    i % 2 === 0 ? english[random.nextBelow(english.length)] : nouns[random.nextBelow(nouns.length)],
  ).join(" ");
const sound = (count: number) =>
  Array.from({ length: count }, () => {
    const document = text();
    return { document, summary: document.split(" ").slice(0, 12).join(" ") };
  });
const write = async (name: string, rows: readonly (object | string)[]) => {
  const file = path.join(folder, name);
  await writeFile(
    file,
    rows.map((row) => `${typeof row === "string" ? row : JSON.stringify(row)}\n`).join(""),
  );
  return file;
};
const profile = (splits: Record<string, string>, options?: ProfileOptions) =>
  profileData(
    Object.entries(splits).map(([name, file]): SplitFiles => ({ name, files: [file] })),
    options,
  );
const limits = CheckLimits.parse({});
const german =
  "Der Hafen war am Montag wegen des Sturms geschlossen, und die Schiffe mussten auf der Insel entladen werden, bis das Wetter besser wurde.";
const plain =
  "The harbour was closed on Monday because of the storm, and the ships had to unload on the island until the weather got better.";

describe("a profile", () => {
  it("finds nothing in sound rows, and tells what they are like", async () => {
    const file = await write("sound.jsonl", sound(200));
    const found = await profile({ train: file });
    expect(findFaults(found, limits)).toEqual([]);
    const [split] = found.splits;
    expect(split).toMatchObject({
      kind: "pairs",
      rows: 200,
      documentWords: { count: 200, median: 60, least: 60 },
      summaryWords: { median: 12 },
      ratio: { median: 0.2 },
      novelWords: { most: 0 },
      novelPairs: { most: 0 },
    });
    expect(split!.columns).toEqual([
      { name: "document", rows: 200, kinds: { text: 200 } },
      { name: "summary", rows: 200, kinds: { text: 200 } },
    ]);
    expect(split!.languages[0]).toMatchObject({ language: "en" });
  });

  it("counts each fault, with its place", async () => {
    const rows = sound(40);
    const [first, second] = rows as [
      { document: string; summary: string },
      { document: string; summary: string },
    ];
    const train = await write("train.jsonl", [
      ...rows,
      "{broken", // 41
      { summary: "no document" },
      { document: "  ", summary: "empty" },
      { document: text(), summary: null },
      { document: first.document.toUpperCase(), summary: first.summary }, // 45
      { document: `${second.document} and so on`, summary: second.summary },
      { document: text(5), summary: text(9) },
      { document: plain, summary: german },
      { document: `${text()} cafÃ© \ufffd`, summary: "A café." },
      {
        document: `${text()} jane@example.org, 4111 1111 1111 1111`,
        summary: "Call +49 30 12345678.",
      }, // 50
      { document: 7, summary: "a number" },
    ]);
    const { splits } = await profile({ train });
    const [split] = splits;
    const at = (line: number, more = "") => `Line ${line} of ${train}${more}`;
    expect(split!.rows).toBe(51);
    expect(split!.broken.rows).toBe(3);
    expect(split!.broken.examples[0]).toMatch(/^Line 41 of .* is not a JSON object/);
    expect(split!.emptyDocuments).toEqual({ rows: 1, examples: [at(43)] });
    expect(split!.emptySummaries).toEqual({ rows: 1, examples: [at(44)] });
    expect(split!.duplicates).toEqual({ rows: 1, pairs: 1, examples: [`${at(45)} as ${at(1)}`] });
    expect(split!.nearDuplicates).toEqual({ rows: 1, examples: [`${at(46)} as ${at(2)}`] });
    expect(split!.longSummaries).toEqual({ rows: 1, examples: [at(47)] });
    expect(split!.languageMismatch).toEqual({ rows: 1, examples: [at(48, " (en, summary de)")] });
    expect(split!.encodingFaults).toEqual({
      rows: 1,
      kinds: { replacement: 1, mojibake: 1 },
      examples: [at(49, " (replacement, mojibake)")],
    });
    expect(split!.personalData).toMatchObject({ rows: 1, kinds: { email: 1, card: 1, phone: 1 } });
    const kinds = split!.columns.find(({ name }) => name === "document")!.kinds;
    expect(kinds).toEqual({ text: 48, number: 1 });
    const told = JSON.stringify(findFaults({ similarity: 0.8, splits, leakage: [] }, limits));
    for (const secret of ["jane", "4111", "12345678"]) expect(told).not.toContain(secret);
  });

  it("finds documents that an earlier split has, equal and alike", async () => {
    const rows = sound(30);
    const [a, b] = [rows[0]!, rows[1]!];
    const train = await write("leak-train.jsonl", rows);
    const test = await write("leak-test.jsonl", [
      ...sound(6),
      { ...a, summary: "A summary of another kind." },
      { ...a, summary: "And once more." },
      { document: `Breaking: ${b.document}`, summary: "Of the second." },
    ]);
    const found = await profile({ train, test });
    expect(found.leakage).toEqual([
      {
        split: "test",
        from: "train",
        exact: {
          rows: 2,
          examples: [7, 8].map((line) => `Line ${line} of ${test} as Line 1 of ${train}`),
        },
        near: { rows: 1, examples: [`Line 9 of ${test} as Line 2 of ${train}`] },
      },
    ]);
    const faults = findFaults(found, limits);
    expect(faults.map(({ check, split, failed }) => [check, split, failed])).toEqual([
      ["duplicates", "test", true],
      ["leakage", "test", true],
      ["nearLeakage", "test", true],
    ]);
    const lenient = CheckLimits.parse({ duplicates: 0.5, leakage: null, nearLeakage: 0.2 });
    expect(findFaults(found, lenient).filter(({ failed }) => failed)).toEqual([]);
  });

  it("does without summaries, and tells an empty file and a damaged one", async () => {
    const documents = await write(
      "documents.jsonl",
      sound(5).map(({ document }) => ({ text: document })),
    );
    const empty = await write("nothing.jsonl", []);
    const cut = path.join(folder, "cut.jsonl.gz");
    const whole = gzipSync(
      sound(300)
        .map((row) => `${JSON.stringify(row)}\n`)
        .join(""),
    );
    await writeFile(cut, whole.subarray(0, whole.length / 2));
    const table = await write("table.csv", ["document,summary", "a,b", "c,d,e", "f,g"]);
    const { splits } = await profile({ documents, empty, cut, table });
    expect(splits.map(({ kind, rows }) => [kind, rows > 0])).toEqual([
      ["documents", true],
      ["pairs", false],
      ["pairs", true],
      ["pairs", true],
    ]);
    expect(splits[0]!.summaryWords).toBeUndefined();
    expect(splits[2]!.broken.examples[0]).toMatch(/is not whole/);
    expect(splits[3]!.broken).toMatchObject({
      rows: 1,
      examples: [expect.stringMatching(/^Line 3 of/)],
    });
    const faults = findFaults({ similarity: 0.8, splits, leakage: [] }, limits);
    expect(faults.filter(({ split }) => split === "empty")).toMatchObject([
      { check: "empty", failed: true },
    ]);
  });

  it("stops at what is wrong with the call, and when it is cancelled", async () => {
    const file = await write("call.jsonl", sound(3));
    await expect(profile({ train: path.join(folder, "absent.jsonl") })).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
    const controller = new AbortController();
    controller.abort();
    await expect(profile({ file }, { signal: controller.signal })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});
