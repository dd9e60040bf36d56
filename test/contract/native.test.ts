// The native routes: summaries, streams, batches, models, probes, and errors as problem documents.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { request } from "./raw-http.js";
import { startToy, type ToyServer } from "./toy-service.js";

let server: ToyServer;
beforeAll(async () => {
  server = await startToy();
});
afterAll(() => server.close());

interface ProblemAnswer {
  readonly hint: string;
  readonly detail: string;
  readonly errors: readonly { readonly pointer: string }[];
}

const document = "One went out. Two came back. Three stayed.";

function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

describe("POST /v1/summaries", () => {
  it("answers a summary with an account of what was read", async () => {
    const response = await post("/v1/summaries", { document, parameters: { sentences: 2 } });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^sum_[0-9a-f-]{36}$/),
      summary: "One went out. Two came back.",
      model: "toy",
      version: "1",
      finishReason: "stop",
      truncated: false,
      usage: { inputTokens: 8, usedTokens: 8, outputTokens: 6, chunks: 1 },
      sources: [{ start: 0, end: 29 }],
      timingsMs: { total: 1 },
    });
  });

  it("takes a model by name, with a slash in it", async () => {
    expect((await post("/v1/summaries", { document, model: "org/toy" })).status).toBe(200);
  });

  it.each([
    ["no model of that name", { document, model: "nope" }, 404, "MODEL_NOT_FOUND", undefined],
    [
      "a parameter of another model",
      { document, parameters: { numBeams: 4 } },
      400,
      "PARAMETER_NOT_SUPPORTED",
      undefined,
    ],
    ["a field that is missing", {}, 400, "FIELDS_INVALID", "#/document"],
    ["a field of the wrong type", { document: 5 }, 400, "FIELDS_INVALID", "#/document"],
    ["an unknown field", { document, documnet: "x" }, 400, "FIELDS_INVALID", "#/documnet"],
    [
      "too few sentences",
      { document, parameters: { sentences: 0 } },
      400,
      "FIELDS_INVALID",
      "#/parameters/sentences",
    ],
    [
      "a share above 1",
      { document, parameters: { ratio: 1.5 } },
      400,
      "FIELDS_INVALID",
      "#/parameters/ratio",
    ],
    [
      "two lengths",
      { document, parameters: { ratio: 0.5, sentences: 1 } },
      400,
      "FIELDS_INVALID",
      "#/parameters/ratio",
    ],
    ["a list", [], 400, "FIELDS_INVALID", "#"],
    ["null", null, 400, "FIELDS_INVALID", "#"],
    ["an empty text", { document: "" }, 400, "EMPTY_TEXT", undefined],
    ["a blank text", { document: " \n\t" }, 400, "EMPTY_TEXT", undefined],
    [
      "a model from the prototype",
      { document, model: "__proto__" },
      404,
      "MODEL_NOT_FOUND",
      undefined,
    ],
    [
      "a parameter from the prototype",
      '{"document":"a b","parameters":{"__proto__":{"sentences":1}}}',
      400,
      "PARAMETER_NOT_SUPPORTED",
      undefined,
    ],
    [
      "a field from the prototype",
      '{"document":"a b","__proto__":1}',
      400,
      "FIELDS_INVALID",
      "#/__proto__",
    ],
  ])("refuses %s", async (_, body, status, code, pointer) => {
    const response = await post("/v1/summaries", body, { "x-request-id": "my-id" });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const problem = (await response.json()) as ProblemAnswer;
    expect(problem).toMatchObject({
      type: `urn:bridle:error:${code}`,
      status,
      code,
      requestId: "my-id",
    });
    expect(problem.hint).toMatch(/\w/);
    expect(problem.detail).toMatch(/\w/);
    if (pointer !== undefined) expect(problem.errors[0]?.pointer).toBe(pointer);
  });

  it("names the nearest field for one it does not know", async () => {
    const response = await post("/v1/summaries", { documnet: document });
    const problem = (await response.json()) as ProblemAnswer;
    expect(JSON.stringify(problem.errors)).toContain("did you mean document?");
  });

  it.each([
    [
      "broken JSON, with its place",
      '{"document":\n "a" "b"}',
      400,
      "JSON_INVALID",
      "line 2, column 6",
    ],
    ["NaN", '{"document": NaN}', 400, "JSON_INVALID", "line 1, column 14"],
    ["an empty body", "", 400, "BODY_MISSING", "no body"],
    [
      "a depth bomb",
      `{"document":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
      400,
      "JSON_TOO_DEEP",
      "64",
    ],
    ["millions of members", `{${'"a":1,'.repeat(300_000)}"a":1}`, 413, "JSON_TOO_LONG", "1000000"],
    ["a broken depth bomb", "[".repeat(100_000), 400, "JSON_TOO_DEEP", "64"],
  ])("refuses %s", async (_, body, status, code, words) => {
    const response = await post("/v1/summaries", body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, detail: expect.stringContaining(words) });
  });

  it("refuses bytes that are not UTF-8, saying where", async () => {
    const body = Buffer.from('{"document":"caf\u00e9 x"}', "latin1");
    const answer = await request(server.port, {
      path: "/v1/summaries",
      headers: [["Content-Type", "application/json"]],
      body,
    });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      code: "BODY_NOT_UTF8",
      detail: expect.stringContaining("byte 16"),
    });
  });

  it.each([
    [undefined, "nothing"],
    ["text/plain", "text/plain"],
    ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded"],
    ["application/jsonp", "application/jsonp"],
  ])("refuses the content type %s", async (type, named) => {
    const answer = await request(server.port, {
      path: "/v1/summaries",
      headers: type === undefined ? [] : [["Content-Type", type]],
      body: JSON.stringify({ document }),
    });
    expect(answer.status).toBe(415);
    expect(JSON.parse(answer.body)).toMatchObject({
      code: "MEDIA_TYPE_UNSUPPORTED",
      detail: expect.stringContaining(named),
    });
  });

  it.each(["application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"])(
    "takes the content type %s",
    async (type) => {
      expect((await post("/v1/summaries", { document }, { "content-type": type })).status).toBe(
        200,
      );
    },
  );

  it("refuses a compressed body", async () => {
    const response = await post("/v1/summaries", { document }, { "content-encoding": "gzip" });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ code: "CONTENT_ENCODING_UNSUPPORTED" });
  });

  it.each([true, false, "do_not_truncate", "longest_first"])(
    "takes truncation %s",
    async (truncation) => {
      const response = await post("/v1/summaries", { document, parameters: { truncation } });
      expect(await response.json()).toMatchObject({ truncated: false });
    },
  );

  it("tells a caller nothing of a fault's inner words, and the log nothing of the document", async () => {
    const response = await post("/v1/summaries", { document: "CRASH with my document." });
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: "BUG" });
    expect(text).not.toContain("my document");
    expect(server.lines.some((line) => line.includes('"BUG"'))).toBe(true);
  });
});

describe("streams", () => {
  async function events(body: object): Promise<{ event: string; data: Record<string, unknown> }[]> {
    const response = await post("/v1/summaries", { ...body, stream: true });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const text = await response.text();
    return text
      .split("\n\n")
      .filter((block) => block.startsWith("event: "))
      .map((block) => {
        const [, event = "", data = ""] = /^event: (\w+)\ndata: (.*)$/s.exec(block) ?? [];
        return { event, data: JSON.parse(data) };
      });
  }

  it("tell parts and tokens, then the whole answer", async () => {
    const told = await events({ document });
    expect(told.map(({ event }) => event)).toEqual(["part", "token", "summary"]);
    expect(told[0]?.data).toEqual({ index: 0, of: 1, round: 0 });
    expect(told[1]?.data).toEqual({ text: "One went out." });
    expect(told[2]?.data).toMatchObject({ summary: "One went out.", usage: { inputTokens: 8 } });
  });

  it("are refused with a status while nothing has been sent", async () => {
    const response = await post("/v1/summaries", { document: " ", stream: true });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "EMPTY_TEXT" });
  });
});

describe("POST /v1/summaries:batch", () => {
  it("says how many documents it wants where there is none", async () => {
    const response = await post("/v1/summaries:batch", { documents: [] });
    expect(await response.json()).toMatchObject({
      errors: [{ pointer: "#/documents", detail: "must have at least 1 item" }],
    });
  });

  it("answers one result or one error for each document, in order", async () => {
    const response = await post("/v1/summaries:batch", {
      documents: ["One. Two.", "  ", "Three. Four.", "CRASH"],
    });
    expect(response.status).toBe(200);
    const { results } = (await response.json()) as { results: unknown[] };
    expect(results).toMatchObject([
      { summary: "One." },
      { error: { code: "EMPTY_TEXT", status: 400 } },
      { summary: "Three." },
      { error: { code: "BUG", status: 500 } },
    ]);
  });

  it.each([
    [{ documents: [] }, 400, "FIELDS_INVALID"],
    [{ documents: ["a", 5] }, 400, "FIELDS_INVALID"],
    [{ documents: "a" }, 400, "FIELDS_INVALID"],
    [{ documents: Array(1001).fill("a") }, 413, "BATCH_TOO_LARGE"],
    [{ documents: ["a"], stream: true }, 400, "FIELDS_INVALID"],
  ])("refuses %#", async (body, status, code) => {
    const response = await post("/v1/summaries:batch", body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
  });
});

describe("POST /v1/documents:extract", () => {
  function upload(form: FormData): Promise<Response> {
    return fetch(`${server.url}/v1/documents:extract`, { method: "POST", body: form });
  }
  const file = (text: string) => new Blob([text]);

  it("answers a file's text and its name", async () => {
    const form = new FormData();
    form.set("file", file("Größe."), "größe.txt");
    expect(await (await upload(form)).json()).toEqual({
      text: "Größe.",
      format: "txt",
      encoding: "utf-8",
      warnings: [],
      fileName: "größe.txt",
    });
  });

  it("refuses no file, two files, and a text where a file should be", async () => {
    const none = new FormData();
    none.set("other", "x");
    expect(await (await upload(none)).json()).toMatchObject({ status: 400, code: "FILE_MISSING" });
    const text = new FormData();
    text.set("file", "x");
    expect(await (await upload(text)).json()).toMatchObject({ status: 400, code: "FILE_MISSING" });
    const two = new FormData();
    two.append("file", file("a"), "a.txt");
    two.append("file", file("b"), "b.txt");
    expect(await (await upload(two)).json()).toMatchObject({ status: 400, code: "TOO_MANY_FILES" });
  });

  it.each([
    [
      '--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
      "MULTIPART_INVALID",
    ],
    ["nothing of the kind", "MULTIPART_INVALID"],
    ["", "MULTIPART_INVALID"],
  ])("refuses the form %j", async (body, code) => {
    const response = await post("/v1/documents:extract", body, {
      "content-type": "multipart/form-data; boundary=B",
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code });
  });

  it("refuses JSON", async () => {
    expect((await post("/v1/documents:extract", { file: "x" })).status).toBe(415);
  });
});

describe("what can be asked about the service", () => {
  it.each([
    ["/health", { status: "ok" }],
    ["/livez", { status: "ok" }],
    ["/ready", { status: "ready" }],
    ["/readyz", { status: "ready" }],
    ["/ping", { status: "ready" }],
    ["/v2/health/live", { live: true }],
    ["/v2/health/ready", { ready: true }],
  ])("%s", async (path, body) => {
    const response = await fetch(server.url + path);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(body);
  });

  it("/version", async () => {
    expect(await (await fetch(`${server.url}/version`)).text()).toBe("0.0.0-test\n");
  });

  it("/v1/models lists each model with what it takes", async () => {
    expect(await (await fetch(`${server.url}/v1/models`)).json()).toEqual({
      models: [
        {
          name: "toy",
          version: "1",
          isDefault: true,
          kind: "extractive",
          device: "cpu",
          dtype: null,
          limits: { maxInputTokens: null, maxNewTokens: null },
          parameters: ["sentences", "ratio", "maxWords", "truncation"],
          defaults: { sentences: 1 },
        },
        expect.objectContaining({ name: "org/toy", isDefault: false }),
      ],
    });
  });

  it("/info tells limits, versions and, to operators, the process", async () => {
    expect(await (await fetch(`${server.url}/info`)).json()).toMatchObject({
      name: "bridle",
      version: "0.0.0-test",
      models: [
        { name: "toy", isDefault: true, kind: "extractive", defaults: { sentences: 1 } },
        { name: "org/toy", isDefault: false },
      ],
      limits: { maxBodyBytes: 25_000_000 },
      process: { active: 0, waiting: 0, bufferedBytes: 0 },
    });
  });

  it("/metrics counts requests by route and documents by outcome", async () => {
    await post("/v1/summaries", { document });
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(
      /bridle_http_requests_total\{route="\/v1\/summaries",method="POST",status="200"\} \d/,
    );
    expect(text).toMatch(/bridle_documents_total\{model="toy",outcome="ok"\} \d/);
    expect(text).toMatch(/bridle_documents_total\{model="toy",outcome="EMPTY_TEXT"\} \d/);
    expect(text).toMatch(/process_resident_memory_bytes \d/);
    expect(text).toMatch(/bridle_work_wait_seconds_count\{class="interactive"\} [1-9]/);
  });

  it("/openapi.json describes every route in OpenAPI 3.1", async () => {
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      openapi: string;
      paths: object;
    };
    expect(document.openapi).toBe("3.1.0");
    expect(Object.keys(document.paths)).toEqual([
      "/v1/summaries",
      "/v1/summaries:batch",
      "/v1/summaries:align",
      "/v1/batches",
      "/v1/batches/{batch}",
      "/v1/batches/{batch}/results",
      "/v1/batches/{batch}/cancel",
      "/v1/documents:extract",
      "/v1/models",
      "/v1/config/schema",
      "/v1/config/check",
      "/v1/models/{name}",
      "/v1/models/{name}/versions",
      "/v1/models/{name}/versions/{version}",
      "/v1/models/{name}/lineage",
      "/v1/models/{name}/history",
      "/v1/models/{name}/promote",
      "/v1/models/{name}/rollback",
      "/v1/session",
      "/v1/experiments",
      "/v1/runs",
      "/v1/runs/events",
      "/v1/runs/compare",
      "/v1/runs/{run}",
      "/v1/runs/{run}/metrics",
      "/v1/runs/{run}/logs",
      "/v1/runs/{run}/events",
      "/v1/runs/{run}/artifacts/{name}",
      "/v1/sweeps",
      "/v1/sweeps/{sweep}",
      "/v1/data",
      "/v1/data/{id}",
      "/v1/data/{id}/statistics",
      "/v1/events",
      "/bert",
      "/bert-file/",
      "/models/{model}",
      "/health",
      "/ready",
      "/info",
      "/metrics",
    ]);
  });

  it("/ and /docs say how to build what has not been built", async () => {
    for (const path of ["/", "/docs"]) {
      const response = await fetch(server.url + path);
      expect(response.status).toBe(200);
      expect(await response.text()).toContain("npm run build");
    }
  });
});

describe("paths and methods", () => {
  it.each([
    ["GET", "/nowhere", 404, "application/problem+json", undefined],
    ["POST", "/v1/summaries/", 404, "application/problem+json", undefined],
    ["GET", "/../../etc/passwd", 404, "application/problem+json", undefined],
    ["GET", "/%2e%2e/package.json", 404, "application/problem+json", undefined],
    ["GET", "/%", 404, "application/problem+json", undefined],
    ["GET", "/models", 404, "application/json", undefined],
    ["GET", "/v1/summaries", 405, "application/problem+json", "POST"],
    ["HEAD", "/v1/summaries", 405, "application/problem+json", "POST"],
    ["DELETE", "/v1/summaries:batch", 405, "application/problem+json", "POST"],
    ["TRACE", "/v1/models", 405, "application/problem+json", "GET, HEAD"],
    ["POST", "/v1/models", 405, "application/problem+json", "GET, HEAD"],
    ["PATCH", "/health", 405, "application/problem+json", "GET, HEAD"],
    ["PUT", "/", 405, "application/problem+json", "GET, HEAD"],
    ["GET", "/models/toy", 405, "application/json", "POST"],
    ["OPTIONS", "/v1/summaries", 204, undefined, "POST, OPTIONS"],
    ["OPTIONS", "/models/a/b", 204, undefined, "POST, OPTIONS"],
    ["OPTIONS", "/health", 204, undefined, "GET, HEAD, OPTIONS"],
    ["HEAD", "/health", 200, "application/json", undefined],
  ])("%s %s answers %i", async (method, path, status, type, allow) => {
    const answer = await request(server.port, { method, path });
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe(type);
    expect(answer.headers.allow).toBe(allow);
    if (method === "HEAD") expect(answer.body).toBe("");
  });
});

describe("every answer", () => {
  it.each(["/health", "/nowhere", "/bert", "/", "/docs", "/openapi.json", "/models/x"])(
    "%s names its request and forbids what browsers need not do",
    async (path) => {
      const response = await fetch(server.url + path, { headers: { "x-request-id": "abc-1" } });
      expect(response.headers.get("x-request-id")).toBe("abc-1");
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
      expect(response.headers.get("x-frame-options")).toBe("DENY");
      expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
      expect(response.headers.has("server")).toBe(false);
    },
  );

  it.each(["", "a b", "x".repeat(129), "a\tb", "ä"])("replaces the request id %j", async (id) => {
    const answer = await request(server.port, {
      method: "GET",
      path: "/health",
      headers: [["X-Request-Id", id]],
    });
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
  });
});
