// Which of PEFT's adapters are read: those that belong to their model's own weights, others being refused by name.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { float32 } from "../../runtime/tensor.js";
import { adapterConfigFile, readAdapter, writeAdapter } from "./adapter.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bridle-adapter-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Writes an adapter that began as said; nothing is said with undefined. */
async function begun(as: unknown): Promise<void> {
  const layer = "model.encoder.layers.0.self_attn.q_proj";
  await writeAdapter(folder, {
    base: "some/model",
    config: { ...{ rank: 1, alpha: 2, dropout: 0, rankStabilized: false }, targets: ["q_proj"] },
    weights: new Map([
      [`${layer}.lora_A.weight`, float32(Float32Array.of(1, 2), [1, 2])],
      [`${layer}.lora_B.weight`, float32(Float32Array.of(3, 4), [2, 1])],
    ]),
  });
  const file = join(folder, adapterConfigFile);
  const { init_lora_weights: _, ...json } = JSON.parse(await readFile(file, "utf8"));
  const said = as === undefined ? json : { ...json, init_lora_weights: as };
  await writeFile(file, JSON.stringify(said));
}

it.each([undefined, null, true, false, "gaussian", "Gaussian", "eva", "orthogonal", "mica"])(
  "reads an adapter that began as %j, beside its model's weights",
  async (as) => {
    await begun(as);
    expect(await readAdapter(folder)).toMatchObject({ base: "some/model", config: { rank: 1 } });
  },
);

it.each(["pissa", "pissa_niter_16", "olora", "OLoRA", "corda", "loftq", "lora_ga", "later"])(
  "refuses one that began as %s, and names the way to one that can be read",
  async (as) => {
    await begun(as);
    await expect(readAdapter(folder)).rejects.toMatchObject({
      code: "FILE_INVALID",
      message: expect.stringMatching(
        `init_lora_weights is "${as}".*path_initial_model_for_weight_conversion`,
      ),
    });
  },
);
