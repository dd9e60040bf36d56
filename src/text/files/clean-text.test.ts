// Tests that text from a file keeps its letters and loses what is no writing.
import { describe, expect, it } from "vitest";
import { cleanText, hasText } from "./clean-text.js";

describe("cleanText", () => {
  it.each([
    ["a\r\nb\rc\n", "a\nb\nc"],
    ["a\u2028b\u2029c\u0085d\fe\vf", "a\nb\n\nc\nd\ne\nf"],
    ["hy\u00adphen\u00adation", "hyphenation"],
    ["\ufeffstart\ufeff", "start"],
    ["a\0b\x07c\x7fd\x9fe", "abcde"],
    ["\x1b[1;31mred\x1b[0m text", "red text"],
    ["N\bNA\bAM\bME\bE", "NAME"],
    ["  \n\n text\tand tab \n ", "text\tand tab"],
    ["lone \ud800 surrogate", "lone \uFFFD surrogate"],
    ["pair \u{1f600} stays", "pair \u{1f600} stays"],
  ])("%j becomes %j", (raw, clean) => {
    expect(cleanText(raw)).toBe(clean);
  });

  it("leaves composed and decomposed letters as the file has them", () => {
    expect(cleanText("e\u0301 \u00e9")).toBe("e\u0301 \u00e9");
  });
});

describe("hasText", () => {
  it("wants a letter, digit, sign or symbol of any script", () => {
    for (const text of ["a", "字", "7", "€", "…"]) expect(hasText(text)).toBe(true);
    for (const text of ["", " \n\t", "\u200b\u200e"]) expect(hasText(text)).toBe(false);
  });
});
