// What a summary tells while it is made, and how soon it stops: on the thread of the model, where nothing is late.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { type Model, openModel } from "../generate/model.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import { cleanUpSpaces, type Tokenizer } from "../text/tokenizers/tokenizer.js";
import { inputLimit, summarizeLongDocument } from "./long-document.js";
import type { PartEvent, SummaryEvent } from "./summarizer.js";

let root: string;
let model: Model;
let tokenizer: Tokenizer;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-long-"));
  const folder = await makeTinyPegasus(join(root, "tiny"));
  model = await openModel(folder, { threads: 1 });
  tokenizer = await loadTokenizer(folder);
});
afterAll(async () => {
  await model.close();
  await rm(root, { recursive: true });
});

const sentences = Array.from(
  { length: 60 },
  (_, i) => `The ${["town", "river", "market", "bridge"][i % 4]} was closed in winter ${i}.`,
);
const long = sentences.join(" ");
/** Enough new tokens that the summaries of the parts do not fit the model together. */
const generate = { maxNewTokens: 30, minNewTokens: 30, numBeams: 1 };

async function told(document: string, options: object = generate, onEvent = () => {}) {
  const events: SummaryEvent[] = [];
  const result = await summarizeLongDocument(model, tokenizer, document, {
    generate: options,
    truncate: false,
    onEvent: (event) => {
      events.push(event);
      onEvent();
    },
  });
  return { result, events, parts: events.filter(({ type }) => type === "part") as PartEvent[] };
}

/** The tokens told since the last round began. */
function lastRound(events: readonly SummaryEvent[]): string {
  const start = events.findLastIndex((event) => event.type === "part" && event.index === 0);
  return events
    .slice(start + 1)
    .map((event) => (event.type === "token" ? event.text : ""))
    .join("");
}

it("reads 200 pages in parts, all of them, within bounded memory", async () => {
  const page = `${Array.from({ length: 40 }, (_, i) => sentences[i % sentences.length]).join(" ")}\n`;
  const book = page.repeat(200);
  expect(book.length).toBeGreaterThan(250_000);
  let most = 0;
  const { result } = await told(book, { maxNewTokens: 2, minNewTokens: 2, numBeams: 1 }, () => {
    most = Math.max(most, process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed);
  });
  expect(result.usage.chunks).toBeGreaterThan(700);
  expect(result.usage.usedTokens).toBe(result.usage.inputTokens);
  expect(result.sources[0]?.start).toBe(0);
  expect(result.sources.at(-1)?.end).toBeGreaterThan(book.trimEnd().length - 2);
  // Parts are read one after the other: no more is held than the text, its parts and one part's tensors.
  expect(most).toBeLessThan(256 * 2 ** 20);
}, 300_000);

it("says that a summary is whole whichever of several end tokens ends it", async () => {
  for (const ends of [
    [120, 1],
    [1, 121, 120],
  ]) {
    const asked = { maxNewTokens: 9, eosTokenId: ends, forcedBosTokenId: 120 };
    const { result } = await told("The town.", asked);
    expect(result).toMatchObject({ finishReason: "stop", usage: { outputTokens: 1 } });
  }
});

