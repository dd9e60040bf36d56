// An alias in several processes: each follows it, /v1/models and /info tell where it points now, and who comes anew is taken.
import { appendFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { openRegistry, type Service, type ServiceProcesses } from "../../src/compose.js";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { type PackedModel, packModel } from "../../src/package/pack-model.js";
import type { Registry } from "../../src/registry/registry.js";
import { openProcesses } from "../../src/server/processes/open-processes.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { makeTrainedModel, scratchFolder } from "../support/model-packages.js";
import { until } from "./toy-service.js";

const name = "news@live";
let scratch: Awaited<ReturnType<typeof scratchFolder>>;
const packed: PackedModel[] = [];
let registry: Registry;
let service: Service;
let processes: ServiceProcesses;
let server: RunningServer;

beforeAll(async () => {
  scratch = await scratchFolder("processes-alias");
  vi.stubEnv("BRIDLE_HOME", path.join(scratch.folder, "home"));
  registry = await openRegistry({ env: process.env });
  for (const seed of [1, 2]) {
    const folder = path.join(scratch.folder, `m${seed}`);
    const each = await packModel(await makeTrainedModel(folder, seed));
    const card = { ...each.card, licence: { ...each.card.licence, id: `licence-${seed}` } };
    await registry.add("news", each, { card, by: "alice" });
    packed.push(each);
  }
  await registry.promote("news", 1, { by: "alice", alias: "live" });
  const config = resolveServeConfig(
    {
      ...{ port: 0, logLevel: "silent", models: [name], device: "cpu" },
      ...{ workers: 2, threads: 1, registryPollMs: 50 },
    },
    {},
  );
  service = await openProcesses(config, { leastPauseMs: 20 });
  processes = service.processes as ServiceProcesses;
  server = await startServer(config, service);
  await untilReady();
});
afterAll(async () => {
  await server?.close();
  await service?.close();
  await registry?.close();
  await scratch.remove();
  vi.unstubAllEnvs();
});

const untilReady = () => until(() => processes.states().every(({ status }) => status === "ready"));

async function toldVersions(): Promise<(string | undefined)[]> {
  const answers = ["/info", "/v1/models"].map(async (route) => {
    const body = await (await fetch(server.url + route)).json();
    const { models } = body as { models: { version: string }[] };
    return models[0]?.version;
  });
  return await Promise.all(answers);
}

async function answeredVersion(): Promise<string> {
  const response = await fetch(`${server.url}/v1/summaries`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ document: "The harbour was closed on Monday. A storm came." }),
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as { version: string }).version;
}

it("is told and answered as it stands after a promotion, by processes that come later too", async () => {
  expect(await toldVersions()).toEqual(["1", "1"]);
  expect(service.summarizers.get(name)?.digest).toBe(packed[0]?.manifest.digest);

  await registry.promote("news", 2, { by: "alice", alias: "live" });
  await until(async () => (await toldVersions()).every((version) => version === "2"));
  expect(service.summarizers.get(name)?.digest).toBe(packed[1]?.manifest.digest);

  for (const { pid } of processes.states()) process.kill(pid as number, "SIGKILL");
  await until(() => processes.states().every(({ status }) => status !== "ready"));
  // Nobody is ready, and what is known is not what the first process opened long ago.
  expect(await toldVersions()).toEqual(["2", "2"]);
  await untilReady();
  expect(processes.states().map(({ restarts }) => restarts)).toEqual([1, 1]);
  expect(await answeredVersion()).toBe("2");
  expect(await toldVersions()).toEqual(["2", "2"]);
});

it("answers with what was promoted over HTTP from that answer on, in every process", async () => {
  // Nobody finds it out by asking in the meantime.
  const config = resolveServeConfig(
    {
      ...{ port: 0, logLevel: "silent", models: [name], device: "cpu" },
      ...{ workers: 2, threads: 1, registryPollMs: 3_600_000 },
    },
    {},
  );
  const quiet = await openProcesses(config, { leastPauseMs: 20 });
  const front = await startServer(config, quiet);
  try {
    await until(() => quiet.processes?.states().every(({ status }) => status === "ready") === true);
    const { csrfToken } = (await (await fetch(`${front.url}/v1/session`)).json()) as {
      csrfToken: string;
    };
    const post = (route: string, body: object) =>
      fetch(front.url + route, {
        method: "POST",
        headers: { "content-type": "application/json", "x-bridle-csrf": csrfToken },
        body: JSON.stringify(body),
      });
    const before = quiet.summarizers.get(name)?.version;
    const version = before === "1" ? 2 : 1;
    const promoted = await post("/v1/models/news/promote", { version, alias: "live" });
    expect(promoted.status).toBe(200);
    const document = "The harbour was closed on Monday. A storm came.";
    // As many at once as keep both processes busy.
    const asked = Array.from({ length: 8 }, async (_, n) => {
      const model = n % 2 === 0 ? name : `news:${version}`;
      const response = await post("/v1/summaries", { document, model });
      return ((await response.json()) as { version: string }).version;
    });
    expect(await Promise.all(asked)).toEqual(asked.map(() => String(version)));
    const gone = await post("/v1/summaries", { document, model: `news:${before}` });
    expect(gone.status).toBe(404);
  } finally {
    await front.close();
    await quiet.close();
  }
});

it("tells of a version that cannot be opened, until the alias leaves it, and of the licence", async () => {
  const told = async () => {
    const body = await (await fetch(`${server.url}/v1/models`)).json();
    return (body as { models: { version: string; licence: unknown; pending?: unknown }[] })
      .models[0];
  };
  const before = Number((await told())?.version);
  expect((await told())?.licence).toBe(`licence-${before}`);
  const folder = path.join(scratch.folder, "m3");
  const each = await packModel(await makeTrainedModel(folder, 3));
  const added = await registry.add("news", each, { card: each.card, by: "alice" });
  const store = path.join(scratch.folder, "home", "store", "models", each.manifest.digest);
  await appendFile(path.join(store, "config.json"), " ");
  await registry.promote("news", added.version, { by: "alice", alias: "live" });
  await until(async () => (await told())?.pending !== undefined);
  expect(await told()).toMatchObject({
    version: String(before),
    pending: { version: added.version, code: "PACKAGE_ALTERED" },
  });
  expect(await answeredVersion()).toBe(String(before));
  await registry.promote("news", before, { by: "alice", alias: "live" });
  await until(async () => (await told())?.pending === undefined);
});
