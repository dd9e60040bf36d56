// Tests what a model's name means: a folder, a model on the hub, or nothing, with a hint.
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFakeHub } from "../../test/support/fake-hub.mjs";
import { readHubSettings } from "../config/hub-settings.js";
import { resolveModel } from "./resolve-model.js";

let home: string;
let hub: Awaited<ReturnType<typeof startFakeHub>>;
const resolve = (name: string) =>
  resolveModel(name, {
    needs: ["model", "tokenizer"],
    others: ["extractive"],
    settings: readHubSettings({ HF_HOME: home, HF_ENDPOINT: hub.url }, home),
  });

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "bridle-resolve-"));
  await mkdir(join(home, "hub", "models--google--pegasus-xsum"), { recursive: true });
  await mkdir(join(home, "my-pegasus"));
  const files = {
    "config.json": '{"architectures": ["MarianMTModel"]}',
    "spiece.model": "pieces",
    "model.safetensors": "weights",
  };
  hub = await startFakeHub({ "reed/marian": { files } });
});
afterAll(async () => {
  await hub.close();
  await rm(home, { recursive: true });
});

describe("resolveModel", () => {
  it("takes a folder that is there for what it is, whatever its name looks like", async () => {
    const folder = join(home, "my-pegasus");
    expect(await resolve(folder)).toBe(folder);
    const before = process.cwd();
    process.chdir(home);
    try {
      await mkdir(join("reed", "marian"), { recursive: true });
      expect(await resolve("reed/marian")).toBe("reed/marian");
    } finally {
      await rm("reed", { recursive: true });
      process.chdir(before);
    }
    expect(hub.requests).toEqual([]);
  });

  it.each([
    ["a mistyped name", () => "extractve", "extractive"],
    ["a model in the cache without its owner", () => "Pegasus-XSum", "google/pegasus-xsum"],
    ["a mistyped folder", () => join(home, "my-pegasis"), "my-pegasus"],
  ])("tells what %s may mean", async (_, name, near) => {
    await expect(resolve(name())).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      hint: expect.stringContaining(`${near} (is that what you mean?)`),
    });
  });

  it("tells what names look like", async () => {
    await expect(resolve("./nothing/like/it")).rejects.toMatchObject({
      hint: "Use one of: extractive, a folder with a model in Hugging Face layout, an id on the Hugging Face hub such as google/pegasus-xsum.",
    });
  });

  it("refuses an architecture before it downloads its weights", async () => {
    await expect(resolve("reed/marian")).rejects.toMatchObject({
      code: "ARCHITECTURE_NOT_SUPPORTED",
    });
    expect(hub.requests.some(({ path }) => path.includes("safetensors"))).toBe(false);
    expect(await readdir(join(home, "hub", "models--reed--marian"))).not.toContain("refs");
  });
});
