// Tests what becomes of callers who do not read their answers: nobody waits for them, and they are not waited for without end.
import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { endWhereStalled } from "./stalled-readers.js";

/** More than the operating system holds for a reader who does not read. */
const long = Buffer.alloc(32_000_000, "w");

/** Asks a server for a long answer, with so long to pause and so long until its deadline, and hands over both ends. */
async function asking(
  idleMs: number,
  deadlineMs: number,
  work: (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>,
): Promise<void> {
  let outgoing: ServerResponse | undefined;
  const server = createServer((_, response) => {
    outgoing = response;
    endWhereStalled(response, idleMs, performance.now() + deadlineMs);
    response.end(long);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const request = get({ port: (server.address() as AddressInfo).port, agent: false });
  const [incoming] = (await once(request, "response")) as [IncomingMessage];
  // Who is cut off hears of it.
  request.on("error", () => {});
  incoming.on("error", () => {});
  try {
    await work(incoming, outgoing as ServerResponse);
  } finally {
    request.destroy();
    server.close();
    server.closeAllConnections();
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function lengthOf(incoming: IncomingMessage, pauseMs = 0): Promise<number> {
  let length = 0;
  for await (const part of incoming) {
    length += part.length;
    if (pauseMs > 0 && length < 2_000_000) await sleep(pauseMs);
  }
  return length;
}

it("a reader who stalls beyond the deadline is cut off", () =>
  asking(50, 200, async (incoming, outgoing) => {
    incoming.pause();
    await once(outgoing, "close");
    await expect(lengthOf(incoming)).rejects.toThrow(/aborted/);
  }));

it("a reader who pauses within the deadline gets all of it", () =>
  asking(50, 60_000, async (incoming, outgoing) => {
    incoming.pause();
    await sleep(400);
    expect(outgoing.closed).toBe(false);
    expect(await lengthOf(incoming)).toBe(long.length);
  }));

it("a reader who is slow, and reads on, gets all of it beyond the deadline", () =>
  asking(2000, 0, async (incoming) => {
    expect(await lengthOf(incoming, 5)).toBe(long.length);
  }));
