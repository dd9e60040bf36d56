// Tests datasets: every format read back in any order, what a pass over the files finds, and what stops it.
import { appendFile, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dataset, type DatasetOptions, findLeakage, openDataset } from "./dataset.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-dataset-"));
});
afterAll(() => rm(folder, { recursive: true }));

let written = 0;
async function write(name: string, content: string | Uint8Array): Promise<string> {
  const file = path.join(folder, `${++written}-${name}`);
  await writeFile(file, content);
  return file;
}

async function using<T>(
  files: string | string[],
  options: DatasetOptions,
  work: (dataset: Dataset) => T | Promise<T>,
): Promise<T> {
  const dataset = await openDataset(files, options);
  try {
    return await work(dataset);
  } finally {
    await dataset.close();
  }
}

const jsonl = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const documentsOf = async (dataset: Dataset, rows = [...Array(dataset.rows).keys()]) =>
  (await dataset.read(rows)).map(({ document }) => document).join("");

const letters = [..."abcdefg"].map((document) => ({ document, summary: `${document}!` }));

describe("openDataset", () => {
  it("gives the rows of any format in any order, as often as asked", async () => {
    const csv = ["document,summary", ...letters.map((row) => Object.values(row).join(","))];
    const files = [
      await write("x.jsonl", `\ufeff\n${jsonl(letters)}\n \n`),
      await write("x.jsonl.gz", gzipSync(jsonl(letters))),
      await write("x.json", JSON.stringify(letters)),
      await write("x.csv", csv.join("\r\n")),
      await write("utf16.jsonl", Buffer.from(`\ufeff${jsonl(letters)}`, "utf16le")),
    ];
    for (const file of files) {
      await using(file, {}, async (dataset) => {
        expect(dataset.rows).toBe(7);
        expect(await documentsOf(dataset, [6, 0, 3, 3])).toBe("gadd");
        expect(await dataset.read([1])).toMatchObject([{ summary: "b!", references: ["b!"] }]);
      });
    }
    await using(files, {}, async (dataset) => {
      expect(await documentsOf(dataset)).toBe("abcdefg".repeat(5));
      expect(dataset.placeOf(7).where).toBe(`Line 1 of ${files[1]}`);
      expect(dataset.placeOf(0).line).toBe(2);
      expect(dataset.report.repeats).toMatchObject({ documents: 28, pairs: 28 });
    });
  });

  it("keeps id, label and every reference, and learns from the first with text", async () => {
    const rows = [
      { document: "d", references: [" ", "r1", "r2"], id: "a", label: "news", other: 1 },
      { document: "e", summary: "s" },
    ];
    const expected = [
      { document: "d", summary: "r1", references: [" ", "r1", "r2"], id: "a", label: "news" },
      { document: "e", summary: "s", references: ["s"] },
    ];
    for (const file of [
      await write("x.jsonl", jsonl(rows)),
      await write("x.json", JSON.stringify(rows)),
    ]) {
      await using(file, {}, async (dataset) => {
        expect(await dataset.read([0, 1])).toEqual(expected);
      });
    }
  });

  it("takes documents by themselves where they are asked for", async () => {
    const file = await write("x.jsonl", jsonl([{ text: "d", source: "s", id: 4 }]));
    await using(file, { kind: "documents" }, async (dataset) => {
      expect(await dataset.read([0])).toEqual([
        { document: "d", summary: "", references: [], id: 4 },
      ]);
    });
    await expect(openDataset(file)).rejects.toMatchObject({ code: "COLUMN_MISSING" });
  });

  it("takes every n-th row and no more than asked for", async () => {
    const file = await write("x.jsonl", jsonl(letters));
    await using(file, { every: 3 }, async (d) => expect(await documentsOf(d)).toBe("adg"));
    await using([file, file], { limit: 9 }, async (d) =>
      expect(await documentsOf(d)).toBe("abcdefgab"),
    );
  });

  it("counts blank texts and says where the first are, or leaves them out when told to", async () => {
    const rows = [...letters, { document: " \n", summary: "s" }, { document: "h", summary: null }];
    const file = await write("x.jsonl", jsonl(rows));
    const failure = openDataset(file);
    await expect(failure).rejects.toMatchObject({ code: "ROWS_EMPTY", details: { count: 2 } });
    await expect(failure).rejects.toThrow(
      `2 of 9 rows have no text in their document (1) or summary (1): Line 8 of ${file}, Line 9`,
    );
    await using(file, { onEmpty: "skip" }, (dataset) => {
      expect(dataset.rows).toBe(7);
      expect(dataset.report).toMatchObject({
        read: 9,
        empty: {
          rows: 2,
          documents: 1,
          summaries: 1,
          places: [`Line 8 of ${file}`, expect.any(String)],
        },
      });
    });
    const many = await write("x.jsonl", jsonl(Array(15).fill({ document: "", summary: "s" })));
    await expect(openDataset(many)).rejects.toThrow(/Line 10 of [^,]+, …/);
    await expect(openDataset(many, { onEmpty: "skip" })).rejects.toMatchObject({
      code: "DATA_EMPTY",
    });
  });

  it("refuses a split without rows", async () => {
    for (const [name, content] of [
      ["x.jsonl", "\n\n"],
      ["x.csv", "document,summary\n"],
      ["x.json", "[]"],
    ] as const) {
      const file = await write(name, content);
      await expect(openDataset(file)).rejects.toMatchObject({
        code: "DATA_EMPTY",
        message: expect.stringContaining(file),
      });
    }
  });

  it("stops at the first bad row, with file and line, and leaves nothing behind", async () => {
    const good = jsonl(letters);
    const spoolFolder = path.join(folder, "spools");
    await mkdir(spoolFolder, { recursive: true });
    for (const [bytes, code] of [
      [Buffer.from(`${good}{"document": `), "ROW_NOT_JSON"],
      [Buffer.from(`${good}{"document": 5, "summary": "s"}`), "COLUMN_NOT_TEXT"],
      [Buffer.from(`${good}{"document": "d"}`), "COLUMN_MISSING"],
      [Buffer.from(`${good}{"document": "\xff"}`, "latin1"), "ROW_NOT_UTF8"],
    ] as const) {
      for (const file of [await write("x.jsonl", bytes), await write("x.gz", gzipSync(bytes))]) {
        await expect(openDataset([file], { spoolFolder })).rejects.toMatchObject({
          code,
          details: { file, line: 8 },
        });
      }
    }
    expect(await readdir(spoolFolder)).toEqual([]);
  });

  it("names an absent file before the others are read", async () => {
    const bad = await write("x.jsonl", "no row");
    await expect(openDataset([bad, path.join(folder, "absent")])).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
  });

  it("tells the hash of each file's bytes", async () => {
    const file = await write("x.jsonl", '{"document":"d","summary":"s"}\n');
    await using(file, {}, ({ report }) => {
      expect(report.files).toEqual([
        {
          file,
          sizeBytes: 31,
          sha256: "dfdc74fd1a5d7c7d85a795223b5510cb2722446dd65c875e8b022acb50a2a897",
        },
      ]);
    });
  });

  it("says when a file has changed under it", async () => {
    const file = await write("x.jsonl", jsonl(letters));
    await using(file, {}, async (dataset) => {
      expect(await documentsOf(dataset)).toBe("abcdefg");
      await appendFile(file, jsonl(letters));
      await expect(dataset.read([0])).rejects.toMatchObject({ code: "DATA_CHANGED" });
    });
    await using(file, {}, async (dataset) => {
      await utimes(file, 1, 1);
      await expect(dataset.read([0])).rejects.toMatchObject({ code: "DATA_CHANGED" });
    });
  });

  it("stops when it is told to", async () => {
    const file = await write("x.jsonl", jsonl(letters));
    const stopped = openDataset(file, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("gives back any texts, in place or from the spool", async () => {
    const text = fc.string({ unit: "binary" }).map((given) => `x${given}`);
    const row = fc.record({ document: text, summary: text });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), async (rows) => {
        const plain = await write("x.jsonl", jsonl(rows));
        const packed = await write("x.gz", gzipSync(jsonl(rows)));
        await using([plain, packed], {}, async (dataset) => {
          const read = await dataset.read([...Array(2 * rows.length).keys()]);
          // What JSON cannot hold (half a surrogate pair) was lost when the file was written.
          const expected = JSON.parse(Buffer.from(JSON.stringify([...rows, ...rows])).toString());
          expect(read).toMatchObject(expected);
        });
      }),
      { numRuns: 30 },
    );
  });
});

describe("findLeakage", () => {
  it("tells which documents stand in two splits, and where", async () => {
    const train = await write("train.jsonl", jsonl(letters));
    const test = await write(
      "test.jsonl",
      jsonl([
        { document: "new", summary: "s" },
        { document: " C ", summary: "another" },
        { document: "d", summary: "d!" },
      ]),
    );
    await using(train, {}, async (first) =>
      using(test, {}, (second) => {
        expect(findLeakage({ train: first, test: second })).toMatchObject([
          {
            splits: ["test", "train"],
            documents: 2,
            pairs: 1,
            told: [
              `Line 2 of ${test} as Line 3 of ${train}`,
              `Line 3 of ${test} as Line 4 of ${train}`,
            ],
          },
        ]);
        expect(findLeakage({ train: first })).toEqual([]);
      }),
    );
  });
});
