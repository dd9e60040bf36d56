// The one reader: every format in every packing gives the same rows, and what is wrong is told by file, line and reason.
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BridleError } from "../errors/error.js";
import type { Row } from "./row.js";
import { openRows, type RowOptions } from "./rows.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-rows-"));
});
afterAll(() => rm(folder, { recursive: true }));

let written = 0;
async function write(name: string, content: string | Uint8Array): Promise<string> {
  const file = path.join(folder, `${++written}-${name}`);
  await writeFile(file, content);
  return file;
}

interface Read {
  readonly rows: Row[];
  readonly lines: number[];
  readonly offsets: (number | undefined)[];
}

async function read(file: string, options?: RowOptions): Promise<Read> {
  const rows: Row[] = [];
  const lines: number[] = [];
  const offsets: (number | undefined)[] = [];
  for await (const row of (await openRows(file, options)).rows) {
    expect(row.index).toBe(rows.length);
    rows.push(row.read());
    lines.push(row.place.line);
    offsets.push(row.offset);
  }
  return { rows, lines, offsets };
}

async function failure(file: string, options?: RowOptions): Promise<BridleError> {
  try {
    await read(file, options);
  } catch (thrown) {
    if (thrown instanceof BridleError) return thrown;
    throw thrown;
  }
  throw new Error(`${file} was read without complaint`);
}

/** Zstandard as its own tool packs it, where the machine has it. */
function zstd(content: Uint8Array): Uint8Array | undefined {
  try {
    return execFileSync("zstd", ["-q", "-c", "-3"], { input: content, maxBuffer: 1e9 });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw thrown;
  }
}

/** Two rows, one frame each, packed by zstd 1.5 with checksums. */
const zstdFrames = Buffer.from(
  "KLUv/QRYQQAAeyJhIjoxfQri7+zgKLUv/QRYQQAAeyJhIjoyfQqGqDo9",
  "base64",
);

const expected: Row[] = [
  { document: "Zürich, the\n“city”", summary: "A 'city'", id: "1" },
  { document: "b", summary: "s;\t|", id: "2" },
  { document: "東京", summary: "駅", id: "3" },
];

const quoted = (text: unknown) => `"${String(text).replaceAll('"', '""')}"`;
const table = (delimiter: string) =>
  [
    ["document", "summary", "id"],
    ...expected.map(({ document, summary, id }) => [document, summary, id]),
  ]
    .map((fields) => fields.map(quoted).join(delimiter))
    .join("\n");

const contents: Record<string, () => string | Uint8Array> = {
  "x.jsonl": () => expected.map((row) => JSON.stringify(row)).join("\n"),
  "x.json": () => JSON.stringify(expected, null, 2),
  "x.csv": () => table(","),
  "x.tsv": () => table("\t"),
  "semicolons.csv": () => table(";"),
  "x.parquet": () =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: ["document", "summary", "id"].map((name) => ({
          name,
          data: expected.map((row) => row[name]),
          type: "STRING" as const,
        })),
      }),
    ),
};

