// Models that several processes have open: what they say from weights that all map is what they say from their own.
import { copyFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { makeTinyT5 } from "../../test/support/tiny-t5.js";
import { type OpenModelOptions, openModel } from "./model.js";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "bridle-shared-"));
  vi.stubEnv("BRIDLE_HOME", home);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

async function say(folder: string, options: OpenModelOptions) {
  const model = await openModel(folder, { threads: 1, device: "cpu", ...options });
  const inputIds = [
    [110, 131, 127, 140, 155, 149, 1],
    [120, 144, 133, 128, 160, 171, 1],
  ];
  try {
    const asked = { numBeams: 3, maxNewTokens: 8, numReturnSequences: 3 };
    return await model.generate({ inputIds }, asked);
  } finally {
    await model.close();
  }
}

it("unless said are laid out where the copy in whole numbers lies in the cache, and not beside one in the folder", async () => {
  const folder = await makeTinyPegasus(join(home, "model"));
  const copies = () => readdir(join(home, "cache", "packed")).catch(() => []);
  const own = await say(folder, { dtype: "int8", sharesWeights: false });
  expect(await copies()).toEqual([]);
  expect(await say(folder, { dtype: "int8" })).toEqual(own);
  expect(await copies()).toHaveLength(2);
  await rm(join(home, "cache", "packed"), { recursive: true });
  // A folder that carries its own copy may be that of a container, which starts anew each time.
  const cached = join(home, "cache", "quantized");
  const [copy] = (await readdir(cached)).filter((name) => name.endsWith(".safetensors"));
  await copyFile(join(cached, copy as string), join(folder, "model.int8.safetensors"));
  expect(await say(folder, { dtype: "int8" })).toEqual(own);
  expect(await copies()).toEqual([]);
});

it.each([
  ["int8", "Pegasus", 2],
  ["int8", "T5", 2],
  // onnxruntime does not write what it makes of 4-bit weights whole.
  ["int4", "Pegasus", 0],
  // The encoder uses its weights as they lie.
  ["fp32", "T5", 1],
  // A table of positions that no file holds is fed at every run.
  ["fp32", "Pegasus", 0],
] as const)("in %s, %s, from %d copies", async (dtype, kind, copies) => {
  const make = kind === "T5" ? makeTinyT5 : makeTinyPegasus;
  const folder = await make(join(home, "model"));
  const said = [];
  // Measuring layers, where whole numbers are made the first time, leaves no copy.
  for (const encoderThread of [true, true, false]) {
    said.push(await say(folder, { dtype, sharesWeights: true, encoderThread }));
    const made = await readdir(join(home, "cache", "packed")).catch(() => []);
    expect(made).toHaveLength(copies);
  }
  const own = await say(folder, { dtype, sharesWeights: false });
  expect(said).toEqual([own, own, own]);
});
