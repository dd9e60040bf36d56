// A summary is split at its sources, or not at all.
import { describe, expect, it } from "vitest";
import { splitBySource } from "./sentences.js";

const document = "First one.\nA second\n   sentence here. 三番目の文です。四番目。Last.";
const span = (text: string) => {
  const start = document.indexOf(text);
  return { start, end: start + text.length };
};

describe("splitBySource", () => {
  it("gives one sentence per source, in order", () => {
    expect(
      splitBySource("First one. Last.", document, [span("First one."), span("Last.")]),
    ).toEqual(["First one.", "Last."]);
  });

  it("takes runs of white space as equal", () => {
    const sources = [span("A second\n   sentence here."), span("Last.")];
    expect(splitBySource("A second sentence here.\nLast.", document, sources)).toEqual([
      "A second sentence here.",
      "Last.",
    ]);
  });

  it("needs no space between sentences, as in Japanese", () => {
    const sources = [span("三番目の文です。"), span("四番目。")];
    expect(splitBySource("三番目の文です。四番目。", document, sources)).toEqual([
      "三番目の文です。",
      "四番目。",
    ]);
  });

  it("says nothing where the summary is not made of its sources", () => {
    expect(splitBySource("In short: first.", document, [span("First one.")])).toBeUndefined();
    expect(splitBySource("First one. And more.", document, [span("First one.")])).toBeUndefined();
    expect(splitBySource("First one.", document, [])).toBeUndefined();
    expect(splitBySource("First one.", document, [{ start: 10, end: 11 }])).toBeUndefined();
  });
});
