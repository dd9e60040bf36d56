// What a summary tells while it is made, and how soon it stops: on the thread of the model, where nothing is late.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { type Model, openModel } from "../generate/model.js";
import { loadTokenizer } from "../text/tokenizers/load.js";
import type { Tokenizer } from "../text/tokenizers/tokenizer.js";
import { summarizeLongDocument } from "./long-document.js";
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

async function told(document: string, options: object = generate) {
  const events: SummaryEvent[] = [];
  const result = await summarizeLongDocument(model, tokenizer, document, {
    generate: options,
    truncate: false,
    onEvent: (event) => events.push(event),
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

describe("what is told", () => {
  it("of a document that fits is its tokens alone, which are the summary", async () => {
    const { result, events, parts } = await told(sentences[0] as string);
    expect(parts).toEqual([]);
    expect(events.length).toBeGreaterThan(3);
    expect(lastRound(events)).toBe(result.summary);
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

  it("before the work begins spends nothing on it", async () => {
    const encoded: string[] = [];
    const counting: Tokenizer = {
      ...tokenizer,
      encode(text, options) {
        encoded.push(text);
        return tokenizer.encode(text, options);
      },
    };
    const work = summarizeLongDocument(model, counting, long, {
      generate,
      truncate: false,
      signal: AbortSignal.abort(),
    });
    await expect(work).rejects.toMatchObject({ code: "CANCELLED" });
    expect(encoded).toEqual([]);
  });
});
