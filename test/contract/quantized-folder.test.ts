// Tests what a server is composed of: models as their folders hold them, and options for those models that have them.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compose, type Service } from "../../src/compose.js";
import { resolveServeConfig, type ServeConfigInput } from "../../src/config/serve-config.js";
import { saveQuantized } from "../../src/model/quantization/save.js";
import { startServer } from "../../src/server/server.js";
import { makeTinyPegasus } from "../support/tiny-pegasus.js";

let root: string;
let exact: string;
let quantized: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-compose-"));
  exact = await makeTinyPegasus(join(root, "exact"));
  quantized = join(root, "quantized");
  await saveQuantized(exact, quantized, { dtype: "int8" });
});
afterAll(() => rm(root, { recursive: true }));

const configOf = (given: ServeConfigInput) =>
  resolveServeConfig({ port: 0, logLevel: "silent", threads: 1, ...given }, {});

/** Composes in a home without a database, and closes when the work is done. */
async function using(given: ServeConfigInput, work: (service: Service) => Promise<void>) {
  const service = await compose(configOf(given), {}, { BRIDLE_HOME: join(root, "home") });
  try {
    await work(service);
  } finally {
    await service.close();
  }
}

const dtypes = ({ summarizers }: Service) =>
  [...summarizers.values()].map(({ traits }) => traits.dtype);

it("serves a folder that `bridle quantize` has written, and tells what it computes with", async () => {
  const models = [quantized, exact];
  await using({ models }, async (service) => {
    expect(dtypes(service)).toEqual(["int8", "fp32"]);
    const server = await startServer(configOf({ models }), service);
    try {
      await server.ready;
      const told = (await (await fetch(`${server.url}/info`)).json()) as { models: object[] };
      expect(told.models).toMatchObject([
        { dtype: "int8", version: expect.stringMatching(/-int8$/) },
        { dtype: "fp32" },
      ]);
      const answer = await fetch(`${server.url}/v1/summaries`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ document: "The harbour was closed on Monday." }),
      });
      expect(answer.status).toBe(200);
    } finally {
      await server.close();
    }
  });
});

it("takes a dtype for the neural models beside the extractive one", async () => {
  await using({ models: ["extractive", quantized], dtype: "int8" }, async (service) => {
    expect(dtypes(service)).toEqual([null, "int8"]);
  });
});

it.each<ServeConfigInput>([{ dtype: "int8" }, { device: "webgpu" }])(
  "refuses %j where the extractive model alone is served",
  async (given) => {
    await expect(using(given, async () => {})).rejects.toMatchObject({ code: "INVALID_PARAMETER" });
  },
);
