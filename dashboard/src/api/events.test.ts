// Events come whole however the network cuts them, and nothing else comes.
import { describe, expect, it } from "vitest";
import { readEvents, type ServerEvent } from "./events.js";

function bodyOf(chunks: readonly Uint8Array[], onCancel = () => {}): ReadableStream<Uint8Array> {
  const left = [...chunks];
  return new ReadableStream({
    pull(controller) {
      const next = left.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(next);
    },
    cancel: onCancel,
  });
}

async function read(chunks: readonly Uint8Array[]): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(bodyOf(chunks))) events.push(event);
  return events;
}

const text = `: still working

event: part
data: {"index":0}

event: token
data: {"text":"Größe 😀"}

: still working

data: no name
data:two lines

event: summary
data: {"summary":"x"}

`;
const wanted = [
  { name: "part", data: '{"index":0}' },
  { name: "token", data: '{"text":"Größe 😀"}' },
  { name: "message", data: "no name\ntwo lines" },
  { name: "summary", data: '{"summary":"x"}' },
];

describe("readEvents", () => {
  it.each([
    ["line feeds", text],
    ["carriage returns and line feeds", text.replaceAll("\n", "\r\n")],
    ["carriage returns", text.replaceAll("\n", "\r")],
  ])("finds every event between %s, cut at every byte", async (_, sent) => {
    const bytes = new TextEncoder().encode(sent);
    expect(await read([bytes])).toEqual(wanted);
    expect(await read([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(wanted);
    for (let cut = 1; cut < bytes.length; cut += 1) {
      expect(await read([bytes.slice(0, cut), bytes.slice(cut)])).toEqual(wanted);
    }
  });

  it("gives no event that was cut off", async () => {
    const cut = new TextEncoder().encode('event: summary\ndata: {"summary":');
    expect(await read([cut])).toEqual([]);
  });

  it("tells the sender when nobody listens any more", async () => {
    let cancelled = false;
    const body = bodyOf([new TextEncoder().encode(text), new Uint8Array(1)], () => {
      cancelled = true;
    });
    for await (const { name } of readEvents(body)) if (name === "token") break;
    expect(cancelled).toBe(true);
  });
});
