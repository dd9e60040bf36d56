// Runs over HTTP: lists, one with its files, curves, lines and news, and who may look at them.
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keepRunRecords, openArtifacts, openRuns } from "../../src/compose.js";
import { resolveServeConfig, type ServeConfigInput } from "../../src/config/serve-config.js";
import type { Database } from "../../src/ports/database.js";
import type { RunEvent } from "../../src/ports/event-sink.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { putArtifact } from "../../src/track/artifacts.js";
import type { KeptRecords } from "../../src/track/records.js";
import { writeEvents } from "../../src/track/write.js";
import { homeEnvironment } from "../support/suite-database.js";
import { madeRun, point } from "../support/tracked-runs.js";
import { createToyService } from "./toy-service.js";

let root: string;
let database: Database;
const servers: RunningServer[] = [];
const kept: KeptRecords[] = [];
const env = () => homeEnvironment(path.join(root, "home"));

async function start(config: ServeConfigInput = {}, home = env()) {
  const records = keepRunRecords({ env: await home });
  kept.push(records);
  const server = await startServer(
    resolveServeConfig({ port: 0, logLevel: "silent", ...config }, {}),
    { ...createToyService(), runs: records.find },
    { files: { dashboard: "/nonexistent", docs: "/nonexistent" } },
  );
  servers.push(server);
  return server;
}

const tell = (id: string, more: object, ...events: RunEvent[]) =>
  writeEvents(database, madeRun(id, more), events);
const end: RunEvent = { type: "end", status: "finished", at: 2_000_000, error: "" };

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), "bridle-runs-http-"));
  database = await openRuns(undefined, await env());
  const artifacts = await openArtifacts(undefined, await env());
  const diff = await putArtifact(artifacts, "code/git.diff", "+ a line\n", "text/x-diff");
  await artifacts.close();
  const weights = { ...diff, name: "model/weights", blob: "", uri: "/far/weights" };
  for (const [i, id] of ["aaaa2222", "bbbb2222", "cccc2222"].entries()) {
    await tell(
      id,
      { experiment: i === 2 ? "old" : "news", name: `n${i}`, startedAt: 1_000_000 + i },
      { type: "params", values: { "train.seed": String(i) } },
      {
        type: "points",
        points: Array.from({ length: 2000 }, (_, step) =>
          point("eval/loss", step, i + step / 2000),
        ),
      },
      { type: "points", points: [point("system/rss_bytes", 0, 5), point("bad", 3, Number.NaN)] },
      {
        type: "lines",
        lines: [0, 1, 2].map((number) => ({
          number,
          at: 1,
          level: "info",
          text: `line ${number}`,
        })),
      },
      { type: "artifact", artifact: diff },
      { type: "artifact", artifact: weights },
      end,
    );
  }
});
it("says that a database is of a newer version, while everything else answers", async () => {
  const home = homeEnvironment(path.join(root, "newer"));
  const newer = await openRuns(undefined, await home);
  await newer.query(
    "INSERT INTO bridle_migrations (component, version, name, checksum, applied_at) VALUES ('track', 99, 'later', 'x', 1)",
  );
  await newer.close();
  const { url } = await start({}, home);
  for (const rest of ["runs", "experiments", "runs/aaaa2222"]) {
    const { status, body } = await send(`${url}/v1/${rest}`);
    expect([rest, body.code, status >= 400]).toEqual([rest, "DATABASE_NEWER", true]);
  }
  const response = await fetch(`${url}/v1/summaries`, {
    method: "POST",
    body: JSON.stringify({ document: "The ferry was closed. People waited." }),
    headers: { "content-type": "application/json" },
  });
  expect(response.status).toBe(200);
});

it("tells of a file with HEAD as with GET, and opens it for none", async () => {
  const { url } = await start();
  const file = `${url}/v1/runs/aaaa2222/artifacts/code/git.diff`;
  const got = await fetch(file);
  const opened = () => readdirSync("/proc/self/fd").length;
  const told = await fetch(file, { method: "HEAD" });
  expect(await told.text()).toBe("");
  expect(told.status).toBe(200);
  for (const name of ["content-type", "content-length", "etag", "content-disposition"]) {
    expect([name, told.headers.get(name)]).toEqual([name, got.headers.get(name)]);
  }
  expect(await got.text()).toBe("+ a line\n");
  if (process.platform !== "linux") return;
  const before = opened();
  for (let i = 0; i < 50; i++) await (await fetch(file, { method: "HEAD" })).text();
  expect(opened() - before).toBeLessThan(25);
});

afterAll(async () => {
  for (const server of servers) await server.close();
  for (const records of kept) await records.close();
  await database.close();
  rmSync(root, { recursive: true });
});

