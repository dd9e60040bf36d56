// SentencePiece and Pegasus's tokenizer on a vocabulary made here, and files that are damaged.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { spieceModel, tinyPieces } from "../../../test/support/tiny-pegasus.js";
import type { Writer } from "../../graph/protobuf.js";
import { loadTokenizer } from "./load.js";
import { PieceTrie } from "./piece-trie.js";
import { createSentencePiece } from "./sentencepiece.js";
import { defaultUnknownSurface, readSentencePieceModel } from "./sentencepiece-model.js";
import { cleanUpSpaces, settledText, stripPython, type Tokenizer } from "./tokenizer.js";
import { buildCharsmap } from "./train/charsmap.js";

let root: string;
let tokenizer: Tokenizer;
const sentencePiece = createSentencePiece(readSentencePieceModel(spieceModel(), "made"), "made");

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-tokenizer-"));
  await writeFile(join(root, "spiece.model"), spieceModel());
  await writeFile(join(root, "tokenizer_config.json"), JSON.stringify({ model_max_length: 12 }));
  tokenizer = await loadTokenizer(root);
});
afterAll(() => rm(root, { recursive: true }));

describe("SentencePiece", () => {
  it.each([
    ["the harbour", ["\u2581the", "\u2581harbour"]],
    ["  the \t harbour  ", ["\u2581the", "\u2581", "\t", "\u2581harbour"]],
    ["the<n>ferry", ["\u2581the", "<n>", "f", "e", "r", "r", "y"]],
    ["the \u2603\u2603 town", ["\u2581the", "\u2581", "\u2603\u2603", "\u2581town"]],
    ["\u{1f40e} town", ["\u2581", "\u{1f40e}", "\u2581town"]],
    ["", []],
    ["   ", []],
  ])("cuts %j", (text, pieces) =>
    expect(sentencePiece.encode(text).map(({ piece }) => piece)).toEqual(pieces),
  );

  it("joins pieces to text, without the first space and without control pieces", () => {
    expect(sentencePiece.decode(["\u2581the", "\u2581harbour", "</s>"])).toBe("the harbour");
    expect(sentencePiece.decode(["\u2581", "\u2581the", "<unk>"])).toBe("the \u2047 ");
  });

  it("takes a user-defined piece before learned ones, also where normalizing makes it", () => {
    const pieces = [
      { piece: "<unk>", score: 0, type: 2 },
      { piece: "bc", score: 0, type: 4 },
      ...["\u2581", ..."abc"].map((piece) => ({ piece, score: -3, type: 1 })),
      { piece: "ab", score: -4, type: 1 },
    ];
    const model = createSentencePiece(
      {
        pieces,
        trie: new PieceTrie(pieces),
        unknownId: 0,
        normalizer: {
          precompiledCharsmap: buildCharsmap("nfkc"),
          addDummyPrefix: true,
          removeExtraWhitespaces: true,
          escapeWhitespaces: true,
          whitespaceAsSuffix: false,
        },
        denormalizer: undefined,
        unknownSurface: defaultUnknownSurface,
        byteFallback: false,
      },
      "made",
    );
    // The second b is a full-width one: no user-defined piece stands in the text before it is normalized.
    for (const text of ["abc", "a\uff42c"]) {
      expect(model.encode(text).map(({ piece }) => piece)).toEqual(["\u2581", "a", "bc"]);
    }
  });

  it("weighs small differences at the end of a long text as at its beginning", () => {
    const made = [
      { piece: "<unk>", score: 0, type: 2 },
      { piece: "a", score: -10, type: 1 },
      { piece: "b", score: -10, type: 1 },
      { piece: "ab", score: -19.99, type: 1 },
      { piece: "\u2581", score: -1, type: 1 },
    ];
    const model = createSentencePiece(
      {
        pieces: made,
        trie: new PieceTrie(made),
        unknownId: 0,
        normalizer: {
          precompiledCharsmap: new Uint8Array(),
          addDummyPrefix: true,
          removeExtraWhitespaces: true,
          escapeWhitespaces: true,
          whitespaceAsSuffix: false,
        },
        denormalizer: undefined,
        unknownSurface: defaultUnknownSurface,
        byteFallback: false,
      },
      "made",
    );
    const pieces = model.encode("ab".repeat(100_000)).map(({ piece }) => piece);
    expect(pieces.slice(1).every((piece) => piece === "ab")).toBe(true);
  });

  it("takes a text of a megabyte without a space in it", () => {
    const pieces = sentencePiece.encode("harbour".repeat(150_000));
    expect(pieces.map(({ piece }) => piece).join("")).toBe(`\u2581${"harbour".repeat(150_000)}`);
  });
});

