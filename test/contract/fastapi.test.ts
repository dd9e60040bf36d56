// The original routes answer odd requests as the original FastAPI service does, byte for byte, by its recordings.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { request } from "./raw-http.js";
import { createToyService } from "./toy-service.js";

interface Recording {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body:
    | { readonly text: string }
    | { readonly base64: string }
    | { readonly repeat: readonly (string | number)[] };
  readonly answer: { status: number; headers: Record<string, string>; body: string };
}

const { cases } = JSON.parse(
  readFileSync(new URL("../golden/fastapi.json", import.meta.url), "utf8"),
) as { cases: Recording[] };

function bytesOf(body: Recording["body"]): Buffer {
  if ("text" in body) return Buffer.from(body.text);
  if ("base64" in body) return Buffer.from(body.base64, "base64");
  const pieces: string[] = [];
  for (let i = 0; i < body.repeat.length; i += 2) {
    pieces.push(String(body.repeat[i]).repeat(Number(body.repeat[i + 1])));
  }
  return Buffer.from(pieces.join(""));
}

/** Where the answer differs on purpose: name, the status given instead, and why. */
const differs: Readonly<Record<string, readonly [status: number, why: string]>> = {
  "good, astral": [422, "a lone emoji is no text to summarize"],
  "good, zero-width space only": [422, "text without a word is blank here"],
  "good, byte order mark character only": [422, "text without a word is blank here"],
  "good, lone surrogate escape": [200, "FastAPI crashes"],
  "missing, echo of floats": [422, "FastAPI crashes on infinities; here they are null"],
  "missing, echo of NaN and infinities": [422, "FastAPI crashes; here they are null"],
  "NaN content": [422, "FastAPI crashes; here it is null"],
  "Infinity content": [422, "FastAPI crashes; here it is null"],
  "NaN body": [422, "FastAPI crashes; here it is null"],
  "UTF-8 encoded surrogate": [400, "FastAPI crashes; here it is not decodable"],
  "text body, invalid UTF-8": [422, "FastAPI crashes; here the echo has replacement characters"],
  "FOO /bert": [400, "Node refuses methods it does not know"],
  "FOO /bert-file/": [400, "Node refuses methods it does not know"],
};

let server: RunningServer;
beforeAll(async () => {
  server = await startServer(
    resolveServeConfig({ port: 0, logLevel: "silent" }, {}),
    createToyService(),
  );
});
afterAll(() => server.close());

describe.each(cases)("$name", ({ name, method, path, headers, body, answer }) => {
  const [status] = differs[name] ?? [answer.status];
  it(`answers ${status}`, async () => {
    const got = await request(server.port, { method, path, headers, body: bytesOf(body) });
    expect(got.status).toBe(status);
    if (differs[name]) return;
    expect(got.headers["content-type"]).toBe(answer.headers["content-type"]);
    expect(got.headers.allow).toBe(answer.headers.allow);
    expect(got.headers.location).toBe(answer.headers.location);
    if (status !== 200) expect(got.body).toBe(answer.body);
  });
});

it("lists no difference that is none", () => {
  expect(Object.keys(differs).filter((name) => !cases.some((one) => one.name === name))).toEqual(
    [],
  );
});
