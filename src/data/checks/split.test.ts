// Splitting: nothing leaks, bytes stay, the same comes out again, and rows that are added move none that were there.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { seededRandom } from "../../text/seeded-random.js";
import { type SplitOptions, splitData } from "./split.js";

let root: string;
let folder: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "bridle-split-"));
});
beforeEach(async () => {
  folder = path.join(root, String(++count));
  await mkdir(folder);
});
afterAll(() => rm(root, { recursive: true }));

const random = seededRandom(5);
const text = (length: number) =>
  Array.from({ length }, () => `word${random.nextBelow(3000)}`).join(" ");
const texts = Array.from({ length: 400 }, () => text(40));
const line = (row: object) => `${JSON.stringify(row)}\n`;
const write = async (name: string, content: string | Uint8Array) => {
  const file = path.join(folder, name);
  await writeFile(file, content);
  return file;
};
const out = () => path.join(folder, "out");
const split = (file: string | string[], options: SplitOptions = {}, output = out()) =>
  splitData([file].flat(), output, options);
const read = async (name: string, output = out()) => readFile(path.join(output, name), "utf8");
const names = ["train", "validation", "test"];
const all = (ending = "jsonl", output = out()) =>
  Promise.all(names.map((name) => read(`${name}.${ending}`, output)));

