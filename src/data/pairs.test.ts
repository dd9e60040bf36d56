// Reading pairs: columns, encodings and line ends that come up, and an error with file and line for each bad row.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Pair, type ReadPairsOptions, readPairs } from "./pairs.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-pairs-"));
});
afterAll(() => rm(folder, { recursive: true }));

let written = 0;
async function write(content: string | Uint8Array): Promise<string> {
  written++;
  const file = path.join(folder, `${written}.jsonl`);
  await writeFile(file, content);
  return file;
}

async function read(files: string | string[], options?: ReadPairsOptions): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for await (const pair of readPairs(files, options)) pairs.push(pair);
  return pairs;
}

const row = (document: string, summary = "s", id?: string | number) =>
  JSON.stringify({ document, summary, id });

describe("readPairs", () => {
  it("reads a byte order mark, CRLF, blank lines and a last line without an end", async () => {
    const file = await write(`\ufeff${row("a", "x", "first")}\r\n\r\n  \n${row("b", "y")}`);
    expect(await read(file)).toEqual([
      { document: "a", references: ["x"], id: "first", file, line: 1 },
      { document: "b", references: ["y"], id: 1, file, line: 4 },
    ]);
  });

  it("reads gzip whatever its name, and several files one after the other", async () => {
    const packed = await write(Buffer.concat([gzipSync(`${row("a")}\n`), gzipSync(row("b"))]));
    const plain = await write(row("c"));
    const pairs = await read([packed, plain]);
    expect(pairs.map(({ document, file, line }) => [document, file, line])).toEqual([
      ["a", packed, 1],
      ["b", packed, 2],
      ["c", plain, 1],
    ]);
  });

  it("takes references before summary, and the named columns before both", async () => {
    const file = await write(
      JSON.stringify({
        story: "d",
        document: "no",
        summary: "s",
        references: ["r1", "r2"],
        gist: "g",
        key: 7,
      }),
    );
    expect((await read(file))[0]).toMatchObject({
      document: "no",
      references: ["r1", "r2"],
      id: 0,
    });
    const columns = { document: "story", summary: "gist", id: "key" };
    expect((await read(file, { columns }))[0]).toMatchObject({
      document: "d",
      references: ["g"],
      id: 7,
    });
  });

  it("keeps blank documents and summaries for the reader to report", async () => {
    const file = await write(`${row("", "s")}\n${row("d", " ")}`);
    expect(await read(file)).toHaveLength(2);
  });

  it("takes every n-th row from each file's first, up to a limit", async () => {
    const file = await write(["0", "1", "2", "3", "4", "5", "6"].map((d) => row(d)).join("\n"));
    const documents = async (options: ReadPairsOptions) =>
      (await read([file, file], options)).map(({ document }) => document).join("");
    expect(await documents({ every: 3 })).toBe("036036");
    expect(await documents({ every: 3, limit: 4 })).toBe("0360");
    expect(await documents({ limit: 2 })).toBe("01");
  });

  it.each<[string, string | Uint8Array, ReadPairsOptions, string, string]>([
    ["bad JSON", `${row("a")}\n{"document": `, {}, "ROW_NOT_JSON", "Line 2 of "],
    ["a list", "[1]", {}, "ROW_NOT_JSON", "a list"],
    ["no document", '{"x": 1, "summary": "s"}', {}, "COLUMN_MISSING", "x, summary"],
    [
      "two documents",
      '{"text": "a", "article": "b", "summary": "s"}',
      {},
      "COLUMN_AMBIGUOUS",
      "text and article",
    ],
    ["no summary", '{"document": "d"}', {}, "COLUMN_MISSING", "no text in references, summary"],
    [
      "a document that is no text",
      '{"document": 1, "summary": "s"}',
      {},
      "COLUMN_NOT_TEXT",
      "Line 1",
    ],
    [
      "references that are no texts",
      '{"document": "d", "references": [1]}',
      {},
      "COLUMN_NOT_TEXT",
      "references",
    ],
    [
      "an absent named column",
      row("d"),
      { columns: { summary: "gist" } },
      "COLUMN_MISSING",
      "gist",
    ],
    ["Latin-1", Buffer.from(row("é"), "latin1"), {}, "ROW_NOT_UTF8", "Line 1 of "],
    [
      "a row over the limit",
      row("long".repeat(9)),
      { maxRowBytes: 20 },
      "ROW_TOO_LARGE",
      "Line 1 of ",
    ],
  ])("names the line of %s", async (_, content, options, code, says) => {
    const file = await write(content);
    const failure = read(file, options);
    await expect(failure).rejects.toMatchObject({ code, details: { file } });
    await expect(failure).rejects.toThrow(says);
  });

  it("says that cut gzip is not whole, after the rows before the cut", async () => {
    const many = Array.from({ length: 5000 }, (_, index) => row(`${Math.sin(index)}`)).join("\n");
    const packed = gzipSync(many);
    const file = await write(packed.subarray(0, packed.length - 100));
    let rows = 0;
    const reading = (async () => {
      for await (const _ of readPairs(file)) rows++;
    })();
    await expect(reading).rejects.toMatchObject({ code: "GZIP_CORRUPT", details: { file } });
    expect(rows).toBeGreaterThan(0);
  });

  it("names an absent file before it reads the others", async () => {
    const absent = path.join(folder, "absent.jsonl");
    const failure = readPairs([await write("not json"), absent]).next();
    await expect(failure).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses every = %d", async (every) => {
    const file = await write(row("a"));
    await expect(read(file, { every })).rejects.toMatchObject({ code: "INVALID_PARAMETER" });
    await expect(read(file, { limit: every })).rejects.toMatchObject({ code: "INVALID_PARAMETER" });
  });

  it("reads no further ahead than a few chunks", async () => {
    const file = await write(`${row("word ".repeat(2000))}\n`.repeat(1000));
    const told: number[] = [];
    for await (const _ of readPairs(file, { onRead: ({ readBytes }) => told.push(readBytes) }));
    expect(told).toHaveLength(1000);
    // A row has 10 kB and the file 10 MB: what was read stays within 1 MB of what was handed out.
    for (const [index, readBytes] of told.entries()) {
      expect(readBytes).toBeLessThan((index + 1) * 10_100 + 1_000_000);
    }
  });
});
