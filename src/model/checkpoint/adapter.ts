// Adapter folders as PEFT reads and writes them: adapter_config.json beside adapter_model.safetensors (or .bin).
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import { float32, type Tensor } from "../../runtime/tensor.js";
import type { HeldWeights } from "../../runtime/weights.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import type { LoraConfig } from "../lora.js";
import { readJson } from "./folder.js";
import { readSafetensorsHeader } from "./safetensors.js";
import { readFloat32 } from "./stored.js";
import { readTorchHeader } from "./torch-file.js";
import { writeSafetensors } from "./write.js";

export const adapterConfigFile = "adapter_config.json";
/** Names under which PEFT keeps an adapter's matrices. */
export const adapterWeightFiles = ["adapter_model.safetensors", "adapter_model.bin"] as const;
const prefix = "base_model.model.";

export interface Adapter {
  readonly config: LoraConfig;
  /** Name of the model it belongs to, as whoever trained it called it. */
  readonly base: string | undefined;
  /** By name in the graph, such as `model.encoder.layers.0.self_attn.q_proj.lora_A.weight`. */
  readonly weights: HeldWeights;
}

/** Whether a folder holds an adapter. */
export async function isAdapterFolder(folder: string): Promise<boolean> {
  return access(join(folder, adapterConfigFile)).then(
    () => true,
    () => false,
  );
}

/** Keys of adapter_config.json that change what an adapter computes, and the values at which they change nothing. */
const plainValues: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ["LORA"],
  bias: ["none"],
  lora_bias: [false, undefined],
  fan_in_fan_out: [false, undefined],
  use_dora: [false, undefined],
  use_qalora: [false, undefined],
  use_bdlora: [null, false, undefined],
  modules_to_save: [null, undefined],
  layers_to_transform: [null, undefined],
  layer_replication: [null, undefined],
  target_parameters: [null, undefined],
  trainable_token_indices: [null, undefined],
  exclude_modules: [null, undefined],
  alora_invocation_tokens: [null, undefined],
  arrow_config: [null, undefined],
};

/**
 * First values of an adapter that leave its model's weights alone; the others (pissa, olora, corda, loftq, lora_ga) take
 * out of them what the adapter begins with. Source: PEFT 0.21, `LoraLayer.update_layer`.
 */
const plainBeginnings: readonly unknown[] = [
  ...[undefined, null, true, false],
  ...["gaussian", "eva", "orthogonal", "mica"],
];

function checkBeginning(file: string, begun: unknown): void {
  if (plainBeginnings.includes(typeof begun === "string" ? begun.toLowerCase() : begun)) return;
  throw new BridleError("FILE_INVALID", {
    file,
    reason: `init_lora_weights is ${JSON.stringify(begun)}, so that it belongs to weights other than its model's; PEFT writes one that belongs to them with save_pretrained(…, path_initial_model_for_weight_conversion=…)`,
  });
}

function readConfig(file: string, json: Readonly<Record<string, unknown>>): LoraConfig {
  const refuse = (key: string, expected: string) =>
    new BridleError("FILE_INVALID", {
      file,
      reason: `${key} is ${JSON.stringify(json[key])}, and ${expected} is read`,
    });
  for (const [key, plain] of Object.entries(plainValues)) {
    if (!plain.includes(json[key])) throw refuse(key, `only ${JSON.stringify(plain[0])}`);
  }
  checkBeginning(file, json.init_lora_weights);
  for (const key of ["rank_pattern", "alpha_pattern"]) {
    const pattern = json[key];
    if (pattern && Object.keys(pattern).length > 0) throw refuse(key, "only {}");
  }
  const { r, lora_alpha: alpha, lora_dropout: dropout = 0, target_modules: targets } = json;
  if (typeof r !== "number" || !Number.isInteger(r) || r < 1)
    throw refuse("r", "a whole number from 1");
  if (typeof alpha !== "number") throw refuse("lora_alpha", "a number");
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout < 1)) {
    throw refuse("lora_dropout", "a number from 0 to below 1");
  }
  const named = Array.isArray(targets) && targets.every((name) => typeof name === "string");
  if (!named && targets !== "all-linear") throw refuse("target_modules", "a list of names");
  return {
    rank: r,
    alpha,
    rankStabilized: json.use_rslora === true,
    dropout,
    targets: named ? (targets as string[]) : "all-linear",
  };
}

/**
 * Reads an adapter folder.
 * @throws FILE_INVALID when a setting is not supported or a name is none of an adapter's; WEIGHTS_NOT_FOUND,
 * WEIGHTS_CORRUPT, PICKLE_FORBIDDEN
 */
export async function readAdapter(folder: string): Promise<Adapter> {
  const file = join(folder, adapterConfigFile);
  const json = await readJson(file);
  if (json === undefined)
    throw new BridleError("FILE_INVALID", { file, reason: "it is not there" });
  const config = readConfig(file, json);
  const weights = new Map<string, Tensor>();
  for (const stored of await readHeader(folder)) {
    const name = stored.name.startsWith(prefix) ? stored.name.slice(prefix.length) : stored.name;
    if (!/\.lora_[AB]\.weight$/.test(name)) {
      throw new BridleError("FILE_INVALID", {
        file: stored.file,
        reason: `${stored.name} is no adapter's matrix`,
      });
    }
    weights.set(name, float32(await readFloat32(stored), stored.shape));
  }
  const base = json.base_model_name_or_path;
  return { config, base: typeof base === "string" ? base : undefined, weights };
}

async function readHeader(folder: string) {
  for (const name of adapterWeightFiles) {
    const read = name.endsWith(".bin") ? readTorchHeader : readSafetensorsHeader;
    const file = join(folder, name);
    const found = await access(file).then(
      () => true,
      () => false,
    );
    if (found) return [...(await read(file)).values()];
  }
  throw new BridleError("WEIGHTS_NOT_FOUND", {
    folder,
    looked: adapterWeightFiles.join(", "),
  });
}

/**
 * Writes an adapter folder that PEFT loads. The config comes last: a folder that has one is whole.
 * @throws WRITE_FAILED
 */
export async function writeAdapter(folder: string, adapter: Adapter): Promise<void> {
  const { config, base, weights } = adapter;
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new BridleError(
      "WRITE_FAILED",
      { file: folder, reason: (cause as Error).message },
      { cause },
    );
  }
  const tensors = new Map(
    [...weights].map(([name, tensor]) => [`${prefix}${name}`, tensor as Tensor<"float32">]),
  );
  await writeSafetensors(join(folder, adapterWeightFiles[0]), tensors);
  const json = {
    base_model_name_or_path: base ?? null,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: null,
    peft_type: "LORA",
    r: config.rank,
    target_modules: config.targets,
    task_type: "SEQ_2_SEQ_LM",
    use_dora: false,
    use_rslora: config.rankStabilized,
  };
  await writeAtomically(join(folder, adapterConfigFile), (handle) =>
    handle.writeFile(`${JSON.stringify(json, null, 2)}\n`),
  );
}
