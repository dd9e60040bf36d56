// Tests the command line as it is used: what each command prints, what its mistakes are told, and how it ends.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, runBridle, startBridle } from "../support/run-bridle.js";

const text =
  "The harbour of Ribe silted up in the ninth century. Ships then unloaded on an island. " +
  "The town lost its trade when the ships left the harbour. It rained on Sunday.";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bridle-cli-"));
  write("a.txt", text);
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

const bridle = (
  args: readonly string[],
  options: { stdin?: string | Uint8Array; env?: Record<string, string> } = {},
) => runBridle(args, { cwd: folder, ...options });

describe("bridle", () => {
  it.each([
    "serve",
    "summarize",
    "tokenize",
    "rouge",
    "evaluate",
    "models pull",
    "doctor",
    "api-key create",
  ])("%s --help tells what it takes, with examples", async (command) => {
    const { code, stdout, stderr } = await bridle([...command.split(" "), "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`Usage: bridle ${command}`);
    expect(stdout).toContain("--json");
    expect(stdout).toContain("Examples:\n  $ ");
  });

  it("prints its help without a command, and its version", async () => {
    const { code, stdout } = await bridle([]);
    expect(code).toBe(0);
    for (const name of [
      "serve",
      "summarize",
      "tokenize",
      "rouge",
      "evaluate",
      "models",
      "doctor",
      "api-key",
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    }
    const manifest = new URL("../../package.json", import.meta.url);
    const { version } = JSON.parse(readFileSync(manifest, "utf8"));
    expect((await bridle(["--version"])).stdout).toBe(`${version}\n`);
  });

  it.each([
    [["summarise"], "There is no command summarise.", "Did you mean summarize?"],
    [["xyzzy"], "There is no command xyzzy.", "`bridle --help` lists the commands."],
    [
      ["summarize", "--sentance", "2"],
      "There is no option --sentance.",
      "Did you mean --sentences?",
    ],
    [["api-key", "creat"], "There is no command creat.", "Did you mean create?"],
    [["evaluate"], "missing required argument 'data'", "See `bridle evaluate --help`."],
    [["rouge", "--target"], "argument missing", "See `bridle rouge --help`."],
    [["doctor", "now"], "too many arguments", "See `bridle doctor --help`."],
  ])("%j is told its mistake with exit code 2", async (args, message, hint) => {
    const { code, stdout, stderr } = await bridle(args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(stderr.split("\n")).toHaveLength(3);
  });

  it("tells errors as one JSON value on standard output where --json is given", async () => {
    const { code, stdout, stderr } = await bridle(["summarize", "--sentance", "2", "--json"]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: "" });
    expect(JSON.parse(stdout).error).toEqual({
      code: "UNKNOWN_OPTION",
      kind: "invalid",
      message: "There is no option --sentance.",
      hint: expect.stringContaining("Did you mean --sentences?"),
    });
  });

  it("adds a stack trace only on request", async () => {
    const plain = await bridle(["summarize", "absent.txt"]);
    expect(plain.stderr).not.toContain("    at ");
    const traced = await bridle(["summarize", "absent.txt"], { env: { BRIDLE_DEBUG: "1" } });
    expect(traced.stderr).toContain("    at ");
  });

  it.skipIf(process.platform === "win32")(
    "ends quietly when its reader has seen enough",
    async () => {
      const rows = `${JSON.stringify({ summary: "a b", prediction: "a c" })}\n`.repeat(50_000);
      write("many.jsonl", rows);
      const command = `"${process.execPath}" "${binary}" rouge --input many.jsonl 2> err | head -n 1; echo "\${PIPESTATUS[0]}"`;
      const shell = spawn("bash", ["-c", command], { cwd: folder });
      let out = "";
      shell.stdout.on("data", (chunk) => {
        out += chunk;
      });
      await new Promise((resolve) => shell.once("close", resolve));
      expect(out).toMatch(/^ {5}1 {2}rouge1 .*\n0\n$/);
      expect(readFileSync(path.join(folder, "err"), "utf8")).toBe("");
    },
  );

  it.skipIf(process.platform === "win32").each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends with its own code on %s", async (signal, code) => {
    const { child, ended } = startBridle(["summarize", "-"], { cwd: folder });
    // It reads what it is given only once its handlers stand.
    await new Promise((resolve) => child.stdin!.write("x".repeat(1_000_000), resolve));
    child.kill(signal);
    expect(await ended).toMatchObject({ code, stdout: "", stderr: "" });
  });
});

describe("bridle summarize", () => {
  it("prints the summary of a file and of standard input alike", async () => {
    const fromFile = await bridle(["summarize", "a.txt", "--sentences", "1"]);
    expect(fromFile).toMatchObject({ code: 0, stderr: "" });
    expect(text).toContain(fromFile.stdout.trim());
    for (const args of [["summarize", "-"], ["summarize"]]) {
      const fromStdin = await bridle([...args, "--sentences", "1"], { stdin: text });
      expect(fromStdin).toEqual(fromFile);
    }
  });

  it("takes each kind of length", async () => {
    const sentences = async (...args: string[]) => {
      const { stdout } = await bridle(["summarize", "a.txt", "--json", ...args]);
      return JSON.parse(stdout).sources.length;
    };
    expect(await sentences("--sentences", "3")).toBe(3);
    expect(await sentences("--ratio", "50%")).toBe(2);
    expect(await sentences("--ratio", "0.25")).toBe(1);
    expect(await sentences("--max-words", "1000", "--sentences", "4")).toBe(4);
  });

  it("tells with --json what it rests on, how much was read, and what the file was", async () => {
    write("page.html", `<title>Harbour</title><main><p>${text}</p></main>`);
    const { stdout } = await bridle(["summarize", "page.html", "--sentences", "1", "--json"]);
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({
      model: "extractive",
      truncated: false,
      finishReason: "stop",
      document: { format: "html", title: "Harbour" },
    });
    expect(told.usage.usedTokens).toBe(told.usage.inputTokens);
    expect(told.sources).toHaveLength(1);
  });

  it("writes to a file where it is told to", async () => {
    const { code, stdout } = await bridle([
      "summarize",
      "a.txt",
      "--sentences",
      "1",
      "--output",
      "out.txt",
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(text).toContain(readFileSync(path.join(folder, "out.txt"), "utf8").trim());
  });

  it.each([
    [["absent.txt"], 4, "FILE_NOT_FOUND"],
    [["."], 3, "FILE_NOT_READABLE"],
    [["https://example.com/a.html"], 2, "URL_NOT_FETCHED"],
    [["a.txt", "--model", "./pegasus-xsum"], 4, "MODEL_NOT_FOUND"],
    [["a.txt", "--sentences", "0"], 2, "INVALID_PARAMETER"],
    [["a.txt", "--sentences", "2", "--ratio", "0.5"], 2, "INVALID_PARAMETER"],
    [["a.txt", "--ratio", "3"], 2, "INVALID_PARAMETER"],
    [["a.txt", "--strict"], 2, "COMMAND_LINE_INVALID"],
    [["--input", "x.jsonl"], 2, "COMMAND_LINE_INVALID"],
    [["a.txt", "--input", "x.jsonl", "--output", "y.jsonl"], 2, "COMMAND_LINE_INVALID"],
    [["--input", "absent.jsonl", "--output", "y.jsonl"], 4, "FILE_NOT_FOUND"],
    [["a.txt", "--output", "no/such/folder/a.txt"], 8, "FILE_NOT_WRITABLE"],
  ])("%j ends with %i and %s", async (args, code, name) => {
    const ended = await bridle(["summarize", ...args, "--json"]);
    expect(ended.code).toBe(code);
    expect(JSON.parse(ended.stdout).error).toMatchObject({ code: name });
  });

  it.each([
    ["nothing", ""],
    ["blanks", " \n\t\n"],
  ])("refuses %s as a document", async (_, stdin) => {
    const { code, stderr } = await bridle(["summarize"], { stdin });
    expect(code).toBe(2);
    expect(stderr).toMatch(/no text|empty/i);
  });

  it("refuses a program posing as text", async () => {
    const { code, stdout } = await bridle(["summarize", "--json"], {
      stdin: readFileSync(process.execPath).subarray(0, 100_000),
    });
    expect(code).toBe(2);
    expect(JSON.parse(stdout).error.message).not.toBe("");
  });
});

describe("bridle rouge", () => {
  const scored = (name: string, rows: readonly object[]) =>
    write(name, rows.map((row) => JSON.stringify(row)).join("\n"));

  it("scores a pair of files", async () => {
    write("target.txt", "the board approved the budget");
    write("prediction.txt", "the board approved it");
    const { code, stdout } = await bridle([
      "rouge",
      "--target",
      "target.txt",
      "--prediction",
      "prediction.txt",
      "--types",
      "rouge1,rougeL",
      "--json",
    ]);
    expect(code).toBe(0);
    const score = { precision: 0.75, recall: 0.6, fmeasure: expect.closeTo(2 / 3, 12) };
    expect(JSON.parse(stdout)).toEqual({ rouge1: score, rougeL: score });
    const table = await bridle(["rouge", "--target", "target.txt", "--prediction", "-"], {
      stdin: "the board approved it",
    });
    expect(table.stdout).toMatch(/^rouge1 +75\.00 +60\.00 +66\.67$/m);
  });

  it("takes the best of several references", async () => {
    write("other.txt", "the board approved it");
    const { stdout } = await bridle([
      "rouge",
      "--target",
      "target.txt",
      "--target",
      "other.txt",
      "--prediction",
      "prediction.txt",
      "--json",
    ]);
    expect(JSON.parse(stdout).rouge2.fmeasure).toBe(1);
  });

  it("stems, and counts words of other scripts, where it is told to", async () => {
    write("t1.txt", "He walked. Он шёл домой.");
    write("p1.txt", "He walks. Он шёл домой.");
    const args = [
      "rouge",
      "--target",
      "t1.txt",
      "--prediction",
      "p1.txt",
      "--types",
      "rouge1",
      "--json",
    ];
    const f = async (...more: string[]) =>
      JSON.parse((await bridle([...args, ...more])).stdout).rouge1.fmeasure;
    expect(await f()).toBe(0.5);
    expect(await f("--stemmer")).toBe(1);
    expect(await f("--mode", "unicode")).toBeCloseTo(0.8, 12);
  });

  it("scores lines, and rows of JSON Lines, and aggregates them", async () => {
    write("t.txt", "a b\nc d\n");
    write("p.txt", "a b\nc x\n");
    const lines = await bridle([
      "rouge",
      "--target",
      "t.txt",
      "--prediction",
      "p.txt",
      "--lines",
      "--types",
      "rouge1",
    ]);
    expect(lines.stdout).toBe("     1  rouge1 100.00\n     2  rouge1  50.00\n");
    scored("rows.jsonl", [
      { summary: "a b", prediction: "a b" },
      { summary: ["q", "c d"], prediction: "c x" },
    ]);
    const rows = await bridle(["rouge", "--input", "rows.jsonl", "--types", "rouge1", "--json"]);
    expect(
      JSON.parse(rows.stdout).map((row: { rouge1: { fmeasure: number } }) => row.rouge1.fmeasure),
    ).toEqual([1, 0.5]);
    const aggregate = ["rouge", "--input", "rows.jsonl", "--types", "rouge1", "--aggregate"];
    const figures = JSON.parse((await bridle([...aggregate, "--json"])).stdout);
    expect(figures).toMatchObject({
      count: 2,
      scores: {
        rouge1: { mean: { fmeasure: 0.75 }, low: { fmeasure: 0.5 }, high: { fmeasure: 1 } },
      },
    });
    expect((await bridle(aggregate)).stdout).toMatch(/rouge1 +75\.00 +50\.00 – 100\.00/);
  });

  it.each([
    [["--target", "t.txt"], 2, "COMMAND_LINE_INVALID"],
    [["--target", "t.txt", "--prediction", "absent.txt"], 4, "FILE_NOT_FOUND"],
    [["--target", "t.txt", "--prediction", "prediction.txt", "--lines"], 2, "COMMAND_LINE_INVALID"],
    [["--target", "-", "--prediction", "-"], 2, "COMMAND_LINE_INVALID"],
    [["--target", "t.txt", "--prediction", "p.txt", "--types", "rogue1"], 2, "INVALID_PARAMETER"],
    [["--input", "rows.jsonl", "--lines"], 2, "COMMAND_LINE_INVALID"],
    [["--input", "rows.jsonl", "--prediction-column", "guess"], 2, "COLUMN_MISSING"],
    [["--input", "empty.jsonl"], 2, "EMPTY_TEXT"],
  ])("%j ends with %i and %s", async (args, code, name) => {
    write("empty.jsonl", "\n");
    const ended = await bridle(["rouge", ...args, "--json"]);
    expect(ended.code).toBe(code);
    expect(JSON.parse(ended.stdout).error.code).toBe(name);
  });
});

describe("bridle evaluate", () => {
  beforeAll(() => {
    const row = { document: text, summary: "The town lost its trade when the ships left." };
    write("pairs.jsonl", `${JSON.stringify(row)}\n`.repeat(3));
  });

  it("prints a table with the model and the simple systems, for a terminal and as Markdown", async () => {
    const args = [
      "evaluate",
      "pairs.jsonl",
      "--sentences",
      "reference",
      "--baselines",
      "lead1,oracle3",
    ];
    const plain = await bridle(args);
    expect(plain.code).toBe(0);
    expect(plain.stdout).toMatch(/^data +rows +system +ROUGE-1/);
    expect(plain.stdout).toMatch(/^pairs +3 +extractive( +\d+\.\d\d){4}/m);
    expect(plain.stdout).toMatch(
      /^pairs +3 +lead1 .*[+−]\d+\.\d\d \([+−]\d+\.\d\d … [+−]\d+\.\d\d\)$/m,
    );
    const markdown = await bridle([...args, "--markdown"]);
    const [heading, rule, first] = markdown.stdout.split("\n");
    expect(heading).toMatch(/^\| data +\|/);
    expect(rule).toMatch(/^\| -+ \| -+: \|/);
    expect(first).toMatch(/^\| pairs +\| +3 \| extractive/);
  });

  it("gives every figure as JSON, one evaluation a file", async () => {
    const { stdout } = await bridle([
      "evaluate",
      "pairs.jsonl",
      "pairs.jsonl",
      "--limit",
      "2",
      "--json",
    ]);
    const { evaluations } = JSON.parse(stdout);
    expect(evaluations).toHaveLength(2);
    expect(evaluations[0]).toMatchObject({
      data: "pairs.jsonl",
      model: "extractive",
      rows: { read: 2 },
    });
  });

  it.each([
    [["absent.jsonl"], 4, "FILE_NOT_FOUND"],
    [["pairs.jsonl", "--baselines", "lead7"], 2, "INVALID_PARAMETER"],
    [["pairs.jsonl", "--sentences", "all"], 2, "INVALID_PARAMETER"],
    [["pairs.jsonl", "--summary-column", "gist"], 2, "COLUMN_MISSING"],
    [["pairs.jsonl", "--model", "absent"], 4, "MODEL_NOT_FOUND"],
  ])("%j ends with %i and %s", async (args, code, name) => {
    const ended = await bridle(["evaluate", ...args, "--json"]);
    expect(ended.code).toBe(code);
    expect(JSON.parse(ended.stdout).error.code).toBe(name);
  });
});

describe("bridle doctor", () => {
  it("finds a built checkout in order", async () => {
    const { code, stdout } = await bridle(["doctor", "--port", "0", "--json"]);
    const { ok, checks } = JSON.parse(stdout);
    expect(checks.filter(({ status }: { status: string }) => status === "fail")).toEqual([]);
    expect({ ok, code }).toEqual({ ok: true, code: 0 });
    const names = checks.map(({ name }: { name: string }) => name);
    expect(names).toEqual([
      ...["node", "machine", "installation", "build", "page", "port", "state", "database", "spool"],
      ...["work", "api keys", "network", "hub", "remotes", "registry", "threads", "summary"],
    ]);
  });

  it("leaves nothing behind", async () => {
    await bridle(["doctor", "--port", "0"]);
    expect(() => statSync(path.join(folder, ".bridle"))).toThrow("ENOENT");
  });

  it("warns of a port that is taken, with what to do", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const { code, stdout } = await bridle(["doctor"], { env: { PORT: String(port) } });
    server.close();
    expect(code).toBe(0);
    expect(stdout).toContain(`warn  port: ${port} is taken\n      → `);
  });

  it("fails with exit code 8 where the keys cannot be read, and says so once as JSON", async () => {
    const env = { BRIDLE_API_KEYS_FILE: "absent.json" };
    const plain = await bridle(["doctor", "--port", "0"], { env });
    expect(plain.code).toBe(8);
    expect(plain.stdout).toContain("FAIL  api keys: ");
    expect(plain.stderr).toContain("1 of the checks failed: api keys.");
    const json = await bridle(["doctor", "--port", "0", "--json"], { env });
    expect(json).toMatchObject({ code: 8, stderr: "" });
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false });
  });
});

