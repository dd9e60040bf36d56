// `bridle tokenize` over a terminal in memory: ids, places, counts, rows, the way back, and what it refuses.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import type { BridleError } from "../errors/error.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { runProgram } from "./program.js";

let root: string;
let model: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "bridle-tokenize-"));
  model = await makeTinyPegasus(path.join(root, "tiny"));
  tokenizer = await loadTokenizer(model);
});
afterAll(() => rm(root, { recursive: true }));

const text = "the harbour \u{1f40e} town";
const write = async (name: string, content: string) => {
  const file = path.join(root, name);
  await writeFile(file, content);
  return file;
};

async function run(args: readonly string[], stdin?: string) {
  const terminal = createMemoryTerminal(stdin === undefined ? {} : { stdin });
  const error = await runProgram(["tokenize", "--model", model, ...args], terminal).then(
    () => undefined,
    (thrown: BridleError) => thrown,
  );
  return { out: terminal.out(), err: terminal.err(), error };
}

async function printed(args: readonly string[], stdin?: string): Promise<string> {
  const { out, error } = await run(args, stdin);
  expect(error).toBeUndefined();
  return out;
}

describe("a text", () => {
  it("is shown token by token, each with its place", async () => {
    const ids = tokenizer.encode(text);
    const lines = (await printed(["--text", text])).split("\n");
    expect(lines.slice(0, 2)).toEqual([
      `${String(ids[0]).padStart(7)}   0–3   \u2581the`,
      `${String(ids[1]).padStart(7)}   3–11  \u2581harbour`,
    ]);
    expect(lines.slice(ids.length)).toEqual([
      `${ids.length} tokens, ${text.length} characters`,
      "",
    ]);
  });

  it("is the same from standard input and from a file", async () => {
    const expected = await printed(["--text", text]);
    expect(await printed([], text)).toBe(expected);
    expect(await printed(["-"], text)).toBe(expected);
    expect(await printed([await write("a.txt", text)])).toBe(expected);
  });

  it("is the document's, unless the file is to be taken as it is", async () => {
    const page = await write("a.html", "<html><body><p>the town</p></body></html>");
    const ids = (out: string) => JSON.parse(out).ids;
    expect(ids(await printed([page, "--json"]))).toEqual(tokenizer.encode("the town"));
    expect(ids(await printed([page, "--raw", "--json"])).length).toBeGreaterThan(20);
  });

  it("comes as one JSON value whose places are places of the text", async () => {
    const result = JSON.parse(await printed(["--text", text, "--json"]));
    expect(result).toEqual({
      model,
      count: 6,
      limit: 64,
      truncated: false,
      ids: tokenizer.encode(text),
      attentionMask: [1, 1, 1, 1, 1, 1],
      tokens: tokenizer.tokenize(text),
    });
  });

  it("is only counted where that is asked for", async () => {
    expect(await printed(["--text", text, "--count"])).toBe("6\n");
    expect(JSON.parse(await printed(["--text", text, "--count", "--json"]))).toEqual({
      model,
      count: 6,
      limit: 64,
    });
    const long = "town ".repeat(100);
    expect(await printed(["--text", long])).toContain(
      "101 tokens, 500 characters, more than the model's 64",
    );
  });

  it("is cut and filled up as asked, and says so", async () => {
    const cut = JSON.parse(
      await printed(["--text", text, "--truncation", "--max-length", "4", "--json"]),
    );
    expect(cut).toMatchObject({ count: 6, limit: 4, truncated: true });
    expect(cut.ids).toEqual([...tokenizer.encode(text).slice(0, 3), 1]);
    expect(cut.tokens.map(({ id }: { id: number }) => id)).toEqual(cut.ids);
    expect(await printed(["--text", text, "--truncation", "--max-length", "4"])).toContain(
      "cut to 4",
    );
    const filled = JSON.parse(
      await printed(["--text", "the", "--pad-to-multiple-of", "4", "--json"]),
    );
    expect([filled.ids.slice(2), filled.attentionMask]).toEqual([
      [0, 0],
      [1, 1, 0, 0],
    ]);
    const padding = ["--padding", "max-length", "--max-length", "8"];
    expect(await printed(["--text", "the", ...padding])).toContain("filled up to 8");
    expect(await printed(["--text", "the", "--no-special-tokens", "--count"])).toBe("1\n");
  });
});

