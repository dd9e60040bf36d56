// Tests that an answer which cannot be read to its end does not look whole to anybody, and that its source is closed with it.
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { pino } from "pino";
import { afterEach, expect, it, vi } from "vitest";
import { BridleError } from "../errors/error.js";
import type { Env, RequestContext, ServerContext } from "./context.js";
import type { RequestScope } from "./request-scope.js";
import { streamBody } from "./streamed-body.js";

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Serves what is given as one body; what the log was told and the code of the request are kept. */
async function serve(chunks: () => AsyncIterable<Uint8Array>) {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  const scope = { id: "r1", isOpenEnded: false, code: undefined } as RequestScope;
  const app = new Hono<Env>();
  app.get("/", (c) => {
    c.set("scope", scope);
    return new Response(streamBody({ log } as ServerContext, c as RequestContext, chunks()));
  });
  const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  servers.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { port, lines, scope };
}

const bytes = (text: string) => new TextEncoder().encode(text);

it("ends an answer where its source ends", async () => {
  const { port, scope, lines } = await serve(async function* () {
    yield bytes("one\n");
    yield bytes("two\n");
  });
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("one\ntwo\n");
  expect(scope).toMatchObject({ isOpenEnded: true, code: undefined });
  expect(lines).toEqual([]);
});

it("cuts the connection where the rest cannot be read, and adds nothing", async () => {
  const printed = vi.spyOn(console, "error");
  const { port, scope, lines } = await serve(async function* () {
    yield bytes("one\n");
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new BridleError("ARTIFACT_NOT_FOUND", { run: "r", name: "secret", where: "" });
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: here\r\n\r\n");
  let heard = "";
  socket.setEncoding("utf8").on("data", (some: string) => {
    heard += some;
  });
  socket.on("error", () => {});
  await once(socket, "close");
  expect(heard).toContain("one\n");
  // Neither the last, empty chunk nor what went wrong.
  expect(heard).not.toContain("\r\n0\r\n");
  expect(heard).not.toContain("secret");
  expect(scope.code).toBe("ARTIFACT_NOT_FOUND");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { requestId: "r1", code: "ARTIFACT_NOT_FOUND", msg: "An answer was cut short" },
  ]);
  expect(printed).not.toHaveBeenCalled();
});

it("closes its source when the caller goes", async () => {
  let closed = 0;
  const { port, lines } = await serve(async function* () {
    try {
      for (;;) yield bytes("x".repeat(65_536));
    } finally {
      closed += 1;
    }
  });
  const controller = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: controller.signal });
  await answer.body?.getReader().read();
  controller.abort();
  await vi.waitFor(() => expect(closed).toBe(1));
  expect(lines).toEqual([]);
});