describe("what is told", () => {
  it("adds up to the summary where decoding draws words together", async () => {
    const pieces = ["I", " do", " n", "'t", " like", " it", " '", " now", " ."];
    const cleaning: Tokenizer = {
      ...tokenizer,
      cleanUpTokenizationSpaces: true,
      decode: (ids) => cleanUpSpaces(ids.flatMap((id) => pieces[id - 200] ?? []).join("")),
    };
    const ids = pieces.map((_, i) => 200 + i);
    const writing = {
      config: model.config,
      generate: async (...[, , hooks]: Parameters<Model["generate"]>) => {
        for (let n = 1; n <= ids.length; n++) hooks?.onTokens?.(ids.slice(0, n));
        return { sequences: [[0, ...ids, 1]], scores: [0], beamIndices: undefined };
      },
    };
    const texts: string[] = [];
    const { summary } = await summarizeLongDocument(writing, cleaning, "The town.", {
      generate: {},
      truncate: false,
      onEvent: (event) => event.type === "token" && texts.push(event.text),
    });
    expect(summary).toBe("I don't like it'now.");
    expect(texts.join("")).toBe(summary);
    expect(texts.length).toBeGreaterThan(2);
  });

  it("of a document that fits is its tokens alone, which are the summary", async () => {
    const { result, events, parts } = await told(sentences[0] as string);
    expect(parts).toEqual([]);
    expect(events.length).toBeGreaterThan(3);
    expect(lastRound(events)).toBe(result.summary);
  });

  it("of one that fits is read once, however long its summary comes out", async () => {
    // A model that writes more than it reads at once.
    let asked = 0;
    const talkative: typeof model = {
      ...model,
      async generate(input, options, hooks) {
        asked += 1;
        const answer = await model.generate(input, options, hooks);
        const [ids = []] = answer.sequences;
        return { ...answer, sequences: [[...ids.slice(0, -1), ...Array(200).fill(ids[1]), 1]] };
      },
    };
    const { usage, summary } = await summarizeLongDocument(talkative, tokenizer, sentences[0]!, {
      generate,
      truncate: false,
    });
    expect([asked, usage.chunks]).toEqual([1, 1]);
    expect(tokenizer.encode(summary).length).toBeGreaterThan(inputLimit(model, tokenizer));
  });

  it("of a long one is each part with its place, then its tokens", async () => {
    const { result, events, parts } = await told(long, { maxNewTokens: 4, numBeams: 2 });
    const reading = parts.filter(({ round }) => round === 0);
    expect(reading.length).toBeGreaterThan(10);
    expect(reading.map(({ index, of }) => [index, of])).toEqual(
      reading.map((_, index) => [index, reading.length]),
    );
    expect(reading.map(({ source }) => source)).toEqual(result.sources);
    expect(result.usage.chunks).toBe(reading.length);
    expect(events.some(({ type }) => type === "token")).toBe(true);
  });

  it("ends with a round whose tokens are the summary", async () => {
    const { result, events, parts } = await told(long);
    const rounds = new Set(parts.map(({ round }) => round));
    expect(rounds.size).toBeGreaterThan(1);
    for (const { round, source } of parts) expect(source === undefined).toBe(round > 0);
    expect(lastRound(events)).toBe(result.summary);
    const first = events.findIndex((event) => event.type === "part" && event.round === 1);
    const reading = events.slice(0, first).filter(({ type }) => type === "token");
    expect(reading.length).toBeGreaterThan(parts.length);
  });
});

describe("cancelling", () => {
  it.each([
    ["a token", (event: SummaryEvent) => event.type === "token"],
    ["the third part", (event: SummaryEvent) => event.type === "part" && event.index === 2],
  ])("at %s is heeded before another step is taken", async (_, isIt) => {
    const controller = new AbortController();
    const after: SummaryEvent[] = [];
    const work = summarizeLongDocument(model, tokenizer, long, {
      generate,
      truncate: false,
      signal: controller.signal,
      onEvent(event) {
        if (controller.signal.aborted) after.push(event);
        if (isIt(event)) controller.abort();
      },
    });
    await expect(work).rejects.toMatchObject({ code: "CANCELLED" });
    expect(after).toEqual([]);
  });

  /** The model's tokenizer, and what it was asked to encode. */
  function listening() {
    const encoded: string[] = [];
    const counting: Tokenizer = {
      ...tokenizer,
      encode(text, options) {
        encoded.push(text);
        return tokenizer.encode(text, options);
      },
    };
    return { encoded, counting };
  }

  it("is heard while a text without an end is cut", async () => {
    const { encoded, counting } = listening();
    const controller = new AbortController();
    const endless = "harbour".repeat(100_000);
    const work = summarizeLongDocument(model, counting, endless, {
      generate,
      truncate: false,
      signal: controller.signal,
    });
    setImmediate(() => controller.abort());
    await expect(work).rejects.toMatchObject({ code: "CANCELLED" });
    expect(encoded.join("").length).toBeLessThan(endless.length / 10);
  });

  it("before the work begins spends nothing on it", async () => {
    const { encoded, counting } = listening();
    const work = summarizeLongDocument(model, counting, long, {
      generate,
      truncate: false,
      signal: AbortSignal.abort(),
    });
    await expect(work).rejects.toMatchObject({ code: "CANCELLED" });
    expect(encoded).toEqual([]);
  });
});

