// A model folder behind the Summarizer interface: parts, tokens as they come, cancelling, refusing, and a thread that dies.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { modelVersion } from "../model/model-version.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import { createSummarizer } from "./create-summarizer.js";
import { beginThreadEarly, type ModelThreadData } from "./neural-thread.js";
import { splitIntoParts } from "./parts.js";
import type { Summarizer, SummaryEvent } from "./summarizer.js";

let root: string;
let folder: string;
let summarizer: Summarizer;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-neural-"));
  folder = await makeTinyPegasus(join(root, "tiny"));
  summarizer = await createSummarizer({ model: folder, threads: 1 });
  await summarizer.warmUp();
});
afterAll(async () => {
  await summarizer.close();
  await rm(root, { recursive: true });
});

const short = "The harbour was closed on Monday. A storm damaged two ferry.";
const long = Array.from(
  { length: 40 },
  (_, i) => `The ${["town", "river", "market", "bridge"][i % 4]} was closed in winter ${i}.`,
).join(" ");

describe("a neural summarizer", () => {
  it("reads a short document at once, and says what it read", async () => {
    const events: SummaryEvent[] = [];
    const result = await summarizer.summarize(short, { onEvent: (event) => events.push(event) });
    expect(result).toMatchObject({
      model: folder,
      version: await modelVersion(folder),
      truncated: false,
    });
    expect(result.usage.chunks).toBe(1);
    expect(result.usage.usedTokens).toBe(result.usage.inputTokens);
    expect(result.sources).toEqual([{ start: 0, end: short.length }]);
    const told = events.map((event) => (event.type === "token" ? event.text : "")).join("");
    expect(told).toBe(result.summary);
    expect(result.timingsMs.total).toBeGreaterThan(0);
  });

  it("reads a long one in parts at sentence borders, leaving nothing out", async () => {
    const events: SummaryEvent[] = [];
    const result = await summarizer.summarize(long, { onEvent: (event) => events.push(event) });
    expect(result.usage.chunks).toBeGreaterThan(3);
    const reading = events.filter((event) => event.type === "part" && event.round === 0);
    expect(reading).toHaveLength(result.usage.chunks);
    expect(result.sources.map(({ start, end }) => long.slice(start, end)).join(" ")).toBe(long);
    for (const { end } of result.sources) expect(long[end - 1]).toBe(".");
    expect(result.usage.usedTokens).toBe(result.usage.inputTokens);
  });

  it("leaves text unread only where truncation is asked for", async () => {
    const result = await summarizer.summarize(long, { parameters: { truncation: true } });
    expect(result.truncated).toBe(true);
    expect(result.usage.usedTokens).toBeLessThan(result.usage.inputTokens);
    expect(
      (await summarizer.summarize(short, { parameters: { truncation: true } })).truncated,
    ).toBe(false);
  });

  it("opens on the thread that was begun early, if that is still there", async () => {
    const threads: Worker[] = [];
    for (const program of [undefined, "throw new Error('no memory')"]) {
      const start = (workerData: ModelThreadData): Worker => {
        const begun = new Worker(program ?? new URL("./neural-worker.js", import.meta.url), {
          eval: program !== undefined,
          workerData,
        });
        threads.push(begun);
        return begun;
      };
      beginThreadEarly(false, start);
      beginThreadEarly(false, start);
      if (program !== undefined) await new Promise((resolve) => threads[1]?.once("exit", resolve));
      const opened = await createSummarizer({ model: folder, threads: 1 });
      expect((await opened.summarize(short)).usage.chunks).toBe(1);
      const ended = program === undefined && once(threads[0] as Worker, "exit");
      await opened.close();
      await ended;
    }
    expect(threads).toHaveLength(2);
  });

  it("gives up warming up for whoever asks meanwhile and is answered", async () => {
    const opened = await createSummarizer({ model: folder, threads: 1 });
    const parameters = { maxNewTokens: 4, minNewTokens: 4 };
    try {
      const warm = opened.warmUp();
      const { summary } = await opened.summarize(short, { parameters });
      await warm;
      expect(summary).not.toBe("");
      const tokens = () => opened.load?.()?.tokens ?? 0;
      // What the engine has done is told a little later.
      await vi.waitFor(() => expect(tokens()).toBe(4));
      // One that is refused, or leaves, is no reason to be thought warm.
      const before = tokens();
      const again = opened.warmUp();
      const leaving = new AbortController();
      const left = opened.summarize(short, { parameters, signal: leaving.signal });
      const refused = opened.summarize(short, { parameters: { numBeams: 0 } });
      await expect(refused).rejects.toMatchObject({ code: "INVALID_PARAMETER" });
      setImmediate(() => leaving.abort());
      await Promise.allSettled([left]);
      await again;
      await vi.waitFor(() => expect(tokens()).toBeGreaterThan(before));
    } finally {
      await opened.close();
    }
  });

  it("tells why it cannot be warmed up, also to those who gave way", async () => {
    const opened = await createSummarizer({ model: folder, threads: 1 });
    const warm = opened.warmUp();
    const asked = opened.summarize(short);
    const told = Promise.allSettled([warm, asked]);
    await opened.close();
    for (const end of await told) {
      expect(end).toMatchObject({ status: "rejected", reason: { code: "CANCELLED" } });
    }
  });

  it("is given up while it opens by who has said so, and its thread with it", async () => {
    for (const isBefore of [true, false]) {
      const controller = new AbortController();
      let begun = 0;
      if (isBefore) controller.abort();
      const opening = createSummarizer({
        ...{ model: folder, threads: 1, signal: controller.signal },
        onOpening: () => {
          begun += 1;
          setTimeout(() => controller.abort());
        },
      });
      await expect(opening).rejects.toMatchObject({ code: "CANCELLED" });
      expect(begun).toBe(isBefore ? 0 : 1);
    }
    // Too late: who has a model closes it.
    const controller = new AbortController();
    const opened = await createSummarizer({ model: folder, threads: 1, signal: controller.signal });
    controller.abort();
    expect((await opened.summarize(short)).summary).toBe(
      (await summarizer.summarize(short)).summary,
    );
    await opened.close();
  });

  it("gives the same summary twice and in any order of requests", async () => {
    const texts = [short, long, "A ferry was opened.", `${short} ${short}`];
    const alone = [];
    for (const text of texts) alone.push((await summarizer.summarize(text)).summary);
    const together = await Promise.all(
      texts.toReversed().map((text) => summarizer.summarize(text)),
    );
    expect(together.map(({ summary }) => summary).reverse()).toEqual(alone);
  });

  it("takes generation options and refuses the others by name", async () => {
    const { usage } = await summarizer.summarize(short, {
      parameters: { numBeams: 1, maxNewTokens: 3, minNewTokens: 3 },
    });
    expect(usage.outputTokens).toBe(3);
    await expect(
      summarizer.summarize(short, { parameters: { sentences: 2 } }),
    ).rejects.toMatchObject({
      code: "PARAMETER_NOT_SUPPORTED",
      message: expect.stringContaining("sentences"),
    });
    await expect(
      summarizer.summarize(short, { parameters: { minNewTokens: 9, maxNewTokens: 4 } }),
    ).rejects.toMatchObject({ code: "INVALID_PARAMETER" });
    for (const text of ["  ", "\u200b", "\ud800", "... !!! ???"])
      await expect(summarizer.summarize(text)).rejects.toMatchObject({ code: "EMPTY_TEXT" });
  });

  it("has no use for a folder's number of sequences, which would be told as the caller's", async () => {
    const several = await makeTinyPegasus(join(root, "several"));
    const file = join(several, "generation_config.json");
    const defaults = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...defaults, num_return_sequences: 2 }));
    const opened = await createSummarizer({ model: several, threads: 1 });
    expect(opened.defaults).not.toHaveProperty("numReturnSequences");
    const { summary } = await opened.summarize(short, { parameters: { numBeams: 1 } });
    expect(summary).toBe(
      (await summarizer.summarize(short, { parameters: { numBeams: 1 } })).summary,
    );
    await opened.close();
  });

  it("says what it is and how far it reaches", () => {
    expect(summarizer.traits).toEqual({
      kind: "neural",
      device: "cpu",
      dtype: "fp32",
      limits: { maxInputTokens: 64, maxNewTokens: 64 },
    });
    expect(summarizer.defaults).toMatchObject({ numBeams: 2, maxLength: 16, lengthPenalty: 0.8 });
    expect(summarizer.supportedParameters).not.toContain("numReturnSequences");
  });

  it.each([
    [{ numReturnSequences: 2 }, "PARAMETER_NOT_SUPPORTED", "numReturnSequences"],
    [{ numBeans: 2 } as object, "PARAMETER_NOT_SUPPORTED", "numBeans"],
    [{ truncation: "longest_first" } as object, "INVALID_PARAMETER", "truncation"],
    [{ numBeams: 0 }, "INVALID_PARAMETER", "numBeams"],
    [{ minNewTokens: 9, maxNewTokens: 4 }, "INVALID_PARAMETER", "minNewTokens"],
    [{ minNewTokens: 60 }, "INVALID_PARAMETER", "minNewTokens"],
  ])("refuses %j by name", async (parameters, code, parameter) => {
    await expect(summarizer.summarize(short, { parameters })).rejects.toMatchObject({
      code,
      details: { parameter },
    });
  });

  it.each([undefined, null, 7, {}])("refuses %j as a document", async (document) => {
    await expect(summarizer.summarize(document as unknown as string)).rejects.toMatchObject({
      code: "INVALID_PARAMETER",
    });
  });

  it("passes a listener's error on to its own request alone", async () => {
    const other = summarizer.summarize(short);
    const work = summarizer.summarize(long.repeat(50), {
      onEvent() {
        throw new RangeError("the listener's own");
      },
    });
    await expect(work).rejects.toThrow("the listener's own");
    expect((await other).usage.chunks).toBe(1);
    expect((await summarizer.summarize(short)).usage.chunks).toBe(1);
  });

  it("stops when it is told to, tells where the time went, and goes on with the next request", async () => {
    const controller = new AbortController();
    const told: object[] = [];
    const work = summarizer.summarize(long.repeat(50), {
      signal: controller.signal,
      onEvent: ({ type }) => type === "token" && controller.abort(),
      onFailure: (timingsMs) => told.push(timingsMs),
    });
    await expect(work).rejects.toMatchObject({ code: "CANCELLED" });
    const number = expect.any(Number);
    expect(told).toEqual([
      { queue: number, encode: number, decode: number, generate: number, total: number },
    ]);
    expect(told[0]).not.toMatchObject({ encode: 0 });
    await expect(
      summarizer.summarize(short, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await summarizer.summarize(short)).usage.chunks).toBe(1);
  });
});

