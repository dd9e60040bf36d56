// What is drawn of a document leaves no hole and stays small.
import { describe, expect, it } from "vitest";
import { cutAt, layOut, type Piece, wholeUpTo } from "./excerpts.js";

/** Pieces follow each other from the first unit to the last, whatever is drawn of them. */
function expectNoHole(pieces: readonly Piece[], length: number): void {
  let at = 0;
  for (const { start, end } of pieces) {
    expect(start).toBe(at);
    expect(end).toBeGreaterThan(start);
    at = end;
  }
  expect(at).toBe(length);
}

const drawn = (pieces: readonly Piece[]) =>
  pieces.filter(({ kind }) => kind !== "gap").reduce((sum, { start, end }) => sum + end - start, 0);

describe("layOut", () => {
  it("draws a short document whole", () => {
    const text = "One. Two. Three.";
    const pieces = layOut(text, [
      { start: 0, end: 4 },
      { start: 10, end: 16 },
    ]);
    expectNoHole(pieces, text.length);
    expect(pieces.map(({ kind, start, end }) => [kind, text.slice(start, end)])).toEqual([
      ["source", "One."],
      ["text", " Two. "],
      ["source", "Three."],
    ]);
  });

  it("draws only the surroundings of the sources of a long one", () => {
    const text = "Some words. ".repeat(400_000);
    const sources = [
      { start: 12, end: 23 },
      { start: 2_400_000, end: 2_400_011 },
    ];
    const pieces = layOut(text, sources);
    expectNoHole(pieces, text.length);
    expect(pieces.filter(({ kind }) => kind === "source")).toEqual(
      sources.map((source, index) => ({ kind: "source", index, ...source })),
    );
    expect(drawn(pieces)).toBeLessThan(5_000);
    expect(pieces.at(-1)?.kind).toBe("gap");
  });

  it("draws beginning and end of a source that is itself long", () => {
    const text = "x".repeat(wholeUpTo * 2);
    const pieces = layOut(text, [{ start: 1_000, end: 300_000 }]);
    expectNoHole(pieces, text.length);
    expect(pieces.filter(({ kind }) => kind === "source")).toHaveLength(2);
    expect(drawn(pieces)).toBeLessThan(10_000);
  });

  it("draws the first sources only, where so asked", () => {
    const text = "Some words. ".repeat(40);
    const sources = [...Array(20).keys()].map((n) => ({ start: n * 24, end: n * 24 + 11 }));
    const pieces = layOut(text, sources, 5);
    expectNoHole(pieces, text.length);
    expect(pieces.filter(({ kind }) => kind === "source")).toHaveLength(5);
  });

  it("lets the later of two overlapping sources give way", () => {
    const text = "abcdefghij";
    const pieces = layOut(text, [
      { start: 0, end: 6 },
      { start: 4, end: 8 },
    ]);
    expectNoHole(pieces, text.length);
    expect(pieces[1]).toEqual({ kind: "source", index: 1, start: 6, end: 8 });
  });
});

describe("cutAt", () => {
  it("cuts behind white space when there is some near by", () => {
    expect(cutAt("some words here", 6, 15)).toBe(11);
  });

  it("never cuts a surrogate pair", () => {
    const text = "😀".repeat(50);
    expect(cutAt(text, 21, text.length)).toBe(22);
    expect(cutAt(text, 20, text.length)).toBe(20);
  });
});
