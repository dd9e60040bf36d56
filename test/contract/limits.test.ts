// What bounds the service: size, time, how many at once; and that it goes on after callers that break off or misbehave.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { open, parseAnswer, readToEnd, request } from "./raw-http.js";
import { startToy, type ToyServer, until } from "./toy-service.js";

let server: ToyServer;
const maxBodyBytes = 20_000;
beforeAll(async () => {
  server = await startToy({
    maxBodyBytes,
    maxBufferedBytes: 50_000,
    concurrency: 1,
    queueLimit: 1,
    deadlineMs: 20_000,
    bodyIdleMs: 150,
    headersTimeoutMs: 200,
    heartbeatMs: 20,
  });
});
afterAll(() => server.close());
afterEach(async () => {
  // Whatever a test did, the server still answers, and holds nothing of it.
  server.service.release();
  await until(() => server.service.running === 0);
  const response = await post("/bert", { content: "All is well. Really." });
  expect(await response.json()).toMatchObject({ summary: "All is well." });
  await until(async () => {
    const info = (await (await fetch(`${server.url}/info`)).json()) as {
      process: { active: number; waiting: number; bufferedBytes: number };
    };
    const { active, waiting, bufferedBytes } = info.process;
    return active === 0 && waiting === 0 && bufferedBytes === 0;
  });
});

function post(
  path: string,
  body: unknown,
  init: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  return fetch(server.url + path, {
    method: "POST",
    ...init,
    headers: { "content-type": "application/json", ...init.headers },
    body: JSON.stringify(body),
  });
}

const slow = { content: "SLOW document. Very slow." };

describe("a body over the limit", () => {
  it.each([
    ["/bert", "application/json", (body: Record<string, unknown>) => body.detail],
    [
      "/bert-file/",
      "multipart/form-data; boundary=B",
      (body: Record<string, unknown>) => body.detail,
    ],
    ["/models/toy", "application/json", (body: Record<string, unknown>) => body.error],
    ["/v1/summaries", "application/json", (body: Record<string, unknown>) => body.detail],
    [
      "/v1/documents:extract",
      "multipart/form-data; boundary=B",
      (body: Record<string, unknown>) => body.detail,
    ],
  ])("is refused on %s by its Content-Length, without being read", async (path, type, words) => {
    const socket = await open(server.port);
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: ${maxBodyBytes + 1}\r\n\r\n`,
    );
    const first = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    socket.destroy();
    const answer = parseAnswer(first);
    expect(answer.status).toBe(413);
    expect(words(JSON.parse(answer.body))).toContain(String(maxBodyBytes));
  });

  it("is refused when it comes in chunks without a length, before it ends", async () => {
    const socket = await open(server.port);
    socket.write(
      "POST /v1/summaries HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const first = new Promise<Buffer>((resolve) => socket.once("data", resolve));
    const chunk = `400\r\n${"a".repeat(1024)}\r\n`;
    for (let sent = 0; sent < maxBodyBytes + 2048; sent += 1024) socket.write(chunk);
    const answer = parseAnswer(await first);
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "BODY_TOO_LARGE" });
    socket.destroy();
  });

  it("reaches a sender that sends it all before it looks at the answer", async () => {
    const answer = await request(server.port, {
      path: "/bert",
      headers: [["Content-Type", "application/json"]],
      body: "x".repeat(4_000_000),
    });
    expect(answer.status).toBe(413);
  });

  it("is refused before it is sent, where the sender asks first", async () => {
    const socket = await open(server.port);
    const end = readToEnd(socket);
    socket.write(
      `POST /bert HTTP/1.1\r\nHost: a\r\nContent-Length: ${maxBodyBytes + 1}\r\nExpect: 100-continue\r\n\r\n`,
    );
    const first = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    expect(first.toString()).toMatch(/^HTTP\/1.1 413 /);
    socket.destroy();
    await end;
  });

  it("within the limit is asked for, where the sender asks first", async () => {
    const socket = await open(server.port);
    const body = JSON.stringify({ content: "One. Two." });
    socket.write(
      `POST /bert HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
    );
    const first = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    expect(first.toString()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    const end = readToEnd(socket);
    socket.write(body);
    expect(parseAnswer(await end)).toMatchObject({ status: 200 });
  });
});