describe("a split", () => {
  it("has each row once, byte for byte, near the shares asked for, and a record", async () => {
    // Spaces, escapes and line ends as they were written, a mark before and no line end behind.
    const lines = texts.map((document, at) =>
      at % 2 === 0
        ? `{ "document" : "${document} caf\\u00e9" ,"summary":"s${at}"}\n`
        : `{"summary":"s${at}","document":"${document}"}\r\n`,
    );
    const file = await write("rows.jsonl", `\ufeff${lines.join("")}`.trimEnd());
    const record = await split(file);
    const parts = await all();
    const rows = parts.flatMap((part) => part.split("\n").filter((each) => each !== ""));
    expect(rows.map((each) => `${each}\n`).sort()).toEqual(
      lines.map((each, at) => (at === lines.length - 1 ? `${each.trimEnd()}\n` : each)).sort(),
    );
    const sizes = parts.map((part) => part.trimEnd().split("\n").length);
    expect(sizes).toEqual(names.map((name) => record.splits[name]!.rows));
    // Binomial: 400 rows at 0.8 are 320, give or take 8 a standard deviation.
    expect(Math.abs(sizes[0]! - 320)).toBeLessThan(32);
    expect(JSON.parse(await read("split.json"))).toEqual(record);
    expect(record).toMatchObject({ rows: 400, groups: 400, largestGroup: 1, seed: 0 });
    expect((await readdir(folder)).sort()).toEqual(["out", "rows.jsonl"]);
  });

  it("is the same again, another with another seed, and stays when rows are added", async () => {
    const before = texts.slice(0, 300).map((document) => line({ document, summary: "s" }));
    const file = await write("rows.jsonl", before.join(""));
    await split(file);
    const first = await all();
    await split(file, {}, `${out()}2`);
    expect(await all("jsonl", `${out()}2`)).toEqual(first);
    await split(file, { seed: 1 }, `${out()}3`);
    expect(await all("jsonl", `${out()}3`)).not.toEqual(first);
    const added = texts.slice(300).map((document) => line({ document, summary: "s" }));
    // Among the old ones, not only behind them.
    const mixed = before.flatMap((each, at) => (added[at] ? [added[at], each] : [each]));
    await split(await write("more.jsonl", mixed.join("")), {}, `${out()}4`);
    const after = await all("jsonl", `${out()}4`);
    for (const [at, part] of first.entries()) {
      const there = new Set(after[at]!.split("\n"));
      expect(part.split("\n").filter((each) => !there.has(each))).toEqual([]);
    }
  });

  it("keeps documents that are equal or alike together, and what a column groups", async () => {
    const copies = texts
      .slice(0, 100)
      .flatMap((document, at) => [
        line({ document, at, copy: 0 }),
        line({ document: `  ${document.toUpperCase()} `, at, copy: 1 }),
        line({ document: `${document} and more`, at, copy: 2 }),
      ]);
    // The copies of one text stand far apart.
    const rows = [0, 1, 2].flatMap((copy) => copies.filter((_, at) => at % 3 === copy));
    const file = await write("rows.jsonl", rows.join(""));
    const record = await split(file);
    expect(record).toMatchObject({ rows: 300, groups: 100, largestGroup: 3 });
    const places = new Map<number, Set<number>>();
    for (const [index, part] of (await all()).entries()) {
      for (const each of part.trimEnd().split("\n")) {
        const { at } = JSON.parse(each);
        places.set(at, (places.get(at) ?? new Set()).add(index));
      }
    }
    expect([...places.values()].every((splits) => splits.size === 1)).toBe(true);
    const exact = await split(file, { similarity: null, overwrite: true });
    expect(exact).toMatchObject({ groups: 200, largestGroup: 2 });
    const grouped = texts.map((document, at) => line({ document, source: `site${at % 40}` }));
    const bySite = await split(await write("sites.jsonl", grouped.join("")), {
      groupBy: "source",
      overwrite: true,
    });
    expect(bySite).toMatchObject({ groups: 40, largestGroup: 10, groupBy: "source" });
    const sites = (await all()).map((part) => new Set(part.match(/site\d+/g)));
    expect(sites[0]!.size + sites[1]!.size + sites[2]!.size).toBe(40);
  });

  it("goes by time where asked, the earliest first, rows of one time together", async () => {
    const day = (at: number) => new Date(Date.UTC(2024, 0, 1 + Math.floor(at / 3))).toISOString();
    const rows = texts.slice(0, 120).map((document, at) => line({ document, date: day(at) }));
    const file = await write("rows.jsonl", rows.toReversed().join(""));
    await split(file, { timeColumn: "date" });
    const dates = (await all()).map((part) => part.match(/20\d\d-[^"]*/g)!.sort());
    expect(dates.map((each) => each.length)).toEqual([96, 12, 12]);
    expect(dates[0]!.at(-1)! < dates[1]![0]!).toBe(true);
    expect(dates[1]!.at(-1)! < dates[2]![0]!).toBe(true);
    const bad = await write("bad.jsonl", line({ document: "x", date: "soon" }));
    await expect(split(bad, { timeColumn: "date", overwrite: true })).rejects.toMatchObject({
      code: "SPLIT_IMPOSSIBLE",
      message: expect.stringContaining("Line 1"),
    });
  });

  it("begins a split at a time that is said, and keeps what is alike with its earliest", async () => {
    const day = (at: number) => `2024-${String(1 + Math.floor(at / 10)).padStart(2, "0")}-05`;
    const rows = texts.slice(0, 120).map((document, at) => line({ document, date: day(at) }));
    // Like a row of January, but from December: in train it cannot leak into the test.
    const late = line({ document: `${texts[0]} indeed`, date: "2024-12-24" });
    const file = await write("rows.jsonl", late + rows.toReversed().join(""));
    const cutOffs = { validation: "2024-10-01", test: "2024-12-01" };
    const record = await split(file, { timeColumn: "date", cutOffs });
    const months = (await all()).map((part) => new Set(part.match(/2024-\d\d(?=-05)/g)));
    expect(months.map((each) => [...each].sort().at(0))).toEqual(["2024-01", "2024-10", "2024-12"]);
    expect(months.map((each) => each.size)).toEqual([9, 2, 1]);
    expect((await all())[0]).toContain("2024-12-24");
    expect(record).toMatchObject({ cutOffs, shares: { validation: 20 / 121 }, groups: 120 });
    const again = (options: object) => split(file, { overwrite: true, ...options });
    const wrong = { code: "INVALID_PARAMETER" };
    await expect(again({ cutOffs })).rejects.toMatchObject(wrong);
    const timeColumn = "date";
    const both = { timeColumn, cutOffs, shares: { a: 1, b: 1 } };
    await expect(again(both)).rejects.toMatchObject(wrong);
    for (const bad of [{ test: "soon" }, { train: 1 }, { a: 2, b: 1 }, { a: 1, b: "x" }]) {
      await expect(again({ timeColumn, cutOffs: bad })).rejects.toMatchObject(wrong);
    }
    await expect(again({ timeColumn, cutOffs: { test: "2031-01-01" } })).rejects.toMatchObject({
      code: "SPLIT_IMPOSSIBLE",
    });
  });

  it("takes tables with their first row, quotes and line ends as they are", async () => {
    const rows = texts
      .slice(0, 200)
      .map((document, at) => `"${document}\nsecond ""line""",s${at}\r\n`);
    const file = await write("rows.csv.gz", gzipSync(`document,summary\r\n${rows.join("")}`));
    await split(file);
    const parts = await all("csv");
    for (const part of parts) expect(part.startsWith("document,summary\r\n")).toBe(true);
    const taken = parts.flatMap((part) =>
      part.slice("document,summary\r\n".length).split(/(?<=\r\n)/),
    );
    expect(taken.sort()).toEqual(rows.sort());
    const other = await write("other.csv", `summary,document\ns,"${text(20)}"\n`);
    await expect(split([file, other], { overwrite: true })).rejects.toMatchObject({
      code: "SPLIT_IMPOSSIBLE",
      details: { file: other },
    });
    // What failed has changed nothing.
    expect(await all("csv")).toEqual(parts);
    expect((await readdir(folder)).sort()).toEqual(["other.csv", "out", "rows.csv.gz"]);
  });

  it("makes JSON Lines of lists and folders, and joins files of several kinds", async () => {
    const list = texts.slice(0, 60).map((document, at) => ({ document, at }));
    const json = await write("rows.json", JSON.stringify(list, null, 1));
    const lines = await write("rows.jsonl", line({ document: text(30), at: 60 }).trimEnd());
    await split([lines, json], { shares: { a: 1, b: 1 } });
    const parts = [await read("a.jsonl"), await read("b.jsonl")];
    const found = parts.flatMap((part) =>
      part
        .trimEnd()
        .split("\n")
        .map((each) => JSON.parse(each).at),
    );
    expect(found.sort((a, b) => a - b)).toEqual(Array.from({ length: 61 }, (_, at) => at));
  });

  it("refuses what cannot be split, and folders that are not its own", async () => {
    const file = await write(
      "rows.jsonl",
      texts
        .slice(0, 50)
        .map((document) => line({ document }))
        .join(""),
    );
    const refused = (options: SplitOptions, of = file) => expect(split(of, options)).rejects;
    await refused({ shares: { train: 1 } }).toMatchObject({ code: "INVALID_PARAMETER" });
    await refused({ shares: { train: 1, "../test": 1 } }).toMatchObject({
      code: "INVALID_PARAMETER",
    });
    await refused({ shares: { train: 1, test: 0 } }).toMatchObject({ code: "INVALID_PARAMETER" });
    await refused({ groupBy: "sorce" }).toMatchObject({ code: "COLUMN_MISSING" });
    await refused({ shares: { a: 1, b: 1e-9 } }).toMatchObject({
      code: "SPLIT_IMPOSSIBLE",
      message: expect.stringContaining("no row falls into b"),
    });
    await refused({}, await write("empty.jsonl", "")).toMatchObject({ code: "SPLIT_IMPOSSIBLE" });
    await refused({}, await write("broken.jsonl", "{\n")).toMatchObject({ code: "ROW_NOT_JSON" });
    await refused({}, path.join(folder, "absent.jsonl")).toMatchObject({ code: "FILE_NOT_FOUND" });
    await mkdir(out());
    await writeFile(path.join(out(), "mine.txt"), "mine");
    await refused({ overwrite: true }).toMatchObject({ code: "OUTPUT_EXISTS" });
    await rm(out(), { recursive: true });
    await split(file);
    await refused({}).toMatchObject({ code: "OUTPUT_EXISTS" });
    await writeFile(path.join(out(), "mine.txt"), "mine");
    await refused({ overwrite: true }).toMatchObject({ code: "OUTPUT_EXISTS" });
    const controller = new AbortController();
    const onRead: SplitOptions["onRead"] = ({ phase }) => {
      if (phase === "writing") controller.abort();
    };
    const cancelled = split(file, { signal: controller.signal, onRead }, `${out()}2`);
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await readdir(folder)).filter((name) => name.startsWith("out"))).toEqual(["out"]);
  });
});
