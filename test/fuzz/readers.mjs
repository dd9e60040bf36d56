// The readers that are fuzzed: how a valid input is spoiled, what is done with it, and which errors are right.
// @ts-check
import { writeFileSync } from "node:fs";
import path from "node:path";
import { mutateBytes, mutateJsonText } from "./mutations.mjs";
import * as pickles from "./pickles.mjs";
import * as vocabularies from "./vocabularies.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../src/model/checkpoint/pickle.js")} */
const { readPickle } = await compiled("model/checkpoint/pickle.js");
/** @type {typeof import("../../src/model/checkpoint/torch-file.js")} */
const { readTorchHeader } = await compiled("model/checkpoint/torch-file.js");
/** @type {typeof import("../../src/model/checkpoint/safetensors.js")} */
const { readSafetensorsHeader } = await compiled("model/checkpoint/safetensors.js");
/** @type {typeof import("../../src/model/checkpoint/stored.js")} */
const { readFloat32 } = await compiled("model/checkpoint/stored.js");
/** @type {typeof import("../../src/text/tokenizers/load.js")} */
const { loadTokenizer } = await compiled("text/tokenizers/load.js");
/** @type {typeof import("../../src/text/tokenizers/sentencepiece-model.js")} */
const { readSentencePieceModel } = await compiled("text/tokenizers/sentencepiece-model.js");
/** @type {typeof import("../../src/text/tokenizers/sentencepiece.js")} */
const { createSentencePiece } = await compiled("text/tokenizers/sentencepiece.js");
/** @type {typeof import("../../src/generate/model.js")} */
const { openModel } = await compiled("generate/model.js");
/** @type {typeof import("../../src/model/checkpoint/write.js")} */
const { writeSafetensors } = await compiled("model/checkpoint/write.js");
/** @type {typeof import("../../src/model/pegasus.js")} */
const { pegasus } = await compiled("model/pegasus.js");
/** @type {typeof import("../../src/model/forward.js")} */
const { forwardGraph } = await compiled("model/forward.js");

/**
 * @typedef {import("./mutations.mjs").Draw} Draw
 * @typedef {Map<string, Uint8Array>} Files by name; a reader of one thing has one
 * @typedef {{name: string, codes: readonly string[], prepare?: (folder: string) => Promise<void>,
 *   spoil: (draw: Draw) => Files, read: (files: Files, folder: string) => unknown}} Reader
 *   codes: errors that the reader may answer with
 *   prepare: puts files into the folder that stay as they are
 *   read: reads and uses what was spoiled; whatever it throws counts
 */

/** @param {Files} files @param {string} folder */
function writeAll(files, folder) {
  for (const [name, bytes] of files) writeFileSync(path.join(folder, name), bytes);
}

/** @param {Map<string, import("../../src/model/checkpoint/stored.js").StoredTensor>} tensors */
async function readAll(tensors) {
  for (const tensor of [...tensors.values()].slice(0, 20)) await readFloat32(tensor);
}

const sample = "The harbour A of \u2603 the<n>town  <mask_1>\u{1f40e}";

/** @param {boolean} legacy @param {Draw} draw */
function spoiledPickle(legacy, draw) {
  const ops = pickles.stateDict(legacy);
  const mutated = draw.chance(0.8) ? pickles.mutateOpcodes(ops, draw) : ops;
  const bytes = pickles.bytesOf(mutated);
  return draw.chance(0.25) ? mutateBytes(bytes, draw) : bytes;
}

/** @type {Reader} */
const pickle = {
  name: "pickle",
  codes: ["WEIGHTS_CORRUPT", "PICKLE_FORBIDDEN"],
  spoil: (draw) => new Map([["data.pkl", spoiledPickle(false, draw)]]),
  read: (files) => readPickle(files.get("data.pkl") ?? new Uint8Array(), 0, "data.pkl"),
};

const weightCodes = ["WEIGHTS_CORRUPT", "PICKLE_FORBIDDEN"];

/** @type {Reader} */
const zip = {
  name: "torch-zip",
  codes: weightCodes,
  spoil(draw) {
    const whole = draw.chance(0.4);
    const entries = pickles.torchEntries(
      whole ? pickles.bytesOf(pickles.stateDict(false)) : spoiledPickle(false, draw),
    );
    if (draw.chance(0.1)) entries.splice(draw.below(entries.length), 1);
    if (draw.chance(0.1)) entries.push(draw.pick(entries));
    const bytes = pickles.zipFile(entries);
    return new Map([["pytorch_model.bin", whole ? mutateBytes(bytes, draw) : bytes]]);
  },
  async read(files, folder) {
    writeAll(files, folder);
    await readAll(await readTorchHeader(path.join(folder, "pytorch_model.bin")));
  },
};

/** @type {Reader} */
const legacy = {
  name: "torch-legacy",
  codes: weightCodes,
  spoil(draw) {
    const [keys = []] = pickles.legacyPickles.after;
    const whole = draw.chance(0.4);
    const bytes = pickles.legacyFile(
      whole ? pickles.bytesOf(pickles.stateDict(true)) : spoiledPickle(true, draw),
      pickles.bytesOf(draw.chance(0.1) ? pickles.mutateOpcodes(keys, draw) : keys),
    );
    return new Map([["pytorch_model.bin", whole ? mutateBytes(bytes, draw) : bytes]]);
  },
  read: zip.read,
};

