// BART's tokenizer on a vocabulary made here: what the goldens do not show, and files that are damaged.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { byteLetters as letters } from "../../../test/support/byte-letters.js";
import { loadTokenizer } from "./load.js";
import type { Tokenizer } from "./tokenizer.js";

const space = letters[32]!;
const merges: [string, string][] = [
  [space, "t"],
  ["h", "e"],
  [`${space}t`, "he"],
  ["l", "o"],
  ["lo", "w"],
  ["e", "r"],
  ["a", "a"],
  ["aa", "aa"],
];
const specials = ["<s>", "<pad>", "</s>", "<unk>"];
const pieces = [...specials, ...letters, ...merges.map(([a, b]) => a + b), "<mask>"];
const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
const ids = (...of: string[]) => of.map((piece) => vocab[piece]);
const special = (content: string, lstrip = false) => ({
  ...{ id: vocab[content], content, lstrip, rstrip: false },
  ...{ single_word: false, normalized: false, special: true },
});
const converted = {
  added_tokens: [...specials.map((content) => special(content)), special("<mask>", true)],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    vocab,
    merges: merges.map((pair) => pair.join(" ")),
  },
};

let root: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-bart-"));
  tokenizer = await open({ "tokenizer.json": JSON.stringify(converted) });
});
afterAll(() => rm(root, { recursive: true }));

async function open(
  files: Readonly<Record<string, string>>,
  config: object = {},
): Promise<Tokenizer> {
  const folder = await mkdtemp(join(root, "folder-"));
  const own = JSON.stringify({ tokenizer_class: "BartTokenizer", ...config });
  for (const [name, text] of Object.entries({ "tokenizer_config.json": own, ...files }))
    await writeFile(join(folder, name), text);
  return loadTokenizer(folder);
}
const inner = { addSpecialTokens: false };

