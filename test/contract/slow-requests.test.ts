// The line a slow request leaves: where its time went, its id and its company, and nothing of its text.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compose, type Service } from "../../src/compose.js";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { makeTinyPegasus } from "../support/tiny-pegasus.js";
import { startToy, until } from "./toy-service.js";

let root: string;
let service: Service;
let server: RunningServer;
const lines: string[] = [];
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "bridle-slow-"));
  const model = await makeTinyPegasus(path.join(root, "tiny"));
  const config = resolveServeConfig(
    { port: 0, logFormat: "json", models: [model], device: "cpu", slowRequestMs: 0 },
    {},
  );
  service = await compose(config);
  server = await startServer(config, service, {
    logDestination: { write: (line: string) => void lines.push(line) },
  });
});
afterAll(async () => {
  await server.close();
  await service.close();
  await rm(root, { recursive: true });
});

const post = (url: string, body: object, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

interface Slow {
  readonly msg: string;
  readonly requestId: string;
  readonly [name: string]: unknown;
}

async function slowLine(id: string, from = lines): Promise<Slow> {
  let found: Slow | undefined;
  await until(() => {
    found = from
      .map((line) => JSON.parse(line) as Slow)
      .find(({ msg, requestId }) => msg === "Slow request" && requestId === id);
    return found !== undefined;
  });
  return found as Slow;
}

const secret = "Zebras";

describe("a slow request", () => {
  it("tells its phases and how many shared its steps", async () => {
    const document = `${secret} were sent to the town. The harbour was closed.`;
    const asked = [1, 2].map((i) =>
      post(`${server.url}/v1/summaries`, { document }, { "x-request-id": `slow-${i}` }),
    );
    const [response] = await Promise.all(asked);
    const answer = (await response?.json()) as { timingsMs: Record<string, number> };
    for (const phase of ["queue", "encode", "decode", "generate", "total"])
      expect(answer.timingsMs[phase]).toBeGreaterThanOrEqual(0);
    expect(answer.timingsMs.decode).toBeGreaterThan(0);
    const line = await slowLine("slow-1");
    expect(line).toMatchObject({
      ...{ level: "warn", route: "/v1/summaries", status: 200, documents: 1, chunks: 1 },
      ...{ inputTokens: expect.any(Number), outputTokens: expect.any(Number) },
      waitedMs: expect.any(Number),
      phasesMs: {
        ...{ queue: expect.any(Number), encode: expect.any(Number), decode: expect.any(Number) },
        ...{ generate: expect.any(Number), total: expect.any(Number) },
      },
    });
    expect(line.occupancy).toBeGreaterThanOrEqual(1);
    expect(lines.join("")).not.toContain(secret);
  });

  it("that failed tells its code", async () => {
    const document = Array.from({ length: 3000 }, (_, i) => `${secret} came in winter ${i}.`);
    const headers = { "x-request-id": "late", "x-timeout-ms": "100" };
    const response = await post(
      `${server.url}/v1/summaries`,
      { document: document.join(" ") },
      headers,
    );
    expect(response.status).toBe(504);
    expect(await slowLine("late")).toMatchObject({
      ...{ code: "DEADLINE_EXCEEDED", documents: 0 },
      phasesMs: {
        ...{ queue: expect.any(Number), encode: expect.any(Number), decode: expect.any(Number) },
        ...{ generate: expect.any(Number), total: expect.any(Number) },
      },
    });
    expect(lines.join("")).not.toContain(secret);
  });

  it("is told for probes and for what goes on by itself never, and for what is quick only where that is asked for", async () => {
    await fetch(`${server.url}/health`);
    expect(lines.filter((line) => line.includes("Slow") && line.includes("health"))).toEqual([]);
    const listening = new AbortController();
    const news = await fetch(`${server.url}/v1/runs/events`, { signal: listening.signal });
    expect(news.status).toBe(200);
    listening.abort();
    // It leaves the line of every request, and none of a slow one.
    await until(() => lines.some((line) => line.includes("/v1/runs/events")));
    expect(lines.filter((line) => line.includes("Slow") && line.includes("/events"))).toEqual([]);
    const quick = await startToy({ slowRequestMs: 60_000 });
    expect((await post(`${quick.url}/bert`, { content: "One. Two." })).status).toBe(200);
    await until(() => quick.lines.some((line) => line.includes("/bert")));
    expect(quick.lines.filter((line) => line.includes("Slow"))).toEqual([]);
    await quick.close();
  });
});

it("phases are counted for all", async () => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  for (const phase of ["queue", "encode", "decode"])
    expect(text).toMatch(
      new RegExp(`^bridle_phase_seconds_count\\{.*phase="${phase}"\\} [1-9]`, "m"),
    );
  expect(text).toMatch(/^# TYPE bridle_engine_tokens_total counter$/m);
  expect(text).toMatch(/^bridle_engine_tokens_total\{.*\} [1-9]/m);
});