it("tells who is still waiting when it is closed that it was closed, and nothing of its thread", async () => {
  const own = await createSummarizer({ model: folder, threads: 1 });
  let outcome: Promise<unknown> | undefined;
  await new Promise<void>((resolve) => {
    const onEvent = () => resolve();
    outcome = own.summarize(long.repeat(20), { onEvent }).catch((thrown) => thrown);
  });
  await own.close();
  expect(await outcome).toMatchObject({ code: "CANCELLED" });
  await expect(own.summarize(short)).rejects.toMatchObject({ code: "CANCELLED" });
});

it("says what is wrong with a folder", async () => {
  await expect(createSummarizer({ model: root })).rejects.toThrow(/config\.json.*it is not there/);
  const mute = await makeTinyPegasus(join(root, "mute"));
  for (const name of ["spiece.model", "tokenizer.json"])
    await rm(join(mute, name), { force: true });
  const home = join(root, "mute-home");
  vi.stubEnv("BRIDLE_HOME", home);
  for (const dtype of ["fp32", "int8"] as const) {
    await expect(createSummarizer({ model: mute, dtype })).rejects.toMatchObject({
      code: "TOKENIZER_NOT_FOUND",
    });
  }
  vi.unstubAllEnvs();
  // Nothing was rounded by what would be measured on no text of its own.
  const made = await readdir(home, { recursive: true }).catch(() => []);
  expect(made.filter((name) => name.endsWith(".safetensors"))).toEqual([]);
  await expect(createSummarizer({ model: join(root, "absent") })).rejects.toMatchObject({
    code: "MODEL_NOT_FOUND",
  });
  const other = await makeTinyPegasus(join(root, "other"));
  await writeFile(join(other, "config.json"), '{"architectures": ["T5Model"]}');
  await expect(createSummarizer({ model: other })).rejects.toMatchObject({
    code: "ARCHITECTURE_NOT_SUPPORTED",
  });
});

