// Scripts as Unicode 9 had them.
import { expect, it } from "vitest";
import { commonScript, inheritedScript, scriptOf } from "./scripts.js";

const script = (character: string) => scriptOf(character.codePointAt(0) as number);

it("tells scripts apart", () => {
  expect(script("a")).toBe(script("é"));
  expect(script("a")).not.toBe(script("я"));
  expect(script("я")).not.toBe(script("ا"));
  expect(script("漢")).toBe(script("か"));
  expect(script("カ")).toBe(script("か"));
  expect(script("ー")).toBe(script("漢"));
  expect(script("\u{20000}")).toBe(script("漢"));
});

it("counts digits, marks and what Unicode 9 had not assigned as common, and joining marks as inherited", () => {
  for (const character of [
    "1",
    ".",
    "▁",
    "€",
    "\u{1f680}",
    "\u{1e900}".replace(/./u, "\u{31350}"),
  ]) {
    expect(script(character)).toBe(commonScript);
  }
  expect(script("\u0301")).toBe(inheritedScript);
});

it("agrees with Node on every letter of the scripts in widest use", () => {
  const names = ["Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Thai", "Hangul"];
  const letters = { Latin: "a", Cyrillic: "я", Greek: "α", Arabic: "ا", Hebrew: "א" } as const;
  for (const name of names.filter((each) => each in letters)) {
    const own = script(letters[name as keyof typeof letters]);
    const pattern = new RegExp(`^\\p{Script=${name}}$`, "u");
    for (let code = 1; code < 0x700; code++) {
      const matches = pattern.test(String.fromCodePoint(code));
      if (matches) expect([own, commonScript], code.toString(16)).toContain(scriptOf(code));
      else expect(scriptOf(code), code.toString(16)).not.toBe(own);
    }
  }
});
