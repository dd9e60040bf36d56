// Saves a model folder as save_pretrained would: config, generation config, tokenizer files and weights.
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import type { Weight, Weights } from "../../runtime/weights.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import { wholeConfig } from "../families.js";
import { readJson } from "./folder.js";
import { writeSafetensors } from "./write.js";

/** Files that go with a model and are copied as they are. */
export const companions: ReadonlySet<string> = new Set([
  "spiece.model",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "generation_config.json",
]);

/** Shapes that checkpoints keep otherwise than the graph does. */
function asStored(name: string, weight: Weight): Weight {
  return name === "final_logits_bias" ? { ...weight, shape: [1, ...weight.shape] } : weight;
}

/**
 * Writes weights beside copies of the config and tokenizer files of the folder the model came from.
 * The config comes last: a folder that has one is whole.
 * @param source folder the model was loaded from
 * @throws WRITE_FAILED, FILE_INVALID
 */
export async function saveModel(source: string, weights: Weights, target: string): Promise<void> {
  const config = await readJson(join(source, "config.json"));
  if (config === undefined) {
    throw new BridleError("FILE_INVALID", {
      file: join(source, "config.json"),
      reason: "it is not there",
    });
  }
  await saveModelFiles(config, source, weights, target);
}

/**
 * As `saveModel`, with a config that need not be the folder's.
 * @param source folder with the tokenizer's files
 * @throws WRITE_FAILED
 */
export async function saveModelFiles(
  config: Readonly<Record<string, unknown>>,
  source: string,
  weights: Weights,
  target: string,
): Promise<void> {
  try {
    await mkdir(target, { recursive: true });
    for (const name of await readdir(source)) {
      if (companions.has(name)) await copyFile(join(source, name), join(target, name));
    }
  } catch (cause) {
    throw new BridleError(
      "WRITE_FAILED",
      { file: target, reason: (cause as Error).message },
      { cause },
    );
  }
  const tensors = new Map<string, Weight>();
  for (const [name, weight] of weights) tensors.set(name, asStored(name, weight));
  await writeSafetensors(join(target, "model.safetensors"), tensors);
  const { torch_dtype: _, ...rest } = wholeConfig(config);
  await writeAtomically(join(target, "config.json"), (handle) =>
    handle.writeFile(`${configText({ ...rest, dtype: "float32" })}\n`),
  );
}

/** Keys that transformers takes for floating-point numbers, and since version 5 refuses whole ones for. */
const floats =
  /^ {2}"(\w*dropout|dropout_rate|\w*layerdrop|init_std|initializer_factor|layer_norm_epsilon)": -?\d+(?=,?$)/gm;

/** A config as Python writes it: 0.0, which JavaScript would write as 0. */
export function configText(config: object): string {
  return JSON.stringify(config, null, 2).replaceAll(floats, "$&.0");
}
