// A reader of a stream who does not read holds up nobody else's.
import { afterEach, expect, it } from "vitest";
import { open } from "./raw-http.js";
import { startToy, type ToyServer, until } from "./toy-service.js";

let server: ToyServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const events = (text: string) => [...text.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);

it("is answered in full while another reads nothing, not even with one place", async () => {
  server = await startToy({ concurrency: 1 });
  const { port, url } = server;
  const stalled = await open(port);
  stalled.pause();
  // More than the operating system holds for him.
  const body = JSON.stringify({ document: `${"w".repeat(6_000_000)}.`, stream: true });
  stalled.write(
    `POST /v1/summaries HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  // His work is done, and only reading is left.
  await until(async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return /^bridle_documents_total\{.*\} 1$/m.test(metrics);
  });
  const other = await fetch(`${url}/v1/summaries`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ document: "Short. Read at once.", stream: true }),
  });
  expect(events(await other.text())).toEqual(["part", "token", "summary"]);
  stalled.destroy();
});

it("who leaves before all of a long answer is sent is told of as one who has left", async () => {
  server = await startToy({});
  const leaving = await open(server.port);
  leaving.pause();
  // More than the operating system holds for him, given to Node in one piece.
  const document = `${"w".repeat(12_000_000)}.`;
  const body = JSON.stringify({ document });
  leaving.write(
    `POST /v1/summaries HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const { url } = server;
  await until(async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return /^bridle_documents_total\{.*\} 1$/m.test(metrics);
  });
  leaving.destroy();
  const told = () =>
    server?.lines.map((line) => JSON.parse(line)).find(({ path }) => path === "/v1/summaries");
  await until(() => told() !== undefined);
  expect(told()).toMatchObject({ status: 499 });
});
