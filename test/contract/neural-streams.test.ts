// A neural model served: warm before ready, told about, streamed, cancelled, asked for and refused by name on every route.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { InferenceClient } from "@huggingface/inference";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compose, type Service } from "../../src/compose.js";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import type { Summarizer, SummaryEvent } from "../../src/summarize/summarizer.js";
import { makeTinyPegasus } from "../support/tiny-pegasus.js";
import { until } from "./toy-service.js";

let root: string;
let neural: string;
let service: Service;
let server: RunningServer;
/** What the neural model has told since it was last emptied. */
const told: SummaryEvent[] = [];
const gates = new Map<string, () => void>();

/** The model as it is, but its warm-up waits for a gate and its events are written down. */
function watched(name: string, summarizer: Summarizer): Summarizer {
  const gate = new Promise<void>((resolve) => gates.set(name, resolve));
  return {
    ...summarizer,
    summarize: (document, options = {}) =>
      summarizer.summarize(document, {
        ...options,
        onEvent(event) {
          told.push(event);
          options.onEvent?.(event);
        },
      }),
    async warmUp() {
      await gate;
      await summarizer.warmUp();
    },
  };
}

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "bridle-served-"));
  neural = await makeTinyPegasus(path.join(root, "tiny"));
  const config = resolveServeConfig(
    { port: 0, logLevel: "silent", models: ["extractive", neural], threads: 1, heartbeatMs: 20 },
    {},
  );
  service = await compose(config);
  const models = service.summarizers as Map<string, Summarizer>;
  for (const [name, summarizer] of models) models.set(name, watched(name, summarizer));
  server = await startServer(config, service);
});
afterAll(async () => {
  await server.close();
  await service.close();
  await rm(root, { recursive: true });
});

