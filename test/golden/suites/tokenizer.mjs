// Golden suites `tokenizer:MODEL`: ids, pieces, normalized text and decoded text, padding and truncation.
// @ts-check
import path from "node:path";
import { GoldenFileError, listIn } from "../golden-folder.mjs";

/** @param {string} file a file of dist/, typed by its source */
const compiled = (file) => import(new URL(`../../../dist/${file}`, import.meta.url).href);
/** @type {typeof import("../../../src/text/tokenizers/load.js")} */
const { loadTokenizer, loadSentencePiece } = await compiled("text/tokenizers/load.js");

/**
 * @typedef {import("../../../src/text/tokenizers/tokenizer.js").Tokenizer} Tokenizer
 * @typedef {{input_ids: number[][], attention_mask: number[][]}} Batch
 * @typedef {{text: string, ids: number[], [other: string]: unknown}} Row
 * @typedef {{texts: number[], kwargs: Record<string, unknown>, slow: Batch, fast4?: Batch, fast5?: Batch}} Variant
 */

/** skip_special_tokens × clean_up_tokenization_spaces, by the names of `decode_order`. */
/** @type {Record<string, {skipSpecialTokens: boolean, cleanUpTokenizationSpaces: boolean}>} */
const decodeModes = {
  "skip+clean": { skipSpecialTokens: true, cleanUpTokenizationSpaces: true },
  skip: { skipSpecialTokens: true, cleanUpTokenizationSpaces: false },
  "keep+clean": { skipSpecialTokens: false, cleanUpTokenizationSpaces: true },
  keep: { skipSpecialTokens: false, cleanUpTokenizationSpaces: false },
};

/** @param {string} name */
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/** Call options of transformers as Bridle's: names and values in camelCase. @param {Record<string, unknown>} kwargs */
const optionsOf = (kwargs) =>
  Object.fromEntries(
    Object.entries(kwargs).map(([key, value]) => [
      camel(key),
      typeof value === "string" ? camel(value) : value,
    ]),
  );

/** @param {Tokenizer} tokenizer @param {number[]} ids @param {string[]} order */
function decodeAll(tokenizer, ids, order) {
  return order.map((mode) => {
    const options = decodeModes[mode];
    if (options === undefined)
      throw new GoldenFileError(`decode_order names the unknown mode ${mode}`);
    return tokenizer.decode(ids, options);
  });
}

/** @param {Record<string, unknown>} content @param {string} file @returns {string[]} */
const decodeOrder = (content, file) =>
  /** @type {string[]} */ (listIn(content, "decode_order", file));

/** What a variant must give: the slow tokenizer's, but the fast one's where the slow fails to truncate to length 1. */
/** @param {Variant} variant */
const reference = ({ kwargs, slow, fast4, fast5 }) =>
  kwargs.max_length === 1 ? (fast4 ?? fast5 ?? slow) : slow;