it("is cancelled, and nothing else, where a file of the model cannot be read by who has given up already", async () => {
  const copy = await makeTinyPegasus(join(root, "dangling"));
  await symlink(join(root, "nowhere"), join(copy, "merges.txt"));
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  try {
    await expect(
      createSummarizer({ model: copy, threads: 1, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(createSummarizer({ model: copy, threads: 1 })).rejects.toThrow(/merges\.txt/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(unhandled).not.toHaveBeenCalled();
  } finally {
    process.off("unhandledRejection", unhandled);
  }
});

it("has another version when a file of the model changes", async () => {
  const copy = await makeTinyPegasus(join(root, "copy"));
  const before = await modelVersion(copy);
  expect(await modelVersion(folder)).toBe(before);
  const versions = [before];
  for (const name of [
    ...["generation_config.json", "vocab.json", "merges.txt", "added_tokens.json", "spiece.model"],
  ]) {
    await writeFile(join(copy, name), "{}");
    versions.push(await modelVersion(copy));
  }
  expect(new Set(versions).size).toBe(versions.length);
});

it("has another version when weights change in the middle of a large file", async () => {
  const copy = join(root, "large");
  await mkdir(copy);
  const file = join(copy, "model.safetensors");
  const bytes = Buffer.alloc(64 * 2 ** 20, 1);
  await writeFile(file, bytes);
  const before = await modelVersion(copy);
  // As long as the least of a model's matrices of such a size.
  bytes.fill(2, 30 * 2 ** 20, 30 * 2 ** 20 + 128 * 1024);
  await writeFile(file, bytes);
  expect(await modelVersion(copy)).not.toBe(before);
});

it("tells what it is at work on while it is at it, not when it begins and ends alone", async () => {
  const loads: number[] = [];
  const looking = setInterval(() => loads.push(summarizer.load?.()?.running ?? 0), 20);
  const parameters = { maxNewTokens: 60, minNewTokens: 60, numBeams: 4 };
  const until = performance.now() + 30_000;
  while (!loads.includes(1) && performance.now() < until)
    await summarizer.summarize(long, { parameters });
  clearInterval(looking);
  expect(loads).toContain(1);
  // What it is at is told behind the summary.
  await vi.waitFor(() => expect(summarizer.load?.()?.running).toBe(0));
});

describe("parts", () => {
  it.each([
    ["sentences", long],
    ["one sentence far too long", `${"harbour storm ".repeat(300)}.`],
    ["one word far too long", "harbour".repeat(200)],
    ["a script without spaces", "\u6e2f".repeat(500)],
    ["pairs of surrogates", "\u{1f40e}\u{1f9a2}".repeat(200)],
  ])("of %s fit the limit, in order, and lose nothing", async (_, text) => {
    const tokenizer = await loadTokenizer(folder);
    const parts = [...splitIntoParts(text, tokenizer, 16)];
    for (const { ids } of parts) expect(ids.length).toBeLessThanOrEqual(16);
    const visible = (value: string) => value.replaceAll(/\s/g, "");
    expect(visible(parts.map(({ start, end }) => text.slice(start, end)).join(""))).toBe(
      visible(text),
    );
    for (const { start } of parts)
      expect(text.charCodeAt(start) >= 0xdc00 && text.charCodeAt(start) <= 0xdfff).toBe(false);
  });
});

it("looks no further into a text without an end than the part it cuts", async () => {
  const tokenizer = await loadTokenizer(folder);
  let looked = 0;
  const counting = {
    ...tokenizer,
    encode(text: string) {
      looked += text.length;
      return tokenizer.encode(text);
    },
  };
  const text = "harbour".repeat(3000);
  const parts = [...splitIntoParts(text, counting, 16)];
  expect(parts.map(({ start, end }) => text.slice(start, end)).join("")).toBe(text);
  // A search that halves what is left of the text for each part would look at some thousand times its length.
  expect(looked).toBeLessThan(text.length * 60);
});

/** Runs a program that is no file with the library, the tiny model's folder and a dtype. */
async function runProgram(program: string, dtype: string, own: readonly string[] = []) {
  const index = new URL("index.js", new URL("../../dist/", import.meta.url)).href;
  const whole = `
    import { createSummarizer } from ${JSON.stringify(index)};
    import { setTimeout as sleep } from "node:timers/promises";
    const [, folder, dtype] = process.argv;
    const open = () => createSummarizer({ model: folder, threads: 1, dtype });
    const text = "The town was closed in winter. ".repeat(20);
    const parameters = { numBeams: 8, maxNewTokens: 40, minNewTokens: 40 };
    const askMuch = (summarizer) => {
      for (let i = 0; i < 8; i++) void summarizer.summarize(text, { parameters }).catch(() => {});
    };
    ${program}`;
  const args = [...own, "--input-type=module", "-e", whole, folder, dtype];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, BRIDLE_HOME: join(root, "home") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (errors += chunk));
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return { out, errors, code, signal };
}

describe.each(["fp32", "int8"])("a program that is no file, in %s,", (dtype) => {
  it.each([[[]], [["--import", "data:text/javascript,"]]])(
    "has models too, with %j, and ends by itself",
    async (own) => {
      const ended = await runProgram(
        `const { summary } = await (await open()).summarize(text, { parameters: { maxNewTokens: 3 } });
      const extractive = await createSummarizer({ threads: 1 });
      const late = "The ferry was late. ".repeat(9000);
      const picked = await extractive.summarize(late, { parameters: { sentences: 1 } });
      console.log(typeof summary, picked.summary);`,
        dtype,
        own,
      );
      const out = "string The ferry was late.\n";
      expect(ended).toEqual({ out, errors: "", code: 0, signal: null });
    },
  );

  // What comes back from onnxruntime on a thread that is being ended would abort the process.
  it.each([0, 1, 2, 3])("may exit while models work, or open (%i)", async (i) => {
    const moment = 100 + 13 * i;
    const working = await runProgram(
      `const summarizer = await open();
      await summarizer.warmUp();
      askMuch(summarizer);
      setTimeout(() => process.exit(7), ${moment});`,
      dtype,
    );
    const opening = await runProgram("await open(); process.exit(7);", dtype);
    for (const ended of [working, opening])
      expect(ended).toEqual({ out: "", errors: "", code: 7, signal: null });
  });

  it("may close models while they work", async () => {
    const ended = await runProgram(
      `for (let i = 0; i < 6; i++) {
        const summarizer = await open();
        await summarizer.warmUp();
        askMuch(summarizer);
        await sleep(20 + 7 * i);
        await summarizer.close();
      }
      console.log("closed");`,
      dtype,
    );
    expect(ended).toEqual({ out: "closed\n", errors: "", code: 0, signal: null });
  });
});