describe("openRows", () => {
  for (const [name, content] of Object.entries(contents)) {
    it(`reads ${name} plain and packed`, async () => {
      const bytes = Buffer.from(content());
      expect((await read(await write(name, bytes))).rows).toEqual(expected);
      const packed = await write(`${name}.gz`, gzipSync(bytes));
      expect((await read(packed)).rows).toEqual(expected);
      const frames = zstd(bytes);
      if (frames === undefined) return;
      expect((await read(await write(`${name}.zst`, frames))).rows).toEqual(expected);
    });
  }

  it("reads frames of Zstandard one after the other, and says when they are cut", async () => {
    const file = await write("two.zst", zstdFrames);
    expect((await read(file)).rows).toEqual([{ a: 1 }, { a: 2 }]);
    const cut = await write("cut.zst", zstdFrames.subarray(0, 15));
    expect(await failure(cut)).toMatchObject({ code: "ZSTD_CORRUPT", details: { file: cut } });
  });

  it("reads UTF-16 with a mark, a UTF-8 mark, and the encoding that is named", async () => {
    for (const name of ["x.jsonl", "x.json", "x.csv", "x.tsv"]) {
      const text = String(contents[name]!());
      const utf16 = await write(name, Buffer.from(`\ufeff${text}`, "utf16le"));
      expect((await read(utf16)).rows).toEqual(expected);
      const marked = await write(name, `\ufeff${text}`);
      expect((await read(marked)).rows).toEqual(expected);
    }
    const latin = Buffer.from("document,summary\n\nDie Brücke über den Fluß,Größe\n", "latin1");
    const file = await write("latin.csv", latin);
    const error = await failure(file);
    expect(error).toMatchObject({ code: "ROW_NOT_UTF8", details: { line: 3, file } });
    expect(error.hint).toContain("windows-1252");
    expect((await read(file, { encoding: "windows-1252" })).rows).toEqual([
      { document: "Die Brücke über den Fluß", summary: "Größe" },
    ]);
    expect((await failure(file, { encoding: "shift_jis" })).code).toBe("ROW_NOT_UTF8");
    await expect(openRows(file, { encoding: "latin-x" })).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
    });
  });

  it("tells where the bytes of a plain JSON line stand, and of nothing else", async () => {
    const file = await write("x.jsonl", '{"a":"é"}\n\n{"a":"b"}\r\n  {"a":"c"}');
    expect((await read(file)).offsets).toEqual([0, 12, 23]);
    expect((await read(file)).lines).toEqual([1, 3, 4]);
    const packed = await write("x.jsonl.gz", gzipSync('{"a":"b"}'));
    expect((await read(packed)).offsets).toEqual([undefined]);
  });

  it("goes by the content before the name where the name is silent or wrong", async () => {
    expect((await read(await write("rows", '\n [{"a": 1}]'))).rows).toEqual([{ a: 1 }]);
    expect((await read(await write("rows.json", '{"a": 1}\n{"a": 2}'))).rows).toHaveLength(2);
    const parquet = await write("x.csv", Buffer.from(contents["x.parquet"]!()));
    expect((await read(parquet)).rows).toEqual(expected);
    const table = await write("rows.txt", "a,b\n1,2");
    expect((await failure(table)).code).toBe("ROW_NOT_JSON");
    expect((await read(table, { format: "csv" })).rows).toEqual([{ a: "1", b: "2" }]);
  });

  it("gives no rows for an empty file of any format", async () => {
    for (const name of ["x.jsonl", "x.csv", "x.tsv", "x"]) {
      expect((await read(await write(name, ""))).rows).toEqual([]);
    }
    expect((await read(await write("x.json", " [ ] "))).rows).toEqual([]);
    expect((await read(await write("x.csv", "document,summary\n"))).rows).toEqual([]);
  });

  it("counts what has been read of the file", async () => {
    for (const name of ["x.jsonl", "x.parquet"]) {
      const file = await openRows(await write(name, Buffer.from(contents[name]!())));
      expect(file.readBytes()).toBe(0);
      for await (const _ of file.rows);
      expect(file.readBytes()).toBe(file.sizeBytes);
    }
  });

  it.each<[string, string, string, number, string]>([
    ["x.jsonl", '{"a":1}\n{"a":\n', "ROW_NOT_JSON", 2, "JSON"],
    ["x.json", '[{"a":1},\n\n{"a":}]', "ROW_NOT_JSON", 3, "JSON"],
    ["x.json", '[{"a":1}\n{"a":2}]', "ROW_NOT_JSON", 1, "JSON"],
    ["x.json", '[{"a":1},\n]', "ROW_NOT_JSON", 2, "missing"],
    ["x.json", '[{"a":1},\n,{}]', "ROW_NOT_JSON", 2, "missing"],
    ["x.json", '[{"a":1}]\n[]', "ROW_NOT_JSON", 2, "ends before"],
    ["x.json", '[{"a":1},\n{"a":"]', "ROW_NOT_JSON", 2, "not closed"],
    ["x.json", "[1]", "ROW_NOT_JSON", 1, "a number"],
    ["x.csv", 'a,b\n"1\n2",3\n"4,5\n', "ROW_NOT_CSV", 4, "never closed"],
    ["x.csv", 'a,b\n1,2\n"3"x,4\n5,6\n', "ROW_NOT_CSV", 3, "after a closing quote"],
    ["x.csv", 'a,b\n"1\n\n",2\n3,4,5\n', "ROW_NOT_CSV", 5, "3 fields"],
    ["x.csv", "a,b\n1,2\n\n3\n", "ROW_NOT_CSV", 4, "1 fields"],
    ["x.csv", "a,b, a\n1,2,3\n", "ROW_NOT_CSV", 1, '"a" twice'],
  ])("names the line in %s: %j", async (name, content, code, line, says) => {
    const file = await write(name, content);
    const error = await failure(file);
    expect(error).toMatchObject({ code, details: { file, line } });
    expect(error.message).toContain(`Line ${line} of ${file}`);
    expect(error.message).toContain(says);
  });

  it("refuses rows over the limit by their line, in every format of text", async () => {
    const long = "x".repeat(100);
    for (const [name, content, line] of [
      ["x.jsonl", `{"a":1}\n{"a":"${long}"}`, 2],
      ["x.json", `[{"a":1},\n{"a":"${long}"}]`, 2],
      ["x.csv", `a,b\n1,"${long}`, 2],
      ["x.csv", `a,b\n1,"${"x\n".repeat(100)}`, 2],
    ] as const) {
      const file = await write(name, content);
      const error = await failure(file, { maxRowBytes: 50 });
      expect(error).toMatchObject({ code: "ROW_TOO_LARGE", details: { file, line } });
    }
  });

  it("unpacks a Parquet file in the folder that is named", async () => {
    const packed = await write("x.parquet.gz", gzipSync(contents["x.parquet"]!()));
    const spoolFolder = path.join(folder, "spools");
    expect((await failure(packed, { spoolFolder })).code).toBe("FILE_NOT_WRITABLE");
    await mkdir(spoolFolder);
    expect((await read(packed, { spoolFolder })).rows).toEqual(expected);
  });

  it("says what is wrong with a Parquet file, by its own name even where it is packed", async () => {
    const whole = Buffer.from(contents["x.parquet"]!());
    const cut = await write("cut.parquet", whole.subarray(0, whole.length - 5));
    expect(await failure(cut)).toMatchObject({ code: "FILE_DAMAGED", details: { where: cut } });
    const packed = await write("cut.parquet.gz", gzipSync(whole.subarray(0, 20)));
    expect(await failure(packed)).toMatchObject({
      code: "FILE_DAMAGED",
      details: { where: packed },
    });
    expect(await failure(await write("x", "no"), { format: "parquet" })).toMatchObject({
      code: "FILE_DAMAGED",
    });
  });

  it("refuses a delimiter that cannot be one", async () => {
    const file = await write("x.csv", "a");
    for (const delimiter of ["", "::", '"']) {
      await expect(openRows(file, { delimiter })).rejects.toMatchObject({
        code: "INVALID_PARAMETER",
      });
    }
  });

  it("names a file that is not there", async () => {
    await expect(openRows(path.join(folder, "absent.csv"))).rejects.toMatchObject({
      code: "FILE_NOT_FOUND",
    });
  });
});

