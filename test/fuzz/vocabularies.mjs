// A small SentencePiece model as fields, and the JSON files of a tokenizer and a model folder, whole and to be spoiled.
// @ts-check
import { border, mutateBytes } from "./mutations.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../src/graph/protobuf.js")} */
const { Writer } = await compiled("graph/protobuf.js");

/** @typedef {import("./mutations.mjs").Draw} Draw */
/** @typedef {[field: number, content: number | bigint | string | Uint8Array | Message, float?: boolean]} Field */
/** @typedef {Field[]} Message */

const words = "the a of and to in was harbour storm ferry town river".split(" ");
const letters = [..."abcdefghinorstuvwy.,TH0123"];

/** @type {{piece: string, score: number, type: number}[]} */
export const pieces = [
  { piece: "<pad>", score: 0, type: 3 },
  { piece: "</s>", score: 0, type: 3 },
  { piece: "<unk>", score: 0, type: 2 },
  { piece: "<n>", score: 0, type: 4 },
  { piece: "\u2581", score: -3, type: 1 },
  ...letters.map((piece, i) => ({ piece, score: -6 - i / 100, type: 1 })),
  ...words.map((word, i) => ({ piece: `\u2581${word}`, score: -4 - i / 100, type: 1 })),
];

/** A normalization table that turns A into b, as darts-clone lays it out: two units and the replacement. */
export const charsmap = (() => {
  const units = new Uint32Array(512);
  units[0] = 256 << 10;
  units[256 ^ 65] = (((256 ^ 65 ^ 300) << 10) | 0x100 | 65) >>> 0;
  units[300] = 0x80000000;
  const table = Buffer.from(units.buffer);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(table.length);
  return new Uint8Array(Buffer.concat([size, table, Buffer.from("b\0")]));
})();

const byteNames = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
);

/** The model's fields; `bytes` adds byte fallback. @param {boolean} bytes @returns {Message} */
export function spieceFields(bytes) {
  const all = bytes
    ? [...pieces, ...byteNames.map((piece) => ({ piece, score: 0, type: 6 }))]
    : pieces;
  return [
    ...all.map(
      ({ piece, score, type }) =>
        /** @type {Field} */ ([
          1,
          [
            [1, piece],
            [2, score, true],
            [3, type],
          ],
        ]),
    ),
    [
      2,
      [
        [3, 1],
        [24, 0],
        [35, bytes ? 1 : 0],
        [44, " ? "],
      ],
    ],
    [
      3,
      [
        [1, "made"],
        [2, charsmap],
        [3, 1],
        [4, 1],
        [5, 1],
      ],
    ],
    [
      5,
      [
        [2, charsmap],
        [3, 0],
        [4, 0],
        [5, 0],
      ],
    ],
  ];
}

/** @param {Message} message @returns {Uint8Array} */
export function encode(message) {
  const writer = new Writer();
  for (const [field, content, isFloat] of message) {
    if (Array.isArray(content)) writer.bytes(field, encode(content));
    else if (typeof content === "string") writer.string(field, content);
    else if (content instanceof Uint8Array) writer.bytes(field, content);
    else if (isFloat) writer.float(field, Number(content));
    else writer.int(field, content);
  }
  return writer.finish();
}

/** Fields renumbered, doubled, emptied, retyped or with odd contents. @param {Message} message @param {Draw} draw @returns {Message} */
export function mutateMessage(message, draw) {
  /** @type {Message} */
  const out = structuredClone(message);
  for (let i = 0; i <= draw.below(4); i++) {
    let within = out;
    // Settings stand behind the pieces and would seldom be met.
    let field = draw.chance(0.5) ? out.at(-1 - draw.below(3)) : draw.pick(out);
    while (
      field !== undefined &&
      Array.isArray(field[1]) &&
      field[1].length > 0 &&
      draw.chance(0.85)
    ) {
      within = field[1];
      field = draw.pick(within);
    }
    if (field === undefined) continue;
    const at = within.indexOf(field);
    const kind = draw.below(8);
    if (kind === 0) within.splice(at, 1);
    else if (kind === 1) within.splice(at, 0, ...new Array(draw.pick([1, 2, 300])).fill(field));
    else if (kind === 2) field[0] = draw.pick([0, 1, 2, 3, 4, 5, 35, 44, 2 ** 28]);
    else if (kind === 3) field[1] = draw.pick([BigInt.asUintN(64, border(draw)), draw.below(8)]);
    else if (kind === 4)
      field[1] = draw.pick(["", "a", "\u2581the", "\ufeff", "x".repeat(5000), "\u{1f40e}"]);
    else if (kind === 5 && field[1] instanceof Uint8Array) field[1] = mutateBytes(field[1], draw);
    else if (kind === 5 && field[2])
      field[1] = draw.pick([Number.NaN, 1 / 0, -1 / 0, 3e38, -3e38, 0, 9]);
    else if (kind === 6) within.splice(at, 0, [field[0], within.slice(0, 6)]);
    else field[1] = Uint8Array.from({ length: draw.pick([0, 3, 5, 2000]) }, () => draw.below(256));
  }
  return out;
}

const offset = 103;
const own = [
  "<pad>",
  "</s>",
  "<mask_1>",
  "<mask_2>",
  ...Array.from({ length: offset - 4 }, (_, i) => `<unk_${i + 2}>`),
];

/** What `tokenizer.json` holds of the same vocabulary. */
export const tokenizerJson = {
  version: "1.0",
  added_tokens: [{ id: 0, content: "<pad>", special: true }],
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "Precompiled", precompiled_charsmap: Buffer.from(charsmap).toString("base64") },
      { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
    ],
  },
  model: {
    type: "Unigram",
    unk_id: offset + 2,
    byte_fallback: false,
    vocab: [
      ...own.map((piece) => [piece, 0]),
      ...pieces.map(({ piece, score }, i) => [i < 2 ? `<unk_${101 + i}>` : piece, score]),
    ],
  },
};

export const tokenizerConfig = {
  tokenizer_class: "PegasusTokenizer",
  model_max_length: 64,
  offset,
  pad_token: "<pad>",
  eos_token: { content: "</s>", lstrip: false },
  mask_token_sent: "<mask_1>",
  clean_up_tokenization_spaces: false,
  added_tokens_decoder: {
    0: { content: "<pad>", lstrip: false, rstrip: false, special: true },
    150: { content: "<x>", lstrip: true, rstrip: true, special: false },
  },
};

export const specialTokensMap = { unk_token: "<unk>", mask_token: { content: "<mask_2>" } };

export const modelConfig = {
  architectures: ["PegasusForConditionalGeneration"],
  model_type: "pegasus",
  activation_function: "relu",
  d_model: 4,
  encoder_layers: 1,
  decoder_layers: 1,
  encoder_attention_heads: 2,
  decoder_attention_heads: 2,
  encoder_ffn_dim: 4,
  decoder_ffn_dim: 4,
  vocab_size: 12,
  max_position_embeddings: 8,
  scale_embedding: true,
  tie_word_embeddings: true,
  dropout: 0.1,
  pad_token_id: 0,
  eos_token_id: 1,
  decoder_start_token_id: 0,
};

export const generationConfig = {
  num_beams: 2,
  max_length: 6,
  length_penalty: 0.8,
  early_stopping: true,
  no_repeat_ngram_size: 2,
  bad_words_ids: [[4], [5, 6]],
  sequence_bias: [[[7], 1.5]],
  exponential_decay_length_penalty: [2, 1.1],
  forced_eos_token_id: 1,
  eos_token_id: [1, 2],
};
