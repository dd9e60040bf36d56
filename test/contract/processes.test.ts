// A service in several processes: one port, work shared out, and a process that is killed under load costs nobody an answer.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Service, ServiceProcesses } from "../../src/compose.js";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { openProcesses } from "../../src/server/processes/open-processes.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { makeTinyPegasus } from "../support/tiny-pegasus.js";
import { until } from "./toy-service.js";

let root: string;
let neural: string;
let service: Service;
let processes: ServiceProcesses;
let server: RunningServer;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "bridle-processes-"));
  neural = await makeTinyPegasus(path.join(root, "tiny"));
  const config = resolveServeConfig(
    {
      ...{ port: 0, logLevel: "silent", models: [neural, "extractive"], device: "cpu" },
      ...{ workers: 2, threads: 1, concurrency: 64 },
    },
    {},
  );
  service = await openProcesses(config, { leastPauseMs: 20 });
  processes = service.processes as ServiceProcesses;
  server = await startServer(config, service);
});
afterAll(async () => {
  await server?.close();
  const pids = processes?.states().map(({ pid }) => pid as number);
  await service?.close();
  for (const pid of pids ?? []) expect(() => process.kill(pid, 0)).toThrow();
  await rm(root, { recursive: true });
});
beforeEach(async () => {
  await until(() => processes.states().every(({ status }) => status === "ready"));
});

const short = "The harbour was closed on Monday. A storm damaged two ferry.";
/** So many parts that it takes a while. */
const long = (seed: number, sentences = 120) =>
  Array.from(
    { length: sentences },
    (_, i) =>
      `The ${["town", "river", "market", "bridge"][(i + seed) % 4]} was closed in winter ${i}.`,
  ).join(" ");

async function post(route: string, body: object, headers: Record<string, string> = {}) {
  return await fetch(server.url + route, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

async function summaryOf(document: string): Promise<{ status: number; summary: string }> {
  const response = await post("/v1/summaries", { document });
  const { summary } = (await response.json()) as { summary: string };
  return { status: response.status, summary };
}

/** Tokens of a stream put together by round, and the summary it ends with. */
async function streamOf(document: string) {
  const response = await post("/v1/summaries", { document, stream: true });
  let [told, summary] = ["", ""];
  for (const block of (await response.text()).split("\n\n")) {
    const [, event, data = "{}"] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
    const read = JSON.parse(data) as { text?: string; summary?: string; index?: number };
    if (event === "part" && read.index === 0) told = "";
    if (event === "token") told += read.text;
    if (event === "summary") summary = read.summary ?? "";
    expect(event).not.toBe("error");
  }
  return { told, summary };
}

const pidOf = (place: number) => processes.states()[place]?.pid as number;
const kill = (place: number) => process.kill(pidOf(place), "SIGKILL");
const busy = (place: number) => (processes.states()[place]?.pending ?? 0) > 0;

describe("work", () => {
  it("is shared out among the processes", async () => {
    const asked = Array.from({ length: 6 }, (_, i) => summaryOf(long(i)));
    await until(() => busy(0) && busy(1));
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
  });

  it("is refused by name as in one process", async () => {
    const response = await post("/v1/summaries", { document: short, parameters: { numBeams: 0 } });
    expect(response.status).toBe(400);
    const contradictory = await post("/v1/summaries", {
      document: short,
      parameters: { minNewTokens: 9, maxNewTokens: 5 },
    });
    expect([contradictory.status, await contradictory.json()]).toEqual([
      400,
      expect.objectContaining({ code: "INVALID_PARAMETER" }),
    ]);
    const blank = await post("/v1/summaries", { document: " " });
    expect(await blank.json()).toMatchObject({ code: "EMPTY_TEXT" });
  });

  it("is left before its end when its caller goes or its time is over", async () => {
    const counted = async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(/^bridle_phase_seconds_count\{.*phase="queue"\} (\d+)/m.exec(text)?.[1] ?? 0);
    };
    const before = await counted();
    const late = await post(
      "/v1/summaries",
      { document: long(1, 4000) },
      { "x-timeout-ms": "200" },
    );
    expect(late.status).toBe(504);
    // Where its time went is told after it has been answered.
    await until(async () => (await counted()) === before + 1);
    const leaving = new AbortController();
    const left = fetch(`${server.url}/v1/summaries`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ document: long(2, 4000) }),
      signal: leaving.signal,
    }).catch(() => undefined);
    await until(() => busy(0) || busy(1));
    leaving.abort();
    await left;
    await until(async () => {
      const loads = service.summarizers.get(neural)?.load?.();
      return !busy(0) && !busy(1) && loads?.running === 0 && loads.waiting === 0;
    });
  });
});

