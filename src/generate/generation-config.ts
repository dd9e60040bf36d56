// Reads the generation defaults of a model folder, and refuses those that would change the text and are not built.
import { join } from "node:path";
import { expectationOf } from "../config/expectation.js";
import { generateOptionsSchema } from "../config/generate-options.js";
import { BridleError } from "../errors/error.js";
import { readJson } from "../model/checkpoint/folder.js";
import { writeAtomically } from "../text/files/write-atomically.js";
import { type GenerateOptions, samplingOnly } from "./options.js";

type Json = Readonly<Record<string, unknown>>;

/** Options that are the caller's alone; no folder sets them. */
const callersOwn = new Set(["seed"]);

/** `numBeams` as `num_beams`, the name transformers writes. */
const storedName = (option: string) =>
  option.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const options = Object.keys(generateOptionsSchema.shape).filter((name) => !callersOwn.has(name));

/** Keys that change what is generated and that no search here knows, with the values that leave it as it is. */
const unsupported: Readonly<Record<string, readonly unknown[]>> = {
  constraints: [],
  dola_layers: [],
  force_words_ids: [],
  forced_decoder_ids: [],
  guidance_scale: [1],
  max_time: [],
  penalty_alpha: [0],
  stop_strings: [],
  token_healing: [false],
  watermarking_config: [],
};

/**
 * Generation defaults of a folder: those of generation_config.json, or where it is absent the keys older configs carry.
 * @param config the content of config.json
 * @param task what holds where none of them says otherwise: config.json's settings for summarizing
 * @throws FILE_INVALID naming a key whose effect is not built, or whose value no option takes
 */
export async function readGenerationDefaults(
  folder: string,
  config: Json,
  task: Json = {},
): Promise<GenerateOptions> {
  const own = join(folder, "generation_config.json");
  const generation = await readJson(own);
  const configFile = join(folder, "config.json");
  const said =
    generation === undefined ? readOptions(configFile, config) : readOptions(own, generation);
  return { ...readOptions(configFile, task), ...said };
}

/** Ids that transformers looks for in a generation_config.json where there is one, and else in config.json. */
const specialIds = ["bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"];

/**
 * Writes generation defaults as a folder's generation_config.json; what the one that is there says besides stays.
 * @param config the content of config.json
 * @throws WRITE_FAILED, FILE_INVALID where the file that is there is no JSON object
 */
export async function writeGenerationDefaults(
  folder: string,
  config: Json,
  defaults: GenerateOptions,
): Promise<void> {
  const file = join(folder, "generation_config.json");
  const there = (await readJson(file)) ?? {};
  const ids = specialIds.flatMap((key) => (config[key] == null ? [] : [[key, config[key]]]));
  const stored = new Set(options.map(storedName));
  const others = Object.entries(there).filter(([key]) => !stored.has(key));
  const own = options.flatMap((option) => {
    const value = defaults[option as keyof GenerateOptions];
    return value == null ? [] : [[storedName(option), value]];
  });
  const json = Object.fromEntries([...ids, ...others, ...own]);
  await writeAtomically(file, (handle) => handle.writeFile(`${JSON.stringify(json, null, 2)}\n`));
}

/** @throws FILE_INVALID naming a key whose effect is not built, or whose value no option takes */
function readOptions(file: string, source: Json): GenerateOptions {
  const invalid = (key: string, expected: string) =>
    new BridleError("FILE_INVALID", {
      file,
      reason: `its ${key} is ${JSON.stringify(source[key])}, ${expected}`,
    });
  for (const [key, harmless] of Object.entries(unsupported)) {
    const value = source[key];
    if (value != null && !harmless.includes(value)) throw invalid(key, "which is not supported");
  }
  const defaults: Record<string, unknown> = {};
  for (const option of options) {
    const key = storedName(option);
    const value = source[key];
    if (value == null) continue;
    const field = generateOptionsSchema.shape[option as keyof GenerateOptions];
    const parsed = field.safeParse(value);
    // Published folders hold a temperature of 0 for searches that draw nothing.
    const isIdle =
      source.do_sample !== true && samplingOnly.includes(option as keyof GenerateOptions);
    if (!parsed.success && isIdle) continue;
    if (!parsed.success) throw invalid(key, `but must be ${expectationOf(parsed.error.issues[0])}`);
    defaults[option] = parsed.data;
  }
  return defaults;
}
