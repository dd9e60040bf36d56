// Makes Pegasus checkpoints of any shape with random weights and a vocabulary of made-up words, streamed to disk.
// @ts-check
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Writer } from "../../dist/graph/protobuf.js";
import { forwardGraph } from "../../dist/model/forward.js";
import { pegasus } from "../../dist/model/pegasus.js";

export const cacheFolder = fileURLToPath(new URL("../.cache", import.meta.url));

/**
 * @typedef {{dModel: number, encoderLayers: number, decoderLayers: number, heads: number, ffn: number,
 *   vocabulary: number, positions: number}} Shape
 */

/** The shapes that benches name. `full` is google/pegasus-large's. @type {Readonly<Record<"full" | "distil" | "small", Shape>>} */
export const shapes = {
  full: {
    dModel: 1024,
    encoderLayers: 16,
    decoderLayers: 16,
    heads: 16,
    ffn: 4096,
    vocabulary: 96103,
    positions: 1024,
  },
  distil: {
    dModel: 1024,
    encoderLayers: 16,
    decoderLayers: 4,
    heads: 16,
    ffn: 4096,
    vocabulary: 96103,
    positions: 1024,
  },
  small: {
    dModel: 256,
    encoderLayers: 3,
    decoderLayers: 3,
    heads: 4,
    ffn: 1024,
    vocabulary: 8103,
    positions: 512,
  },
};

/** Ids that Pegasus puts before the vocabulary's own, and pieces that are no words. */
const offset = 103;
const control = 4;

/** Numbers in [0, 1), the same for a seed. Source: Steele and Vigna, mulberry32. @param {number} seed */
export function createRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const syllables = [..."bdfgklmnprstvz"].flatMap((c) => [..."aeiou"].map((v) => c + v));

/** The i-th word; no word is the beginning of another with something after it that is a word. @param {number} i */
function word(i) {
  let text = "";
  let rest = i;
  for (let k = 0; k < 3; k++) {
    text = syllables[rest % syllables.length] + text;
    rest = Math.floor(rest / syllables.length);
  }
  return text;
}

/** @param {Shape} shape */
function wordCount({ vocabulary }) {
  return vocabulary - offset - control;
}

/**
 * Words of the vocabulary, each one token, as a text of that many tokens with its end token.
 * @param {Shape} shape @param {number} tokens @param {number} seed
 */
export function makeDocument(shape, tokens, seed) {
  const random = createRandom(seed);
  const words = Array.from({ length: tokens - 1 }, () =>
    word(Math.floor(random() * wordCount(shape))),
  );
  return words.join(" ");
}

/** @param {Shape} shape */
function spieceModel(shape) {
  const pieces = [
    { piece: "<pad>", score: 0, type: 3 },
    { piece: "</s>", score: 0, type: 3 },
    { piece: "<unk>", score: 0, type: 2 },
    { piece: "<n>", score: 0, type: 4 },
  ];
  for (let i = 0; i < wordCount(shape); i++) {
    pieces.push({ piece: `\u2581${word(i)}`, score: -8 - i / 1e6, type: 1 });
  }
  const w = new Writer();
  for (const { piece, score, type } of pieces) {
    w.message(1, (inner) => inner.string(1, piece).float(2, score).int(3, type));
  }
  w.message(2, (inner) => inner.int(3, 1));
  w.message(3, (inner) => inner.string(1, "identity").int(3, 1).int(4, 1).int(5, 1));
  return w.finish();
}

/** @param {Shape} shape */
function configOf(shape) {
  return {
    architectures: ["PegasusForConditionalGeneration"],
    model_type: "pegasus",
    activation_function: "relu",
    d_model: shape.dModel,
    encoder_layers: shape.encoderLayers,
    decoder_layers: shape.decoderLayers,
    encoder_attention_heads: shape.heads,
    decoder_attention_heads: shape.heads,
    encoder_ffn_dim: shape.ffn,
    decoder_ffn_dim: shape.ffn,
    vocab_size: shape.vocabulary,
    max_position_embeddings: shape.positions,
    scale_embedding: true,
    tie_word_embeddings: true,
    is_encoder_decoder: true,
    use_cache: true,
    pad_token_id: 0,
    eos_token_id: 1,
    decoder_start_token_id: 0,
    forced_eos_token_id: 1,
    dtype: "float32",
  };
}

/** transformers' standard deviation of weights before training. */
const deviation = 0.02;