// biome-ignore lint/suspicious/noExplicitAny: every route answers a shape of its own, which the tests look at
type Answer = { status: number; body: any };

async function send(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.json() };
}

const ids = ({ body }: Answer) => body.runs.map(({ id }: { id: string }) => id);

describe("reading runs", () => {
  it("lists experiments and pages of runs by conditions and order", async () => {
    const { url } = await start();
    expect((await send(`${url}/v1/experiments`)).body.experiments).toMatchObject([
      { name: "old", runs: 1, running: 0 },
      { name: "news", runs: 2 },
    ]);
    const all = await send(`${url}/v1/runs`);
    expect(ids(all)).toEqual(["cccc2222", "bbbb2222", "aaaa2222"]);
    expect(all.body.total).toBe(3);
    expect(all.body.runs[0]).toMatchObject({
      params: { "train.seed": "2" },
      metrics: { "eval/loss": { lastStep: 1999, min: 2 }, bad: { last: null, count: 1 } },
    });
    const some = await send(
      `${url}/v1/runs?filter=${encodeURIComponent("experiment = news")}&filter=params.train.seed%3C9&sort=metrics.eval/loss&limit=1&offset=1`,
    );
    expect(ids(some)).toEqual(["bbbb2222"]);
    expect(some.body.total).toBe(2);
    const beside = await send(`${url}/v1/runs/compare?id=n2&id=aaaa2222`);
    expect(ids(beside)).toEqual(["cccc2222", "aaaa2222"]);
  });

  it("tells one run with its files, its curves no longer than asked, and its lines", async () => {
    const { url } = await start();
    const one = await send(`${url}/v1/runs/aaaa`);
    expect(one.body).toMatchObject({
      run: { id: "aaaa2222", experiment: "news" },
      artifacts: [{ name: "code/git.diff" }, { name: "model/weights", uri: "/far/weights" }],
    });
    expect(one.body.artifacts[0]).not.toHaveProperty("blob");
    const curves = await send(`${url}/v1/runs/aaaa2222/metrics?keys=eval/loss&points=100`);
    expect(curves.body.charts).toHaveLength(1);
    const [{ points, isExact }] = curves.body.charts;
    expect(isExact).toBe(false);
    expect(points.length).toBeLessThanOrEqual(101);
    expect(points.at(-1)).toMatchObject({ lastStep: 1999, max: 1999 / 2000 });
    const part = await send(
      `${url}/v1/runs/aaaa2222/metrics?keys=eval/loss&keys=bad&points=3000&fromStep=10&toStep=12`,
    );
    expect(
      part.body.charts.map((chart: { key: string; points: { step: number }[] }) => [
        chart.key,
        chart.points.map(({ step }) => step),
      ]),
    ).toEqual([
      ["bad", []],
      ["eval/loss", [10, 11, 12]],
    ]);
    const every = await send(`${url}/v1/runs/aaaa2222/metrics`);
    expect(every.body.charts.map(({ key }: { key: string }) => key)).toContain("system/rss_bytes");
    const lines = await send(`${url}/v1/runs/aaaa2222/logs?after=0&limit=1`);
    expect(lines.body.lines).toMatchObject([{ number: 1, text: "line 1" }]);
  });

  it("sends files that are kept, as files and nothing else", async () => {
    const { url } = await start();
    for (const name of ["code/git.diff", "code%2Fgit.diff"]) {
      const file = await fetch(`${url}/v1/runs/aaaa2222/artifacts/${name}`);
      expect(await file.text()).toBe("+ a line\n");
      expect(Object.fromEntries(file.headers)).toMatchObject({
        "content-type": "text/x-diff",
        "content-disposition": "attachment",
        "x-content-type-options": "nosniff",
      });
    }
    for (const [name, told] of [
      ["model/weights", /It lies at \/far\/weights/],
      ["nothing", /keeps no file nothing\.$/],
    ] as const) {
      const { status, body } = await send(`${url}/v1/runs/aaaa2222/artifacts/${name}`);
      expect({ status, code: body.code }).toEqual({ status: 404, code: "ARTIFACT_NOT_FOUND" });
      expect(body.detail).toMatch(told);
    }
    expect(await send(`${url}/v1/runs/aaaa2222/artifacts`)).toMatchObject({
      ...{ status: 404, body: { code: "ROUTE_NOT_FOUND" } },
    });
  });

  it("says what is wrong with what was asked", async () => {
    const { url } = await start();
    const wanted: [string, number, string, RegExp][] = [
      ["runs/zzzz", 404, "RUN_NOT_FOUND", /zzzz/],
      ["runs/zzzz/metrics", 404, "RUN_NOT_FOUND", /zzzz/],
      ["runs/zzzz/events", 404, "RUN_NOT_FOUND", /zzzz/],
      ["runs?filter=nonsense", 400, "RUN_QUERY_INVALID", /nonsense/],
      ["runs?sort=colour", 400, "RUN_QUERY_INVALID", /colour/],
      ["runs?limits=3", 400, "FIELDS_INVALID", /did you mean limit/],
      ["runs?limit=0", 400, "FIELDS_INVALID", /at least 1/],
      ["runs?limit=many", 400, "FIELDS_INVALID", /whole number from 1 to 1000/],
      ["runs/compare", 400, "FIELDS_INVALID", /id/],
      ["runs/aaaa2222/nothing", 404, "ROUTE_NOT_FOUND", /nothing/],
    ];
    for (const [rest, status, code, told] of wanted) {
      const answer = await send(`${url}/v1/${rest}`);
      expect({ status: answer.status, code: answer.body.code }, rest).toEqual({ status, code });
      expect(answer.body.detail, rest).toMatch(told);
    }
    for (const rest of ["runs", "runs/aaaa2222", "runs/aaaa2222/artifacts/code/git.diff"]) {
      const answer = await fetch(`${url}/v1/${rest}`, { method: "POST" });
      expect(answer.status, rest).toBe(405);
      expect(answer.headers.get("allow"), rest).toBe("GET, HEAD");
    }
  });

  it("has nothing where nothing was recorded, makes no database, and finds one that is made later", async () => {
    const home = homeEnvironment(path.join(root, "other"));
    const { url } = await start({}, home);
    expect((await send(`${url}/v1/runs`)).body).toEqual({ runs: [], total: 0 });
    expect((await send(`${url}/v1/experiments`)).body).toEqual({ experiments: [] });
    expect((await send(`${url}/v1/runs/aaaa`)).status).toBe(404);
    const made = await openRuns(undefined, await home);
    await writeEvents(made, madeRun("dddd2222"), [end]);
    await made.close();
    expect(ids(await send(`${url}/v1/runs`))).toEqual(["dddd2222"]);
  });
});

