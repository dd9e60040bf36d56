// Holds google's tokens to the recorded ones, and shows what mode unicode makes of other scripts.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recorded } from "../../../test/golden/recorded.js";
import { type RougeMode, tokenize } from "./tokenize.js";

describe("tokenize, mode google", () => {
  const pairs = recorded.files["rouge/rouge.json"].pairs;

  it.each(pairs)("gives rouge_score's tokens of $target", ({ target, prediction, ...expected }) => {
    for (const stemmer of [false, true]) {
      expect([tokenize(target, { stemmer }), tokenize(prediction, { stemmer })]).toEqual(
        stemmer ? expected.tokens_stem : expected.tokens,
      );
    }
  });

  it("keeps what Python's lower() turns into ASCII, and nothing else of other scripts", () => {
    expect(tokenize("İ \u212a Å ß Σ é ﬁ")).toEqual(["i", "k"]);
  });

  it("gives tokens of a-z and 0-9 only, stemmed or not", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.boolean(), (text, stemmer) => {
        for (const token of tokenize(text, { stemmer })) expect(token).toMatch(/^[a-z0-9]+$/);
      }),
    );
  });
});

describe("tokenize, mode unicode", () => {
  const words = (text: string) => tokenize(text, { mode: "unicode" });

  it.each([
    ["Die Straße über Zürich", ["die", "straße", "über", "zürich"]],
    ["Привет, мир!", ["привет", "мир"]],
    ["हिन्दी में लिखा", ["हिन्दी", "में", "लिखा"]],
    ["한국어 문장", ["한국어", "문장"]],
    ["العَرَبِيَّة ١٢٣", ["العَرَبِيَّة", "١٢٣"]],
    ["日本語のテスト", ["日", "本", "語", "の", "テ", "ス", "ト"]],
    ["人々はiPhone15を", ["人", "々", "は", "iphone15", "を"]],
    ["ラーメン", ["ラ", "ー", "メ", "ン"]],
    ["ที่นี่", ["ที่", "นี่"]],
    ["๒๕๖๗", ["๒๕๖๗"]],
    ["ខ្មែរ", ["ខ្", "មែ", "រ"]],
    ["don't 3.5 😀 …", ["don", "t", "3", "5"]],
  ])("reads %s", (text, expected) => {
    expect(words(text)).toEqual(expected.map((token) => token.normalize("NFKC")));
  });

  it("reads words of millions of letters, and what stands beside them as ever", () => {
    const beside = "日本e\u0301té ที่นี่ x1 ١٢٣ 𝒳y 人々 क् é漢a\u0301 ᾱ\u0301";
    const long = "क्".repeat(3_000_000);
    const marked = `ก${"\u0e31".repeat(6_000_000)}`;
    const expected = words(beside);
    expect(words(`${beside} ${long} ${marked} ${beside}`)).toEqual([
      ...expected,
      long,
      marked,
      ...expected,
    ]);
  });

  it("sees one word behind different code points", () => {
    expect(words("ＦＵＬＬ ﬁne ｶﾞ")).toEqual(words("full fine ガ"));
    expect(words("Cafe\u0301 co\u00adop \u2460")).toEqual(words("café coop 1"));
    expect(words("İSTANBUL")).toEqual(words("istanbul"));
    expect(words("ΟΔΟΣ")).toEqual(words("οδος"));
    expect(words("می\u200cروم")).toEqual(words("میروم"));
  });

  it("stems ASCII words only", () => {
    expect(tokenize("running Läufe läufing", { mode: "unicode", stemmer: true })).toEqual([
      "run",
      "läufe",
      "läufing",
    ]);
  });

  it("finds every letter and number in some token", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const letters = (of: string) => of.replaceAll(/[^\p{L}\p{N}]/gu, "");
        expect(letters(words(text).join(""))).toBe(
          letters(text.normalize("NFKC").toLowerCase().normalize("NFKC")),
        );
      }),
    );
  });
});

it("refuses a mode it does not know", () => {
  expect(() => tokenize("a", { mode: "latin" as RougeMode })).toThrow(
    expect.objectContaining({ code: "INVALID_PARAMETER" }),
  );
});
