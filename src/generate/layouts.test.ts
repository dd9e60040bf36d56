// Every layout of weights, under both styles of config, is the same model; float32 is mapped, half precision held.
import { existsSync } from "node:fs";
import { cp, link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyPegasus, tinyConfig, tinyWeights } from "../../test/support/tiny-pegasus.js";
import { roundForHalf, weightLayouts, writeLayout } from "../../test/support/weight-layouts.js";
import { isInFile } from "../runtime/weights.js";
import { openModel } from "./model.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-layouts-"));
});
afterAll(() => rm(root, { recursive: true }));

/** What configs on the hub carry besides. */
const hubStyle = {
  ...tinyConfig,
  add_bias_logits: false,
  add_final_layer_norm: true,
  extra_pos_embeddings: 1,
  length_penalty: 0.6,
  max_length: 20,
  normalize_before: true,
  normalize_embedding: false,
  num_beams: 8,
  static_position_embeddings: true,
  task_specific_params: { summarization_xsum: { length_penalty: 0.6 } },
};

const input = { inputIds: [[110, 120, 130, 140, 1]], decoderInputIds: [[0, 115, 125]] };

/** Logits of a folder, the first ids it generates, and how many of its weights are mapped. */
async function use(folder: string, batch = input) {
  const model = await openModel(folder, { threads: 1 });
  try {
    const { logits } = await model.forward(batch);
    const { sequences } = await model.generate(
      { inputIds: batch.inputIds },
      { maxLength: 12, numBeams: 2 },
    );
    const mapped = [...model.weights.values()].filter(isInFile).length;
    return { logits: logits.data, sequences, mapped };
  } finally {
    await model.close();
  }
}

describe("weights in every layout", () => {
  const weights = roundForHalf(tinyWeights());
  const styles = { "config as saved": tinyConfig, "config as on the hub": hubStyle };
  let expected: Awaited<ReturnType<typeof use>>;
  beforeAll(async () => {
    expected = await use(
      await writeLayout(join(root, "expected"), "model.safetensors", tinyConfig, weights),
    );
  });

  const cases = Object.keys(weightLayouts).flatMap((layout) =>
    Object.entries(styles).map(([style, config]) => [layout, style, config] as const),
  );
  it.each(cases)("%s, %s", async (layout, style, config) => {
    const folder = await writeLayout(join(root, `${layout} ${style}`), layout, config, weights);
    const { logits, sequences, mapped } = await use(folder);
    // The precisions hold these weights exactly. Kernels may differ for mapped weights, in the last bits.
    expect(logits.length).toBe(expected.logits.length);
    for (const [i, logit] of logits.entries()) expect(logit).toBeCloseTo(expected.logits[i]!, 5);
    expect(sequences).toEqual(expected.sequences);
    if (layout.includes("float16")) expect(mapped).toBe(0);
    else if (!layout.includes("bin")) expect(mapped).toBe(weights.size);
  });
});

/** Windows lets no one replace a mapped file, and links only the privileged. */
const windows = process.platform === "win32";