/** Events as they come, a chunk at a time. */
async function* eventsOf(url: string, signal: AbortSignal) {
  const { body, headers } = await fetch(url, { signal });
  expect(headers.get("content-type")).toBe("text/event-stream");
  let text = "";
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString("utf8");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (name !== undefined) yield { name, data: JSON.parse(data as string) };
    }
  }
}

/** What comes first of those that fit. */
async function next<Event extends { name: string }>(
  events: AsyncIterator<Event>,
  fits: (event: Event) => boolean,
): Promise<Event> {
  for (;;) {
    const { done, value } = await events.next();
    if (done) throw new Error("The stream ended.");
    if (fits(value)) return value;
  }
}

describe("news of runs", () => {
  it("tells runs that begin, go on and end", async () => {
    const { url } = await start();
    const controller = new AbortController();
    // A change of just now is told at once, which says that the stream is open.
    await tell("aaaa2222", {}, { type: "tags", values: { seen: "now" } });
    const events = eventsOf(`${url}/v1/runs/events`, controller.signal);
    await next(events, ({ data }) => data.id === "aaaa2222");
    await tell("eeee2222", {}, { type: "points", points: [point("loss", 1, 3)] });
    const begun = await next(events, ({ data }) => data.id === "eeee2222");
    expect(begun.data).toMatchObject({ status: "running", metrics: { loss: { last: 3 } } });
    await tell("eeee2222", {}, { type: "points", points: [point("loss", 2, 2)] });
    await next(events, ({ data }) => data.id === "eeee2222" && data.metrics.loss.last === 2);
    await tell("eeee2222", {}, end);
    await next(events, ({ data }) => data.id === "eeee2222" && data.status === "finished");
    controller.abort();
  });

  it("tells the points and lines of one run, and that it went back", async () => {
    await tell("ffff2222", {}, { type: "points", points: [point("loss", 5, 3)] });
    const { url } = await start();
    const controller = new AbortController();
    const events = eventsOf(`${url}/v1/runs/ffff2222/events`, controller.signal);
    const first = await next(events, () => true);
    expect(first).toEqual({ name: "position", data: { steps: { loss: 5 }, line: -1 } });
    await tell(
      "ffff2222",
      {},
      { type: "points", points: [point("loss", 6, 2), point("new", 1, Number.POSITIVE_INFINITY)] },
      { type: "lines", lines: [{ number: 0, at: 9, level: "info", text: "hello" }] },
    );
    const { data } = await next(events, ({ name }) => name === "points");
    expect(data.points).toMatchObject([
      { key: "loss", step: 6, value: 2 },
      { key: "new", step: 1, value: null },
    ]);
    const lines = await next(events, ({ name }) => name === "lines");
    expect(lines.data.lines).toMatchObject([{ number: 0, text: "hello" }]);
    await tell("ffff2222", {}, { type: "start", run: madeRun("ffff2222"), fromStep: 5 });
    const back = await next(events, ({ name }) => name === "rewound");
    expect(back.data.metrics).toContainEqual({ key: "loss", step: 5 });
    controller.abort();
  });

  it("is for as many as the server was told, and for another one when somebody has gone", async () => {
    const { url } = await start({ maxEventStreams: 2 });
    const controllers = [0, 1].map(() => new AbortController());
    for (const { signal } of controllers) {
      expect((await fetch(`${url}/v1/runs/events`, { signal })).status).toBe(200);
    }
    const refused = await fetch(`${url}/v1/runs/aaaa2222/events`);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "10"]);
    expect(await refused.json()).toMatchObject({
      code: "LISTENERS_FULL",
      hint: expect.stringMatching(/--max-event-streams/),
    });
    // One that asks for what is not there takes up no place.
    controllers[0]?.abort();
    await expect.poll(async () => (await fetch(`${url}/v1/runs/zzzz/events`)).status).toBe(404);
    const { signal } = new AbortController();
    const events = eventsOf(`${url}/v1/runs/aaaa2222/events`, signal);
    expect((await next(events, () => true)).name).toBe("position");
    controllers[1]?.abort();
    await events.return(undefined);
  });

  it("keeps no server from ending, though somebody reads nothing of it", async () => {
    // More than a connection's buffers hold.
    const wide = { type: "tags", values: { wide: "w".repeat(500_000) } } as const;
    for (let i = 10; i < 40; i++) await tell(`wwww22${i}`, {}, wide, end);
    // Whoever is waited for would be waited for longer than a test may take.
    const server = await start({ graceMs: 3_600_000 });
    const { port } = new URL(server.url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET /v1/runs/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await once(socket, "readable");
    await server.close();
    socket.destroy();
  });

  it("ends when the server does", async () => {
    const server = await start();
    const events = eventsOf(`${server.url}/v1/runs/events`, new AbortController().signal);
    await events.next();
    const closed = server.close();
    await expect(next(events, () => false)).rejects.toThrow("The stream ended.");
    await closed;
  });
});

