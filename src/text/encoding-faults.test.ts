// Faults of encoding: each kind is found and counted, and ordinary text of many languages has none.
import iconv from "iconv-lite";
import { describe, expect, it } from "vitest";
import { findEncodingFaults } from "./encoding-faults.js";

/** A text as somebody sees it who takes its UTF-8 for Windows-1252, as browsers decode that, or for Latin-1. */
const misread = (text: string, as = "windows-1252") =>
  Array.from(Buffer.from(text), (byte) => {
    const sign = iconv.decode(Buffer.of(byte), as);
    return sign === "\ufffd" ? String.fromCharCode(byte) : sign;
  }).join("");

describe("faults of encoding", () => {
  it.each([
    ["lost \ufffd\ufffd signs", { replacement: 2 }],
    ["null \u0000, escape \u001b, next line \u0085, \ufffe", { control: 4 }],
    ["half \ud83d of a \udc0e horse \u{1f40e}", { surrogate: 2 }],
    ["files\ufeffput together", { mark: 1 }],
    [misread("café"), { mojibake: 1 }],
    [misread("Über die Straße läuft"), { mojibake: 3 }],
    [misread("it’s — “so”"), { mojibake: 4 }],
    [misread("5 € at 20 °C"), { mojibake: 2 }],
    [misread("Привет"), { mojibake: 6 }],
    [misread("Łódź żółć"), { mojibake: 7 }],
    [misread("日本語"), { mojibake: 3 }],
    [misread("🐎"), { mojibake: 1 }],
    [misread("Łódź’s café 🐎", "latin1"), { mojibake: 6 }],
    [misread("नमस्ते"), { mojibake: 6 }],
  ])("%j: %j", (text, faults) => {
    expect(findEncodingFaults(text)).toEqual(faults);
  });

  it.each([
    "Plain text,\twith tabs\r\nand lines.",
    "Il va à « Paris », à\u00a0«\u00a0Lyon\u00a0», où l’été s’achève…",
    "„Fuß“, „Ä“ und “Straß” – „GRÖSSE“",
    "NÃO É “MAÇÔ – AMANHÔ, “MAÇÔ…",
    "SMÅ” og ”SMÅ” – ÅS, Ærø",
    "Привет, мир! Ελληνικά, עברית, العربية, 日本語, 한국어, हिन्दी, ไทย",
    "Zażółć gęślą jaźń; Příliš žluťoučký kůň; Đặng Văn",
    "Â\u00a0 et Â»".slice(0, 1),
    "A 🐎 and a family 👨‍👩‍👧",
    "",
  ])("none in %j", (text) => {
    expect(findEncodingFaults(text)).toBeUndefined();
  });
});
