// What is built together is given up together: where one part fails, nobody waits for the others.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { compose } from "../../src/compose.js";
import { startFakeHub } from "../support/fake-hub.mjs";

let home: string;
let hub: Awaited<ReturnType<typeof startFakeHub>>;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "bridle-compose-"));
  const files = {
    "config.json":
      '{"architectures": ["PegasusForConditionalGeneration"], "model_type": "pegasus"}',
    "spiece.model": "pieces",
    "model.safetensors": "x".repeat(100_000),
  };
  hub = await startFakeHub({ "reed/slow": { files } });
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(async () => {
  await hub.close();
  await rm(home, { recursive: true });
});

it("a part that cannot be built ends the download of a model that never comes to its end", async () => {
  vi.stubEnv("HF_HOME", home);
  vi.stubEnv("HF_ENDPOINT", hub.url);
  vi.stubEnv("HF_HUB_OFFLINE", "0");
  // The hub says nothing more after the first bytes of anything.
  hub.setFaults(() => ({ stallAfter: 10 }));
  const env = { ...process.env, BRIDLE_HOME: home };
  const asked = { models: ["reed/slow"], threads: 0, maxBodyBytes: 1_000_000 };
  await expect(compose(asked, {}, env)).rejects.toMatchObject({
    code: "INVALID_PARAMETER",
    message: expect.stringContaining("threads"),
  });
});
