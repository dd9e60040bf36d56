// Who may do what: API keys, loopback, other origins.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addApiKey } from "../../src/server/api-keys.js";
import { request } from "./raw-http.js";
import { startToy, type ToyServer } from "./toy-service.js";

const json = { "content-type": "application/json" };

describe("with API keys", () => {
  let server: ToyServer;
  let folder: string;
  let fileKey: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "bridle-access-"));
    const apiKeysFile = path.join(folder, "keys.json");
    fileKey = await addApiKey(apiKeysFile, { name: "newsroom", scopes: ["summarize"] });
    server = await startToy({ apiKeysFile, apiKeys: ["all-of-it", "only-look=read"] });
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  function summarize(headers: Record<string, string>): Promise<Response> {
    return fetch(`${server.url}/v1/summaries`, {
      method: "POST",
      headers: { ...json, ...headers },
      body: '{"document":"One. Two."}',
    });
  }

  it("a request without one is answered 401, and how to send one", async () => {
    const response = await summarize({});
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(await response.json()).toMatchObject({
      code: "KEY_MISSING",
      hint: expect.stringContaining("x-api-key"),
    });
  });

  it.each([
    { authorization: "Bearer wrong" },
    { "x-api-key": "wrong" },
    { authorization: "Basic YWxsLW9mLWl0Og==" },
    { authorization: "Bearer" },
    { authorization: "Bearer only-look=read" },
  ])("%j is answered 401", async (headers) => {
    expect((await summarize(headers as Record<string, string>)).status).toBe(401);
  });

  it("a key works as a bearer token and as x-api-key, from the file and from the environment", async () => {
    expect((await summarize(bearer(fileKey))).status).toBe(200);
    expect((await summarize({ "x-api-key": fileKey })).status).toBe(200);
    expect((await summarize({ authorization: `bearer  all-of-it ` })).status).toBe(200);
  });

  it("a key without the scope is answered 403, naming both", async () => {
    const response = await summarize(bearer("only-look"));
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({
      code: "SCOPE_MISSING",
      detail: expect.stringMatching(/environment-2.*summarize/),
    });
    expect((await fetch(`${server.url}/metrics`, { headers: bearer(fileKey) })).status).toBe(403);
    expect((await fetch(`${server.url}/metrics`, { headers: bearer("only-look") })).status).toBe(
      200,
    );
    expect((await fetch(`${server.url}/v1/models`, { headers: bearer(fileKey) })).status).toBe(200);
  });

  it("the other routes refuse in their own shapes", async () => {
    const bert = await fetch(`${server.url}/bert`, {
      method: "POST",
      headers: json,
      body: '{"content":"One."}',
    });
    expect(bert.status).toBe(401);
    expect(await bert.json()).toEqual({ detail: expect.stringContaining("API key") });
    const hub = await fetch(`${server.url}/models/toy`, {
      method: "POST",
      headers: json,
      body: '{"inputs":"One."}',
    });
    expect(hub.status).toBe(401);
    expect(await hub.json()).toMatchObject({ error: expect.stringContaining("API key") });
  });

  it("probes, pages and the description stay open; the process does not", async () => {
    for (const open of ["/health", "/ready", "/ping", "/version", "/", "/docs", "/openapi.json"]) {
      expect((await fetch(server.url + open)).status).toBe(200);
    }
    expect(await (await fetch(`${server.url}/info`)).json()).not.toHaveProperty("process");
    expect(
      await (await fetch(`${server.url}/info`, { headers: bearer("only-look") })).json(),
    ).toHaveProperty("process");
  });

  it("an unread body does not get a refused caller through", async () => {
    const answer = await request(server.port, {
      path: "/v1/summaries",
      headers: [
        ["Content-Type", "application/json"],
        ["Authorization", "Bearer no"],
      ],
      body: "x".repeat(2_000_000),
    });
    expect(answer.status).toBe(401);
  });

  it("no key and nothing a caller sent stands in the log, but the key's name does", async () => {
    await summarize(bearer(fileKey));
    const log = server.lines.join("");
    expect(log).toContain('"key":"newsroom"');
    expect(log).not.toContain(fileKey);
    expect(log).not.toContain("all-of-it");
    expect(log).not.toContain("One. Two.");
  });

  it("the description asks for keys", async () => {
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      components: { securitySchemes: object };
      paths: Record<string, Record<string, { security?: object[] }>>;
    };
    expect(Object.keys(document.components.securitySchemes)).toEqual(["bearer", "apiKey"]);
    expect(document.paths["/bert"]?.post?.security).toEqual([{ bearer: [] }, { apiKey: [] }]);
    expect(document.paths["/health"]?.get?.security).toBeUndefined();
  });
});

describe("beyond loopback without a key", () => {
  it("warns, summarizes, and keeps operator routes closed", async () => {
    // A spelling of 127.0.0.1 that the check does not know stands for a public address, on which no test may listen.
    const server = await startToy({ host: "127.1" });
    try {
      expect(server.lines.some((line) => line.includes("no API key is set"))).toBe(true);
      const metrics = await fetch(`${server.url}/metrics`);
      expect(metrics.status).toBe(403);
      expect(await metrics.json()).toMatchObject({ code: "OPERATOR_ROUTE_CLOSED" });
      expect(await (await fetch(`${server.url}/info`)).json()).not.toHaveProperty("process");
      const bert = await fetch(`${server.url}/bert`, {
        method: "POST",
        headers: json,
        body: '{"content":"One. Two."}',
      });
      expect(bert.status).toBe(200);
    } finally {
      await server.close();
    }
  });
});

describe("other origins", () => {
  const preflight = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
  };
  async function ask(server: ToyServer, origin: string): Promise<[Response, Response]> {
    return [
      await fetch(`${server.url}/bert`, { method: "OPTIONS", headers: { origin, ...preflight } }),
      await fetch(`${server.url}/bert`, {
        method: "POST",
        headers: { origin, ...json },
        body: '{"content":"One. Two."}',
      }),
    ];
  }

  it("are not let in unless they are configured", async () => {
    const server = await startToy();
    const [asked, answered] = await ask(server, "https://app.example");
    expect(asked.status).toBe(405);
    expect(asked.headers.get("access-control-allow-origin")).toBeNull();
    expect(answered.headers.get("access-control-allow-origin")).toBeNull();
    await server.close();
  });

  it("are let in when they are, also to read a refusal, and no others", async () => {
    const server = await startToy({ corsOrigins: ["https://app.example"], apiKeys: ["k"] });
    const [asked, answered] = await ask(server, "https://app.example");
    expect(asked.status).toBe(204);
    expect(asked.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(asked.headers.get("access-control-allow-headers")).toContain("x-api-key");
    expect(asked.headers.get("vary")).toBe("Origin");
    expect(asked.headers.get("x-request-id")).toMatch(/\w/);
    expect(answered.status).toBe(401);
    expect(answered.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(answered.headers.get("access-control-expose-headers")).toContain("x-request-id");
    const [other, others] = await ask(server, "https://evil.example");
    expect(other.status).toBe(405);
    expect(others.headers.get("access-control-allow-origin")).toBeNull();
    await server.close();
  });

  it("are all let in by *", async () => {
    const server = await startToy({ corsOrigins: ["*"] });
    const [asked, answered] = await ask(server, "https://any.example");
    expect(asked.headers.get("access-control-allow-origin")).toBe("*");
    expect(answered.headers.get("access-control-allow-origin")).toBe("*");
    expect(answered.headers.get("access-control-allow-credentials")).toBeNull();
    await server.close();
  });
});
