// Names over HTTP: what was served under one spelling is answered under the others, and opened once.
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compose, openRegistry, type Service } from "../../src/compose.js";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { packModel } from "../../src/package/pack-model.js";
import { type RunningServer, startServer } from "../../src/server/server.js";
import { makeTrainedModel, scratchFolder } from "../support/model-packages.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let service: Service;
let server: RunningServer;

beforeAll(async () => {
  scratch = await scratchFolder("served-names");
  const env = { BRIDLE_HOME: path.join(scratch.folder, "home") };
  const registry = await openRegistry({ env });
  const packed = await packModel(await makeTrainedModel(path.join(scratch.folder, "model")));
  await registry.add("news", packed, { card: packed.card, by: "alice" });
  await registry.promote("news", 1, { by: "alice", force: true, reason: "a test" });
  await registry.close();
  const config = resolveServeConfig(
    {
      ...{ port: 0, logLevel: "silent", device: "cpu", threads: 1 },
      models: ["news", "news@champion", "extractive"],
    },
    {},
  );
  service = await compose(config, {}, env);
  server = await startServer(config, service, {
    files: { dashboard: "/nonexistent", docs: "/nonexistent" },
  });
  await server.ready;
});
afterAll(async () => {
  await server?.close();
  await service?.close();
  await scratch.remove();
});

const document = "The harbour was closed on Monday. A storm came.";
const post = async (route: string, body: object) => {
  const response = await fetch(server.url + route, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
};

it("are one model's, which is opened once", async () => {
  expect([...service.summarizers.keys()]).toEqual(["news", "extractive"]);
  const parameters = { maxNewTokens: 4 };
  for (const model of ["news", "news@champion", "news:1"]) {
    const native = await post("/v1/summaries", { document, model, parameters });
    expect(native, model).toMatchObject({ status: 200, body: { model: "news", version: "1" } });
    const hub = await post(`/models/${model}`, {
      inputs: document,
      parameters: { generate_parameters: { max_new_tokens: 4 } },
    });
    expect(hub, model).toMatchObject({ status: 200, body: [{ version: "1" }] });
  }
});

it("are told, with the version they are at, where another is asked for", async () => {
  for (const model of ["news:2", "news@candidate", "sport"]) {
    expect(await post("/v1/summaries", { document, model }), model).toMatchObject({
      status: 404,
      body: { code: "MODEL_NOT_FOUND", hint: "Use one of: news (version 1 now), extractive." },
    });
  }
});

it("are described as more than a list where aliases are served", async () => {
  const described = await (await fetch(`${server.url}/openapi.json`)).json();
  const { model } = (
    described as { components: { schemas: { SummaryRequest: { properties: { model: object } } } } }
  ).components.schemas.SummaryRequest.properties;
  expect(model).not.toHaveProperty("enum");
  expect(model).toMatchObject({ description: expect.stringContaining("news:7") });
});