const short = "The harbour was closed on Monday. A storm damaged two ferry.";
const long = Array.from(
  { length: 2000 },
  (_, i) => `The ${["town", "river", "market", "bridge"][i % 4]} was closed in winter ${i}.`,
).join(" ");

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function post(
  route: string,
  body: object,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return await fetch(server.url + route, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

async function ask(route: string, body: object): Promise<Answer> {
  const response = await post(route, body);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

interface Sent {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** The events of a stream, and how many comment lines came between them. */
function parse(text: string): { events: Sent[]; comments: number } {
  const blocks = text.split("\n\n").filter(Boolean);
  const events = blocks
    .filter((block) => block.startsWith("event: "))
    .map((block) => {
      const [, event = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      return { event, data: JSON.parse(data) as Record<string, unknown> };
    });
  return { events, comments: blocks.filter((block) => block.startsWith(":")).length };
}

it("is ready once every model has done a first run, and not before", async () => {
  const status = async () => (await fetch(`${server.url}/ready`)).status;
  expect(await status()).toBe(503);
  gates.get("extractive")?.();
  // The neural model can only be warmed after the extractive one: were /ready satisfied with that, it would say so.
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await status()).toBe(503);
  }
  gates.get(neural)?.();
  await server.ready;
  expect(await status()).toBe(200);
});

describe("what is told about a neural model", () => {
  const described = () => ({
    name: neural,
    version: expect.stringMatching(/^[0-9a-f]{12}$/),
    isDefault: false,
    kind: "neural",
    device: "cpu",
    dtype: "fp32",
    limits: { maxInputTokens: 64, maxNewTokens: 64 },
    defaults: expect.objectContaining({ numBeams: 2, maxLength: 16, lengthPenalty: 0.8 }),
  });

  it("stands in /info", async () => {
    const info = (await (await fetch(`${server.url}/info`)).json()) as { models: object[] };
    expect(info.models).toEqual([
      expect.objectContaining({
        name: "extractive",
        isDefault: true,
        kind: "extractive",
        device: "cpu",
        dtype: null,
        limits: { maxInputTokens: null, maxNewTokens: null },
        defaults: { sentences: 3 },
      }),
      described(),
    ]);
  });

  it("stands in /v1/models with the names of its parameters, each once", async () => {
    const { models } = (await (await fetch(`${server.url}/v1/models`)).json()) as {
      models: { parameters: string[] }[];
    };
    expect(models[1]).toEqual({ ...described(), parameters: expect.any(Array) });
    const parameters = models[1]?.parameters ?? [];
    expect(parameters).toEqual(expect.arrayContaining(["numBeams", "seed", "truncation"]));
    expect(parameters).not.toContain("sentences");
    expect(new Set(parameters).size).toBe(parameters.length);
  });

  it("stands in /openapi.json", async () => {
    const { components } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      components: { schemas: Record<string, { properties: Record<string, object> }> };
    };
    expect(components.schemas.SummaryParameters?.properties).toHaveProperty("numBeams");
    expect(components.schemas.Model?.properties).toHaveProperty("limits");
  });
});

describe("a stream", () => {
  it("tells tokens as they come, which are the summary", async () => {
    const response = await post("/v1/summaries", { document: short, model: neural, stream: true });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const { events } = parse(await response.text());
    const tokens = events.filter(({ event }) => event === "token");
    expect(tokens.length).toBeGreaterThan(1);
    const last = events.at(-1);
    expect(last).toMatchObject({ event: "summary", data: { model: neural } });
    expect(tokens.map(({ data }) => data.text).join("")).toBe(last?.data.summary);
  });

  it("tells which part of a long document is read, and stays open by comments", async () => {
    const document = long.slice(0, long.indexOf("winter 60.") + 10);
    const parameters = { maxNewTokens: 4 };
    const response = await post("/v1/summaries", {
      document,
      model: neural,
      parameters,
      stream: true,
    });
    const { events, comments } = parse(await response.text());
    const parts = events.filter(({ event, data }) => event === "part" && data.round === 0);
    const summary = events.at(-1)?.data as { usage: { chunks: number }; sources: object[] };
    expect(parts).toHaveLength(summary.usage.chunks);
    expect(parts.map(({ data }) => data.source)).toEqual(summary.sources);
    expect(parts[1]?.data).toMatchObject({ index: 1, of: parts.length });
    expect(comments).toBeGreaterThan(0);
  });

  it("ends with the problem where it fails midway", async () => {
    const response = await post(
      "/v1/summaries",
      { document: long, model: neural, stream: true },
      { "x-timeout-ms": "900", "x-request-id": "cut-1" },
    );
    expect(response.status).toBe(200);
    const { events } = parse(await response.text());
    expect(events.at(-1)).toEqual({
      event: "error",
      data: expect.objectContaining({
        type: "urn:bridle:error:DEADLINE_EXCEEDED",
        status: 504,
        hint: expect.stringMatching(/\w/),
        requestId: "cut-1",
      }),
    });
  });

  it("is refused with a status where that is known before anything is sent", async () => {
    const parameters = { minNewTokens: 9, maxNewTokens: 4 };
    const body = { document: long, model: neural, parameters, stream: true };
    const { status, body: problem } = await ask("/v1/summaries", body);
    expect(status).toBe(400);
    expect(problem).toMatchObject({
      code: "INVALID_PARAMETER",
      errors: [{ pointer: "#/parameters/minNewTokens", detail: expect.stringContaining("4") }],
    });
  });

  it("that nobody listens to any more frees the model for the next request", async () => {
    told.length = 0;
    const leaving = new AbortController();
    const response = await post(
      "/v1/summaries",
      {
        document: long,
        model: neural,
        parameters: { minNewTokens: 50, maxNewTokens: 60, numBeams: 8 },
        stream: true,
      },
      {},
      leaving.signal,
    );
    const reader = response.body?.getReader();
    for (let heard = ""; !heard.includes("event: token"); ) {
      const { value } = (await reader?.read()) ?? {};
      heard += Buffer.from(value ?? []).toString();
    }
    leaving.abort();
    const active = async () => {
      const info = (await (await fetch(`${server.url}/info`)).json()) as {
        process: { active: number };
      };
      return info.process.active;
    };
    await until(async () => (await active()) === 0);
    // Had it gone on, all of its hundreds of parts would have been told before the next request was answered.
    const next = await ask("/v1/summaries", { document: short, model: neural });
    expect(next.status).toBe(200);
    const parts = told.flatMap((event) => (event.type === "part" ? [event] : []));
    const [first] = parts;
    expect(first?.of).toBeGreaterThan(300);
    expect(parts.length).toBeLessThan(30);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toMatch(/bridle_documents_total\{model="[^"]*tiny",outcome="CANCELLED"\} 1/);
  });
});

describe("parameters", () => {
  const exactly = { numBeams: 1, minNewTokens: 5, maxNewTokens: 5 };

  it("hold for each document of a batch, and a document's fault is its own", async () => {
    const { body } = await ask("/v1/summaries:batch", {
      documents: [short, " ", `${short} ${short}`],
      model: neural,
      parameters: exactly,
    });
    expect(body.results).toMatchObject([
      { model: neural, usage: { outputTokens: 5, chunks: 1 } },
      { error: { code: "EMPTY_TEXT" } },
      { model: neural, usage: { outputTokens: 5 } },
    ]);
  });

  it("draw the same tokens from the same seed", async () => {
    const draw = async (seed: number) => {
      const parameters = { doSample: true, seed, temperature: 2, numBeams: 1, topK: 0 };
      const { body } = await ask("/v1/summaries", { document: short, model: neural, parameters });
      return body.summary;
    };
    expect(await draw(7)).toBe(await draw(7));
    expect(await draw(7)).not.toBe(await draw(8));
  });

  it("are taken from Hugging Face's client under its own names", async () => {
    const client = new InferenceClient("hf_any", {
      endpointUrl: `${server.url}/models/${encodeURIComponent(neural)}`,
    });
    const parameters = {
      truncation: "do_not_truncate",
      generate_parameters: {
        num_beams: 1,
        min_new_tokens: 5,
        max_new_tokens: 5,
        early_stopping: null,
      },
    } as const;
    const native = await ask("/v1/summaries", {
      document: short,
      model: neural,
      parameters: exactly,
    });
    expect(await client.summarization({ inputs: short, parameters })).toMatchObject({
      summary_text: native.body.summary,
      usage: { outputTokens: 5 },
    });
  });

  it("of truncation leave text unread, and the answer says so", async () => {
    const parameters = { truncation: "longest_first" };
    const { body } = await ask("/v1/summaries", { document: long, model: neural, parameters });
    expect(body).toMatchObject({ truncated: true, usage: { chunks: 1 } });
    const usage = body.usage as { inputTokens: number; usedTokens: number };
    expect(usage.usedTokens).toBeLessThan(usage.inputTokens);
  });
});

describe("what a model does not take is an error by name", () => {
  it.each([
    ["sentences", { sentences: 2 }, "PARAMETER_NOT_SUPPORTED", "sentences", "does not apply"],
    ["a slip", { numBeans: 2 }, "PARAMETER_NOT_SUPPORTED", "numBeans", "does not apply"],
    [
      "more sequences than are answered",
      { numReturnSequences: 2 },
      "PARAMETER_NOT_SUPPORTED",
      "numReturnSequences",
      "does not apply",
    ],
    ["no beams", { numBeams: 0 }, "FIELDS_INVALID", "numBeams", "at least 1"],
    [
      "more beams than a server holds",
      { numBeams: 33 },
      "FIELDS_INVALID",
      "numBeams",
      "at most 32",
    ],
    ["a word for a number", { topK: "many" }, "FIELDS_INVALID", "topK", "number"],
    [
      "an unknown way to stop",
      { earlyStopping: "soon" },
      "FIELDS_INVALID",
      "earlyStopping",
      'boolean or "never"',
    ],
    [
      "more than the model can write",
      { maxNewTokens: 65 },
      "INVALID_PARAMETER",
      "maxNewTokens",
      "at most 64",
    ],
    [
      "groups that do not divide the beams",
      { numBeams: 4, numBeamGroups: 3 },
      "INVALID_PARAMETER",
      "numBeamGroups",
      "divisor",
    ],
    [
      "a token outside of the vocabulary",
      { suppressTokens: [99_999] },
      "INVALID_PARAMETER",
      "suppressTokens",
      "below",
    ],
  ])("%s", async (_, parameters, code, name, words) => {
    const asked = { model: neural, parameters };
    const { status, body } = await ask("/v1/summaries", { ...asked, document: short });
    expect(status).toBe(400);
    expect(body).toMatchObject({
      code,
      hint: expect.stringMatching(/\w/),
      errors: [{ pointer: `#/parameters/${name}`, detail: expect.stringContaining(words) }],
    });
    const batch = await ask("/v1/summaries:batch", { ...asked, documents: [short] });
    const [first] = (batch.body.results as { error: object }[] | undefined) ?? [];
    expect(first?.error ?? batch.body).toMatchObject({ code });
    const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const [value] = Object.values(parameters).slice(-1);
    const others = Object.fromEntries(Object.entries(parameters).slice(0, -1));
    const theirs = await ask(`/models/${encodeURIComponent(neural)}`, {
      inputs: short,
      parameters: { generate_parameters: { ...others, [snake]: value } },
    });
    expect(theirs.status).toBe(400);
    expect(theirs.body).toMatchObject({ code });
    expect(theirs.body.error).toMatch(new RegExp(`${snake}|${name}`));
  });

  it("the other way round too", async () => {
    const { body } = await ask("/v1/summaries", { document: short, parameters: { numBeams: 4 } });
    expect(body).toMatchObject({
      code: "PARAMETER_NOT_SUPPORTED",
      errors: [{ pointer: "#/parameters/numBeams" }],
    });
  });
});
