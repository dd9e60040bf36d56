// Reads the generation defaults of a model folder, and refuses those that would change the text and are not built.
import { join } from "node:path";
import { expectationOf } from "../config/expectation.js";
import { generateOptionsSchema } from "../config/generate-options.js";
import { BridleError } from "../errors/error.js";
import { readJson } from "../model/checkpoint/folder.js";
import { summarizationTask } from "../model/prefix.js";
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
    generation === undefined
      ? { ...readOptions(configFile, config), ...forcedBeginning(config) }
      : readOptions(own, generation);
  return withinOwnMaximum({ ...readOptions(configFile, task), ...said });
}

/**
 * A folder's own minimum above its own maximum is that maximum: nothing ends before it, as in transformers, which warns. Models that were
 * fine-tuned for shorter summaries than their base writes often say so.
 */
function withinOwnMaximum(defaults: GenerateOptions): GenerateOptions {
  const { maxLength, maxNewTokens, minLength, minNewTokens } = defaults;
  const most = maxNewTokens === undefined ? maxLength : maxNewTokens + 1;
  if (most === undefined) return defaults;
  return {
    ...defaults,
    ...(minLength !== undefined && { minLength: Math.min(minLength, most) }),
    ...(minNewTokens !== undefined && { minNewTokens: Math.min(minNewTokens, most - 1) }),
  };
}

/** What older BART configs say in place of `forced_bos_token_id`; transformers reads it where there is no generation_config.json. */
function forcedBeginning(config: Json): GenerateOptions {
  const { force_bos_token_to_be_generated: isForced, bos_token_id: bos = 0 } = config;
  return isForced === true && typeof bos === "number" ? { forcedBosTokenId: bos } : {};
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
  await writeAtomically(file, (handle) => handle.writeFile(`${generationText(json)}\n`));
}

/** A config.json without options for summarizing, which are in the generation_config.json beside it; they would come back from there. */
export function withoutTaskOptions(json: Json): Json {
  const task = summarizationTask(json);
  const stored = new Set(options.map(storedName));
  const summarization = Object.fromEntries(
    Object.entries(task).filter(([key]) => !stored.has(key)),
  );
  if (Object.keys(summarization).length === Object.keys(task).length) return json;
  const tasks = json.task_specific_params as Json;
  return { ...json, task_specific_params: { ...tasks, summarization } };
}

/** Keys that transformers takes for floating-point numbers, and refuses whole ones for when it generates. */
const floats = new Set([
  ...["repetition_penalty", "encoder_repetition_penalty", "diversity_penalty", "length_penalty"],
  ...["temperature", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"],
]);

/** JSON as Python writes it: 2.0, which JavaScript would write as 2. */
function generationText(json: Json): string {
  const mark = (value: unknown) => (Number.isInteger(value) ? `\u0001${value}.0\u0001` : value);
  const marked = Object.entries(json).map(([key, value]) => {
    if (floats.has(key)) return [key, mark(value)];
    if (key === "sequence_bias" && Array.isArray(value)) {
      return [key, value.map((pair) => (Array.isArray(pair) ? [pair[0], mark(pair[1])] : pair))];
    }
    if (key === "exponential_decay_length_penalty" && Array.isArray(value)) {
      return [key, [value[0], mark(value[1])]];
    }
    return [key, value];
  });
  const text = JSON.stringify(Object.fromEntries(marked), null, 2);
  return text.replaceAll(/"\\u0001(-?\d+\.0)\\u0001"/g, "$1");
}

/** Generation defaults that a config.json carries by itself. @throws as readGenerationDefaults */
export function readConfigDefaults(file: string, config: Json): GenerateOptions {
  return readOptions(file, config);
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
