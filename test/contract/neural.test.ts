// The service with a neural model behind it: each route's options, limits and refusals, on a small model made here.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { InferenceClient } from "@huggingface/inference";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { compose, type Service } from "../../src/compose.js";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { makeTinyPegasus } from "../support/tiny-pegasus.js";

const text =
  "The storm closed the harbour on Monday. The council sent two ferries to the old bridge.";

let folder: string;
let service: Service;
let server: RunningServer;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-neural-service-"));
  const model = await makeTinyPegasus(path.join(folder, "tiny"));
  const models = ["extractive", model];
  const given = { port: 0, logLevel: "silent", models, device: "cpu", threads: 1 } as const;
  const config = resolveServeConfig({ ...given, models, maxBeams: 6 }, {});
  service = await compose(config);
  server = await startServer(config, service);
  await server.ready;
});
afterAll(async () => {
  await server.close();
  await service.close();
  await rm(folder, { recursive: true });
});
afterEach(async () => {
  expect((await ask({})).status).toBe(200);
});

const model = () => path.join(folder, "tiny");

async function post(route: string, body: unknown) {
  const response = await fetch(server.url + route, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const ask = (parameters: Record<string, unknown>) =>
  post("/v1/summaries", { document: text, model: model(), parameters });

describe("a neural model", () => {
  it("answers with what was read, and the same each time", async () => {
    const parameters = { numBeams: 3, maxNewTokens: 8, minNewTokens: 4, lengthPenalty: 0.6 };
    const first = await ask(parameters);
    expect(first).toMatchObject({
      status: 200,
      body: {
        model: model(),
        truncated: false,
        sources: [{ start: 0, end: text.length }],
        usage: { chunks: 1, outputTokens: expect.any(Number) },
      },
    });
    expect((await ask(parameters)).body.summary).toBe(first.body.summary);
  });

  it("is asked by name in a stream, whose tokens add up to the summary", async () => {
    const parameters = { numBeams: 1, maxNewTokens: 8, minNewTokens: 6 };
    const response = await fetch(`${server.url}/v1/summaries`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ document: text, model: model(), parameters, stream: true }),
    });
    const events = (await response.text())
      .split("\n\n")
      .map((event) => /^event: (\w+)\ndata: (.*)$/m.exec(event))
      .filter((event) => event !== null)
      .map(([, name, data]) => ({ name, data: JSON.parse(data as string) }));
    const told = events.filter(({ name }) => name === "token").map(({ data }) => data.text);
    expect(events.at(-1)?.name).toBe("summary");
    expect(told.join("").trim()).toBe(events.at(-1)?.data.summary.trim());
  });

  it("takes Hugging Face's names through Hugging Face's client", async () => {
    const client = new InferenceClient("hf_any", {
      endpointUrl: `${server.url}/models/${model()}`,
    });
    const generate_parameters = { num_beams: 3, max_new_tokens: 8, min_new_tokens: 4 };
    const { summary_text } = await client.summarization({
      inputs: text,
      parameters: { generate_parameters },
    });
    const native = await ask({ numBeams: 3, maxNewTokens: 8, minNewTokens: 4 });
    expect(summary_text).toBe(native.body.summary);
  });
});

describe("what a neural model refuses", () => {
  it.each([
    ["more beams than the server allows", { numBeams: 7 }, "numBeams", "at most 6"],
    ["more beams than memory holds", { numBeams: 1_000_000_000 }, "numBeams", "at most 6"],
    [
      "a pair that is none",
      { exponentialDecayLengthPenalty: [] },
      "exponentialDecay",
      "at least 2",
    ],
    ["no number", { temperature: "hot" }, "temperature", "of type number"],
  ])("%s", async (_, parameters, name, words) => {
    const { status, body } = await ask(parameters);
    expect([status, body.code]).toEqual([400, "FIELDS_INVALID"]);
    expect(body.detail).toContain(words);
    const [{ pointer }] = body.errors as [{ pointer: string }];
    expect(pointer).toContain(`#/parameters/${name}`);
  });

  it.each([
    ["a minimum above the maximum", { minNewTokens: 9, maxNewTokens: 5 }, "minNewTokens"],
    ["groups that do not divide the beams", { numBeams: 3, numBeamGroups: 2 }, "numBeamGroups"],
    ["a token that is none", { suppressTokens: [99_999] }, "suppressTokens"],
    ["positions that the model lacks", { maxNewTokens: 1_000_000 }, "maxNewTokens"],
  ])("%s", async (_, parameters, name) => {
    const { status, body } = await ask(parameters);
    expect([status, body.code]).toEqual([400, "INVALID_PARAMETER"]);
    expect(body.detail).toContain(name);
  });

  it("what only extractive models take, naming what it takes itself, each once", async () => {
    const { status, body } = await ask({ sentences: 2 });
    expect([status, body.code]).toEqual([400, "PARAMETER_NOT_SUPPORTED"]);
    expect(String(body.hint).match(/\btruncation\b/g)).toHaveLength(1);
  });

  it("what would take more memory for its keys and values than there is", async () => {
    const small = resolveServeConfig(
      { port: 0, logLevel: "silent", models: [model()], device: "cpu", maxCacheBytes: 50_000 },
      {},
    );
    const short = await compose(small);
    const other = await startServer(small, short);
    const post = (parameters: object) =>
      fetch(`${other.url}/v1/summaries`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ document: text, parameters }),
      });
    const [fits, refused] = await Promise.all([
      post({ maxNewTokens: 4 }),
      post({ numBeams: 6, maxNewTokens: 60 }),
    ]);
    expect(fits.status).toBe(200);
    expect([refused.status, await refused.json()]).toEqual([
      413,
      expect.objectContaining({
        code: "CACHE_MEMORY_SHORT",
        hint: expect.stringContaining("--max-cache-bytes"),
      }),
    ]);
    await other.close();
    await short.close();
  });

  it("too many beams under Hugging Face's name too", async () => {
    const inputs = { inputs: text, parameters: { generate_parameters: { num_beams: 1e9 } } };
    const { status, body } = await post(`/models/${model()}`, inputs);
    expect(status).toBe(400);
    expect(body.error).toContain("numBeams must be at most 6");
  });
});

describe("the description of a service with a neural model", () => {
  it("tells the limits, and how long a pair is", async () => {
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      components: { schemas: { SummaryParameters: { properties: Record<string, object> } } };
    };
    const { properties } = document.components.schemas.SummaryParameters;
    expect(properties.numBeams).toMatchObject({ type: "integer", minimum: 1, maximum: 6 });
    expect(properties).not.toHaveProperty("numReturnSequences");
    expect(properties.exponentialDecayLengthPenalty).toMatchObject({ minItems: 2, maxItems: 2 });
    expect(properties.sequenceBias).toMatchObject({ items: { minItems: 2, maxItems: 2 } });
    const info = (await (await fetch(`${server.url}/info`)).json()) as { limits: object };
    expect(info.limits).toMatchObject({ maxBeams: 6 });
  });
});