describe("the deadline", () => {
  it.each([
    ["/bert", slow, "detail"],
    ["/models/toy", { inputs: slow.content }, "error"],
    ["/v1/summaries", { document: slow.content }, "detail"],
    ["/v1/summaries:batch", { documents: ["One.", slow.content] }, "detail"],
  ])(
    "ends work on %s with 504, and the caller may ask for a shorter one",
    async (path, body, member) => {
      const response = await post(path, body, { headers: { "x-timeout-ms": "60" } });
      expect(response.status).toBe(504);
      expect(((await response.json()) as Record<string, string>)[member]).toContain("within 60 ms");
    },
  );

  it("ends a wait in the queue too", async () => {
    // One that has measured nothing yet: else it says at once that 40 ms will not do.
    const fresh = await startToy({ concurrency: 1 });
    const ask = (body: object, headers: Record<string, string> = {}) =>
      fetch(`${fresh.url}/bert`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    const first = ask(slow);
    await until(() => fresh.service.running === 1);
    const second = await ask({ content: "Quick. One." }, { "x-timeout-ms": "40" });
    expect(second.status).toBe(504);
    fresh.service.release();
    expect((await first).status).toBe(200);
    await fresh.close();
  });

  it("ends a stream that has begun with an error event", async () => {
    const response = await post(
      "/v1/summaries",
      { document: slow.content, stream: true },
      { headers: { "x-timeout-ms": "120" } },
    );
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text).toMatch(/^: still working\n\n/);
    expect(text).toMatch(/event: error\ndata: .*"code":"DEADLINE_EXCEEDED".*\n\n$/);
  });

  it.each(["0", "-1", "1.5", "soon", "1e3", ""])("refuses x-timeout-ms: %j", async (value) => {
    const answer = await request(server.port, {
      path: "/v1/summaries",
      headers: [
        ["Content-Type", "application/json"],
        ["X-Timeout-Ms", value],
      ],
      body: '{"document":"One. Two."}',
    });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      code: "INVALID_PARAMETER",
      detail: expect.stringContaining(`x-timeout-ms is ${JSON.stringify(value)}; it must be`),
    });
  });
});

