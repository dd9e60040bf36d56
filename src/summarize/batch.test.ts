// Tests batches: order, error rows, taking up where a run stopped, and what keeps two batches apart.
import { execFileSync } from "node:child_process";
import {
  appendFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { thisMachine } from "../config/machine.js";
import { BridleError } from "../errors/error.js";
import { type BatchOptions, summarizeFile } from "./batch.js";
import { lockFile, stateFile } from "./batch-output.js";
import { extractiveTraits } from "./extractive/parameters.js";
import type { Summarizer, SummaryResult } from "./summarizer.js";

let folder: string;
let input: string;
let output: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-batch-"));
  input = path.join(folder, "in.jsonl");
  output = path.join(folder, "out.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

/** Gives a document's first word in capitals, after a pause that `pauseMs` picks by the document. */
function firstWord(
  pauseMs: (document: string) => number = () => 0,
  version = "1",
): Summarizer & { seen: string[] } {
  const seen: string[] = [];
  return {
    model: "first-word",
    version,
    seen,
    traits: extractiveTraits,
    supportedParameters: [],
    defaults: {},
    summarize: async (document, { signal } = {}): Promise<SummaryResult> => {
      seen.push(document);
      if (document.trim() === "") throw new BridleError("EMPTY_TEXT", { where: "the document" });
      await sleep(pauseMs(document), undefined, { signal });
      const [word = ""] = document.split(" ");
      return {
        summary: word.toUpperCase(),
        model: "first-word",
        version,
        finishReason: "stop",
        truncated: false,
        usage: { inputTokens: 1, usedTokens: 1, outputTokens: 1, chunks: 1 },
        sources: [{ start: 0, end: word.length }],
        timingsMs: { total: Math.random() },
      };
    },
    warmUp: async () => {},
    close: async () => {},
  };
}

/** How many documents were in work at once at most. */
function watched(inner: Summarizer): Summarizer & { busiest: () => number } {
  let now = 0;
  let most = 0;
  return {
    ...inner,
    busiest: () => most,
    summarize: async (document, options) => {
      now += 1;
      most = Math.max(most, now);
      try {
        return await inner.summarize(document, options);
      } finally {
        now -= 1;
      }
    },
  };
}

const rowsOf = (count: number) =>
  Array.from({ length: count }, (_, at) =>
    JSON.stringify({ id: `r${at}`, document: `w${at} rest` }),
  );

async function results(file = output): Promise<Record<string, unknown>[]> {
  const text = await readFile(file, "utf8");
  expect(text.endsWith("\n") || text === "").toBe(true);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

const run = (summarizer: Summarizer, options: Partial<BatchOptions> = {}) =>
  summarizeFile(summarizer, { input, output, ...options });

describe("summarizeFile", () => {
  it("gives one result a row in the order of the rows, however long each takes", async () => {
    await writeFile(input, rowsOf(40).join("\n"));
    const uneven = firstWord((document) => (Number(document.slice(1, 3)) % 7 === 0 ? 20 : 0));
    const report = await run(uneven, { concurrency: 4 });
    expect(report).toMatchObject({ rows: 40, failed: 0, resumedRows: 0, output });
    const rows = await results();
    expect(rows.map(({ index, id, summary }) => [index, id, summary])).toEqual(
      Array.from({ length: 40 }, (_, at) => [at, `r${at}`, `W${at}`]),
    );
    expect(rows[0]).not.toHaveProperty("timingsMs");
  });

  it("works on no more documents at once than it is told", async () => {
    await writeFile(input, rowsOf(30).join("\n"));
    const counting = watched(firstWord(() => 2));
    await run(counting, { concurrency: 3 });
    expect(counting.busiest()).toBe(3);
  });

  it("reads gzip, skips blank lines and puts errors in the place of summaries", async () => {
    const lines = [
      '{"text": "one"}',
      "",
      "not json",
      '{"text": ""}',
      '{"other": 1}',
      '{"text": "two"}',
    ];
    await writeFile(input, gzipSync(lines.join("\r\n")));
    expect(await run(firstWord())).toMatchObject({ rows: 5, failed: 3 });
    const rows = await results();
    expect(rows.map((row) => row.summary ?? (row.error as { code: string }).code)).toEqual([
      "ONE",
      "ROW_NOT_JSON",
      "EMPTY_TEXT",
      "COLUMN_MISSING",
      "TWO",
    ]);
    expect(rows[1]?.error).toMatchObject({ message: expect.stringContaining("Line 3") });
    expect(rows[1]?.error).toHaveProperty("hint");
  });

  it("answers a row over the limit with an error and goes on", async () => {
    await writeFile(input, `{"text": "${"x".repeat(100)}"}\n{"text": "two"}\n`);
    expect(await run(firstWord(), { maxRowBytes: 50 })).toMatchObject({ rows: 2, failed: 1 });
    expect((await results())[0]).toMatchObject({ error: { code: "ROW_TOO_LARGE" } });
  });

  it("gives an empty output for an empty input", async () => {
    await writeFile(input, "");
    expect(await run(firstWord())).toMatchObject({ rows: 0 });
    expect(await results()).toEqual([]);
  });

  it("tells how far it is", async () => {
    await writeFile(input, rowsOf(5).join("\n"));
    const told: number[] = [];
    await run(firstWord(), { onProgress: ({ rows }) => told.push(rows) });
    expect(told[0]).toBe(0);
    expect(told.at(-1)).toBe(5);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });
});

describe("the order of work", () => {
  /** Documents of these lengths, each beginning with its number. */
  const sized = (lengths: readonly number[]) =>
    lengths
      .map((length, at) => JSON.stringify({ document: `w${at} `.padEnd(length, "x"), note: "n" }))
      .join("\n");
  const numbersOf = (documents: readonly string[]) =>
    documents.map((document) => Number(/\d+/.exec(document)?.[0]));
  const summaries = async () => (await results()).map(({ summary }) => summary);
  const inOrder = (count: number) => Array.from({ length: count }, (_, at) => `W${at}`);

  it("is by length among the rows of a window, that of the output by row", async () => {
    await writeFile(input, sized([10, 40, 20, 40, 99, 7, 8, 98, 50, 60]));
    const summarizer = firstWord();
    await run(summarizer, { concurrency: 1 });
    expect(numbersOf(summarizer.seen)).toEqual([1, 3, 2, 0, 4, 7, 6, 5, 9, 8]);
    expect(await summaries()).toEqual(inOrder(10));
  });

  it("goes by the text, whatever else is in a row, and passes over rows without one", async () => {
    const lines = [
      '{"text": "w0", "other": "far more than the text of any"}',
      "{}",
      '{"text": ""}',
    ];
    await writeFile(input, [...lines, '{"text": "w3 longer"}'].join("\n"));
    const summarizer = firstWord();
    await run(summarizer, { concurrency: 1 });
    expect(summarizer.seen).toEqual(["w3 longer", "w0", ""]);
    const rows = await results();
    expect(rows.map((row) => row.summary ?? (row.error as { code: string }).code)).toEqual([
      ...["W0", "COLUMN_MISSING", "EMPTY_TEXT", "W3"],
    ]);
  });

  it("is within less where documents are huge", async () => {
    await writeFile(input, sized([3e6, 31e5, 32e5, 4e6]));
    const summarizer = firstWord();
    await run(summarizer, { concurrency: 1 });
    expect(numbersOf(summarizer.seen)).toEqual([2, 1, 0, 3]);
    expect(await summaries()).toEqual(inOrder(4));
  });

  it("does not run further ahead than a window behind the one that is written", async () => {
    await writeFile(input, sized([500, ...new Array<number>(60).fill(20)]));
    const inner = firstWord();
    let held = 0;
    const summarizer: Summarizer = {
      ...inner,
      summarize: async (document, options) => {
        const result = await inner.summarize(document, options);
        if (document.startsWith("w0 ")) {
          while (inner.seen.length < 16) await sleep(1);
          await sleep(30);
          held = inner.seen.length;
        }
        return result;
      },
    };
    await run(summarizer, { concurrency: 2 });
    expect(held).toBe(16);
    expect(await summaries()).toEqual(inOrder(61));
  });

  it("is the same for a batch that was stopped, and so is what it gives", async () => {
    await writeFile(input, sized(Array.from({ length: 50 }, (_, at) => 10 + ((at * 37) % 50))));
    await run(firstWord(), { concurrency: 2 });
    const whole = await readFile(output, "utf8");
    const stop = new AbortController();
    const stopped = run(
      firstWord(() => 1),
      {
        ...{ concurrency: 2, overwrite: true, signal: stop.signal },
        onProgress: ({ rows }) => rows >= 10 && stop.abort(),
      },
    );
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
    const kept = (await results()).length;
    expect(kept).toBeGreaterThanOrEqual(10);
    expect(kept).toBeLessThan(50);
    const rest = firstWord();
    expect(await run(rest)).toMatchObject({ rows: 50, resumedRows: kept });
    expect(rest.seen).toHaveLength(50 - kept);
    expect(await readFile(output, "utf8")).toBe(whole);
  });

  it("writes nothing behind a gap when it is stopped as a row without a text comes", async () => {
    const rows = sized(Array.from({ length: 30 }, () => 20)).split("\n");
    const stop = new AbortController();
    // The loop waits for the first row with one in hand that cannot be read.
    rows.fill("{}", 9);
    await writeFile(input, rows.join("\n"));
    const stuck = firstWord();
    const waits = {
      ...stuck,
      summarize: () =>
        new Promise<never>((_, reject) => {
          stop.signal.addEventListener("abort", () => reject(stop.signal.reason), { once: true });
        }),
    };
    setTimeout(() => stop.abort(), 50);
    const stopped = run(waits, { concurrency: 2, signal: stop.signal });
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await readFile(output, "utf8")).toBe("");
  });

  it("tells of what is read ahead that it is still to be done", async () => {
    await writeFile(input, sized(new Array<number>(20).fill(200_000)));
    const shares: number[] = [];
    // While the first two take their time the next are read.
    const slow = firstWord((document) => ({ w0: 100, w1: 200 })[document.slice(0, 2)] ?? 0);
    await run(slow, {
      concurrency: 2,
      onProgress: ({ rows, readBytes, sizeBytes }) =>
        rows > 0 && shares.push(readBytes / sizeBytes),
    });
    expect(shares[0]).toBeLessThan(0.5);
    expect(shares.at(-1)).toBe(1);
  });

  it("tells of a file that is read at once how far its rows are", async () => {
    await writeFile(input, sized(new Array<number>(20).fill(200)));
    const shares: number[] = [];
    await run(
      firstWord((document) => ({ w0: 100, w1: 200 })[document.slice(0, 2)] ?? 0),
      {
        concurrency: 2,
        onProgress: ({ rows, readBytes, sizeBytes }) =>
          rows > 0 && shares.push(readBytes / sizeBytes),
      },
    );
    expect(shares[0]).toBeLessThan(0.5);
    expect(shares.at(-1)).toBe(1);
  });

  it("ends where the results cannot be told: no row is begun for nobody", async () => {
    await writeFile(input, sized(new Array<number>(60).fill(20)));
    const summarizer = firstWord(() => 1);
    const broken = run(summarizer, {
      concurrency: 2,
      onProgress: ({ rows }) => {
        if (rows > 0) throw new Error("nobody hears");
      },
    });
    await expect(broken).rejects.toThrow("nobody hears");
    await sleep(50);
    expect(summarizer.seen.length).toBeLessThan(10);
  });
});

describe("documents in work at once where nobody says", () => {
  const neural = (defaults: Summarizer["defaults"]) =>
    watched({
      ...firstWord(() => 5),
      traits: { ...extractiveTraits, kind: "neural" },
      defaults,
    });

  it.each([
    ["the model's own beams", { numBeams: 8 }, {}, 8],
    ["the beams asked for", { numBeams: 8 }, { numBeams: 2 }, 32],
    ["greedy search", {}, {}, 64],
  ])("fill a neural model's steps: %s", async (_, defaults, parameters, documents) => {
    await writeFile(input, rowsOf(100).join("\n"));
    const summarizer = neural(defaults);
    await run(summarizer, { parameters });
    expect(summarizer.busiest()).toBe(documents);
  });

  it("listen for a stop, all of them, without a warning of a leak", async () => {
    await writeFile(input, rowsOf(64).join("\n"));
    const warnings: string[] = [];
    const hear = ({ name }: Error) => warnings.push(name);
    process.on("warning", hear);
    await run(neural({}), { signal: new AbortController().signal });
    process.off("warning", hear);
    expect(warnings).toEqual([]);
  });

  it("are one for each processor where sentences are picked, and as many as are told", async () => {
    await writeFile(input, rowsOf(100).join("\n"));
    const picking = watched(firstWord(() => 5));
    await run(picking);
    expect(picking.busiest()).toBe(Math.min(100, thisMachine().threads));
    const told = neural({ numBeams: 8 });
    await run(told, { concurrency: 3, overwrite: true });
    expect(told.busiest()).toBe(3);
  });
});

describe("a batch that is taken up again", () => {
  async function whole(): Promise<string> {
    await writeFile(input, rowsOf(20).join("\n"));
    await run(firstWord());
    return await readFile(output, "utf8");
  }

  it("does nothing where all is done", async () => {
    const before = await whole();
    const summarizer = firstWord();
    expect(await run(summarizer)).toMatchObject({ rows: 20, resumedRows: 20 });
    expect(summarizer.seen).toEqual([]);
    expect(await readFile(output, "utf8")).toBe(before);
  });

  it.each([1, 150, 1000])("repairs a file cut off at byte %i", async (size) => {
    const before = await whole();
    await truncate(output, size);
    const kept = before.slice(0, size).split("\n").length - 1;
    const summarizer = firstWord();
    expect(await run(summarizer)).toMatchObject({ rows: 20, resumedRows: kept });
    expect(summarizer.seen).toHaveLength(20 - kept);
    expect(await readFile(output, "utf8")).toBe(before);
  });

  it.each([
    ["zeros, as a power cut leaves them", Buffer.alloc(500)],
    ["a line of another row", '{"index":3}\n'],
    ["a line that is no JSON", "{{{{\n"],
  ])("drops %s at the end", async (_, tail) => {
    const before = await whole();
    await truncate(output, before.indexOf("\n", 900) + 1);
    await appendFile(output, tail);
    await run(firstWord());
    expect(await readFile(output, "utf8")).toBe(before);
  });

  it("counts the error rows of earlier runs", async () => {
    await writeFile(input, 'bad\n{"text": "one"}\n{"text": "two"}');
    await run(firstWord());
    const text = await readFile(output, "utf8");
    await truncate(output, text.indexOf("\n") + 1);
    expect(await run(firstWord())).toMatchObject({ rows: 3, failed: 1, resumedRows: 1 });
  });

  it("goes on after it was stopped, and gives the same file", async () => {
    const before = await whole();
    await rm(output);
    const stop = new AbortController();
    // The eighth row never ends by itself, so that the stop comes before the last one is done.
    const stopped = run(
      firstWord((document) => (document.startsWith("w7 ") ? 1e9 : 0)),
      {
        concurrency: 2,
        signal: stop.signal,
        onProgress: ({ rows }) => {
          if (rows >= 5) stop.abort();
        },
      },
    );
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
    const kept = (await results()).length;
    expect(kept).toBeGreaterThanOrEqual(5);
    expect(kept).toBeLessThan(8);
    await expect(stat(lockFile(output))).rejects.toMatchObject({ code: "ENOENT" });
    expect(await run(firstWord())).toMatchObject({ rows: 20, resumedRows: kept });
    expect(await readFile(output, "utf8")).toBe(before);
  });

  it.each([
    ["another input", async () => appendFile(input, "\n{}"), {}, "1"],
    ["other parameters", async () => {}, { parameters: { sentences: 2 } }, "1"],
    ["another column", async () => {}, { column: "id" }, "1"],
    ["another version of the model", async () => {}, {}, "2"],
  ])("refuses %s", async (_, change, options, version) => {
    const before = await whole();
    await change();
    const again = run(
      firstWord(() => 0, version),
      options,
    );
    await expect(again).rejects.toMatchObject({ code: "BATCH_CHANGED" });
    expect(await readFile(output, "utf8")).toBe(before);
    const anew = await run(
      firstWord(() => 0, version),
      { ...options, overwrite: true },
    );
    expect(anew).toMatchObject({ resumedRows: 0 });
  });

  it("ends at once where the request is wrong, which is no row's fault, and lets it be put right", async () => {
    await writeFile(input, rowsOf(20).join("\n"));
    const picky: Summarizer = {
      ...firstWord(),
      summarize: async () => {
        throw new BridleError("PARAMETER_NOT_SUPPORTED", {
          parameter: "ratio",
          model: "first-word",
          supported: "nothing",
        });
      },
    };
    const wrong = run(picky, { parameters: { ratio: 0.5 } });
    await expect(wrong).rejects.toMatchObject({ code: "PARAMETER_NOT_SUPPORTED" });
    expect(await results()).toEqual([]);
    expect(await run(firstWord())).toMatchObject({ rows: 20, resumedRows: 0 });
  });

  it("ends where its model is closed, which is no row's fault, and goes on with another", async () => {
    await writeFile(input, rowsOf(20).join("\n"));
    const closing = firstWord();
    const closed = run(
      {
        ...closing,
        summarize: async (document, options) => {
          if (document.startsWith("w5 ")) throw new BridleError("CANCELLED");
          return await closing.summarize(document, options);
        },
      },
      { concurrency: 2 },
    );
    await expect(closed).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await results()).map(({ index, error }) => [index, error])).toEqual(
      [0, 1, 2, 3, 4].map((index) => [index, undefined]),
    );
    expect(await run(firstWord())).toMatchObject({ rows: 20, resumedRows: 5, failed: 0 });
  });

  it("takes parameters in another order for the same", async () => {
    await writeFile(input, rowsOf(2).join("\n"));
    await run(firstWord(), { parameters: { sentences: 1, maxWords: 5 } });
    const again = await run(firstWord(), { parameters: { maxWords: 5, sentences: 1 } });
    expect(again).toMatchObject({ resumedRows: 2 });
  });
});

