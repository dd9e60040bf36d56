// The registry over HTTP: what can be read, what only an operator may do, and that no other site's page can do it.
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRegistry } from "../../src/compose.js";
import { resolveServeConfig, type ServeConfigInput } from "../../src/config/serve-config.js";
import { userOfMachine } from "../../src/config/who.js";
import { BridleError } from "../../src/errors/error.js";
import { packModel } from "../../src/package/pack-model.js";
import type { Registry } from "../../src/registry/registry.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { makeTrainedModel, scratchFolder } from "../support/model-packages.js";
import { homeEnvironment } from "../support/suite-database.js";
import { createToyService } from "./toy-service.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let registry: Registry;
const servers: RunningServer[] = [];
let refreshed = 0;

async function start(
  config: ServeConfigInput = {},
  known: Registry | undefined = registry,
  refreshModels = async () => {
    refreshed += 1;
  },
) {
  const service = { ...createToyService(), registry: async () => known, refreshModels };
  const server = await startServer(
    resolveServeConfig({ port: 0, logLevel: "silent", ...config }, {}),
    service,
    { files: { dashboard: "/nonexistent", docs: "/nonexistent" } },
  );
  servers.push(server);
  return server;
}

beforeAll(async () => {
  scratch = await scratchFolder("registry-http");
  registry = await openRegistry({ env: await homeEnvironment(path.join(scratch.folder, "home")) });
  for (const seed of [1, 2, 3]) {
    const packed = await packModel(
      await makeTrainedModel(path.join(scratch.folder, `m${seed}`), seed),
    );
    await registry.add("news", packed, { card: packed.card, by: "alice" });
  }
  await registry.promote("news", 1, { by: "alice", alias: "live" });
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await registry.close();
  await scratch.remove();
});

// biome-ignore lint/suspicious/noExplicitAny: every route answers a shape of its own, which the tests look at
type Answer = { status: number; body: any };