describe("rows", () => {
  const rows = () =>
    write(
      "rows.jsonl",
      ['{"text": "the town", "id": 7}', '{"text": ""}', `{"text": "${"a ".repeat(80)}"}`].join(
        "\n",
      ),
    );

  it("give a line of ids each, or of JSON with the row's id", async () => {
    const file = await rows();
    const [first, second] = (await printed(["--input", file])).split("\n");
    expect([first, second]).toEqual([tokenizer.encode("the town").join(" "), "1"]);
    const [json] = (await printed(["--input", file, "--json"])).split("\n");
    expect(JSON.parse(json ?? "")).toMatchObject({ id: 7, ids: tokenizer.encode("the town") });
  });

  it("are counted together, and those that are too long for the model", async () => {
    const file = await rows();
    expect(JSON.parse(await printed(["--input", file, "--count", "--json"]))).toEqual({
      model,
      rows: 3,
      tokens: 3 + 1 + 81,
      mean: 85 / 3,
      shortest: 1,
      longest: 81,
      limit: 64,
      overLimit: 1,
    });
    expect(await printed(["--input", file, "--count"])).toBe(
      "85 tokens in 3 rows; 1 to 81 a row, 28.3 on average\nrows with more than 64: 1\n",
    );
  });

  it("of ids become texts again", async () => {
    const ids = tokenizer.encode("the <n>town");
    const file = await write("ids.jsonl", `${JSON.stringify({ ids })}\n{"ids": "${ids[0]}, 1"}\n`);
    const skip = ["--decode", "--skip-special-tokens"];
    expect(await printed(["--input", file, ...skip])).toBe(
      `${tokenizer.decode(ids, { skipSpecialTokens: true })}\nthe\n`,
    );
    const { error } = await run(["--input", file, "--decode", "--column", "idz"]);
    expect(error).toMatchObject({ code: "COLUMN_MISSING" });
  });
});

describe("ids", () => {
  it("become the text they stand for", async () => {
    const ids = tokenizer.encode("the town .");
    expect(await printed(["--decode"], ids.join(" "))).toBe("the town .</s>\n");
    expect(await printed(["--decode", "--skip-special-tokens"], `[${ids.join(",\n")}]`)).toBe(
      "the town .\n",
    );
    const clean = ["--decode", "--skip-special-tokens", "--clean-up", "--json"];
    expect(JSON.parse(await printed(clean, ids.join(",")))).toEqual({
      model,
      count: ids.length,
      text: "the town.",
    });
    expect(await printed(["--decode", "--text", ""])).toBe("\n");
  });

  it.each([
    ["x", /a token id in standard input is "x"/],
    ["-4", /is "-4"; it must be a whole number/],
    ["999999", /token id is 999999/],
  ])("that are none, such as %s, are named", async (ids, message) => {
    const { error } = await run(["--decode"], ids);
    expect(error).toMatchObject({ code: "INVALID_PARAMETER" });
    expect(error?.message).toMatch(message);
  });
});

describe("what contradicts itself is refused", () => {
  it.each<[string[], RegExp]>([
    [["a.txt", "--text", "x"], /exclude each other/],
    [["--text", "x", "--max-length", "4"], /--max-length goes with --truncation/],
    [["--decode", "--truncation"], /--truncation goes without --decode/],
    [["--text", "x", "--clean-up"], /--clean-up goes with --decode/],
    [["--decode", "--count"], /--count goes without --decode/],
    [["--text", "x", "--column", "y"], /--column goes with --input/],
    [["--input", "x.jsonl", "--padding", "longest"], /--padding longest needs all rows/],
  ])("%j", async (args, message) => {
    const { error } = await run(args);
    expect(error).toMatchObject({ code: "COMMAND_LINE_INVALID" });
    expect(error?.message).toMatch(message);
  });

  it("a web address, a file that is not UTF-8, a model that is none", async () => {
    expect((await run(["https://example.org/a.txt"])).error).toMatchObject({
      code: "URL_NOT_FETCHED",
    });
    const latin = path.join(root, "latin.txt");
    await writeFile(latin, Buffer.from([0x68, 0xe9]));
    expect((await run([latin, "--raw"])).error).toMatchObject({ code: "FILE_NOT_READABLE" });
    const terminal = createMemoryTerminal();
    await expect(
      runProgram(["tokenize", "--model", path.join(root, "absent"), "--text", "x"], terminal),
    ).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    await expect(runProgram(["tokenize", "--text", "x"], terminal)).rejects.toThrow(/--model/);
  });
});