describe("BART's tokenizer", () => {
  it("joins what was learned first, and of equal pairs the leftmost", () => {
    expect(tokenizer.encode("the lower", inner)).toEqual(ids("t", "he", space, "low", "er"));
    expect(tokenizer.encode(" the", inner)).toEqual(ids(`${space}the`));
    expect(tokenizer.encode("aaaaaaa", inner)).toEqual(ids("aaaa", "aa", "a"));
  });

  it("puts a text between its tokens, and two texts as a pair", () => {
    expect(tokenizer.encode("low")).toEqual([0, ...ids("low"), 2]);
    expect(tokenizer.encode("low", { pair: "er" })).toEqual([
      0,
      ...ids("low"),
      2,
      2,
      ...ids("er"),
      2,
    ]);
    expect(
      tokenizer.encodeBatch(["low lower"], { truncation: true, maxLength: 4 }).inputIds,
    ).toEqual([[0, ...ids("low", space), 2]]);
  });

  it("takes the mask with the space before it, and special tokens as they stand", () => {
    expect(tokenizer.encode("low <mask> er", inner)).toEqual(ids("low", "<mask>", space, "er"));
    expect(tokenizer.decode(tokenizer.encode("low</s>er"), { skipSpecialTokens: true })).toBe(
      "lower",
    );
    expect(tokenizer.specialTokenIds).toEqual(ids(...specials, "<mask>"));
  });

  it("says where each token stands, a part of a character as all of it", () => {
    const text = "\u00e9 the \u{1f40e}";
    const placed = tokenizer.tokenize(text, inner);
    expect(placed.map(({ id }) => id)).toEqual(tokenizer.encode(text, inner));
    expect(placed.slice(0, 2).map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(text.slice(placed[2]!.start, placed[2]!.end)).toBe(" the");
    expect(placed.slice(-4).every(({ start, end }) => start === 6 && end === 8)).toBe(true);
  });

  it("gives a text back byte for byte, and marks where a half-written character is cut", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
        fc.pre(!/<(s|pad|\/s|unk|mask)>/.test(text) && !/\p{Surrogate}/u.test(text));
        expect(tokenizer.decode(tokenizer.encode(text, inner))).toBe(text);
      }),
      { numRuns: 500 },
    );
    expect(tokenizer.decode(tokenizer.encode("\ud800a", inner))).toBe("\ufffda");
    expect(tokenizer.decode(tokenizer.encode("\u{1f40e}", inner).slice(0, 3))).toBe("\ufffd");
    // A model's table may be rounded up beyond the vocabulary.
    expect(tokenizer.decode([...(ids("er") as number[]), pieces.length])).toBe("er");
    expect(() => tokenizer.decode([-1])).toThrow(/token id is/);
  });

  it("takes a megabyte without a space in it", () => {
    expect(tokenizer.encode("a".repeat(1_000_000), inner)).toHaveLength(250_000);
  });

  it("may put a space before a text that has none", async () => {
    const files = { "tokenizer.json": JSON.stringify(converted) };
    const prefixing = await open(files, { add_prefix_space: true });
    expect(prefixing.encode("the", inner)).toEqual(ids(`${space}the`));
    expect(prefixing.encode(" the", inner)).toEqual(ids(`${space}the`));
    // Other white space is no space, as the tokenizers library has it.
    expect(prefixing.encode("\u3000", inner)).not.toEqual(tokenizer.encode("\u3000", inner));
    expect(prefixing.tokenize("the er", inner).map(({ start, end }) => [start, end])).toEqual([
      [0, 3],
      [3, 4],
      [4, 6],
    ]);
  });

  it("is the same from vocab.json and merges.txt, and by its files where no class is named", async () => {
    const text = "the lower<mask> \u00e9 aaaa";
    const plain = await open({
      "vocab.json": JSON.stringify(vocab),
      "merges.txt": `#version: 0.2\n${merges.map((pair) => pair.join(" ")).join("\n")}\n`,
    });
    expect(plain.encode(text)).toEqual(tokenizer.encode(text));
    // In plain files nothing says that the mask takes the space before it.
    expect(plain.encode("low <mask>", inner)).toEqual(ids("low", space, "<mask>"));
    const nameless = await open({
      "tokenizer.json": JSON.stringify(converted),
      "tokenizer_config.json": "{}",
    });
    expect(nameless.encode(text)).toEqual(tokenizer.encode(text));
    const namelessPlain = await open({
      "vocab.json": JSON.stringify(vocab),
      "merges.txt": merges.map((pair) => pair.join(" ")).join("\n"),
      "tokenizer_config.json": JSON.stringify({ model_max_length: 1024 }),
    });
    expect(namelessPlain.encode(text)).toEqual(tokenizer.encode(text));
    // Files of the first tokenizers name no kind.
    const { type: _, ...untyped } = converted.model;
    const old = await open({
      "tokenizer.json": JSON.stringify({ ...converted, model: untyped }),
      "tokenizer_config.json": "{}",
    });
    expect(old.encode(text)).toEqual(tokenizer.encode(text));
  });

  it.each(["TokenizersBackend", "PreTrainedTokenizerFast"])(
    "of the class %s is what its file says",
    async (tokenizer_class) => {
      const roberta = { type: "RobertaProcessing", cls: ["<s>", 0], sep: ["</s>", 2] };
      const byFile = (post_processor: object | null, add_prefix_space = false) =>
        open(
          {
            "tokenizer.json": JSON.stringify({
              ...{ ...converted, post_processor },
              pre_tokenizer: { ...converted.pre_tokenizer, add_prefix_space },
            }),
          },
          { tokenizer_class, add_prefix_space: true },
        );
      expect((await byFile(roberta)).encode("the low")).toEqual(tokenizer.encode("the low"));
      expect((await byFile(roberta, true)).encode("the", inner)).toEqual(ids(`${space}the`));
      const part = (id: string) =>
        id === "A" ? { Sequence: { id, type_id: 0 } } : { SpecialToken: { id, type_id: 0 } };
      const template = (...names: string[]) => ({
        ...{ type: "TemplateProcessing", single: names.map(part) },
      });
      const same = await byFile(template("<s>", "A", "</s>"));
      expect(same.encode("the low")).toEqual(tokenizer.encode("the low"));
      await expect(byFile(null)).rejects.toThrow("it writes the text, which is not supported");
      await expect(byFile(template("A", "</s>"))).rejects.toThrow("it writes the text </s>,");
      await expect(byFile({ type: "BertProcessing" })).rejects.toThrow("BertProcessing");
    },
  );

  it("cleans up spaces for nobody but who insists on it", async () => {
    const files = { "tokenizer.json": JSON.stringify(converted) };
    const asked = await open(files, { clean_up_tokenization_spaces: true });
    expect(asked.cleanUpTokenizationSpaces).toBe(false);
    expect(asked.decode(asked.encode("a . b", inner))).toBe("a . b");
    expect(asked.decode(asked.encode("a . b", inner), { cleanUpTokenizationSpaces: true })).toBe(
      "a . b",
    );
    const insisting = await open(files, {
      clean_up_tokenization_spaces: true,
      clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output: true,
    });
    expect(insisting.decode(insisting.encode("a . b", inner))).toBe("a. b");
  });

  it("of a model without a row for the mask reads it as text", () => {
    const text = "low <mask> er";
    const mask = pieces.length - 1;
    expect(tokenizer.within(pieces.length)).toBe(tokenizer);
    const within = tokenizer.within(mask);
    expect(within.vocabSize).toBe(mask);
    expect(within.specialTokenIds).toEqual(ids(...specials));
    expect(within.encode(text, inner)).toEqual(
      ids("low", space, "<", "m", "a", "s", "k", ">", space, "er"),
    );
    expect(within.decode(within.encode(text, inner))).toBe(text);
    expect(() => within.tokenOf(mask)).toThrow(/from 0 to/);
    // Every other token is one that text comes to.
    expect(() => tokenizer.within(mask - 1)).toThrow(
      `it has ${mask} tokens, the model ${mask - 1}`,
    );
  });
});

