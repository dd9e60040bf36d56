// Every command in this process, over a terminal in memory: what it prints where, what it takes together, what it refuses.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMemoryTerminal, type MemoryTerminal } from "../../test/support/memory-terminal.js";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { describeKeys } from "../config/schema-keys.js";
import { bridleVersion } from "../config/version.js";
import type { BridleError } from "../errors/error.js";
import { runProgram } from "./program.js";

const text =
  "The harbour of Ribe silted up in the ninth century. Ships then unloaded on an island. " +
  "The town lost its trade when the ships left the harbour. It rained on Sunday.";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bridle-program-"));
  write("a.txt", text);
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => path.join(folder, name);
function write(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content);
  return at(name);
}
const rows = (name: string, list: readonly object[]) =>
  write(name, list.map((row) => `${JSON.stringify(row)}\n`).join(""));

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly error: BridleError | undefined;
}

async function run(
  args: readonly string[],
  terminal: MemoryTerminal = createMemoryTerminal(),
): Promise<Ran> {
  const error = await runProgram(args, terminal).then(
    () => undefined,
    (thrown: BridleError) => thrown,
  );
  return { out: terminal.out(), err: terminal.err(), error };
}

/** What a command printed that must not fail. */
async function printed(args: readonly string[], terminal?: MemoryTerminal): Promise<string> {
  const { out, error } = await run(args, terminal);
  expect(error).toBeUndefined();
  return out;
}