describe("bridle api-key create", () => {
  it("adds hashed keys to a file that only its owner reads, and prints each once", async () => {
    const args = ["api-key", "create", "--file", "keys.json", "--name"];
    const first = await bridle([...args, "newsroom"]);
    expect(first.code).toBe(0);
    const key = first.stdout.trim();
    expect(key).toMatch(/^bridle_[\w-]{43}$/);
    const second = await bridle([
      ...args,
      "ops",
      "--scopes",
      "admin",
      "--expires-in-days",
      "30",
      "--json",
    ]);
    expect(JSON.parse(second.stdout)).toMatchObject({
      name: "ops",
      scopes: ["admin"],
      file: "keys.json",
    });
    const kept = readFileSync(path.join(folder, "keys.json"), "utf8");
    expect(JSON.parse(kept).keys.map(({ name }: { name: string }) => name)).toEqual([
      "newsroom",
      "ops",
    ]);
    expect(kept).not.toContain(key);
    if (process.platform !== "win32") {
      expect(statSync(path.join(folder, "keys.json")).mode & 0o777).toBe(0o600);
    }
  });

  it.each([
    [["--name", "a", "--scopes", "everything"], "INVALID_PARAMETER"],
    [["--scopes", "read"], "COMMAND_LINE_INVALID"],
    [["--name", "a", "--file", "a.txt"], "KEY_FILE_INVALID"],
  ])("%j ends with 2 and %s", async (args, name) => {
    const ended = await bridle(["api-key", "create", ...args, "--json"]);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stdout).error.code).toBe(name);
  });
});