/** @type {import("../run.mjs").Suite} */
export const pegasusTiny = {
  name: "tokenizer:pegasus-tiny",
  tolerance: 0,
  async run({ folder, comparison }) {
    const model = path.join(folder.root, "pegasus-tiny");
    const tokenizer = await loadTokenizer(model);
    const sentencePiece = await loadSentencePiece(path.join(model, "spiece.model"));

    const strings = await folder.readJson("tokenizer/strings.json");
    const order = decodeOrder(strings, "tokenizer/strings.json");
    const rows = /** @type {Row[]} */ (listIn(strings, "rows", "tokenizer/strings.json"));
    const { slow: special } = /** @type {{slow: Record<string, number>}} */ (strings.special);
    comparison.same(
      "special",
      {
        pad_token: tokenizer.padTokenId,
        eos_token: tokenizer.eosTokenId,
        unk_token: tokenizer.unkTokenId,
        mask_token: special.mask_token,
      },
      special,
    );
    comparison.same("len", tokenizer.vocabSize, /** @type {{slow: number}} */ (strings.len).slow);
    comparison.same(
      "all_special_ids",
      [...tokenizer.specialTokenIds].sort((a, b) => a - b),
      /** @type {{slow: number[]}} */ (strings.all_special_ids).slow,
    );
    comparison.same(
      "model_max_length",
      tokenizer.modelMaxLength,
      /** @type {{slow: number}} */ (strings.model_max_length).slow,
    );
    const head = listIn(strings, "vocab_head", "tokenizer/strings.json");
    comparison.same(
      "vocab_head",
      head.map((_, id) => tokenizer.tokenOf(id)),
      head,
    );
    for (const [i, row] of rows.entries()) {
      const { fast4: _, fast5: __, ...expected } = row;
      const ids = tokenizer.encode(row.text);
      const pieces = sentencePiece.encode(row.text);
      const actual = {
        text: row.text,
        ids,
        tokens: ids.map((id) => tokenizer.tokenOf(id)),
        decode: decodeAll(tokenizer, row.ids, order),
        normalized: sentencePiece.normalize(row.text),
        spm_pieces: pieces.map(({ piece }) => piece),
        spm_ids: pieces.map(({ id }) => id),
        default_decode: tokenizer.decode(row.ids),
      };
      comparison.same(`strings[${i}]`, actual, expected);
    }

    const variants = /** @type {Variant[]} */ (
      listIn(
        await folder.readJson("tokenizer/variants.json"),
        "variants",
        "tokenizer/variants.json",
      )
    );
    for (const [i, variant] of variants.entries()) {
      const texts = variant.texts.map((row) => rows[row]?.text ?? "");
      const { inputIds, attentionMask } = tokenizer.encodeBatch(texts, optionsOf(variant.kwargs));
      comparison.same(
        `variants[${i}]`,
        { input_ids: inputIds, attention_mask: attentionMask },
        reference(variant),
      );
    }

    const decode = await folder.readJson("tokenizer/decode.json");
    const cases = /** @type {{ids: number[], fast4?: unknown, fast5?: unknown}[]} */ (
      listIn(decode, "cases", "tokenizer/decode.json")
    );
    for (const [i, { fast4: _, fast5: __, ...expected }] of cases.entries()) {
      const actual = {
        ids: expected.ids,
        decode: decodeAll(tokenizer, expected.ids, decodeOrder(decode, "tokenizer/decode.json")),
      };
      comparison.same(`decode[${i}]`, actual, expected);
    }

    const documents = /** @type {{text: string, fast4?: unknown, fast5?: unknown}[]} */ (
      listIn(await folder.readJson("tokenizer/documents.json"), "cases", "tokenizer/documents.json")
    );
    for (const [i, { fast4: _, fast5: __, ...expected }] of documents.entries()) {
      comparison.same(
        `documents[${i}]`,
        { text: expected.text, ids: tokenizer.encode(expected.text) },
        expected,
      );
    }
  },
};

/**
 * A tokenizer whose reference is the fast one of transformers 5: ids, truncation, decoding and pairs.
 * @param {string} model @returns {import("../run.mjs").Suite}
 */
export const tokenizer = (model) => ({
  name: `tokenizer:${model}`,
  tolerance: 0,
  async run({ folder, comparison }) {
    const file = `tokenizer/${model}.json`;
    const content = await folder.readJson(file);
    const opened = await loadTokenizer(path.join(folder.root, model));
    for (const [i, row] of /** @type {Row[]} */ (listIn(content, "rows", file)).entries()) {
      const cut = opened.encodeBatch([row.text], { truncation: true, maxLength: 8 });
      const decode = (/** @type {boolean} */ skipSpecialTokens) =>
        opened.decode(row.ids, { skipSpecialTokens });
      const actual = {
        text: row.text,
        ids: opened.encode(row.text),
        decode_skip: decode(true),
        decode_keep: decode(false),
        truncated_8: cut.inputIds[0],
      };
      comparison.same(`rows[${i}]`, actual, row);
      // Its places must tell the same tokens, in order and within the text.
      const placed = opened.tokenize(row.text);
      comparison.same(
        `rows[${i}].places`,
        placed.map(({ id }) => id),
        row.ids,
      );
      let at = 0;
      for (const { start, end } of placed) {
        if (start > end || end > row.text.length || end < at) {
          comparison.mismatch(`rows[${i}].places`, `${start} to ${end} after ${at}`);
        }
        at = Math.max(at, start);
      }
    }
    const pairs = /** @type {{a: string, b: string, ids: number[]}[]} */ (
      listIn(content, "pairs", file)
    );
    for (const [i, { a, b, ids }] of pairs.entries()) {
      comparison.same(`pairs[${i}]`, opened.encode(a, { pair: b }), ids);
    }
  },
});
