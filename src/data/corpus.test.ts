// Texts to learn from: lines and columns, packed or not, and what is wrong with a file told with its line.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BridleError } from "../errors/error.js";
import { type ReadTextsOptions, readTexts } from "./corpus.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-corpus-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function made(name: string, content: string | Uint8Array): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, content);
  return file;
}

async function read(files: string | readonly string[], options?: ReadTextsOptions) {
  const texts: string[] = [];
  for await (const text of readTexts(files, options)) texts.push(Buffer.from(text).toString());
  return texts;
}

async function fault(files: string | readonly string[], options?: ReadTextsOptions) {
  const thrown = await read(files, options).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(BridleError);
  return thrown as BridleError;
}

const rows = [
  { document: "one", summary: "1", id: 7 },
  { document: "two", references: ["2", "zwei"] },
  { text: "three" },
  { document: "four", summary: null },
];
const jsonl = rows.map((row) => JSON.stringify(row)).join("\n");

describe("lines of plain text", () => {
  it("come one by one, without a byte order mark, LF or CRLF", async () => {
    const file = await made("a.txt", "\ufeffone\r\ntwo\n\nthrée");
    expect(await read(file)).toEqual(["one", "two", "", "thrée"]);
  });

  it("are unpacked, told by the name or by saying so", async () => {
    const packed = await made("b.txt.gz", gzipSync('{"a": 1}\n'));
    expect(await read(packed)).toEqual(['{"a": 1}']);
    const unnamed = await made("unnamed", "one\ntwo\n");
    expect(await read(unnamed, { format: "lines" })).toEqual(["one", "two"]);
  });

  it("are read in the encoding that is named", async () => {
    const file = await made("latin.txt", Buffer.from("caf\xe9\n", "latin1"));
    expect(await read(file, { encoding: "windows-1252" })).toEqual(["café"]);
    const error = await fault([await made("good.txt", "x\n"), file]);
    expect([error.code, error.details.line, error.details.file]).toEqual(["ROW_NOT_UTF8", 1, file]);
  });

  it("longer than the limit are told", async () => {
    const file = await made("long.txt", `x\n${"y".repeat(50)}\n`);
    const error = await fault(file, { maxRowBytes: 20 });
    expect([error.code, error.details.line]).toEqual(["ROW_TOO_LARGE", 2]);
  });
});

describe("rows", () => {
  it("give their documents and the summaries that are there", async () => {
    const file = await made("rows.jsonl", jsonl);
    expect(await read(file)).toEqual(["one", "1", "two", "2", "zwei", "three", "four"]);
  });

  it("give the columns that are named, which every row must have", async () => {
    const file = await made("columns.jsonl", '{"a": "x", "b": "y"}\n{"a": "z"}\n');
    expect(await read(file, { columns: ["a"] })).toEqual(["x", "z"]);
    const error = await fault(file, { columns: ["a", "b"] });
    expect([error.code, error.details.line, error.details.column]).toEqual([
      "COLUMN_MISSING",
      2,
      "b",
    ]);
  });

  it("come from CSV files too, even from one named .txt", async () => {
    const file = await made("table.txt", "title,body\nt,one\n");
    expect(await read(file, { format: "csv", columns: ["body"] })).toEqual(["one"]);
  });

  it("without a column to take are an error, as is broken JSON", async () => {
    const nothing = await made("nothing.jsonl", '{"a": "x"}\n');
    expect((await fault(nothing)).code).toBe("COLUMN_MISSING");
    const broken = await made("broken.jsonl", '{"text": "x"}\n{"text": \n');
    const error = await fault(broken);
    expect([error.code, error.details.line]).toEqual(["ROW_NOT_JSON", 2]);
  });
});

describe("several files", () => {
  it("are all opened before the first is read", async () => {
    const first = await made("first.txt", "one\n");
    const seen: string[] = [];
    const reading = (async () => {
      for await (const text of readTexts([first, path.join(folder, "absent.txt")]))
        seen.push(String(text));
    })();
    await expect(reading).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    expect(seen).toEqual([]);
  });

  it("are read to the last byte", async () => {
    const files = [await made("p.txt", "one\ntwo\n"), await made("q.jsonl", '{"text": "three"}\n')];
    let last = { readBytes: 0, sizeBytes: -1 };
    await read(files, {
      onRead: (progress) => {
        last = progress;
      },
    });
    expect(last.readBytes).toBe(last.sizeBytes);
  });
});
