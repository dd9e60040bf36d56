// Tests that writing scores above what only happens to decode.
import { describe, expect, it } from "vitest";
import { controlShare, plausibility } from "./text-plausibility.js";

describe("plausibility", () => {
  it.each([
    "plain",
    "",
    "déjà vu – « oui »",
    "Привет, мир",
    "吾輩は猫である。",
    "안녕하세요",
    "שלום עולם",
  ])("finds %j likely", (text) => expect(plausibility(text)).toBeGreaterThan(0.7));

  it.each([
    ["KOI8 read as windows-1251", "оПХБЕР, ЛХП, ЙЮЙ ДЕКЮ"],
    ["UTF-8 read as windows-1252", "â€œdÃ©jÃ vuâ€\u009d"],
    ["replacement characters", "d\uFFFDj\uFFFD vu"],
    ["Latin read as Cyrillic", "dйjа vuю eщe"],
  ])("finds %s less likely than the text itself", (_, text) => {
    expect(plausibility(text)).toBeLessThan(plausibility("déjà vu, Привет"));
  });
});

describe("controlShare", () => {
  it("counts what no text holds", () => {
    expect(controlShare("a\tb\nc\f\x1b[0m")).toBe(0);
    expect(controlShare("a\0b\x01")).toBe(0.5);
    expect(controlShare("")).toBe(0);
  });
});