describe("a process that is killed", () => {
  it("costs nobody an answer: its documents are begun again, streams go on, the others' are not touched", async () => {
    const documents = Array.from({ length: 8 }, (_, i) => long(i));
    const expected: string[] = [];
    for (const document of documents) expected.push((await summaryOf(document)).summary);
    const before = processes.retries;
    const streams = documents.slice(0, 4).map(streamOf);
    const plain = documents.slice(4).map(summaryOf);
    await until(() => busy(0) && busy(1));
    // Streams have told something by now, at least some of them.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const lost = processes.states()[0]?.pending ?? 0;
    kill(0);
    const streamed = await Promise.all(streams);
    const answered = await Promise.all(plain);
    expect(answered).toEqual(expected.slice(4).map((summary) => ({ status: 200, summary })));
    for (const [i, { told, summary }] of streamed.entries()) {
      expect(summary).toBe(expected[i]);
      expect(told).toBe(expected[i]);
    }
    expect(lost).toBeGreaterThan(0);
    expect(processes.retries - before).toBeGreaterThan(0);
    expect(processes.retries - before).toBeLessThanOrEqual(lost);
    await until(() => processes.states()[0]?.restarts === 1);
  });

  it("is told of where the second one is killed too, in each route's own way", async () => {
    const asked = [
      post("/v1/summaries", { document: long(1, 4000) }),
      post(`/models/${encodeURIComponent(neural)}`, { inputs: long(2, 4000) }),
    ];
    await until(() => busy(0) && busy(1));
    const killed = new Set<number | undefined>();
    const killBusy = async (pending: number): Promise<void> => {
      const find = () =>
        processes.states().find((one) => !killed.has(one.pid) && one.pending === pending);
      await until(() => find() !== undefined);
      const { pid } = find() as { pid: number };
      killed.add(pid);
      process.kill(pid, "SIGKILL");
    };
    await killBusy(1);
    // Both are on the one that is left: the one is lost for the second time with it, the other begun again.
    await killBusy(2);
    await killBusy(1);
    const [native, huggingFace] = await Promise.all(asked);
    expect(native?.status).toBe(503);
    expect(native?.headers.get("retry-after")).toBe("1");
    const problem = (await native?.json()) as { detail: string };
    expect(problem).toMatchObject({ code: "WORKER_LOST" });
    expect(problem.detail).toContain("SIGKILL");
    expect(huggingFace?.status).toBe(429);
    expect(await huggingFace?.json()).toMatchObject({ code: "WORKER_LOST" });
  });

  it("is missed at /ready only while there is no other", async () => {
    const ready = async () => (await fetch(`${server.url}/ready`)).status;
    kill(0);
    await until(() => processes.states()[0]?.status !== "ready");
    expect(await ready()).toBe(200);
    kill(1);
    await until(() => processes.states().every(({ status }) => status !== "ready"));
    expect(await ready()).toBe(503);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    // Whoever asks meanwhile waits for one.
    expect((await summaryOf(short)).status).toBe(200);
    expect(await ready()).toBe(200);
  });
});

it("are told to operators, one by one", async () => {
  const info = (await (await fetch(`${server.url}/info`)).json()) as {
    process: { workers: object[] };
  };
  expect(info.process.workers).toEqual([
    { place: 0, pid: pidOf(0), status: "ready", pending: 0, restarts: expect.any(Number) },
    { place: 1, pid: pidOf(1), status: "ready", pending: 0, restarts: expect.any(Number) },
  ]);
});

describe("what is counted", () => {
  const metrics = async () => await (await fetch(`${server.url}/metrics`)).text();
  const value = (text: string, name: string) =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1]);

  it("stands in one page: engines together, processes by state, memory of all", async () => {
    await summaryOf(short);
    await until(async () => value(await metrics(), "bridle_engine_steps_total") > 0);
    const text = await metrics();
    expect(text).toMatch(/^# TYPE bridle_engine_steps_total counter$/m);
    expect(text).toMatch(/^bridle_workers\{status="ready"\} 2$/m);
    expect(value(text, "bridle_worker_restarts_total")).toBeGreaterThan(0);
    expect(value(text, "bridle_worker_retries_total")).toBe(processes.retries);
    expect(value(text, "process_resident_memory_bytes")).toBeGreaterThan(
      2 * process.memoryUsage.rss() * 0.2 + process.memoryUsage.rss(),
    );
  });

  it("does not shrink when a process dies", async () => {
    await until(async () => value(await metrics(), "bridle_engine_steps_total") > 0);
    const before = value(await metrics(), "bridle_engine_steps_total");
    kill(1);
    await until(() => processes.states()[1]?.status !== "ready");
    expect(value(await metrics(), "bridle_engine_steps_total")).toBeGreaterThanOrEqual(before);
  });
});

it.skipIf(process.platform !== "linux")(
  "maps the same file of weights in every process (Linux)",
  async () => {
    for (const place of [0, 1]) {
      const maps = await readFile(`/proc/${pidOf(place)}/maps`, "utf8");
      expect(maps).toContain(path.join(neural, "model.safetensors"));
    }
  },
);