/** Every command that does something, by what is typed: those that a help page lists, and theirs in turn. */
async function commands(typed: readonly string[] = []): Promise<(readonly string[])[]> {
  const help = await printed([...typed, "--help"]);
  const [, list = ""] = help.split("\nCommands:\n");
  const names = [...list.split("\n\n")[0]!.matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(
    ([, name]) => name!,
  );
  const inner = names.filter((name) => name !== "help").map((name) => commands([...typed, name]));
  return names.length === 0 ? [typed] : (await Promise.all(inner)).flat();
}

describe("bridle", () => {
  it("has --json, examples and a description for every command", async () => {
    const all = await commands();
    expect(all).toContainEqual(["summarize"]);
    expect(all).toContainEqual(["api-key", "create"]);
    for (const typed of all) {
      const help = await printed([...typed, "--help"]);
      expect(help, typed.join(" ")).toContain(`Usage: bridle ${typed.join(" ")} `);
      expect(help, typed.join(" ")).toContain("--json");
      expect(help, typed.join(" ")).toMatch(/\nExamples:\n {2}\$ .*bridle /);
    }
  });

  it("lists in train's help every key of params.yaml that a word can set", async () => {
    const [, list = ""] = (await printed(["train", "--help"])).split("\nKeys:\n");
    const keys = [...list.matchAll(/^ {2}([\w.]+)/gm)].map(([, key]) => key);
    expect(keys).toEqual(describeKeys().map(({ key }) => key));
    expect(list).toMatch(/^ {2}train\.seed=0 +seed of order, dropout and new weights$/m);
  });

  it("prints its help where nothing is asked, and its version", async () => {
    expect(await printed([])).toContain("Exit codes: 0 done");
    expect(await printed(["--version"])).toBe(`${bridleVersion}\n`);
  });

  it.each([
    [["summarise"], "UNKNOWN_COMMAND", "Did you mean summarize?"],
    [["api-key", "crate"], "UNKNOWN_COMMAND", "`bridle api-key --help`"],
    [["rouge", "--tarket", "x"], "UNKNOWN_OPTION", "Did you mean --target?"],
    [["evaluate"], "COMMAND_LINE_INVALID", "`bridle evaluate --help`"],
    [["doctor", "now"], "COMMAND_LINE_INVALID", "`bridle doctor --help`"],
    [["help", "summarise"], "UNKNOWN_COMMAND", "Did you mean summarize?"],
    [["data", "help", "frob"], "UNKNOWN_COMMAND", "`bridle data --help`"],
  ])("%j is %s", async (args, code, hint) => {
    const { out, err, error } = await run(args);
    expect([out, err, error?.code]).toEqual(["", "", code]);
    expect(error?.hint).toContain(hint);
  });
});

describe("a group of commands", () => {
  it.each<[string[], string]>([
    [["data"], "bridle data needs one of its commands: check, stats, "],
    [["data", "remote"], "bridle data remote needs one of its commands: add, list, "],
    [["models", "--json"], "bridle models needs one of its commands: "],
    [["runs"], "bridle runs needs one of its commands: "],
    [["config"], "bridle config needs one of its commands: "],
    [["tokenizer"], "bridle tokenizer needs one of its commands: train"],
    [["profile"], "bridle profile needs one of its commands: "],
    [["api-key", "--json"], "bridle api-key needs one of its commands: create."],
    [["--json"], "bridle needs one of its commands: serve, summarize, "],
  ])("%j tells which there are", async (args, problem) => {
    const { out, err, error } = await run(args);
    expect([out, err, error?.code, error?.kind]).toEqual([
      ...["", "", "COMMAND_LINE_INVALID", "invalid"],
    ]);
    expect(error?.message).toContain(problem);
  });
});

describe("bridle summarize", () => {
  it("reads a file or standard input, and says what it rests on with --json", async () => {
    const summary = await printed(["summarize", at("a.txt"), "--sentences", "1"]);
    for (const args of [["summarize"], ["summarize", "-"]]) {
      const terminal = createMemoryTerminal({ stdin: text });
      expect(await printed([...args, "--sentences", "1"], terminal)).toBe(summary);
    }
    const json = JSON.parse(await printed(["summarize", at("a.txt"), "--ratio", "50%", "--json"]));
    expect(json).toMatchObject({ model: "extractive", document: { format: "txt", warnings: [] } });
    expect(json.sources).toHaveLength(2);
    const words = ["summarize", at("a.txt"), "--max-words", "9", "--json"];
    expect(JSON.parse(await printed(words)).finishReason).toBe("length");
  });

  it("notes what was odd about a file on standard error alone", async () => {
    const file = write("latin1.txt", Buffer.from(`${text} Größe.`, "latin1"));
    const { out, err } = await run(["summarize", file, "--sentences", "1"]);
    expect(err).toMatch(/^note: .*windows-1252/);
    expect(text).toContain(out.trim());
  });

  it("writes to a file where it is told to, and says so", async () => {
    const { out, err } = await run(["summarize", at("a.txt"), "--output", at("out.txt")]);
    expect([out, err]).toEqual(["", `Written to ${at("out.txt")}.\n`]);
    expect(readFileSync(at("out.txt"), "utf8")).toBe(await printed(["summarize", at("a.txt")]));
  });

  it("tells as JSON where the whole result is", async () => {
    const output = at("out.json");
    const printing = ["summarize", at("a.txt"), "--json", "--output", output];
    const told = JSON.parse(await printed(printing));
    const { summary, model, usage } = JSON.parse(readFileSync(output, "utf8"));
    expect(told).toMatchObject({ output, model, usage, truncated: false });
    expect(told.summary).toBeUndefined();
    expect(summary).not.toBe("");
  });

  it("does not replace a document by its summary, under whatever name", async () => {
    const document = write("kept.txt", text);
    symlinkSync(document, at("link.txt"));
    for (const output of [document, at("link.txt"), path.join(folder, ".", "kept.txt")]) {
      const { error } = await run(["summarize", document, "--output", output]);
      expect([error?.code, error?.message]).toEqual([
        "INVALID_PARAMETER",
        expect.stringContaining("--output"),
      ]);
    }
    expect(readFileSync(document, "utf8")).toBe(text);
  });

  it.each<[string[], string]>([
    [["ftp://example.org/a.txt"], "URL_NOT_FETCHED"],
    [["a.txt", "--input", "b.jsonl"], "COMMAND_LINE_INVALID"],
    [["--input", "b.jsonl"], "COMMAND_LINE_INVALID"],
    [["a.txt", "--column", "text"], "COMMAND_LINE_INVALID"],
    [["a.txt", "--model", "no-such"], "MODEL_NOT_FOUND"],
    [["/no/such/file.txt"], "FILE_NOT_FOUND"],
    [["a.txt", "--num-beams", "4"], "PARAMETER_NOT_SUPPORTED"],
    [["a.txt", "--num-beams", "many"], "INVALID_PARAMETER"],
    [["a.txt", "--num-beams", "1000000000"], "INVALID_PARAMETER"],
    [["a.txt", "--device", "tpu"], "INVALID_PARAMETER"],
  ])("%j is %s", async (args, code) => {
    const placed = args.map((arg) => (arg === "a.txt" ? at(arg) : arg));
    expect((await run(["summarize", ...placed])).error?.code).toBe(code);
  });

  it("does not wait for a text that nobody types, and stops when it is interrupted", async () => {
    const waiting = await run(["summarize"], createMemoryTerminal({ isTTY: true }));
    expect(waiting.error?.message).toContain("text on standard input");
    const terminal = createMemoryTerminal({ stdin: text });
    terminal.interrupt();
    expect((await run(["summarize"], terminal)).error?.code).toBe("CANCELLED");
  });

  it("refuses more than it reads, without reading the rest", async () => {
    const terminal = createMemoryTerminal({ stdin: "x".repeat(60_000_000) });
    expect((await run(["summarize"], terminal)).error?.code).toBe("TEXT_TOO_LARGE");
  });

  it("takes a neural model's options, and refuses the other kind's", async () => {
    const model = await makeTinyPegasus(at("tiny"));
    const args = ["summarize", at("a.txt"), "--model", model, "--device", "cpu"];
    const json = JSON.parse(
      await printed([...args, "--num-beams", "2", "--max-new-tokens", "6", "--json"]),
    );
    expect(json).toMatchObject({ model, usage: { chunks: expect.any(Number) } });
    const { error } = await run([...args, "--sentences", "1"]);
    expect(error?.code).toBe("PARAMETER_NOT_SUPPORTED");
  });
});

describe("bridle summarize --input", () => {
  const args = (name: string, ...more: string[]) => [
    "summarize",
    "--input",
    at("in.jsonl"),
    "--output",
    at(name),
    "--sentences",
    "1",
    ...more,
  ];
  beforeAll(() => {
    rows("in.jsonl", [{ text, id: 7 }, { text: "" }, { text: "One went out. Two came back." }]);
  });

  it("writes a line a row in order, sums up, and does nothing the second time", async () => {
    const first = await printed(args("out.jsonl"));
    expect(first).toMatch(/^3 rows in .*out\.jsonl, 1 with an error; \d+ s/);
    const lines = readFileSync(at("out.jsonl"), "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { index: 0, id: 7, summary: expect.any(String) },
      { index: 1, error: { code: "EMPTY_TEXT" } },
      { index: 2, summary: expect.any(String) },
    ]);
    expect(await printed(args("out.jsonl"))).toContain("3 of them by earlier runs");
    const anew = JSON.parse(await printed(args("out.jsonl", "--overwrite", "--json")));
    expect(anew).toMatchObject({ rows: 3, failed: 1, resumedRows: 0 });
  });

  it("fails with --strict for a row that did, its report printed", async () => {
    const { out, error } = await run(args("strict.jsonl", "--strict", "--json"));
    expect(JSON.parse(out)).toMatchObject({ rows: 3, failed: 1 });
    expect([error?.code, error?.kind]).toEqual(["BATCH_ROWS_FAILED", "gate-failed"]);
  });

  it("draws a bar for who watches", async () => {
    const terminal = createMemoryTerminal({ isTTY: true });
    await printed(args("tty.jsonl", "--concurrency", "1", "--column", "text"), terminal);
    expect(terminal.err()).toContain("100 %");
    expect(terminal.err()).toContain("1 failed");
  });

  it("says that it goes on from where it was stopped", async () => {
    const terminal = createMemoryTerminal();
    terminal.interrupt();
    const { err, error } = await run(args("stopped.jsonl"), terminal);
    expect([err, error?.code]).toEqual([
      "Stopped. The same command goes on from here.\n",
      "CANCELLED",
    ]);
  });
});