describe("what a batch will not touch", () => {
  it("refuses an output that no batch began, and leaves it alone", async () => {
    await writeFile(input, rowsOf(1).join("\n"));
    await writeFile(output, "precious\n");
    await expect(run(firstWord())).rejects.toMatchObject({ code: "BATCH_OUTPUT_EXISTS" });
    expect(await readFile(output, "utf8")).toBe("precious\n");
    await expect(stat(lockFile(output))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("refuses an output that is its input, by whatever name", async () => {
    await writeFile(input, rowsOf(1).join("\n"));
    const sameFile = path.join(folder, ".", "in.jsonl");
    for (const other of [input, sameFile]) {
      const error = { code: "INVALID_PARAMETER", details: { parameter: "output" } };
      await expect(run(firstWord(), { output: other })).rejects.toMatchObject(error);
    }
    expect(await readFile(input, "utf8")).toBe(rowsOf(1).join("\n"));
  });

  it("refuses an output that a living process is writing, and takes over from a dead one", async () => {
    await writeFile(input, rowsOf(3).join("\n"));
    const held = (pid: number) =>
      writeFile(lockFile(output), JSON.stringify({ pid, host: hostname() }));
    await held(process.ppid);
    const refused = { code: "BATCH_RUNNING", details: { pid: process.ppid } };
    await expect(run(firstWord())).rejects.toMatchObject(refused);
    // Beyond any process id that Linux, macOS or Windows hands out.
    await held(2 ** 30);
    expect(await run(firstWord())).toMatchObject({ rows: 3 });
  });

  it("refuses a second batch on its output, also in one process and by another name", async () => {
    await writeFile(input, rowsOf(20).join("\n"));
    const link = path.join(folder, "link");
    // Windows lets few people make links.
    const isLinked = process.platform !== "win32";
    if (isLinked) await symlink(output, link);
    const names = [output, output, isLinked ? link : output];
    const ends = await Promise.allSettled(names.map((name) => run(firstWord(), { output: name })));
    const refused = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    expect(refused).toMatchObject(Array(2).fill({ code: "BATCH_RUNNING" }));
    expect((await results()).map(({ index }) => index)).toEqual([...Array(20).keys()]);
    expect((await readdir(folder)).filter((name) => name !== "link").sort()).toEqual([
      ...["in.jsonl", "out.jsonl", "out.jsonl.state.json"],
    ]);
  });

  it("refuses an output whose lock is being written, and lets go of no lock but its own", async () => {
    await writeFile(input, rowsOf(1).join("\n"));
    await writeFile(lockFile(output), "");
    await expect(run(firstWord())).rejects.toMatchObject({
      code: "BATCH_RUNNING",
      details: { host: "another machine" },
    });
    const other = JSON.stringify({ token: "theirs", pid: process.ppid, host: hostname() });
    await rm(lockFile(output));
    const taking = firstWord();
    await run({
      ...taking,
      summarize: async (document, options) => {
        await writeFile(lockFile(output), other);
        return await taking.summarize(document, options);
      },
    });
    expect(await readFile(lockFile(output), "utf8")).toBe(other);
  });

  it.skipIf(process.platform === "win32")(
    "follows a link to the output, whether that is there or not, and leaves the link",
    async () => {
      await writeFile(input, rowsOf(3).join("\n"));
      const link = path.join(folder, "link");
      await symlink("out.jsonl", link);
      expect(await run(firstWord(), { output: link })).toMatchObject({ rows: 3, output: link });
      expect(await run(firstWord(), { output: link })).toMatchObject({ rows: 3, resumedRows: 3 });
      expect(await run(firstWord())).toMatchObject({ rows: 3, resumedRows: 3 });
      expect(await readlink(link)).toBe("out.jsonl");
      expect(await results()).toHaveLength(3);
    },
  );

  it.skipIf(process.platform === "win32")(
    "refuses a pipe, a stream and a folder, and leaves them where they are",
    async () => {
      await writeFile(input, rowsOf(1).join("\n"));
      const pipe = path.join(folder, "pipe");
      execFileSync("mkfifo", [pipe]);
      const inside = path.join(folder, "folder");
      await mkdir(inside);
      await symlink(pipe, output);
      for (const name of [pipe, output, "/dev/stdout", inside]) {
        for (const overwrite of [false, true]) {
          await expect(run(firstWord(), { output: name, overwrite })).rejects.toMatchObject({
            code: "FILE_NOT_WRITABLE",
            hint: expect.stringContaining("Name a file"),
          });
        }
      }
      expect((await lstat(pipe)).isFIFO()).toBe(true);
      expect((await readdir(folder)).sort()).toEqual(["folder", "in.jsonl", "out.jsonl", "pipe"]);
    },
  );

  it("names an input that is not there and a folder it cannot write to", async () => {
    await expect(run(firstWord())).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    await writeFile(input, rowsOf(1).join("\n"));
    const nowhere = path.join(folder, "absent", "out.jsonl");
    await expect(run(firstWord(), { output: nowhere })).rejects.toMatchObject({
      code: "FILE_NOT_WRITABLE",
      message: `${nowhere} cannot be written: its folder does not exist.`,
      hint: expect.stringContaining(path.dirname(nowhere)),
    });
  });

  it("keeps what was done when the input turns out damaged", async () => {
    const row = JSON.stringify({ document: `word ${"x".repeat(10_000)}` });
    const packed = gzipSync(`${row}\n`.repeat(100));
    await writeFile(input, packed.subarray(0, packed.length - 20));
    await expect(run(firstWord())).rejects.toMatchObject({ code: "GZIP_CORRUPT" });
    expect(JSON.parse(await readFile(stateFile(output), "utf8"))).toMatchObject({
      model: "first-word",
    });
    expect((await results()).length).toBeGreaterThan(0);
  });
});
