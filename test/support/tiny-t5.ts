// Makes a small T5 checkpoint with random weights and a vocabulary of its own, as save_pretrained would lay it out.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRandom } from "../../src/generate/random.js";
import { writeSafetensors } from "../../src/model/checkpoint/write.js";
import { findFamily } from "../../src/model/families.js";
import { forwardGraph } from "../../src/model/forward.js";
import { float32, type Tensor } from "../../src/runtime/tensor.js";
import { spieceModel, tinyPieces } from "./tiny-pegasus.js";

export const tinyT5Config = {
  architectures: ["T5ForConditionalGeneration"],
  model_type: "t5",
  ...{ d_model: 24, d_kv: 5, d_ff: 40, num_layers: 2, num_decoder_layers: 2, num_heads: 4 },
  feed_forward_proj: "gated-gelu",
  ...{ relative_attention_num_buckets: 8, relative_attention_max_distance: 20 },
  vocab_size: tinyPieces().length + 104,
  ...{ pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 },
};

/** Random weights of the tiny model, by checkpoint name. */
export function tinyT5Weights(
  config: Readonly<Record<string, unknown>> = tinyT5Config,
  seed = 1,
): Map<string, Tensor<"float32">> {
  const random = createRandom(seed);
  const family = findFamily(config);
  const weights = new Map<string, Tensor<"float32">>();
  for (const { name, shape } of forwardGraph(family, family.readConfig(config)).parameters) {
    const dims = shape.map(Number);
    const size = dims.reduce((product, dim) => product * dim, 1);
    const isNorm = name.endsWith("norm.weight");
    const spread = isNorm ? 0.4 : name.includes("relative") ? 3 : 0.8;
    const data = Float32Array.from(
      { length: size },
      () => (isNorm ? 1 : 0) + (random() - 0.5) * spread,
    );
    weights.set(name, float32(data, dims));
  }
  return weights;
}

/** Writes the folder; `files` are written besides, over those that are there. */
export async function makeTinyT5(
  folder: string,
  {
    config = tinyT5Config as Readonly<Record<string, unknown>>,
    weights = tinyT5Weights(config),
    files = {} as Readonly<Record<string, string>>,
  } = {},
): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await writeFile(join(folder, "spiece.model"), spieceModel());
  const tokenizer = { tokenizer_class: "T5Tokenizer", extra_ids: 100, model_max_length: 64 };
  await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify(tokenizer));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await writeSafetensors(join(folder, "model.safetensors"), weights);
  return folder;
}