describe("bridle rouge", () => {
  beforeAll(() => {
    write("t.txt", "the board approved the budget\nno coffee was served\n");
    write("p.txt", "the board approved it\ncoffee was served\n");
    rows("scored.jsonl", [
      { summary: "a b", prediction: "a b", gist: "a" },
      { summary: ["q", "c d"], prediction: "c x", gist: "c" },
    ]);
  });
  const pair = () => ["rouge", "--target", at("t.txt"), "--prediction", at("p.txt")];

  it("prints a table for a pair, a line for each line or row, and JSON of the same", async () => {
    const table = await printed([...pair(), "--types", "rouge1", "--stemmer"]);
    // Six of nine words of the reference, six of seven of the prediction.
    expect(table).toMatch(/precision +recall +F-measure\nrouge1 +85\.71 +66\.67 +75\.00\n$/);
    const lines = await printed([...pair(), "--lines", "--types", "rouge1"]);
    expect(lines).toBe("     1  rouge1  66.67\n     2  rouge1  85.71\n");
    const [first, second] = JSON.parse(await printed([...pair(), "--lines", "--json"]));
    expect(first.rouge1.fmeasure).toBeCloseTo(2 / 3, 12);
    expect(second.rougeL.recall).toBe(0.75);
    const each = await printed(["rouge", "--input", at("scored.jsonl"), "--types", "rouge1"]);
    expect(each).toBe("     1  rouge1 100.00\n     2  rouge1  50.00\n");
  });

  it("takes the best of several targets, other columns, and one text from standard input", async () => {
    const best = [...pair(), "--target", at("p.txt"), "--json"];
    expect(JSON.parse(await printed(best)).rougeLsum.fmeasure).toBe(1);
    const terminal = createMemoryTerminal({ stdin: "the board approved the budget" });
    const typed = ["rouge", "--target", at("t.txt"), "--prediction", "-", "--json"];
    expect(JSON.parse(await printed(typed, terminal)).rouge1.precision).toBe(1);
    const columns = ["--prediction-column", "gist", "--target-column", "prediction", "--json"];
    const [one] = JSON.parse(await printed(["rouge", "--input", at("scored.jsonl"), ...columns]));
    expect(one.rouge1).toMatchObject({ precision: 1, recall: 0.5 });
  });

  it("gives means with intervals, and shows how far it is to who watches", async () => {
    const args = ["rouge", "--input", at("scored.jsonl"), "--types", "rouge1,rougeLsum"];
    const more = ["--aggregate", "--samples", "50", "--seed", "3"];
    const terminal = createMemoryTerminal({ isTTY: true });
    expect(await printed([...args, ...more], terminal)).toMatch(
      /^F-measure over 2 texts.*\nrouge1 +75\.00 +50\.00 – 100\.00\n/,
    );
    expect(terminal.err()).toContain("2 texts");
    const json = JSON.parse(await printed([...args, ...more, "--split-summaries", "--json"]));
    expect(json).toMatchObject({ count: 2, scores: { rougeLsum: { mean: { fmeasure: 0.75 } } } });
  });

  it.each<[string[], string]>([
    [["--target", "t.txt"], "COMMAND_LINE_INVALID"],
    [["--target", "-", "--prediction", "-"], "COMMAND_LINE_INVALID"],
    [["--target", "a.txt", "--prediction", "p.txt", "--lines"], "COMMAND_LINE_INVALID"],
    [["--input", "scored.jsonl", "--target", "t.txt"], "COMMAND_LINE_INVALID"],
    [["--target", "t.txt", "--prediction", "absent.txt"], "FILE_NOT_FOUND"],
    [["--target", "t.txt", "--prediction", "bytes.txt"], "FILE_NOT_READABLE"],
    [["--input", "none.jsonl"], "EMPTY_TEXT"],
    [["--input", "scored.jsonl", "--types", "rouge0"], "INVALID_PARAMETER"],
    [["--input", "scored.jsonl", "--mode", "latin"], "INVALID_PARAMETER"],
    [["--input", "scored.jsonl", "--target-column", "absent"], "COLUMN_MISSING"],
  ])("%j is %s", async (args, code) => {
    write("bytes.txt", Buffer.from([0xff, 0xfe, 0xfd]));
    write("none.jsonl", "\n");
    const placed = args.map((arg) => (/\.\w+$/.test(arg) ? at(arg) : arg));
    expect((await run(["rouge", ...placed])).error?.code).toBe(code);
  });

  it("stops when it is interrupted", async () => {
    const terminal = createMemoryTerminal();
    terminal.interrupt();
    expect((await run(pair(), terminal)).error?.code).toBe("CANCELLED");
  });
});

