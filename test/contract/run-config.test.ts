// The routes of a run's configuration: its schema, and the check that forms and programs ask.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startToy, type ToyServer } from "./toy-service.js";

let server: ToyServer;
beforeAll(async () => {
  server = await startToy();
});
afterAll(() => server.close());

const post = (path: string, body: unknown): Promise<Response> =>
  fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

describe("the configuration of a run", () => {
  it("is described by the JSON Schema that editors have", async () => {
    const response = await fetch(`${server.url}/v1/config/schema`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      properties: { train: { properties: { learningRate: { default: 5e-5 } } } },
    });
  });

  it("is checked: every default filled in, or what is wrong with the nearest name", async () => {
    const config = { model: { name: "m" }, data: { train: ["a.jsonl"] }, train: { seed: 3 } };
    const fine = await post("/v1/config/check", { config });
    expect(fine.status).toBe(200);
    expect(await fine.json()).toMatchObject({
      config: { train: { seed: 3, learningRate: 5e-5 } },
    });
    const wrong = { ...config, train: { learningrate: 1, epochs: "many" } };
    const refused = await post("/v1/config/check", { config: wrong });
    expect(refused.status).toBe(400);
    const { code, detail } = (await refused.json()) as { code: string; detail: string };
    expect(code).toBe("RUN_CONFIG_INVALID");
    expect(detail).toContain("there is no train.learningrate; did you mean learningRate?");
    expect(detail).toContain("train.epochs:");
    expect((await post("/v1/config/check", { config: 3 })).status).toBe(400);
    expect((await post("/v1/config/check", { config, more: 1 })).status).toBe(400);
  });
});