describe("mapped files", () => {
  it.skipIf(windows)("may be links into another folder, as the hub's cache has them", async () => {
    const blobs = join(root, "cache", "blobs");
    const snapshot = join(root, "cache", "snapshots", "abc");
    await mkdir(snapshot, { recursive: true });
    await makeTinyPegasus(blobs);
    for (const name of ["config.json", "model.safetensors"])
      await symlink(join("..", "..", "blobs", name), join(snapshot, name));
    const [linked, plain] = [await use(snapshot), await use(blobs)];
    expect(linked.mapped).toBe(plain.mapped);
    expect(linked.mapped).toBeGreaterThan(0);
    expect(linked.logits).toEqual(plain.logits);
  });

  it("whose bytes stand at odd places are read instead", async () => {
    const plain = await makeTinyPegasus(join(root, "even"));
    const odd = join(root, "odd");
    await cp(plain, odd, { recursive: true });
    const file = await readFile(join(plain, "model.safetensors"));
    const length = Number(file.readBigUInt64LE());
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(length + 1));
    await writeFile(
      join(odd, "model.safetensors"),
      Buffer.concat([
        head,
        file.subarray(8, 8 + length),
        Buffer.from(" "),
        file.subarray(8 + length),
      ]),
    );
    const [moved, expected] = [await use(odd), await use(plain)];
    expect(moved.mapped).toBe(0);
    for (const [i, logit] of moved.logits.entries())
      expect(logit).toBeCloseTo(expected.logits[i]!, 5);
    expect(moved.sequences).toEqual(expected.sequences);
  });

  it.skipIf(windows)("stay as they were when the model is saved over its own folder", async () => {
    const folder = await makeTinyPegasus(join(root, "own"));
    const kept = join(root, "kept.safetensors");
    await link(join(folder, "model.safetensors"), kept);
    const model = await openModel(folder, { threads: 1 });
    const before = await model.forward(input);
    await model.save(folder);
    expect((await model.forward(input)).logits.data).toEqual(before.logits.data);
    await model.close();
    expect((await use(folder)).logits).toEqual(before.logits.data);
    // Saving stores the position tables besides; all else is byte for byte what it was.
    expect((await readFile(kept)).length).toBeLessThan(
      (await readFile(join(folder, "model.safetensors"))).length,
    );
  });

  it("that are gone or cut when they are to be mapped are named", async () => {
    const folder = await makeTinyPegasus(join(root, "gone"));
    const file = join(folder, "model.safetensors");
    const bytes = await readFile(file);
    const gone = await openModel(folder, { threads: 1 });
    await rm(file);
    await expect(gone.forward(input)).rejects.toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
      message: expect.stringContaining("model.safetensors"),
    });
    await writeFile(file, bytes);
    const cut = await openModel(folder, { threads: 1 });
    await writeFile(file, bytes.subarray(0, bytes.length - 8));
    await expect(cut.generate({ inputIds: input.inputIds })).rejects.toMatchObject({
      code: "WEIGHTS_CORRUPT",
      message: expect.stringContaining(`ends at byte ${bytes.length - 8}`),
    });
  });
});

const fixtures = fileURLToPath(new URL("../../../shared/fixtures/pegasus-tiny", import.meta.url));

describe.skipIf(!existsSync(fixtures))("the reference checkpoint's eight layouts", () => {
  const places = {
    "model.safetensors": ["model.safetensors"],
    "pytorch_model.bin": ["pytorch_model.bin"],
    ...Object.fromEntries(
      [
        "legacy-bin",
        "half-bin",
        "bfloat16-bin",
        "half-safetensors",
        "sharded-bin",
        "sharded-safetensors",
      ].map((variant) => [variant, [`variants/${variant}`]]),
    ),
  };
  const configs = ["config.json", "variants/hub-style-config/config.json"];
  const batch = { inputIds: [[200, 300, 400, 500, 600, 1]], decoderInputIds: [[0, 700, 800]] };
  let expected: Float32Array;
  beforeAll(async () => {
    expected = (await use(fixtures, batch)).logits;
  });

  const cases = Object.entries(places).flatMap(([layout, files]) =>
    configs.map((config) => [layout, config, files] as const),
  );
  it.each(cases)("%s with %s", async (layout, config, files) => {
    const folder = join(root, `reference ${layout} ${config.length}`);
    await mkdir(folder);
    await cp(join(fixtures, config), join(folder, "config.json"));
    for (const name of files) {
      const from = join(fixtures, name);
      if (name.includes("/"))
        await cp(from, folder, { recursive: true, filter: (f) => !f.endsWith("config.json") });
      else await cp(from, join(folder, name));
    }
    const { logits } = await use(folder, batch);
    const tolerance = layout.startsWith("bfloat16")
      ? 0.15
      : layout.startsWith("half")
        ? 0.02
        : 1e-5;
    let worst = 0;
    for (const [i, logit] of logits.entries())
      worst = Math.max(worst, Math.abs(logit - expected[i]!));
    expect(worst).toBeLessThan(tolerance);
  });
});