describe("bridle serve", () => {
  const listening = async ({ stdout, ended }: ReturnType<typeof startBridle>) => {
    const url = () => /http:\/\/127\.0\.0\.1:\d+/.exec(stdout())?.[0];
    let over = false;
    void ended.then(() => {
      over = true;
    });
    while (url() === undefined && !over) await new Promise((resolve) => setTimeout(resolve, 20));
    return url();
  };

  it("says where it listens, answers, and ends with 0 when it is told to stop", async () => {
    const started = startBridle(["serve", "--port", "0", "--log-level", "silent", "--json"], {
      cwd: folder,
    });
    const url = await listening(started);
    const body = JSON.stringify({ content: text });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url}/bert`, { method: "POST", headers, body });
    expect(await answer.json()).toMatchObject({ model: "extractive", truncated: false });
    started.child.kill("SIGTERM");
    const { code, stdout, stderr } = await started.ended;
    expect(JSON.parse(stdout)).toEqual({ listening: url });
    if (process.platform !== "win32") expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it("refuses a port that is taken with exit code 8", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const { code, stderr } = await bridle([
      "serve",
      "--port",
      String(port),
      "--log-level",
      "silent",
    ]);
    server.close();
    expect(code).toBe(8);
    expect(stderr).toContain(`The server cannot listen on 127.0.0.1:${port}`);
  });

  it.each([
    [["--port", "http"], 2, "INVALID_PARAMETER"],
    [["--port", "99999"], 2, "SERVE_OPTION_INVALID"],
    [["--log-format", "xml"], 2, "SERVE_OPTION_INVALID"],
    [["--model", "absent"], 4, "MODEL_NOT_FOUND"],
    [["--prot", "80"], 2, "UNKNOWN_OPTION"],
    [["--api-keys-file", "absent.json"], 2, "KEY_FILE_INVALID"],
  ])("%j ends with %i and %s", async (args, code, name) => {
    const ended = await bridle(["serve", "--log-level", "silent", ...args, "--json"]);
    expect(ended.code).toBe(code);
    expect(JSON.parse(ended.stdout).error.code).toBe(name);
  });
});