describe("bridle evaluate", () => {
  beforeAll(() => {
    rows("test.jsonl", [
      { document: text, summary: "The harbour silted up and the town lost its trade." },
      { document: text, references: ["The harbour silted up.", "Ships unloaded elsewhere."] },
      { document: "…", summary: "Nothing that a model could read." },
      { document: " ", summary: "Nothing at all." },
    ]);
  });

  it("prints the model and simple systems as a table, and says what was left out", async () => {
    const args = ["evaluate", at("test.jsonl"), "--language", "en", "--samples", "20"];
    const wide = [...args, "--sentences", "reference", "--baselines", "lead1,leadK"];
    const table = await printed(wide);
    const [heading, model, first, second, ...notes] = table.split("\n");
    expect(heading).toMatch(/^data +rows +system +ROUGE-1 .*model − system, ROUGE-L$/);
    expect(model).toMatch(/^test +3 +extractive +\d/);
    expect(first).toMatch(/^test +3 +lead1 .*\(.* … .*\)$/);
    expect(second).toMatch(/^test +3 +leadK /);
    expect(notes.join("\n")).toContain("the model failed on 1 rows");
    expect(notes.join("\n")).toContain("1 rows have no text and are left out");
    const markdown = await printed([...args, "--ratio", "0.3", "--limit", "1", "--markdown"]);
    expect(markdown).toMatch(/^\| data .*\|\n\| -+ \| -+: \|/);
    expect(markdown).not.toContain("model − system");
  });

  it("puts another model beside it and keeps what both wrote, whole or not at all", async () => {
    const args = ["evaluate", at("test.jsonl"), "--language", "en", "--sentences", "1"];
    const outputs = at("outputs.jsonl");
    const beside = ["--against", "extractive", "--outputs", outputs, "--show", "1"];
    const table = await printed([...args, ...beside]);
    const shown = table.slice(table.indexOf("test.jsonl, line 1: ")).split("\n");
    expect(shown).toHaveLength(5);
    expect(shown[1]).toBe("  reference: The harbour silted up and the town lost its trade.");
    expect(shown[2]).toMatch(/^ {2}extractive: \w/);
    expect(shown[3]).toBe(shown[2]);
    expect(table).toMatch(/extractive .*\n.*extractive .*\+0\.00 \(\+0\.00 … \+0\.00\)\n/);
    const written = readFileSync(outputs, "utf8").trimEnd().split("\n");
    expect(written.map((line) => JSON.parse(line))).toMatchObject([
      { line: 1, document: text, rivals: [{ model: "extractive", summary: expect.any(String) }] },
      { line: 2, references: ["The harbour silted up.", "Ships unloaded elsewhere."] },
      { line: 3, summary: "" },
    ]);
    const taken = await run([...args, "--outputs", outputs]);
    expect(taken.error).toMatchObject({
      code: "OUTPUT_EXISTS",
      message: `${outputs} is there already.`,
    });
    expect(taken.error?.hint).toBe("Name another --outputs, or add --overwrite to replace it.");
    const failing = ["--against", "no-such", "--outputs", outputs, "--overwrite"];
    expect((await run([...args, ...failing])).error?.code).toBe("MODEL_NOT_FOUND");
    expect(readFileSync(outputs, "utf8").trimEnd().split("\n")).toEqual(written);
    const nowhere = at("no-folder/outputs.jsonl");
    expect((await run([...args, "--outputs", nowhere])).error?.code).toBe("WRITE_FAILED");
    await printed([...args, "--limit", "1", "--outputs", outputs, "--overwrite"]);
    expect(readFileSync(outputs, "utf8").trimEnd().split("\n")).toHaveLength(1);
  });

  it("reads no file that an output would take the place of", async () => {
    rows("own.jsonl", [{ document: text, summary: "The harbour silted up." }]);
    const before = readFileSync(at("own.jsonl"));
    mkdirSync(at("texts/deep"), { recursive: true });
    write("texts/a.txt", text);
    write(
      "run.yaml",
      `model: { name: m }\ndata: { train: ${at("own.jsonl")} }\ntrain: { output: out }\n`,
    );
    symlinkSync(at("own.jsonl"), at("link.jsonl"));
    const own = at("own.jsonl");
    const same = "another file than the input";
    const refused: [readonly string[], string, string][] = [
      [["evaluate", own, "--overwrite", "--outputs", own], "--outputs", same],
      [["evaluate", own, "--overwrite", "--outputs", at("link.jsonl")], "--outputs", same],
      [["evaluate", at("link.jsonl"), "--overwrite", "--outputs", own], "--outputs", same],
      [["evaluate", at("texts"), "--outputs", at("texts/a.txt")], "--outputs", "apart from"],
      [["data", "check", own, "--report", own], "--report", same],
      [["data", "stats", "--params", at("run.yaml"), "--report", at("run.yaml")], "--report", same],
      [["data", "split", at("texts/a.txt"), "--output", at("texts")], "--output", "apart from"],
      [["profile", "train", at("run.yaml"), "--trace", at("run.yaml")], "--trace", same],
      [["profile", "summarize", own, "--model", "m", "--trace", own], "--trace", same],
      [["summarize", own, "--output", at("link.jsonl")], "--output", same],
      [["summarize", "--input", own, "--output", own, "--overwrite"], "--output", same],
    ];
    for (const [words, flag, expected] of refused) {
      const { error } = await run(words);
      expect(error, words.join(" ")).toMatchObject({ code: "INVALID_PARAMETER" });
      expect(error?.message).toMatch(new RegExp(`^${flag} is .*; it must be ${expected}`));
    }
    expect(readFileSync(own)).toEqual(before);
  });

  it("gives every figure as JSON, for columns of any name and every n-th row", async () => {
    rows("other.jsonl", [
      { body: text, gist: "The harbour silted up." },
      { body: text, gist: "It rained." },
    ]);
    const columns = ["--document-column", "body", "--summary-column", "gist"];
    const rest = ["--every", "2", "--max-words", "12", "--concurrency", "1", "--json"];
    const { evaluations } = JSON.parse(
      await printed(["evaluate", at("other.jsonl"), ...columns, ...rest]),
    );
    expect(evaluations).toMatchObject([{ data: at("other.jsonl"), rows: { scored: 1 } }]);
    expect(evaluations[0].scores.rougeL.fmeasure.mean).toBeGreaterThan(0);
  });

  it.each<[string[], string]>([
    [["absent.jsonl"], "FILE_NOT_FOUND"],
    [["test.jsonl", "--baselines", "lead9"], "INVALID_PARAMETER"],
    [["test.jsonl", "--sentences", "some"], "INVALID_PARAMETER"],
    [["test.jsonl", "--model", "no-such"], "MODEL_NOT_FOUND"],
    [["test.jsonl", "--summary-column", "gist"], "COLUMN_MISSING"],
    [["test.jsonl", "--dtype", "int8", "--compare-dtype", "int8"], "INVALID_PARAMETER"],
    [["test.jsonl", "--compare-dtype", "int8"], "INVALID_PARAMETER"],
  ])("%j is %s", async ([file = "", ...args], code) => {
    expect((await run(["evaluate", at(file), ...args])).error?.code).toBe(code);
  });
});