/**
 * The tensors a checkpoint of the shape holds: name, size, and the mean and spread of its random values.
 * @param {Shape} shape
 */
export function tensorsOf(shape) {
  const config = pegasus.readConfig(configOf(shape));
  return forwardGraph(pegasus, config).parameters.map(({ name, shape: dims }) => {
    const numbers = dims.map(Number);
    return {
      name,
      shape: name === "final_logits_bias" ? [1, ...numbers] : numbers,
      elements: numbers.reduce((product, dim) => product * dim, 1),
      mean: /layer_?norm\.weight$/.test(name) ? 1 : 0,
      // No training touches the output layer's bias, which is all zeros in the checkpoints that are published.
      spread: name === "final_logits_bias" ? 0 : deviation * Math.sqrt(12),
    };
  });
}

/** Bytes of all tensors as float32. @param {Shape} shape */
export function weightBytes(shape) {
  return tensorsOf(shape).reduce((sum, { elements }) => sum + 4 * elements, 0);
}

/** Elements made and written at once. */
const chunk = 1 << 20;

/** @param {string} file @param {Shape} shape @param {number} seed */
async function writeWeights(file, shape, seed) {
  const tensors = tensorsOf(shape).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: "pt" } };
  let end = 0;
  for (const { name, shape: dims, elements } of tensors) {
    header[name] = { dtype: "F32", shape: dims, data_offsets: [end, end + 4 * elements] };
    end += 4 * elements;
  }
  let json = JSON.stringify(header);
  json += " ".repeat((8 - (json.length % 8)) % 8);
  const head = Buffer.alloc(8 + json.length);
  head.writeBigUInt64LE(BigInt(json.length), 0);
  head.write(json, 8, "latin1");
  const handle = await open(file, "w");
  try {
    await handle.writeFile(head);
    const values = new Float32Array(chunk);
    const random = createRandom(seed);
    for (const { elements, mean, spread } of tensors) {
      for (let done = 0; done < elements; done += chunk) {
        const part = values.subarray(0, Math.min(chunk, elements - done));
        for (let i = 0; i < part.length; i++) part[i] = mean + (random() - 0.5) * spread;
        await handle.writeFile(Buffer.from(part.buffer, 0, 4 * part.length));
      }
    }
  } finally {
    await handle.close();
  }
}

/**
 * A folder with a checkpoint of the shape, made when first asked for.
 * @param {string} name @param {Shape} shape
 * @returns {Promise<string>}
 */
export async function makeCheckpoint(name, shape, seed = 1) {
  const recipe = JSON.stringify({ shape, seed, version: 2 });
  const key = createHash("sha256").update(recipe).digest("hex").slice(0, 8);
  const folder = path.join(cacheFolder, `pegasus-${name}-${key}`);
  if (existsSync(folder)) return folder;
  const gigabytes = (weightBytes(shape) / 1e9).toFixed(2);
  console.log(`Making a checkpoint of the shape "${name}" with random weights (${gigabytes} GB) …`);
  mkdirSync(cacheFolder, { recursive: true });
  const temporary = `${folder}.${process.pid}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary);
  const json = (/** @type {string} */ file, /** @type {object} */ value) =>
    writeFileSync(path.join(temporary, file), `${JSON.stringify(value, null, 2)}\n`);
  json("config.json", configOf(shape));
  json("generation_config.json", {
    decoder_start_token_id: 0,
    eos_token_id: 1,
    forced_eos_token_id: 1,
    length_penalty: 0.8,
    max_length: 64,
    num_beams: 4,
    pad_token_id: 0,
  });
  json("tokenizer_config.json", {
    tokenizer_class: "PegasusTokenizer",
    model_max_length: shape.positions,
    pad_token: "<pad>",
    eos_token: "</s>",
    unk_token: "<unk>",
    mask_token: "<mask_2>",
    mask_token_sent: "<mask_1>",
    offset,
  });
  writeFileSync(path.join(temporary, "spiece.model"), spieceModel(shape));
  await writeWeights(path.join(temporary, "model.safetensors"), shape, seed);
  renameSync(temporary, folder);
  return folder;
}

/** Removes checkpoints that a killed run left half made. */
export function removeHalfMade() {
  if (!existsSync(cacheFolder)) return;
  for (const name of readdirSync(cacheFolder)) {
    if (/\.\d+\.tmp$/.test(name)) rmSync(path.join(cacheFolder, name), { recursive: true });
  }
}