async function send(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.json() };
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  send(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

describe("reading the registry", () => {
  it("tells models, versions, cards, lineage and history", async () => {
    const { url } = await start();
    const models = await send(`${url}/v1/models`);
    expect(models.body.registered).toMatchObject([{ name: "news", lastVersion: 3 }]);
    const model = await send(`${url}/v1/models/news`);
    expect(model.body).toMatchObject({ name: "news", aliases: [{ alias: "live", version: 1 }] });
    expect(model.body.versions[0]).toMatchObject({ version: 3, licence: null, createdBy: "alice" });
    expect((await send(`${url}/v1/models/news/versions`)).body.versions).toHaveLength(3);
    for (const named of ["1", "live"]) {
      const { body } = await send(`${url}/v1/models/news/versions/${named}`);
      expect(body).toMatchObject({ version: 1, card: { lineage: { seed: 7 } }, evaluations: [] });
      expect(body.card.training).toMatchObject({ step: 20, loss: 2.5 });
      expect(body.signature).toMatchObject({
        inputs: [{ name: "document", required: true }, { name: "parameters" }],
        limits: { vocabularySize: expect.any(Number) },
      });
    }
    const lineage = await send(`${url}/v1/models/news/lineage`);
    expect(lineage.body.edges).toContainEqual({ from: "google/pegasus-xsum", to: "news:3" });
    const history = await send(`${url}/v1/models/news/history?alias=live`);
    expect(await send(`${url}/v1/models/news@live/history`)).toEqual(history);
    expect(history.body.moves).toMatchObject([{ version: 1, movedBy: "alice", action: "promote" }]);
  });

  it("says by code what is not there, and by method what is", async () => {
    const { url } = await start();
    const wanted: [string, string][] = [
      ["sport", "MODEL_NOT_REGISTERED"],
      ["news/versions/9", "MODEL_VERSION_NOT_FOUND"],
      ["news/versions/nobody", "MODEL_VERSION_NOT_FOUND"],
      ["news/nothing", "ROUTE_NOT_FOUND"],
    ];
    for (const [rest, code] of wanted) {
      expect(await send(`${url}/v1/models/${rest}`), rest).toMatchObject({
        status: 404,
        body: { code },
      });
    }
    for (const [rest, next] of [
      ["news:1", "/v1/models/news/versions/1."],
      ["news@live", "/v1/models/news/versions/live."],
      ["news:2/history", "/v1/models/news/versions/2."],
      ["news@live/history?alias=other", "news@live or news@other"],
    ]) {
      expect(await send(`${url}/v1/models/${rest}`), rest).toMatchObject({
        status: 400,
        body: { code: "MODEL_NAME_TOO_NARROW", hint: expect.stringContaining(next as string) },
      });
    }
    expect((await send(`${url}/v1/models/news/promote`)).status).toBe(405);
    const bare = await start({}, undefined);
    expect(bare.url).not.toBe(url);
  });
});

describe("reading the registry where others can", () => {
  const paths = ["", "/versions", "/versions/1", "/lineage", "/history"];

  it("is for keys with the scope read; who may only summarize hears what is served", async () => {
    const { url } = await start({ apiKeys: ["writer=summarize", "reader=read"] });
    const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
    for (const rest of paths) {
      expect(await send(`${url}/v1/models/news${rest}`, as("writer")), rest).toMatchObject({
        status: 403,
        body: { code: "SCOPE_MISSING" },
      });
      expect((await send(`${url}/v1/models/news${rest}`, as("reader"))).status, rest).toBe(200);
    }
    const { status, body } = await send(`${url}/v1/models`, as("writer"));
    expect([status, body.models.length]).toEqual([200, 2]);
    expect(body).toMatchObject({ registeredRefused: { code: "SCOPE_MISSING", status: 403 } });
    expect(JSON.stringify(body)).not.toContain("alice");
    const read = (await send(`${url}/v1/models`, as("reader"))).body;
    expect(read.registered).toMatchObject([{ name: "news" }]);
    expect(read).not.toHaveProperty("registeredRefused");
  });

  it("is closed beyond loopback as long as there are no keys", async () => {
    // A spelling of 127.0.0.1 that the check does not know stands for a public address, on which no test may listen.
    const { url } = await start({ host: "127.1" });
    for (const rest of paths) {
      expect(await send(`${url}/v1/models/news${rest}`), rest).toMatchObject({
        status: 403,
        body: { code: "OPERATOR_ROUTE_CLOSED" },
      });
    }
    const { body } = await send(`${url}/v1/models`);
    expect(body.models).toHaveLength(2);
    expect(body).not.toHaveProperty("registered");
    expect(body.registeredRefused.code).toBe("OPERATOR_ROUTE_CLOSED");
  });
});

describe("acting without keys, on loopback", () => {
  it("needs the token of this server, and then writes down where it came from", async () => {
    const { url } = await start();
    const body = { version: 2, alias: "live" };
    const promote = `${url}/v1/models/news/promote`;
    for (const headers of [{}, { "x-bridle-csrf": "guess" }]) {
      expect(await post(promote, body, headers as Record<string, string>)).toMatchObject({
        status: 403,
        body: { code: "CSRF_TOKEN_MISSING" },
      });
    }
    const session = await send(`${url}/v1/session`);
    expect(session.body).toMatchObject({ needsKey: false });
    const token = { "x-bridle-csrf": session.body.csrfToken as string };
    const before = refreshed;
    expect(await post(promote, body, token)).toMatchObject({
      status: 200,
      // Who is at the browser nobody knows; whose server it is is known.
      body: { version: 2, previous: 1, movedBy: `${userOfMachine()} over HTTP`, changed: true },
    });
    expect(refreshed).toBe(before + 1);
    expect(await post(`${url}/v1/models/news/rollback`, { alias: "live" }, token)).toMatchObject({
      status: 200,
      body: { version: 1, action: "rollback" },
    });
    // A version by its alias, and an alias by its name in the path, as commands take them.
    for (const [version, changed] of [
      ["live", true],
      ["news@live", false],
      ["news:1", false],
    ]) {
      expect(await post(promote, { version, alias: "copy" }, token)).toMatchObject({
        ...{ status: 200, body: { version: 1, alias: "copy", changed } },
      });
    }
    await post(promote, { version: 2, alias: "copy" }, token);
    expect(await post(`${url}/v1/models/news@copy/rollback`, {}, token)).toMatchObject({
      ...{ status: 200, body: { alias: "copy", version: 1 } },
    });
    for (const [version, code] of [
      ["sport:1", "INVALID_PARAMETER"],
      ["a/b", "MODEL_NAME_INVALID"],
    ]) {
      expect(await post(promote, { version, alias: "copy" }, token)).toMatchObject({
        ...{ status: 400, body: { code } },
      });
    }
  });

  it("is refused to pages of other sites, and under names that are not this machine's", async () => {
    const { url, port } = await start();
    const { body } = await send(`${url}/v1/session`);
    const token = { "x-bridle-csrf": body.csrfToken as string };
    const foreign: Record<string, string>[] = [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: `http://127.0.0.1:${port + 1}` },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ];
    for (const headers of foreign) {
      const asked = await post(
        `${url}/v1/models/news/promote`,
        { version: 3, alias: "live" },
        { ...token, ...headers },
      );
      expect(asked, JSON.stringify(headers)).toMatchObject({
        status: 403,
        body: { code: "ORIGIN_REFUSED" },
      });
      // Nor is the token told.
      expect((await send(`${url}/v1/session`, { headers })).status).toBe(403);
    }
    expect((await registry.findAlias("news", "live"))?.version).toBe(1);
    const own = { ...token, origin: `http://127.0.0.1:${port}`, "sec-fetch-site": "same-origin" };
    const done = await post(`${url}/v1/models/news/promote`, { version: 1, alias: "live" }, own);
    expect(done.status).toBe(200);
  });
});

