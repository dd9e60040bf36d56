// Tests what a model's name means: a folder, a model on the hub, or nothing, with a hint.
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startFakeHub } from "../../test/support/fake-hub.mjs";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { readHubSettings } from "../config/hub-settings.js";
import { float32 } from "../runtime/tensor.js";
import { readWeight, type Weight } from "../runtime/weights.js";
import { writeAdapter } from "./checkpoint/adapter.js";
import { readJson, readWeights } from "./checkpoint/folder.js";
import { findFamily } from "./families.js";
import { forwardGraph } from "./forward.js";
import { loraNames } from "./lora.js";
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
  const base = await filesIn(await makeTinyPegasus(join(home, "base")));
  hub = await startFakeHub({
    ...{ "reed/marian": { files }, "acme/base": { files: base } },
    "acme/lora": { files: await adapterOf("acme/base") },
    "acme/one": { files: await adapterOf("acme/two") },
    "acme/two": { files: await adapterOf("acme/one") },
    "acme/bare": { files: { "adapter_config.json": "{}", "README.md": "" } },
  });
});
afterAll(async () => {
  await hub.close();
  await rm(home, { recursive: true });
});

async function filesIn(folder: string): Promise<Record<string, Uint8Array>> {
  const names = await readdir(folder);
  const files = names.map(async (name) => [name, await readFile(join(folder, name))] as const);
  return Object.fromEntries(await Promise.all(files));
}

/** The files of an adapter of one layer, as PEFT publishes it. */
async function adapterOf(base: string): Promise<Record<string, Uint8Array>> {
  const folder = await mkdtemp(join(home, "adapter-"));
  const { a, b } = loraNames("model.encoder.layers.0.self_attn.q_proj");
  const weights = new Map([
    [a, float32(new Float32Array(32).fill(0.5), [1, 32])],
    [b, float32(new Float32Array(32).fill(0.25), [32, 1])],
  ]);
  const config = { rank: 1, alpha: 2, dropout: 0, targets: ["q_proj"], rankStabilized: false };
  await writeAdapter(folder, { config, base, weights });
  return await filesIn(folder);
}

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

  it("takes an adapter on the hub for its model there with the adapter merged, and is content with the cache then", async () => {
    vi.stubEnv("BRIDLE_HOME", join(home, "state"));
    const merged = await resolve("acme/lora");
    const query = "model.encoder.layers.0.self_attn.q_proj.weight";
    const read = async (folder: string) => {
      const json = (await readJson(join(folder, "config.json"))) as Record<string, unknown>;
      const family = findFamily(json);
      const config = family.readConfig(json);
      const { parameters } = forwardGraph(family, config);
      const weight = (await readWeights(folder, family, config, parameters)).get(query);
      return (await readWeight(weight as Weight)).data as Float32Array;
    };
    const [of, plain] = [await read(merged), await read(join(home, "base"))];
    expect(of.map((value, i) => value - (plain[i] as number))).toSatisfy((changes: Float32Array) =>
      changes.every((change) => Math.abs(change - 0.25) < 1e-6),
    );
    expect(await readdir(merged)).toContain("spiece.model");
    const asked = hub.requests.length;
    expect(await resolve("acme/lora")).toBe(merged);
    expect(hub.requests).toHaveLength(asked);
    // A tokenizer by itself is the model's.
    const base = await resolve("acme/base");
    const settings = readHubSettings({ HF_HOME: home, HF_ENDPOINT: hub.url }, home);
    expect(await resolveModel("acme/lora", { needs: ["tokenizer"], settings })).toBe(base);
    vi.unstubAllEnvs();
  });

  it("refuses adapters that belong to each other, and one without its weights", async () => {
    await expect(resolve("acme/one")).rejects.toThrow(/belongs to itself/);
    await expect(resolve("acme/bare")).rejects.toMatchObject({
      code: "HUB_FILES_MISSING",
      message: expect.stringContaining("adapter_model.safetensors or adapter_model.bin"),
    });
  });

  it("refuses an architecture before it downloads its weights", async () => {
    await expect(resolve("reed/marian")).rejects.toMatchObject({
      code: "ARCHITECTURE_NOT_SUPPORTED",
    });
    const weights = hub.requests.filter(({ path }) => /marian.*safetensors/.test(path));
    expect(weights).toEqual([]);
    expect(await readdir(join(home, "hub", "models--reed--marian"))).not.toContain("refs");
  });
});