const headerOf = {
  __metadata__: { format: "pt" },
  "model.shared.weight": { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
  bias: { dtype: "F16", shape: [3], data_offsets: [24, 30] },
  scale: { dtype: "BF16", shape: [], data_offsets: [30, 32] },
  none: { dtype: "F64", shape: [0, 9], data_offsets: [32, 32] },
};

/** @type {Reader} */
const safetensors = {
  name: "safetensors",
  codes: ["WEIGHTS_CORRUPT"],
  spoil(draw) {
    const json = draw.chance(0.75)
      ? mutateJsonText(headerOf, draw)
      : new Uint8Array(Buffer.from(JSON.stringify(headerOf)));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const whole = new Uint8Array(Buffer.concat([length, json, Buffer.alloc(32, 1)]));
    return new Map([["model.safetensors", draw.chance(0.4) ? mutateBytes(whole, draw) : whole]]);
  },
  async read(files, folder) {
    writeAll(files, folder);
    await readAll(await readSafetensorsHeader(path.join(folder, "model.safetensors")));
  },
};

const spieces = [false, true].map((bytes) => vocabularies.spieceFields(bytes));

/** @type {Reader} */
const spiece = {
  name: "spiece",
  codes: ["TOKENIZER_INVALID", "PROTOBUF_CORRUPT"],
  spoil(draw) {
    const fields = draw.pick(spieces);
    const mutated = draw.chance(0.7) ? vocabularies.mutateMessage(fields, draw) : fields;
    const bytes = vocabularies.encode(mutated);
    return new Map([["spiece.model", draw.chance(0.5) ? mutateBytes(bytes, draw) : bytes]]);
  },
  read(files) {
    const bytes = files.get("spiece.model") ?? new Uint8Array();
    const model = createSentencePiece(
      readSentencePieceModel(bytes, "spiece.model"),
      "spiece.model",
    );
    model.encodePlaced(sample);
    model.decode([...model.encode(sample).map(({ piece }) => piece), "<0xF0>", "\u2581the"]);
  },
};

/** @type {Reader} */
const tokenizer = {
  name: "tokenizer-json",
  codes: ["TOKENIZER_INVALID"],
  spoil(draw) {
    const whole = (/** @type {unknown} */ json) =>
      new Uint8Array(Buffer.from(JSON.stringify(json)));
    const which = draw.below(4);
    return new Map([
      ["tokenizer.json", (which < 2 ? mutateJsonText : whole)(vocabularies.tokenizerJson, draw)],
      [
        "tokenizer_config.json",
        (which > 0 && which < 3 ? mutateJsonText : whole)(vocabularies.tokenizerConfig, draw),
      ],
      [
        "special_tokens_map.json",
        (which === 3 ? mutateJsonText : whole)(vocabularies.specialTokensMap, draw),
      ],
    ]);
  },
  async read(files, folder) {
    writeAll(files, folder);
    const opened = await loadTokenizer(folder);
    const ids = opened.encode(sample);
    opened.tokenize(sample);
    opened.decode(ids);
    opened.encodeBatch([sample], { truncation: true, padding: true });
  },
};

/** @type {Reader} */
const config = {
  name: "config",
  codes: [
    "CONFIG_INVALID",
    "FILE_INVALID",
    "ARCHITECTURE_NOT_SUPPORTED",
    "SHAPE_MISMATCH",
    "WEIGHT_MISSING",
    "WEIGHT_UNEXPECTED",
    "WEIGHTS_CORRUPT",
    "WEIGHTS_NOT_FOUND",
  ],
  async prepare(folder) {
    const { parameters } = forwardGraph(pegasus, pegasus.readConfig(vocabularies.modelConfig));
    /** @type {Map<string, import("../../src/runtime/tensor.js").Tensor<"float32">>} */
    const weights = new Map();
    for (const { name, shape } of parameters) {
      if (name.includes("embed_positions")) continue;
      const dims = shape.map(Number);
      const size = dims.reduce((product, dim) => product * dim, 1);
      weights.set(name, { dtype: "float32", shape: dims, data: new Float32Array(size).fill(0.5) });
    }
    await writeSafetensors(path.join(folder, "one.safetensors"), weights);
    indexOf.weight_map = Object.fromEntries(
      [...weights.keys()].map((name) => [name, "one.safetensors"]),
    );
  },
  spoil(draw) {
    const whole = (/** @type {unknown} */ json) =>
      new Uint8Array(Buffer.from(JSON.stringify(json)));
    const which = draw.below(4);
    return new Map([
      ["config.json", (which < 2 ? mutateJsonText : whole)(vocabularies.modelConfig, draw)],
      [
        "generation_config.json",
        (which === 2 ? mutateJsonText : whole)(vocabularies.generationConfig, draw),
      ],
      ["model.safetensors.index.json", (which === 3 ? mutateJsonText : whole)(indexOf, draw)],
    ]);
  },
  async read(files, folder) {
    writeAll(files, folder);
    const model = await openModel(folder, { device: "cpu", threads: 1 });
    await model.close();
  },
};

/** Filled when the weights are made. @type {{metadata: {total_size: number}, weight_map: Record<string, string>}} */
const indexOf = { metadata: { total_size: 1 }, weight_map: {} };

export const readers = [pickle, zip, legacy, safetensors, spiece, tokenizer, config];