describe("who may look", () => {
  it("is whoever reaches this machine's own name, while there are no keys", async () => {
    const { url } = await start();
    const { port } = new URL(url);
    const foreign = await send(`${url}/v1/runs`, { headers: { "sec-fetch-site": "cross-site" } });
    expect(foreign).toMatchObject({ status: 403, body: { code: "ORIGIN_REFUSED" } });
    const stranger = await send(`${url}/v1/runs`, { headers: { origin: `http://evil:${port}` } });
    expect(stranger.body.code).toBe("ORIGIN_REFUSED");
    // A foreign name that was made to lead here: to its page this is its own origin.
    const rebound = async (route: string) => {
      const asked = request(`${url}${route}`, {
        headers: { host: `evil.example:${port}`, "sec-fetch-site": "same-origin" },
      }).end();
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      let text = "";
      for await (const chunk of answer) text += chunk;
      return { status: answer.statusCode, text };
    };
    for (const route of [
      ...["/v1/runs", "/v1/sweeps", "/v1/data", "/v1/runs/aaaa2222/artifacts/code/git.diff"],
      ...["/metrics", "/v1/models/news", "/v1/models/news/versions/1", "/v1/models/news/history"],
    ]) {
      const { status, text } = await rebound(route);
      expect([route, status, JSON.parse(text).code]).toEqual([route, 403, "ORIGIN_REFUSED"]);
    }
    // What it says of itself, without what is an operator's.
    const info = await rebound("/info");
    expect([info.status, "process" in JSON.parse(info.text)]).toEqual([200, false]);
    expect(await (await fetch(`${url}/info`)).json()).toHaveProperty("process");
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
  });

  it("is a key with the scope read, where there are keys", async () => {
    const { url } = await start({ apiKeys: ["reader-key-0001=read", "asker-key-00001=summarize"] });
    for (const rest of ["runs", "runs/aaaa2222/artifacts/code/git.diff", "runs/events"]) {
      const answers = [undefined, "asker-key-00001", "reader-key-0001"].map(async (key) => {
        const controller = new AbortController();
        const { status } = await fetch(`${url}/v1/${rest}`, {
          headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
          signal: controller.signal,
        });
        controller.abort();
        return status;
      });
      expect(await Promise.all(answers), rest).toEqual([401, 403, 200]);
    }
  });

  it("is nobody beyond this machine, while there are no keys", async () => {
    const server = await start({ host: "0.0.0.0" });
    const url = server.url.replace("0.0.0.0", "127.0.0.1");
    expect((await send(`${url}/v1/runs`)).body.code).toBe("OPERATOR_ROUTE_CLOSED");
  });
});