describe("a full queue", () => {
  it("is answered 429 with when to come back, in each route's own shape", async () => {
    const working = post("/bert", slow);
    await until(() => server.service.running === 1);
    const waiting = post("/bert", { content: "Second. One." });
    await until(async () =>
      /bridle_work_waiting 1\b/.test(await (await fetch(`${server.url}/metrics`)).text()),
    );
    for (const [path, body, member] of [
      ["/bert", { content: "Third. One." }, "detail"],
      ["/models/toy", { inputs: "Third. One." }, "error"],
      ["/v1/summaries", { document: "Third. One." }, "detail"],
      ["/v1/summaries", { document: "Third. One.", stream: true }, "detail"],
    ] as const) {
      const response = await post(path, body);
      expect(response.status).toBe(429);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(((await response.json()) as Record<string, string>)[member]).toContain("waiting");
    }
    server.service.release();
    expect((await working).status).toBe(200);
    expect((await waiting).status).toBe(200);
  });

  it("of bytes is answered 429 too", async () => {
    const half = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 19000\r\n\r\n${"x".repeat(18_000)}`;
    const sockets = [await open(server.port), await open(server.port)];
    for (const socket of sockets) socket.write(half("/bert"));
    await until(async () =>
      /bridle_buffered_bytes 36000\b/.test(await (await fetch(`${server.url}/metrics`)).text()),
    );
    const response = await post("/v1/summaries", { document: "x".repeat(16_000) });
    expect(response.status).toBe(429);
    expect(await response.json()).toMatchObject({ code: "TOO_MUCH_IN_FLIGHT" });
    for (const socket of sockets) socket.destroy();
  });
});

describe("a caller that goes away", () => {
  it.each([
    ["/bert", slow],
    ["/v1/summaries", { document: slow.content }],
    ["/v1/summaries", { document: slow.content, stream: true }],
    ["/models/toy", { inputs: slow.content }],
  ])("ends its work on %s", async (path, body) => {
    const before = server.service.cancelled;
    const leaving = new AbortController();
    const response = post(path, body, { signal: leaving.signal }).then(
      (answer) => answer.text(),
      () => "gone",
    );
    await until(() => server.service.running === 1);
    leaving.abort();
    await until(() => server.service.cancelled === before + 1);
    await response.catch(() => {});
    await until(() => server.lines.some((line) => line.includes(" 499 ")));
  });

  it("gives up its place in the queue", async () => {
    const working = post("/bert", slow);
    await until(() => server.service.running === 1);
    const leaving = new AbortController();
    post("/bert", slow, { signal: leaving.signal }).catch(() => {});
    const waiting = (n: number) => async () =>
      new RegExp(`bridle_work_waiting ${n}\\b`).test(
        await (await fetch(`${server.url}/metrics`)).text(),
      );
    await until(waiting(1));
    leaving.abort();
    await until(waiting(0));
    server.service.release();
    expect((await working).status).toBe(200);
  });
});

describe("a request that is not sent whole", () => {
  const head = "POST /v1/summaries HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";

  it("is answered 408 when its body stops coming", async () => {
    const socket = await open(server.port);
    const end = readToEnd(socket);
    socket.write(`${head}Connection: close\r\nContent-Length: 100\r\n\r\n{"document":`);
    const first = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    expect(parseAnswer(first)).toMatchObject({ status: 408 });
    expect(JSON.parse(parseAnswer(first).body)).toMatchObject({ code: "BODY_STALLED" });
    socket.destroy();
    await end;
  });

  it("is answered 400 when the sender closes its half", async () => {
    const socket = await open(server.port);
    const end = readToEnd(socket);
    socket.end(`${head}Content-Length: 100\r\n\r\n{"document":`);
    const answer = parseAnswer(await end);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "BODY_CUT" });
  });

  it("is forgotten when the connection breaks", async () => {
    // A server that waits for the rest, however slowly this test gets its turns.
    const patient = await startToy({ logLevel: "silent" });
    try {
      const holds = (bytes: number) => async () =>
        new RegExp(`bridle_buffered_bytes ${bytes}\\b`).test(
          await (await fetch(`${patient.url}/metrics`)).text(),
        );
      const socket = await open(patient.port);
      socket.write(`${head}Content-Length: 100\r\n\r\n{"document":`);
      await until(holds(12));
      socket.resetAndDestroy();
      await until(holds(0));
    } finally {
      await patient.close();
    }
  });

  it("is answered 408 when its headers stop coming", async () => {
    const socket = await open(server.port);
    const end = readToEnd(socket);
    socket.write("POST /bert HTTP/1.1\r\nHost: a\r\n");
    const answer = parseAnswer(await end);
    expect(answer.status).toBe(408);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "REQUEST_STALLED" });
  });

  it.each([
    ["no HTTP at all", "hello\r\n\r\n", 400, "REQUEST_MALFORMED"],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "REQUEST_MALFORMED"],
    [
      "a chunk size that is no number",
      `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      400,
      "REQUEST_MALFORMED",
    ],
    [
      "two lengths",
      `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
      400,
      "REQUEST_MALFORMED",
    ],
    [
      "a length and chunks",
      `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      "REQUEST_MALFORMED",
    ],
    [
      "headers over 16 KB",
      `${head}X-Long: ${"x".repeat(20_000)}\r\n\r\n`,
      413,
      "HEADERS_TOO_LARGE",
    ],
    [
      "a host that is none",
      "GET /health HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n",
      400,
      "REQUEST_MALFORMED",
    ],
    [
      "a target that is none",
      "GET http://[ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      400,
      "REQUEST_MALFORMED",
    ],
  ])("%s is answered", async (_, bytes, status, code) => {
    const socket = await open(server.port);
    const end = readToEnd(socket);
    socket.write(Buffer.from(bytes, "latin1"));
    const answer = parseAnswer(await end);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ code });
  });
});
