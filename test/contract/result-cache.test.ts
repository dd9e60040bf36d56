// Summaries kept over HTTP: off unless asked for, shown on every route, counted, and shared among requests at one time.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startToy, type ToyServer, until } from "./toy-service.js";

let server: ToyServer;
beforeAll(async () => {
  server = await startToy({ resultCacheBytes: 1_000_000, concurrency: 4, queueLimit: 4 });
});
afterAll(() => server.close());

const post = (path: string, body: object, to = server) =>
  fetch(to.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

it("is off unless asked for", async () => {
  const plain = await startToy();
  for (let i = 0; i < 2; i++) {
    const response = await post("/v1/summaries", { document: "One. Two." }, plain);
    expect(response.headers.get("x-bridle-cache")).toBeNull();
    expect(await response.json()).not.toHaveProperty("cached");
  }
  expect(await (await fetch(`${plain.url}/metrics`)).text()).not.toContain("bridle_result_cache");
  await plain.close();
});

describe("a summary that was made before", () => {
  it("is shown as such on every route", async () => {
    const document = "Kept. For later.";
    const asked: [string, object][] = [
      ["/v1/summaries", { document }],
      ["/bert", { content: document }],
      ["/models/toy", { inputs: document }],
    ];
    const seen: (string | null)[] = [];
    for (const [path, body] of [...asked, ...asked]) {
      const response = await post(path, body);
      expect(response.status).toBe(200);
      expect(await response.text()).toContain("Kept.");
      seen.push(response.headers.get("x-bridle-cache"));
    }
    expect(seen).toEqual(["miss", "hit", "hit", "hit", "hit", "hit"]);
    const again = (await (await post("/v1/summaries", { document })).json()) as object;
    expect(again).toMatchObject({ cached: true, timingsMs: { total: expect.any(Number) } });
    const other = await post("/v1/summaries", { document, parameters: { sentences: 2 } });
    expect(other.headers.get("x-bridle-cache")).toBe("miss");
  });

  it("has an id of its own, in a stream and in a batch too", async () => {
    const document = "Again. And again.";
    const answers = await Promise.all([1, 2].map(() => post("/v1/summaries", { document })));
    const ids = await Promise.all(
      answers.map(async (response) => ((await response.json()) as { id: string }).id),
    );
    expect(new Set(ids).size).toBe(2);
    const stream = await post("/v1/summaries", { document, stream: true });
    expect(stream.headers.get("x-bridle-cache")).toBe("hit");
    expect(await stream.text()).toMatch(/^event: summary\ndata: .*"cached":true/m);
    const batch = await post("/v1/summaries:batch", { documents: [document, "New. Here."] });
    const { results } = (await batch.json()) as { results: object[] };
    expect(results[0]).toMatchObject({ cached: true });
    expect(results[1]).not.toHaveProperty("cached");
  });

  it("is answered while everybody else waits", async () => {
    const document = "Here already. Really.";
    await post("/v1/summaries", { document });
    const slow = Array.from({ length: 5 }, (_, i) => post("/bert", { content: `SLOW ${i}. So.` }));
    await until(() => server.service.running === 4);
    expect((await post("/v1/summaries", { document })).headers.get("x-bridle-cache")).toBe("hit");
    server.service.release();
    await until(() => server.service.running === 1);
    server.service.release();
    for (const each of await Promise.all(slow)) expect(each.status).toBe(200);
  });
});

describe("the same at one time", () => {
  it("is worked on once", async () => {
    const same = [1, 2, 3].map(() => post("/bert", { content: "SLOW and the same. Yes." }));
    await until(async () => {
      const info = (await (await fetch(`${server.url}/info`)).json()) as {
        process: { active: number };
      };
      return info.process.active === 3;
    });
    expect(server.service.running).toBe(1);
    server.service.release();
    const seen = (await Promise.all(same)).map(({ headers }) => headers.get("x-bridle-cache"));
    expect(seen.sort()).toEqual(["miss", "shared", "shared"]);
  });
});

it("is counted", async () => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  for (const outcome of ["hit", "miss", "shared"]) {
    expect(text).toMatch(
      new RegExp(`^bridle_result_cache_requests_total\\{outcome="${outcome}"\\} [1-9]`, "m"),
    );
  }
  expect(text).toMatch(/^bridle_result_cache_bytes [1-9]/m);
  expect(text).toMatch(/^bridle_result_cache_entries [1-9]/m);
});