describe("a folder of texts", () => {
  async function fill(name: string, files: Record<string, string | Uint8Array>): Promise<string> {
    const root = path.join(folder, name);
    for (const [file, content] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(root, file)), { recursive: true });
      await writeFile(path.join(root, file), content);
    }
    return root;
  }

  it("pairs x.txt with x.summary.txt, in the order of the names, in any encoding", async () => {
    const root = await fill("beside", {
      "b.txt": "B",
      "b.summary.txt": "b",
      "a.txt": Buffer.from("\ufeffÄ", "utf16le"),
      "a.summary.txt": "\ufeffä",
      "README.md": "no part of it",
      ".hidden.txt": "nor this",
    });
    expect((await read(root)).rows).toEqual([
      { id: "a", document: "Ä", summary: "ä" },
      { id: "b", document: "B", summary: "b" },
    ]);
  });

  it("pairs documents/x.txt with summaries/x.txt", async () => {
    const root = await fill("apart", {
      "documents/a.txt": "A",
      "summaries/a.txt": "a",
      "notes.txt": "no part of it",
    });
    expect((await read(root)).rows).toEqual([{ id: "a", document: "A", summary: "a" }]);
  });

  it("reads documents by themselves where none has a summary", async () => {
    const root = await fill("alone", { "a.txt": "A", "b.txt": "B" });
    expect((await read(root)).rows).toEqual([
      { id: "a", document: "A" },
      { id: "b", document: "B" },
    ]);
  });

  it.each<[string, Record<string, string>, string]>([
    ["a document without", { "a.txt": "", "b.txt": "", "b.summary.txt": "" }, "a.summary.txt"],
    ["a summary without", { "a.txt": "", "a.summary.txt": "", "b.summary.txt": "" }, "no b.txt"],
    ["one apart without", { "documents/a.txt": "", "summaries/b.txt": "" }, "documents/b.txt"],
    ["files of rows", { "train.jsonl": "{}" }, "neither"],
  ])("names the file of %s", async (name, files, says) => {
    const root = await fill(name, files);
    const failure = openRows(root);
    await expect(failure).rejects.toMatchObject({ code: "FOLDER_NOT_DATA" });
    await expect(failure).rejects.toThrow(says);
  });
});