describe("a SentencePiece model's settings", () => {
  const open = (...made: Parameters<typeof spieceModel>) =>
    createSentencePiece(readSentencePieceModel(spieceModel(...made), "made"), "made");
  const bytes = Array.from({ length: 256 }, (_, byte) => ({
    piece: `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
    score: 0,
    type: 6,
  }));
  const falling = { trainer: (w: Writer) => void w.int(35, 1) };

  it("write unknown characters as bytes, and read bytes back, one mark for each that is none", () => {
    const model = open([...tinyPieces(), ...bytes], falling);
    const pieces = model.encode("the \u{1f40e}").map(({ piece }) => piece);
    expect(pieces).toEqual(["\u2581the", "\u2581", "<0xF0>", "<0x9F>", "<0x90>", "<0x8E>"]);
    expect(model.decode(pieces)).toBe("the \u{1f40e}");
    expect(model.decode(["<0xF0>", "<0x9F>", "a", "<0xC3>", "<0xA9>", "<0xED>", "<0xA0>"])).toBe(
      "\ufffd\ufffda\u00e9\ufffd\ufffd",
    );
    expect(() => open([...tinyPieces(), ...bytes.slice(1)], falling)).toThrow(/no piece <0x00>/);
  });

  it("put spaces behind words", () => {
    const pieces = [...tinyPieces(), { piece: "the\u2581", score: -3.5, type: 1 }];
    const model = open(pieces, { trainer: (w) => void w.int(24, 1) });
    expect(model.normalize(" the town ")).toBe("the\u2581town\u2581");
    expect(model.encode("the").map(({ piece }) => piece)).toEqual(["the\u2581"]);
  });

  it("say what an unknown piece reads as", () => {
    const model = open(undefined, { trainer: (w) => void w.string(44, "??") });
    expect(model.decode(["\u2581the", "<unk>"])).toBe("the??");
  });

  it("may have the byte order mark as a piece", () => {
    const pieces = [...tinyPieces(), { piece: "\ufeff", score: -2, type: 1 }];
    const model = open(pieces, { normalizer: (w) => void w.int(3, 0) });
    expect(model.encode("\ufeffa").map(({ id }) => id)).toEqual([
      tinyPieces().length,
      tinyPieces().findIndex(({ piece }) => piece === "a"),
    ]);
  });

  it("keep the place of every piece", () => {
    const text = "  the \u{1f40e} \t harbour ";
    const placed = open().encodePlaced(text);
    expect(placed.map(({ piece, start, end }) => [piece, text.slice(start, end)])).toEqual([
      ["\u2581the", "the"],
      ["\u2581", " "],
      ["\u{1f40e}", "\u{1f40e}"],
      ["\u2581", " "],
      ["\t", "\t"],
      ["\u2581harbour", " harbour"],
    ]);
  });
});

describe("Pegasus's ids", () => {
  it("lie above the pre-training tokens, with the end token last", () => {
    const [the] = sentencePiece.encode("the");
    expect(tokenizer.encode("the")).toEqual([the!.id + 103, 1]);
    expect(tokenizer.encode("the", { addSpecialTokens: false })).toEqual([the!.id + 103]);
    expect([
      tokenizer.tokenOf(0),
      tokenizer.tokenOf(2),
      tokenizer.tokenOf(3),
      tokenizer.tokenOf(4),
    ]).toEqual(["<pad>", "<mask_1>", "<mask_2>", "<unk_2>"]);
    expect(tokenizer.vocabSize).toBe(tinyPieces().length + 103);
  });

  it("keep special tokens in the text whole", () => {
    const ids = tokenizer.encode("the <mask_1> town</s> harbour <unk_40>");
    expect(ids.filter((id) => id < 103)).toEqual([2, 1, 42, 1]);
    expect(tokenizer.decode(ids)).toBe("the<mask_1>town</s>harbour<unk_40></s>");
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("the town harbour");
  });

  it("have places in the text, special tokens and the end token too", () => {
    const text = "the <mask_1>  town\u2603</s>";
    const found = tokenizer.tokenize(text);
    expect(found.map(({ id }) => id)).toEqual(tokenizer.encode(text));
    expect(found.map(({ token, start, end }) => [token, text.slice(start, end)])).toEqual([
      ["\u2581the", "the"],
      ["<mask_1>", "<mask_1>"],
      ["\u2581town", "town"],
      ["\u2603", "\u2603"],
      ["</s>", "</s>"],
      ["</s>", ""],
    ]);
    expect(tokenizer.tokenize("the", { addSpecialTokens: false })).toEqual([
      { id: tokenizer.encode("the")[0], token: "\u2581the", start: 0, end: 3 },
    ]);
  });

  it("pad and cut as asked, and keep the end token", () => {
    const texts = ["the harbour town", "a ferry was closed on Monday"];
    const { inputIds, attentionMask } = tokenizer.encodeBatch(texts, { padding: true });
    expect(inputIds.map((row) => row.length)).toEqual([7, 7]);
    expect(attentionMask[0]).toEqual([1, 1, 1, 1, 0, 0, 0]);
    const cut = tokenizer.encodeBatch(texts, { truncation: true, maxLength: 4 });
    expect(cut.inputIds.map((row) => [row.length, row.at(-1)])).toEqual([
      [4, 1],
      [4, 1],
    ]);
    expect(
      tokenizer.encodeBatch(texts, { padding: true, padToMultipleOf: 8 }).inputIds[0],
    ).toHaveLength(8);
    expect(
      tokenizer.encodeBatch(["the"], { padding: "maxLength", truncation: true }).inputIds[0],
    ).toHaveLength(12);
  });

  it("refuse what cannot be", () => {
    expect(() => tokenizer.decode([999_999])).toThrow(/token id is 999999/);
    expect(() => tokenizer.encodeBatch(["a"], { truncation: true, maxLength: 0 })).toThrow(
      /maxLength is 0/,
    );
    expect(() => tokenizer.encodeBatch(["a"], { padding: true, padToMultipleOf: 0 })).toThrow(
      /padToMultipleOf is 0/,
    );
  });
});

describe("a tokenizer.json", () => {
  const made = (change: (json: Record<string, unknown>) => void = () => {}) => {
    const own = [
      "<pad>",
      "</s>",
      "<mask_1>",
      "<mask_2>",
      ...Array.from({ length: 101 }, (_, i) => `<unk_${i + 2}>`),
    ];
    const vocab = [
      ...own.slice(0, 103),
      ...tinyPieces().map(({ piece }, i) => (i < 2 ? own[103 + i] : piece)),
    ].map((piece, id) => [piece, id < 103 ? 0 : (tinyPieces()[id - 103]?.score ?? 0)]);
    const json: Record<string, unknown> = {
      model: { type: "Unigram", unk_id: 105, vocab },
      normalizer: null,
    };
    change(json);
    return JSON.stringify(json);
  };
  const load = async (text: string) => {
    const folder = await mkdtemp(join(root, "json-"));
    await writeFile(join(folder, "tokenizer.json"), text);
    return loadTokenizer(folder);
  };

  it("need not say its model's type, as the first of them did not", async () => {
    const typed = await load(made());
    const untyped = await load(made((json) => delete (json.model as { type?: string }).type));
    const text = "The harbour was closed on Monday.";
    expect(untyped.encode(text)).toEqual(typed.encode(text));
  });

  it("gives the ids of the spiece.model it was converted from", async () => {
    const converted = await load(made());
    for (const text of ["the harbour town", "a<n>ferry <mask_1> \u2603", "", "Monday."])
      expect(converted.encode(text)).toEqual(tokenizer.encode(text));
  });

  it("may have tokens beyond its vocabulary, from whichever file tells them", async () => {
    const size = 103 + tinyPieces().length;
    const entry = (id: number, content: string, special = false) => ({ id, content, special });
    const words = [entry(size, "<foo>"), entry(size + 1, "Qzx"), entry(size + 2, "<sep>", true)];
    // Of a piece that the conversion lists besides, SentencePiece's own id stays.
    const listed = [entry(106, "<n>"), ...words];
    const converted = await load(made((json) => (json.added_tokens = listed)));
    const folder = await mkdtemp(join(root, "legacy-"));
    await writeFile(join(folder, "spiece.model"), spieceModel());
    await writeFile(
      join(folder, "added_tokens.json"),
      JSON.stringify(Object.fromEntries(words.map(({ id, content }) => [content, id]))),
    );
    await writeFile(
      join(folder, "special_tokens_map.json"),
      JSON.stringify({ additional_special_tokens: ["<sep>"] }),
    );
    for (const opened of [converted, await loadTokenizer(folder)]) {
      expect(opened.vocabSize).toBe(size + 3);
      const ids = opened.encode("the <foo> Qzx town <sep> the");
      const [the, town] = ["the", "town"].map((word) =>
        tokenizer.encode(word, { addSpecialTokens: false }),
      );
      expect(ids).toEqual([...the!, size, size + 1, ...town!, size + 2, ...the!, 1]);
      // As transformers 4.55's slow tokenizer writes them.
      expect(opened.decode(ids)).toBe("the <foo> Qzx town <sep> the</s>");
      expect(opened.decode(ids, { skipSpecialTokens: true })).toBe("the <foo> Qzx town the");
      expect(opened.specialTokenIds).toContain(size + 2);
    }
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["a normalizer", { normalizer: { type: "Lowercase" } }, /normalizer has a "Lowercase"/],
    [
      "a normalizer among others",
      { normalizer: { type: "Sequence", normalizers: [{ type: "Strip" }, { type: "NFKC" }] } },
      /normalizer has a "NFKC"/,
    ],
    [
      "a replacement",
      { normalizer: { type: "Replace", pattern: { String: "a" }, content: "b" } },
      /normalizer has a "Replace"/,
    ],
    ["a pre-tokenizer", { pre_tokenizer: { type: "Whitespace" } }, /pre_tokenizer has a "White/],
    [
      "no space in front",
      { pre_tokenizer: { type: "Metaspace", prepend_scheme: "never" } },
      /pre_tokenizer has a "Metaspace"/,
    ],
    ["a token without an id", { added_tokens: [{ content: "x" }] }, /entry 0 .* has no token id/],
    [
      "a token for single words",
      { added_tokens: [{ id: 5, content: "x", single_word: true }] },
      /single words alone/,
    ],
  ])(
    "with %s that is none of SentencePiece's is refused, for its ids would be others",
    async (...[, change, message]) => {
      await expect(load(made((json) => void Object.assign(json, change)))).rejects.toThrow(message);
    },
  );

  it.each<[string, string, RegExp]>([
    [
      "another model",
      made((json) => (json.model = { type: "WordPiece" })),
      /its model is WordPiece/,
    ],
    ["no JSON", "{", /tokenizer\.json cannot be used/],
    [
      "normalizers in normalizers",
      `{"model": {}, "normalizer": ${'{"normalizers":['.repeat(50_000)}`,
      /nested deeper than 64 levels/,
    ],
    ["no vocabulary", made((json) => (json.model = { type: "Unigram", unk_id: 1 })), /no vocab/],
    [
      "an unknown piece that is none",
      made((json) => ((json.model as Record<string, unknown>).unk_id = 999_999)),
      /is no piece/,
    ],
  ])("of %s is refused", async (_, text, message) => {
    await expect(load(text)).rejects.toThrow(message);
  });
});

describe("damaged files", () => {
  it.each<[string, Uint8Array, RegExp]>([
    ["text", Buffer.from("not a model"), /protobuf|pieces/],
    ["nothing", new Uint8Array(), /no pieces/],
    [
      "a piece twice",
      spieceModel([...tinyPieces(), { piece: "a", score: -9, type: 1 }]),
      /"a" stands in it twice/,
    ],
    [
      "no unknown piece",
      spieceModel(tinyPieces().filter(({ type }) => type !== 2)),
      /no unknown piece/,
    ],
    [
      "an infinite score",
      spieceModel([...tinyPieces(), { piece: "zz", score: Number.POSITIVE_INFINITY, type: 1 }]),
      /score of piece/,
    ],
  ])("%s is refused by name", (_, bytes, message) =>
    expect(() => readSentencePieceModel(bytes, "spiece.model")).toThrow(message),
  );

  it.each<[string, Parameters<typeof spieceModel>, RegExp]>([
    [
      "a replacement that makes a text thousands of times as long",
      [
        undefined,
        {
          normalizer: (w) =>
            void w.bytes(
              2,
              Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(5000, 97)]),
            ),
        },
      ],
      /replacement of 5000 bytes/,
    ],
    [
      "pieces as long as books",
      [[...tinyPieces(), { piece: "x".repeat(8_000_001), score: -1, type: 1 }]],
      /its pieces have 8\d+ characters/,
    ],
    [
      "a long surface of the unknown piece",
      [undefined, { trainer: (w) => void w.string(44, "?".repeat(2000)) }],
      /reads as 2000 characters/,
    ],
  ])("%s is refused", (_, made, message) =>
    expect(() =>
      createSentencePiece(readSentencePieceModel(spieceModel(...made), "made"), "made"),
    ).toThrow(message),
  );

  it.each<[object, RegExp]>([
    [{ model_max_length: -5 }, /its model_max_length is -5/],
    [{ model_max_length: 1 }, /its model_max_length is 1/],
    [{ model_max_length: 12.5 }, /its model_max_length is 12\.5/],
    [{ model_max_length: "12" }, /its model_max_length is "12"/],
    [{ offset: 2 ** 60 }, /its offset is 1152921504606847000/],
    [{ pad_token: "" }, /its pad_token is ""/],
    [{ added_tokens_decoder: { x: { content: "a" } } }, /entry "x" .* is no token id/],
    [{ added_tokens_decoder: { 5: {} } }, /entry "5" .* has no content/],
    [{ added_tokens_decoder: { 5: { content: "a".repeat(600) } } }, /has 600 characters/],
  ])("tokenizer_config.json with %j is refused", async (config, message) => {
    const folder = await mkdtemp(join(root, "config-"));
    await writeFile(join(folder, "spiece.model"), spieceModel());
    await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify(config));
    await expect(loadTokenizer(folder)).rejects.toMatchObject({
      code: "TOKENIZER_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("takes as many added tokens as there are, whatever characters they have", async () => {
    const folder = await mkdtemp(join(root, "added-"));
    await writeFile(join(folder, "spiece.model"), spieceModel());
    const added = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, i) => [1000 + i, { content: `[${i}](*+?$^|\\` }]),
    );
    await writeFile(
      join(folder, "tokenizer_config.json"),
      JSON.stringify({ offset: 103, added_tokens_decoder: added }),
    );
    const opened = await loadTokenizer(folder);
    expect(opened.encode("the[29999](*+?$^|\\town", { addSpecialTokens: false })).toEqual([
      ...opened.encode("the", { addSpecialTokens: false }),
      30_999,
      ...opened.encode("town", { addSpecialTokens: false }),
    ]);
    expect(opened.vocabSize).toBe(31_000);
  });

  it("name the class that is not supported and the files that are absent", async () => {
    const folder = await mkdtemp(join(root, "class-"));
    await expect(loadTokenizer(folder)).rejects.toMatchObject({ code: "TOKENIZER_NOT_FOUND" });
    await writeFile(
      join(folder, "tokenizer_config.json"),
      JSON.stringify({ tokenizer_class: "GPT2Tokenizer" }),
    );
    await expect(loadTokenizer(folder)).rejects.toThrow(/GPT2Tokenizer/);
  });
});

it("cleans up spaces and strips as Python does", () => {
  expect(cleanUpSpaces("Well , it is n't so . He 's in !")).toBe("Well, it isn't so. He's in!");
  expect(stripPython("\u3000\u001c a \ufeff\n")).toBe("a \ufeff");
});

describe("text that is told while it is written", () => {
  const pieces = [
    " '",
    " ' ",
    " n't",
    "n",
    "'t",
    " .",
    " ,",
    " !",
    "I",
    " do",
    " ",
    "'m",
    " '",
    "s",
    " 've",
    "\u2603",
    "\ufffd",
  ];

  it("settledText gives no character that later ones draw together with others", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 16 }), (chosen) => {
        const whole = cleanUpSpaces(chosen.join("")).trim();
        for (let n = 0; n <= chosen.length; n++) {
          const before = chosen.slice(0, n).join("");
          const told = settledText(cleanUpSpaces(before).trim(), true);
          expect(whole.startsWith(told), JSON.stringify([before, told, whole])).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
    expect(settledText("The harbour was", true)).toBe("The harbour");
    expect(settledText("The harbour silted", true)).toBe("The harbour silted");
    expect(settledText("The harbour was", false)).toBe("The harbour was");
    expect(settledText("snow \ufffd\ufffd", false)).toBe("snow ");
  });
});

describe("encodeBatch refuses", () => {
  it.each<[object, RegExp]>([
    [{ padding: "max_length" }, /padding is "max_length"; it must be one of .*maxLength/],
    [{ truncation: "yes" }, /truncation is "yes"/],
    [{ paddin: true }, /paddin is true; it must be left out: no such option exists/],
    [{ paddingSide: "left" }, /paddingSide is "left"/],
  ])("%j by name", (options, message) => {
    expect(() => tokenizer.encodeBatch(["the town"], options)).toThrow(message);
  });

  it("what is no text", () => {
    const wrong = { code: "INVALID_PARAMETER" };
    expect(() => tokenizer.encode(undefined as unknown as string)).toThrow(/text is undefined/);
    for (const texts of ["the town", [7], undefined] as unknown as string[][])
      expect(() => tokenizer.encodeBatch(texts)).toThrow(expect.objectContaining(wrong));
  });
});
