// POST /v1/summaries:align: what it answers, and that it holds nobody up.
import { afterAll, beforeAll, expect, it } from "vitest";
import { startToy, type ToyServer } from "./toy-service.js";

let server: ToyServer;
beforeAll(async () => {
  server = await startToy();
});
afterAll(() => server.close());

async function align(document: string, summary: string) {
  const response = await fetch(`${server.url}/v1/summaries:align`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ document, summary }),
  });
  const body = (await response.json()) as { code?: string; sentences?: { sources: object[] }[] };
  return { status: response.status, body };
}

it("answers a summary that says the same 70,000 times", { timeout: 20_000 }, async () => {
  const { status, body } = await align("Ships sailed.", "Ships sailed. ".repeat(70_000));
  expect(status).toBe(200);
  expect(body.sentences).toHaveLength(70_000);
  expect(body.sentences?.[0]?.sources).toEqual([{ start: 0, end: 13, score: 1 }]);
});

it("refuses one of too many sentences that differ", async () => {
  const summary = Array.from({ length: 6000 }, (_, n) => `Pier ${n} was closed.`).join(" ");
  const { status, body } = await align("Pier 3 was closed.", summary);
  expect([status, body.code]).toEqual([413, "TEXT_TOO_LARGE"]);
});

it("gives turns to as many as ask at once", async () => {
  const all = await Promise.all(
    Array.from({ length: 12 }, () => align("Ships sailed. Nets were lost.", "Nets were lost.")),
  );
  expect(all.map(({ status }) => status)).toEqual(all.map(() => 200));
});
