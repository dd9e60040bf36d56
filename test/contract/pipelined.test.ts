// Requests that come on one connection, one behind the other: whoever hangs up takes all of them along, and leaves nothing behind.
import { afterEach, expect, it } from "vitest";
import { open, readToEnd } from "./raw-http.js";
import { startToy, type ToyServer, until } from "./toy-service.js";

let server: ToyServer;
afterEach(() => server.close());

/** A request as it is sent, of a document or of a stream's. */
function sent(document: string, stream = false): string {
  const body = JSON.stringify({ document, stream });
  const head = [
    ...["POST /v1/summaries HTTP/1.1", "Host: service.test", "Content-Type: application/json"],
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

const told = async (pattern: RegExp) =>
  pattern.test(await (await fetch(`${server.url}/metrics`)).text());

it("are cancelled, counted and let go with their connection, those that wait behind another as well", async () => {
  server = await startToy({ graceMs: 60_000, maxBodyBytes: 500_000, maxBufferedBytes: 1_000_000 });
  const socket = await open(server.port);
  socket.write(sent("SLOW and first."));
  await until(() => server.service.running === 1);
  socket.write(sent(`SLOW and behind it. ${"x".repeat(400_000)}`));
  await until(() => server.service.running === 2);
  socket.destroy();
  await until(() => server.service.cancelled === 2);
  await until(() => told(/^bridle_buffered_bytes 0$/m));
  const requests = server.lines
    .map((line) => JSON.parse(line))
    .filter(({ path }) => path === "/v1/summaries");
  expect(requests.map(({ status }) => status)).toEqual([499, 499]);
  expect(
    await told(/bridle_http_requests_total\{[^}]*v1\/summaries[^}]*status="499"[^}]*\} 2$/m),
  ).toBe(true);
  // Nothing is waited for that has gone: the grace time is a minute.
  await server.close();
});

it("are not answered into one another where the last is no HTTP", async () => {
  server = await startToy({ heartbeatMs: 10 });
  const socket = await open(server.port);
  const answer = readToEnd(socket);
  let seen = "";
  socket.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
  });
  socket.write(sent("SLOW stream.", true));
  // It has begun by its first heartbeat.
  await until(() => seen.includes("\r\n\r\n"));
  socket.write(sent("SLOW and behind it."));
  await until(() => server.service.running === 2);
  socket.write("GARBAGE\r\n\r\n");
  expect((await answer).toString().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200"]);
  await until(() => server.service.cancelled === 2);
});