describe("bridle doctor", () => {
  it("looks at everything and warns of a port that is taken", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const env = { BRIDLE_HOME: at("home"), HTTPS_PROXY: "http://proxy.example" };
    const args = ["doctor", "--port", String(port)];
    const out = await printed(args, createMemoryTerminal({ env }));
    await new Promise((resolve) => server.close(resolve));
    for (const name of ["node", "machine", "installation", "threads", "summary", "state"]) {
      expect(out).toMatch(new RegExp(`^ok +${name}: `, "m"));
    }
    expect(out).toMatch(new RegExp(`^warn +port: ${port} is taken\\n +→ `, "m"));
    expect(out).toContain("HTTPS_PROXY is set");
  });

  it("fails where keys cannot be read or nothing can be written, as JSON too", async () => {
    const env = {
      BRIDLE_API_KEYS_FILE: at("absent.json"),
      BRIDLE_HOME: path.join(at("a.txt"), "x"),
    };
    const { out, error } = await run(
      ["doctor", "--port", "0", "--json"],
      createMemoryTerminal({ env }),
    );
    const { ok, checks } = JSON.parse(out);
    const byName = new Map(checks.map((check: { name: string }) => [check.name, check]));
    expect(ok).toBe(false);
    expect(byName.get("api keys")).toMatchObject({ status: "fail", next: expect.any(String) });
    expect(byName.get("state")).toMatchObject({ status: "warn" });
    expect(byName.get("port")).toMatchObject({ message: "a free one will be taken" });
    expect([error?.code, error?.message.includes("api keys")]).toEqual(["DOCTOR_FAILED", true]);
  });
});

