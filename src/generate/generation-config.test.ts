// A folder's generation defaults: what is read, from where, and what is refused by name.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readGenerationDefaults } from "./generation-config.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bridle-generation-"));
});
afterEach(() => rm(folder, { recursive: true }));

const write = (content: unknown) =>
  writeFile(join(folder, "generation_config.json"), JSON.stringify(content));

it("reads every option, and leaves out what is null or no option", async () => {
  await write({
    num_beams: 4,
    early_stopping: "never",
    exponential_decay_length_penalty: [3, 1.5],
    sequence_bias: [[[5, 6], -2]],
    top_h: 0.4,
    eos_token_id: [1, 7],
    forced_bos_token_id: null,
    seed: 3,
    transformers_version: "5.23.0",
    guidance_scale: 1,
  });
  expect(await readGenerationDefaults(folder, { num_beams: 8 })).toEqual({
    numBeams: 4,
    earlyStopping: "never",
    exponentialDecayLengthPenalty: [3, 1.5],
    sequenceBias: [[[5, 6], -2]],
    topH: 0.4,
    eosTokenId: [1, 7],
  });
});

it("takes config.json's keys where there is no file of its own", async () => {
  expect(await readGenerationDefaults(folder, { num_beams: 8, d_model: 16 })).toEqual({
    numBeams: 8,
  });
});

it("takes an older BART's word that it begins with its first token, where there is no file of its own", async () => {
  const old = { model_type: "bart", force_bos_token_to_be_generated: true };
  expect(await readGenerationDefaults(folder, old)).toEqual({ forcedBosTokenId: 0 });
  expect(await readGenerationDefaults(folder, { ...old, bos_token_id: 7 })).toEqual({
    forcedBosTokenId: 7,
  });
  await write({ num_beams: 2 });
  expect(await readGenerationDefaults(folder, old)).toEqual({ numBeams: 2 });
});

it("passes over what no draw would use, such as a temperature of 0 in folders that draw nothing", async () => {
  await write({ temperature: 0.0, num_beams: 2 });
  expect(await readGenerationDefaults(folder, {})).toEqual({ numBeams: 2 });
  await write({ temperature: 0.0, do_sample: true });
  await expect(readGenerationDefaults(folder, {})).rejects.toThrow(/temperature is 0/);
});

it.each([
  [{ guidance_scale: 2 }, /generation_config\.json .*guidance_scale is 2, which is not supported/],
  [{ stop_strings: ["."] }, /stop_strings is \["\."\], which is not supported/],
  [{ num_beams: 0 }, /num_beams is 0, but must be at least 1/],
  [{ early_stopping: "soon" }, /early_stopping is "soon", but must be true or false or "never"/],
])("refuses %j", async (content, message) => {
  await write(content);
  await expect(readGenerationDefaults(folder, {})).rejects.toMatchObject({
    code: "FILE_INVALID",
    message: expect.stringMatching(message),
  });
});