describe("acting with keys", () => {
  it("needs the scope admin and no token, and writes down which key it was", async () => {
    const apiKeys = ["reader=read", "operator=admin"];
    const { url } = await start({ apiKeys });
    const promote = `${url}/v1/models/news/promote`;
    const body = { version: 3, alias: "live", reason: "by key" };
    expect((await post(promote, body)).body.code).toBe("KEY_MISSING");
    expect((await post(promote, body, { authorization: "Bearer reader" })).body.code).toBe(
      "SCOPE_MISSING",
    );
    expect((await send(`${url}/v1/session`)).body).toEqual({ needsKey: true, csrfToken: null });
    const done = await post(promote, body, { authorization: "Bearer operator" });
    expect(done).toMatchObject({
      status: 200,
      body: {
        version: 3,
        movedBy: expect.stringMatching(/^key environment-2 \([0-9a-f]{8}\)$/),
        reason: "by key",
      },
    });
    // The same key in another place is called by its new place, and is known again.
    const moved = await start({ apiKeys: ["operator=admin"] });
    const back = await post(
      `${moved.url}/v1/models/news/rollback`,
      { alias: "live" },
      { authorization: "Bearer operator" },
    );
    expect(back.body.movedBy).toBe(done.body.movedBy.replace("environment-2", "environment-1"));
  });

  it("answers gates, conflicts and wrong fields each with a status of its own", async () => {
    const { url } = await start({ apiKeys: ["operator=admin"] });
    const key = { authorization: "Bearer operator" };
    const promote = (body: object) => post(`${url}/v1/models/news/promote`, body, key);
    expect(await promote({ version: 2 })).toMatchObject({
      status: 422,
      body: { code: "PROMOTION_GATES_FAILED" },
    });
    expect(await promote({ version: 2, alias: "live", expected: 2 })).toMatchObject({
      status: 409,
      body: { code: "PROMOTION_CONFLICT" },
    });
    expect(await promote({ version: 2, force: true })).toMatchObject({
      status: 400,
      body: { code: "INVALID_PARAMETER" },
    });
    for (const body of [{}, { version: 0 }, { version: 1, other: 1 }]) {
      expect((await promote(body)).status).toBe(400);
    }
  });
});

describe("a move that is made", () => {
  const key = { authorization: "Bearer operator" };
  const promote = async (version: number, refreshModels: () => Promise<void>) => {
    const { url } = await start({ apiKeys: ["operator=admin"] }, registry, refreshModels);
    const body = { version, alias: "told" };
    return await post(`${url}/v1/models/news/promote`, body, { ...key, "x-timeout-ms": "1000" });
  };

  it("is told as made where what is served could not be asked to follow", async () => {
    const failing = () => Promise.reject(new BridleError("DATABASE_BUSY", { database: "it" }));
    expect(await promote(1, failing)).toMatchObject({ status: 200, body: { version: 1 } });
    expect((await registry.findAlias("news", "told"))?.version).toBe(1);
  });

  it("is told as made at the deadline where opening the version takes longer", async () => {
    const slow = () => new Promise<void>(() => {});
    expect(await promote(2, slow)).toMatchObject({ status: 200, body: { version: 2 } });
    expect((await registry.findAlias("news", "told"))?.version).toBe(2);
  });
});
