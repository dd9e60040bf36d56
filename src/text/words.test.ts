// Words: what counts as one in each script, properties over any text, and cost on one huge word.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countWords, wordSpans } from "./words.js";

function wordsOf(text: string): string[] {
  return [...wordSpans(text)].map(({ start, end }) => text.slice(start, end));
}

describe("wordSpans", () => {
  it.each<[string, string[]]>([
    ["", []],
    [" \n\t—  … !?", []],
    ["The cat sat.", ["The", "cat", "sat"]],
    ["“Don’t,” she said — twice.", ["Don’t", "she", "said", "twice"]],
    ["state-of-the-art and/or 3.14", ["state-of-the-art", "and/or", "3.14"]],
    ["see https://a.example/b?c=d.", ["see", "https://a.example/b?c=d"]],
    ["one–two…three", ["one", "two", "three"]],
    ["Ça déjà vu, Äpfel", ["Ça", "déjà", "vu", "Äpfel"]],
    ["e\u0301te\u0301 ici", ["e\u0301te\u0301", "ici"]],
    ["你好, world", ["你", "好", "world"]],
    ["これは本。", ["こ", "れ", "は", "本"]],
    ["저는 학생입니다.", ["저는", "학생입니다"]],
    ["ภาษาไทย", ["ภาษา", "ไทย"]],
    ["यह किताब है।", ["यह", "किताब", "है"]],
    ["هذا كتابٌ جديد", ["هذا", "كتابٌ", "جديد"]],
    ["🙂 👍🏽 ok", ["ok"]],
    ["x² ½ Ⅳ", ["x²", "½", "Ⅳ"]],
    ["𠮷野家", ["𠮷", "野", "家"]],
    ["\ud800 a", ["a"]],
  ])("%j", (text, words) => {
    expect(wordsOf(text)).toEqual(words);
    expect(countWords(text)).toBe(words.length);
  });

  it("gives ascending spans that begin with a letter or digit and hold no space", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        let at = 0;
        for (const { start, end } of wordSpans(text)) {
          expect(start).toBeGreaterThanOrEqual(at);
          expect(end).toBeGreaterThan(start);
          expect(text.slice(start, end)).toMatch(/^[\p{L}\p{N}\p{M}]\S*$/u);
          at = end;
        }
      }),
      { numRuns: 500 },
    );
  });

  it("holds every letter and number of scripts with spaces", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."aZ9é.,-'’ \nж") }), (text) => {
        const joined = wordsOf(text).join("");
        const alnum = (s: string) => s.replaceAll(/[^\p{L}\p{N}]/gu, "");
        expect(alnum(joined)).toBe(alnum(text));
      }),
    );
  });

  it("takes one word of 1 MB as one, and 1 MB of Thai without a space as many", () => {
    expect(countWords("x".repeat(1_000_000))).toBe(1);
    expect(countWords("ภาษาไทย".repeat(150_000))).toBeGreaterThan(250_000);
  });
});
