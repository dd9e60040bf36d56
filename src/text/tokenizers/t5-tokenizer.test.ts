// T5's tokenizer on a vocabulary made here: what the goldens do not show, and files that are damaged.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { spieceModel, tinyPieces } from "../../../test/support/tiny-pegasus.js";
import { loadTokenizer } from "./load.js";
import { bytePiece } from "./sentencepiece-model.js";
import type { Tokenizer } from "./tokenizer.js";

const pieces = tinyPieces().map(({ piece }) => piece);
const ids = (...of: string[]) => of.map((piece) => pieces.indexOf(piece));
const extraIds = Array.from({ length: 100 }, (_, i) => `<extra_id_${99 - i}>`);
const inner = { addSpecialTokens: false };
const space = "\u2581";

const converted = {
  added_tokens: [...["<pad>", "</s>", "<unk>"].entries(), ...extraIds.entries()].map(
    ([id, content], i) => ({
      ...{ id: i < 3 ? id : pieces.length + id, content, special: true },
      ...{ lstrip: false, rstrip: false, single_word: false, normalized: false },
    }),
  ),
  normalizer: null,
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      { type: "WhitespaceSplit" },
      { type: "Metaspace", replacement: space, prepend_scheme: "always", split: true },
    ],
  },
  model: {
    type: "Unigram",
    unk_id: 2,
    byte_fallback: false,
    vocab: [
      ...tinyPieces().map(({ piece, score }) => [piece, Math.fround(score)]),
      ...extraIds.map((piece) => [piece, 0]),
    ],
  },
};

let root: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-t5-"));
  tokenizer = await open({ "tokenizer.json": JSON.stringify(converted) });
});
afterAll(() => rm(root, { recursive: true }));

async function open(
  files: Readonly<Record<string, string | Uint8Array>>,
  config: object = { tokenizer_class: "T5Tokenizer" },
): Promise<Tokenizer> {
  const folder = await mkdtemp(join(root, "folder-"));
  for (const [name, content] of Object.entries({
    "tokenizer_config.json": JSON.stringify(config),
    ...files,
  })) {
    await writeFile(join(folder, name), content);
  }
  return loadTokenizer(folder);
}