describe("a summary", () => {
  const one = sentences[0] as string;

  it("says whether it came to its end or to the limit", async () => {
    const cut = { numBeams: 1, maxNewTokens: 3, minNewTokens: 3 };
    expect((await told(one, cut)).result).toMatchObject({
      finishReason: "length",
      usage: { outputTokens: 3 },
    });
    const inputIds = [tokenizer.encode(one)];
    const { sequences } = await model.generate({ inputIds }, cut);
    // What it writes first is taken for its end.
    const ended = { ...cut, eosTokenId: sequences[0]?.[1] as number, minNewTokens: 0 };
    for (const options of [ended, { ...ended, forcedEosTokenId: tokenizer.eosTokenId }]) {
      expect((await told(one, options)).result).toMatchObject({
        finishReason: "stop",
        usage: { outputTokens: 1 },
      });
    }
  });

  it("came to the limit also where an end is forced there, as Pegasus's own checkpoints ask for", async () => {
    const forced = { numBeams: 2, maxNewTokens: 3, forcedEosTokenId: tokenizer.eosTokenId };
    const { result } = await told(one, { ...forced, minNewTokens: 2 });
    expect(result).toMatchObject({ finishReason: "length", usage: { outputTokens: 3 } });
  });

  it("breaks lines where the model writes its mark for them", async () => {
    const mark = tokenizer.encode("<n>").at(-2) as number;
    const [word] = tokenizer.encode("harbour") as [number];
    const { result, events } = await told(one, {
      numBeams: 1,
      maxNewTokens: 4,
      minNewTokens: 4,
      sequenceBias: [
        [[word], 1000],
        [[word, mark], 2000],
      ],
    });
    expect(result.summary).toBe("harbour\nharbour");
    expect(lastRound(events)).toBe(result.summary);
  });

  it("leaves text unread only where that is asked for, and then says so", async () => {
    const options = { generate: { numBeams: 1, maxNewTokens: 4 }, truncate: true };
    const cut = await summarizeLongDocument(model, tokenizer, long, options);
    expect(cut).toMatchObject({ truncated: true, usage: { chunks: 1 } });
    expect(cut.sources).toHaveLength(1);
    expect(cut.usage.usedTokens).toBeLessThan(cut.usage.inputTokens);
    const whole = await summarizeLongDocument(model, tokenizer, one, options);
    expect(whole).toMatchObject({ truncated: false, sources: [{ start: 0, end: one.length }] });
  });

  it.each(["", "  \n "])("of %j there is none", async (blank) => {
    await expect(told(blank)).rejects.toMatchObject({ code: "EMPTY_TEXT" });
  });
});

describe("a text before every document", () => {
  it("stands before each part and each summary of summaries, and counts as read", async () => {
    const prefix = "the town: ";
    const before = tokenizer.encode(prefix, { addSpecialTokens: false });
    const read: number[][] = [];
    const prefixed = {
      config: { ...model.config, prefix },
      generate: (...[input, ...rest]: Parameters<Model["generate"]>) => {
        read.push(...input.inputIds.map((row) => [...row]));
        return model.generate(input, ...rest);
      },
    };
    const options = { generate: { maxNewTokens: 4 }, truncate: false };
    const { usage, sources } = await summarizeLongDocument(prefixed, tokenizer, long, options);
    expect(read.length).toBeGreaterThan(usage.chunks);
    for (const row of read) {
      expect(row.slice(0, before.length)).toEqual(before);
      expect(row.length).toBeLessThanOrEqual(64);
    }
    const parts = read.slice(0, usage.chunks);
    expect(usage.inputTokens).toBe(parts.reduce((sum, row) => sum + row.length, 0));
    expect(sources.map(({ start, end }) => long.slice(start, end)).join(" ")).toBe(long);
  });

  it("must leave room for a document", async () => {
    const config = { ...model.config, prefix: "the town ".repeat(30) };
    const options = { generate: {}, truncate: false };
    await expect(
      summarizeLongDocument({ ...model, config }, tokenizer, long, options),
    ).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

it("reads as many tokens at once as a model was trained on where nothing else has an end", () => {
  const endless = { ...tokenizer, modelMaxLength: Number.POSITIVE_INFINITY };
  const config = { ...model.config, maxPositions: undefined, usualTokens: 512 };
  expect(inputLimit({ ...model, config }, endless)).toBe(512);
  expect(inputLimit({ ...model, config }, tokenizer)).toBe(64);
  expect(inputLimit(model, endless)).toBe(64);
});