describe("bridle api-key create", () => {
  it("prints a key once and keeps its hash, where the environment says", async () => {
    const env = { BRIDLE_API_KEYS_FILE: at("keys/keys.json") };
    const terminal = createMemoryTerminal({ env });
    const key = (await printed(["api-key", "create", "--name", "news"], terminal)).trim();
    expect(terminal.err()).toContain("shown once");
    const kept = readFileSync(at("keys/keys.json"), "utf8");
    expect(kept).toContain('"news"');
    expect(kept).not.toContain(key);
    const args = ["api-key", "create", "--name", "ops", "--scopes", "read, admin"];
    const json = JSON.parse(
      await printed([...args, "--expires-in-days", "2", "--json"], createMemoryTerminal({ env })),
    );
    expect(json).toMatchObject({
      name: "ops",
      scopes: ["read", "admin"],
      file: at("keys/keys.json"),
    });
    expect(Date.parse(json.expiresAt)).toBeGreaterThan(Date.now());
  });

  it.each<[string[], string]>([
    [["--name", "x", "--scopes", "write"], "INVALID_PARAMETER"],
    [["--name", ""], "INVALID_PARAMETER"],
    [["--name", " "], "INVALID_PARAMETER"],
    [["--name", "x", "--expires-in-days", "36501"], "INVALID_PARAMETER"],
    [["--name", "x", "--expires-in-days", "3000000"], "INVALID_PARAMETER"],
    [["--name", "x", "--expires-in-days", "100000000"], "INVALID_PARAMETER"],
    [[], "COMMAND_LINE_INVALID"],
  ])("%j is %s", async (args, code) => {
    const { error } = await run(["api-key", "create", "--file", at("keys.json"), ...args]);
    expect(error?.code).toBe(code);
    expect(existsSync(at("keys.json"))).toBe(false);
  });

  it("says where it cannot write", async () => {
    const file = path.join(at("a.txt"), "keys.json");
    const { error } = await run(["api-key", "create", "--name", "x", "--file", file]);
    expect(error?.code).toBe("FILE_NOT_WRITABLE");
  });
});