describe("T5's tokenizer", () => {
  it("cuts words at white space and ends a text, and each of a pair, with the end token", () => {
    const harbour = ids(`${space}the`, `${space}harbour`);
    expect(tokenizer.encode(" the\u2003 harbour\n")).toEqual([...harbour, 1]);
    expect(tokenizer.encode("the", { pair: "harbour" })).toEqual([harbour[0], 1, harbour[1], 1]);
    expect(tokenizer.encode("the", { pair: "harbour", ...inner })).toEqual(harbour);
    expect(tokenizer.encode("")).toEqual([1]);
  });

  it("has its own marks at the top of the vocabulary, and as themselves in a text", () => {
    expect(tokenizer.vocabSize).toBe(pieces.length + 100);
    const top = tokenizer.vocabSize - 1;
    expect(tokenizer.encode("the <extra_id_0> a<extra_id_99>", inner)).toEqual([
      ...ids(`${space}the`),
      top,
      ...ids(`${space}a`),
      top - 99,
    ]);
    expect(tokenizer.decode([top, ...ids(`${space}the`)])).toBe("<extra_id_0> the");
    expect(tokenizer.decode([top, ...ids(`${space}the`)], { skipSpecialTokens: true })).toBe("the");
    expect(tokenizer.specialTokenIds).toContain(top);
  });

  it("reads ids that a model's table has beyond the vocabulary as nothing", () => {
    expect(tokenizer.decode([tokenizer.vocabSize + 3, ...ids(`${space}the`)])).toBe("the");
    expect(() => tokenizer.decode([-1])).toThrow(/token id is/);
    expect(() => tokenizer.tokenOf(tokenizer.vocabSize)).toThrow(/token id is/);
  });

  it("says where each token stands", () => {
    const text = " the  \u{1f40e}harbour.";
    const placed = tokenizer.tokenize(text);
    expect(placed.map(({ id }) => id)).toEqual(tokenizer.encode(text));
    expect(text.slice(placed[0]!.start, placed[0]!.end)).toBe("the");
    const unknown = placed.find(({ id }) => id === 2)!;
    expect(text.slice(unknown.start, unknown.end)).toBe("\u{1f40e}");
    expect(placed.at(-1)).toMatchObject({ id: 1, start: text.length, end: text.length });
  });

  it("is the same from spiece.model, and by the model's type where no class is named", async () => {
    const plain = await open({ "spiece.model": spieceModel() });
    const config = { "config.json": '{"model_type": "t5"}' };
    const nameless = await open({ "spiece.model": spieceModel(), ...config }, {});
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        fc.pre(!text.includes("<n>"));
        expect(plain.encode(text)).toEqual(tokenizer.encode(text));
        expect(nameless.encode(text)).toEqual(tokenizer.encode(text));
      }),
    );
    expect(nameless.encode("<extra_id_7>", inner)).toEqual(tokenizer.encode("<extra_id_7>", inner));
  });

  it("has as many marks as the folder says, none twice", async () => {
    const none = await open({ "spiece.model": spieceModel() }, { extra_ids: 0 });
    expect(none.vocabSize).toBe(pieces.length);
    const own = [...tinyPieces(), { piece: "<extra_id_0>", score: 0, type: 4 }];
    const held = await open({ "spiece.model": spieceModel(own) }, { extra_ids: 2 });
    expect(held.vocabSize).toBe(own.length + 1);
    const opening = open({ "spiece.model": spieceModel() }, { extra_ids: -1 });
    await expect(opening).rejects.toThrow(/its extra_ids is -1/);
  });

  it("writes unknown characters as bytes where the vocabulary has them", async () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => ({
      ...{ piece: bytePiece(byte), score: 0, type: 6 },
    }));
    const own = [...tinyPieces(), ...bytes];
    const model = spieceModel(own, { trainer: (w) => w.int(35, 1) });
    const falling = await open({ "spiece.model": model }, { extra_ids: 0 });
    const encoded = falling.encode("the \u20acx", inner);
    expect(encoded.map((id) => falling.tokenOf(id))).toEqual([
      ...[`${space}the`, space, "<0xE2>", "<0x82>", "<0xAC>", "x"],
    ]);
    expect(falling.decode(encoded)).toBe("the \u20acx");
    expect(falling.tokenize("\u20ac", inner).at(-1)).toMatchObject({ start: 0, end: 1 });
  });

  it("takes a megabyte without a space in it", () => {
    expect(tokenizer.encode("the".repeat(300_000), inner).length).toBeGreaterThan(100_000);
  });
});

describe("a tokenizer.json of T5's", () => {
  const { model } = converted;
  it.each<[string, object, RegExp]>([
    ["another model", { model: { ...model, type: "BPE" } }, /its model is BPE, not Unigram/],
    ["no vocabulary", { model: { ...model, vocab: [] } }, /no vocab or unk_id/],
    [
      "a piece without a score",
      { model: { ...model, vocab: [["a", 0], ["b"], ["c", 1]] } },
      /entry 1/,
    ],
    [
      "a piece twice",
      { model: { ...model, vocab: [...model.vocab, ["the", -1], ["the", -1]] } },
      /"the" stands in it twice/,
    ],
    ["bytes that are not there", { model: { ...model, byte_fallback: true } }, /no piece <0x00>/],
    ["another normalizer", { normalizer: { type: "NFC" } }, /its normalizer has a "NFC"/],
  ])("with %s is refused", async (_, change, message) => {
    const opening = open({ "tokenizer.json": JSON.stringify({ ...converted, ...change }) });
    await expect(opening).rejects.toMatchObject({
      code: "TOKENIZER_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("without its special tokens is refused, and so is a folder without files", async () => {
    const config = { tokenizer_class: "T5Tokenizer", eos_token: "<none>" };
    const opening = open({ "tokenizer.json": JSON.stringify(converted) }, config);
    await expect(opening).rejects.toThrow(/its eos_token "<none>" is not in the vocabulary/);
    await expect(open({})).rejects.toMatchObject({ code: "TOKENIZER_NOT_FOUND" });
  });
});
