// Normalization tables: the reference's byte for byte, on any Node, and found again by the normalizer that reads them.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createNormalizer } from "../normalizer.js";
import { buildCharsmap, normalizationRules } from "./charsmap.js";
import { changingCodePoints, compose, decompose, fold } from "./unicode-forms.js";

const whitespace = {
  addDummyPrefix: false,
  removeExtraWhitespaces: false,
  escapeWhitespaces: false,
  whitespaceAsSuffix: false,
};

describe("a table", () => {
  // SHA-256 of nmt_nfkc.bin and the others in the sources of sentencepiece 0.2.3.
  it.each([
    ["nmt_nfkc", "1e2c7b43d3ee9755ceaa2ac335e253d8703604e0249ee1e81156c92b46423844"],
    ["nfkc", "7e46d9e08af4b6a37991b04fb8388644c1595a0abcd0f26d6a5d575e2a3663ea"],
    ["nmt_nfkc_cf", "2c03512e62f9ed965ec90d85314211b63b5b8aa0395311ea2147eec9ff738907"],
    ["nfkc_cf", "d8dfef3d6db0eef0742f8b55a73aee7fce6c1e21d26a09b8d3d4b52c42a791cb"],
  ] as const)("%s is sentencepiece's own", (name, sha256) => {
    expect(createHash("sha256").update(buildCharsmap(name)).digest("hex")).toBe(sha256);
  });

  it("is beside the compiled file already where it is the one that tokenizers have unless told", () => {
    const built = new URL(
      "../../../../dist/text/tokenizers/train/nmt_nfkc.charsmap",
      import.meta.url,
    );
    expect(readFileSync(built).equals(buildCharsmap("nmt_nfkc"))).toBe(true);
  });

  it("of identity is empty", () => expect(buildCharsmap("identity")).toHaveLength(0));

  it("is read back rule for rule", () => {
    const precompiledCharsmap = buildCharsmap("nmt_nfkc");
    const normalizer = createNormalizer({ precompiledCharsmap, ...whitespace }, [], "made");
    const wrong = [...normalizationRules("nmt_nfkc")].filter(
      ([from, to]) => normalizer.normalize(from) !== to,
    );
    expect(wrong).toEqual([]);
  });
});

describe("forms of Unicode 17", () => {
  it("agree with Node's own wherever it knows the character", () => {
    // A Node of an older Unicode has not assigned the newest ones.
    const known = [...changingCodePoints()]
      .map((code) => String.fromCodePoint(code))
      .filter((character) => !/\p{Cn}/u.test(character));
    expect(known.length).toBeGreaterThan(10_000);
    expect(known.filter((each) => decompose(each) !== each.normalize("NFKD"))).toEqual([]);
    expect(known.filter((each) => compose(each) !== each.normalize("NFKC"))).toEqual([]);
  });

  it("fold case simply: one character to one", () => {
    expect(["Ä", "ẞ", "İ", "ς", "Ꭰ", "ꭰ", "Ǆ", "\u{10400}"].map(fold)).toEqual([
      "ä",
      "ß",
      "İ",
      "σ",
      "Ꭰ",
      "Ꭰ",
      "ǆ",
      "\u{10428}",
    ]);
  });
});
