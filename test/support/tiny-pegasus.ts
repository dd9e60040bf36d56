// Makes a small Pegasus checkpoint with random weights and a vocabulary of its own, as save_pretrained would lay it out.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRandom } from "../../src/generate/random.js";
import { Writer } from "../../src/graph/protobuf.js";
import { writeSafetensors } from "../../src/model/checkpoint/write.js";
import { forwardGraph } from "../../src/model/forward.js";
import { pegasus } from "../../src/model/pegasus.js";
import { float32, type Tensor } from "../../src/runtime/tensor.js";
import {
  createPegasusTokenizer,
  type PegasusTokenizerConfig,
} from "../../src/text/tokenizers/pegasus-tokenizer.js";
import { createSentencePiece } from "../../src/text/tokenizers/sentencepiece.js";
import { readSentencePieceModel } from "../../src/text/tokenizers/sentencepiece-model.js";
import type { Tokenizer } from "../../src/text/tokenizers/tokenizer.js";

const words =
  "the a of and to in was for on with harbour storm ferry town river market bridge engineer winter repair council train school people Monday week north old new first last closed opened sent said damaged two three four".split(
    " ",
  );

/** Pieces of the made vocabulary: SentencePiece's own three, `<n>`, letters, marks and words with a leading space. */
export function tinyPieces(): { piece: string; score: number; type: number }[] {
  const letters = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-"];
  return [
    { piece: "<pad>", score: 0, type: 3 },
    { piece: "</s>", score: 0, type: 3 },
    { piece: "<unk>", score: 0, type: 2 },
    { piece: "<n>", score: 0, type: 4 },
    { piece: "\u2581", score: -3, type: 1 },
    ...letters.map((piece, i) => ({ piece, score: -6 - i / 100, type: 1 })),
    ...words.map((word, i) => ({ piece: `\u2581${word}`, score: -4 - i / 100, type: 1 })),
  ];
}

/**
 * Bytes of a spiece.model without a normalization table.
 * @param settings adds fields to the trainer's and the normalizer's settings
 */
export function spieceModel(
  pieces = tinyPieces(),
  settings: { trainer?: (w: Writer) => void; normalizer?: (w: Writer) => void } = {},
): Uint8Array {
  const w = new Writer();
  for (const { piece, score, type } of pieces) {
    w.message(1, (inner) => inner.string(1, piece).float(2, score).int(3, type));
  }
  w.message(2, (inner) => {
    inner.int(3, 1);
    settings.trainer?.(inner);
  });
  w.message(3, (inner) => {
    inner.string(1, "identity").int(3, 1).int(4, 1).int(5, 1);
    settings.normalizer?.(inner);
  });
  return w.finish();
}

export const tinyConfig = {
  architectures: ["PegasusForConditionalGeneration"],
  model_type: "pegasus",
  activation_function: "relu",
  d_model: 32,
  encoder_layers: 2,
  decoder_layers: 2,
  encoder_attention_heads: 4,
  decoder_attention_heads: 4,
  encoder_ffn_dim: 48,
  decoder_ffn_dim: 48,
  vocab_size: tinyPieces().length + 103,
  max_position_embeddings: 64,
  scale_embedding: true,
  pad_token_id: 0,
  eos_token_id: 1,
  decoder_start_token_id: 0,
  forced_eos_token_id: 1,
};

/** Random weights of the tiny model, by checkpoint name. */
export function tinyWeights(seed = 1): Map<string, Tensor<"float32">> {
  const random = createRandom(seed);
  const weights = new Map<string, Tensor<"float32">>();
  for (const { name, shape } of forwardGraph(pegasus, pegasus.readConfig(tinyConfig)).parameters) {
    if (name.includes("embed_positions")) continue;
    const dims = name === "final_logits_bias" ? [1, ...shape.map(Number)] : shape.map(Number);
    const size = dims.reduce((product, dim) => product * dim, 1);
    const norm = name.includes("layer_norm.weight") ? 1 : 0;
    weights.set(
      name,
      float32(
        Float32Array.from(
          { length: size },
          () => norm + (random() - 0.5) * (name.includes("encoder_attn.") ? 2 : 0.6),
        ),
        dims,
      ),
    );
  }
  return weights;
}

/** Writes the folder; `change` may spoil the config or weights. */
export async function makeTinyPegasus(
  folder: string,
  { config = tinyConfig as Record<string, unknown>, weights = tinyWeights() } = {},
): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await writeFile(
    join(folder, "generation_config.json"),
    JSON.stringify({
      num_beams: 2,
      max_length: 16,
      length_penalty: 0.8,
      forced_eos_token_id: 1,
      eos_token_id: 1,
      pad_token_id: 0,
      decoder_start_token_id: 0,
    }),
  );
  await writeFile(
    join(folder, "tokenizer_config.json"),
    JSON.stringify({ tokenizer_class: "PegasusTokenizer", model_max_length: 64 }),
  );
  await writeFile(join(folder, "spiece.model"), spieceModel());
  await writeSafetensors(join(folder, "model.safetensors"), weights);
  return folder;
}

/** The folder's tokenizer without the folder, and without a longest input. */
export function tinyTokenizer(change: Partial<PegasusTokenizerConfig> = {}): Tokenizer {
  const file = "spiece.model";
  const config: PegasusTokenizerConfig = {
    ...{ offset: 103, padToken: "<pad>", eosToken: "</s>", unkToken: "<unk>" },
    ...{ maskToken: "<mask_2>", maskTokenSent: "<mask_1>" },
    ...{ modelMaxLength: Number.POSITIVE_INFINITY, cleanUpTokenizationSpaces: false, added: [] },
    ...change,
  };
  const sentencePiece = createSentencePiece(readSentencePieceModel(spieceModel(), file), file);
  return createPegasusTokenizer(sentencePiece, config, file);
}
