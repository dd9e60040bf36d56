// Tests what becomes of callers who do not read their answers: nobody waits for them, and they are not waited for without end.
import type { Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { open, readToEnd } from "../../test/contract/raw-http.js";
import { startToy, type ToyServer, until } from "../../test/contract/toy-service.js";

let server: ToyServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** More than the operating system holds for a reader who does not read. */
const long = `${"w".repeat(6_000_000)}.`;
const events = (text: string) => [...text.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);

/** Asks for a stream and reads nothing of it. */
async function askAndStall({ port }: ToyServer): Promise<Socket> {
  const socket = await open(port);
  const body = JSON.stringify({ document: long, stream: true });
  socket.pause();
  socket.write(
    `POST /v1/summaries HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

/** Whether the work of what was asked is done, so that only reading is left. */
async function isDone({ url }: ToyServer): Promise<boolean> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return /^bridle_documents_total\{.*\} 1$/m.test(metrics);
}

const wasCutOff = ({ lines }: ToyServer) =>
  lines
    .map((line) => JSON.parse(line) as { path?: string; status?: number })
    .some(({ path, status }) => path === "/v1/summaries" && status === 499);

it("a reader who stalls holds up nobody else's stream, not even with one place", async () => {
  server = await startToy({ concurrency: 1 });
  const stalled = await askAndStall(server);
  await until(() => isDone(server as ToyServer));
  const other = await fetch(`${server.url}/v1/summaries`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ document: "Short. Read at once.", stream: true }),
  });
  expect(events(await other.text())).toEqual(["part", "token", "summary"]);
  expect(wasCutOff(server)).toBe(false);
  stalled.destroy();
});

it("a reader who stalls beyond the deadline is cut off, so that a server can stop", async () => {
  server = await startToy({ answerIdleMs: 50, deadlineMs: 15_000, graceMs: 600_000 });
  const stalled = await askAndStall(server);
  await until(() => wasCutOff(server as ToyServer));
  await server.close();
  stalled.destroy();
});

it("a reader who pauses within the deadline gets all of it", async () => {
  server = await startToy({ answerIdleMs: 50, deadlineMs: 60_000 });
  const pausing = await askAndStall(server);
  await until(() => isDone(server as ToyServer));
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(wasCutOff(server)).toBe(false);
  const answer = await readToEnd(pausing.resume());
  expect(events(answer.toString("latin1"))).toEqual(["part", "token", "summary"]);
});
