// Who may use durable batches while there are no keys: programs and this server's own pages, and no other site's.
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { startToy, type ToyServer } from "./toy-service.js";

let server: ToyServer;
afterEach(() => server.close());

const routes = [
  ["POST", "/v1/batches"],
  ["GET", "/v1/batches"],
  ["GET", "/v1/batches/batch_1"],
  ["GET", "/v1/batches/batch_1/results"],
  ["POST", "/v1/batches/batch_1/cancel"],
] as const;

async function codesOf(headers: Record<string, string>): Promise<(string | undefined)[]> {
  const codes: (string | undefined)[] = [];
  for (const [method, path] of routes) {
    const asked = request(server.url + path, { method, headers }).end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of answer) text += chunk;
    codes.push(JSON.parse(text).code);
  }
  return codes;
}

const refused = routes.map(() => "ORIGIN_REFUSED");
/** What is said of a body that is no JSON Lines, of no batches at all, and of one that is not there. */
const served = [
  ...["MEDIA_TYPE_UNSUPPORTED", undefined],
  ...["BATCH_NOT_FOUND", "BATCH_NOT_FOUND", "BATCH_NOT_FOUND"],
];

describe("durable batches without keys", () => {
  it("are for programs and this server's own pages", async () => {
    server = await startToy();
    expect(await codesOf({})).toEqual(served);
    const own = { origin: server.url, "sec-fetch-site": "same-origin" };
    expect(await codesOf(own)).toEqual(served);
  });

  it("are for no other site's page, also where its name leads here", async () => {
    server = await startToy({ corsOrigins: ["*"] });
    const { port } = new URL(server.url);
    expect(await codesOf({ "sec-fetch-site": "cross-site" })).toEqual(refused);
    expect(await codesOf({ origin: "https://evil.example" })).toEqual(refused);
    const rebound = { host: `evil.example:${port}`, "sec-fetch-site": "same-origin" };
    expect(await codesOf(rebound)).toEqual(refused);
  });

  it("are for whoever shows a key, from anywhere, where there are keys", async () => {
    server = await startToy({ apiKeys: ["k"] });
    const headers = { origin: "https://app.example", "x-api-key": "k", host: "bridle.example" };
    expect(await codesOf(headers)).toEqual(served);
  });
});