describe("a tokenizer.json of byte-level BPE", () => {
  const { model } = converted;
  it.each<[string, object, RegExp]>([
    [
      "another model",
      { model: { ...model, type: "WordPiece" } },
      /its model is WordPiece, not BPE/,
    ],
    [
      "another pre-tokenizer",
      { pre_tokenizer: { type: "Whitespace" } },
      /pre_tokenizer is "Whitespace", not ByteLevel/,
    ],
    [
      "no pattern of words",
      { pre_tokenizer: { type: "ByteLevel", use_regex: false } },
      /not ByteLevel/,
    ],
    ["a normalizer", { normalizer: { type: "NFC" } }, /it has a normalizer, "NFC"/],
    ["dropout", { model: { ...model, dropout: 0.1 } }, /its dropout is 0\.1/],
    ["no vocabulary", { model: { ...model, vocab: {} } }, /its vocabulary is empty/],
    [
      "an id that is none",
      { model: { ...model, vocab: { ...vocab, a: -1 } } },
      /its piece "a" has the id -1/,
    ],
    ["an id taken twice", { model: { ...model, vocab: { ...vocab, a: 5 } } }, /has the id 5/],
    ["a pair of three", { model: { ...model, merges: ["a b c"] } }, /its pair 0 is "a b c"/],
    [
      "a pair that makes no piece",
      { model: { ...model, merges: [["z", "z"]] } },
      /needs the piece "zz"/,
    ],
  ])("with %s is refused", async (_, change, message) => {
    const opening = open({ "tokenizer.json": JSON.stringify({ ...converted, ...change }) });
    await expect(opening).rejects.toMatchObject({
      code: "TOKENIZER_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("without its special tokens is refused, and so is a folder without files", async () => {
    await expect(
      open({ "tokenizer.json": JSON.stringify(converted) }, { bos_token: "<none>" }),
    ).rejects.toThrow(/its bos_token "<none>" is not in the vocabulary/);
    await expect(open({})).rejects.toMatchObject({ code: "TOKENIZER_NOT_FOUND" });
  });
});