describe("bridle serve", () => {
  it.each([
    [[], /^Bridle is listening on (http:\S+)\n$/],
    [["--json"], /^\{"listening":"(http:[^"]+)"\}\n$/],
  ] as const)(
    "%j says where it listens, answers, and ends when it is told to",
    async (more, line) => {
      const terminal = createMemoryTerminal();
      const ended = run(["serve", "--port", "0", "--log-level", "silent", ...more], terminal);
      while (terminal.out() === "") await new Promise((resolve) => setTimeout(resolve, 5));
      const url = line.exec(terminal.out())?.[1];
      expect((await fetch(`${url}/health`)).status).toBe(200);
      terminal.interrupt();
      expect((await ended).error).toBeUndefined();
      await expect(fetch(`${url}/health`)).rejects.toThrow();
    },
  );

  it.each<[string[], string]>([
    [["--port", "99999"], "SERVE_OPTION_INVALID"],
    [["--port", "http"], "INVALID_PARAMETER"],
    [["--max-beams", "0"], "SERVE_OPTION_INVALID"],
    [["--model", "no-such"], "MODEL_NOT_FOUND"],
    [["--cors-origin", "https://a.example/path"], "SERVE_OPTION_INVALID"],
  ])("%j is %s", async (args, code) => {
    expect((await run(["serve", ...args])).error?.code).toBe(code);
  });
});
