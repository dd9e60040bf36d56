// Tests that the pieces of a PDF page become lines, with spaces where there is room for one.
import { describe, expect, it } from "vitest";
import { buildLines, type PdfPiece } from "./pdf-lines.js";

/** A piece of 10-unit type whose letters are 5 wide. */
function piece(str: string, x: number, y: number, options: Partial<PdfPiece> = {}): PdfPiece {
  const width = 5 * str.length;
  return { str, transform: [10, 0, 0, 10, x, y], width, height: 10, vertical: false, ...options };
}

const texts = (pieces: PdfPiece[]) => buildLines(pieces, 1).map(({ text }) => text);

describe("buildLines", () => {
  it("joins what stands side by side and breaks where the height changes", () => {
    const pieces = [piece("one", 0, 100), piece("two", 20, 100), piece("three", 0, 88)];
    expect(texts(pieces)).toEqual(["one two", "three"]);
    expect(buildLines(pieces, 7)[0]).toEqual({
      text: "one two",
      left: 0,
      right: 35,
      y: 100,
      size: 10,
      page: 7,
      turn: 0,
    });
  });

  it("puts a space where there is room or pdf.js put one, and nowhere else", () => {
    expect(texts([piece("fi", 0, 100), piece("nal", 10, 100)])).toEqual(["final"]);
    expect(texts([piece("a", 0, 100), piece(" ", 5, 100), piece("b", 6, 100)])).toEqual(["a b"]);
    expect(texts([piece("cell", 0, 100), piece("far", 300, 100)])).toEqual(["cell far"]);
  });

  it("breaks where a line goes back to the left", () => {
    expect(texts([piece("right", 300, 100), piece("left", 0, 100)])).toEqual(["right", "left"]);
  });

  it("keeps lowered and raised signs in their line, but no marks of notes", () => {
    const small = { transform: [6, 0, 0, 6, 25, 104], width: 3 };
    const low = { transform: [6, 0, 0, 6, 5, 97], width: 3 };
    expect(texts([piece("water", 0, 100), piece("12", 25, 104, small)])).toEqual(["water"]);
    expect(texts([piece("in km", 0, 100), piece("2", 25, 104, small)])).toEqual(["in km2"]);
    expect(texts([piece("H", 0, 100), piece("2", 0, 0, low), piece("O", 8, 100)])).toEqual(["H2O"]);
  });

  it("drops text drawn twice for boldness and text across the page", () => {
    expect(texts([piece("bold", 0, 100), piece("bold", 0.4, 100)])).toEqual(["bold"]);
    const slanted = { transform: [7, 7, -7, 7, 100, 100] };
    expect(texts([piece("DRAFT", 0, 0, slanted), piece("text", 0, 100)])).toEqual(["text"]);
  });

  it("reads turned text by itself, after the rest", () => {
    const upward = { transform: [0, 10, -10, 0, 20, 100] };
    const lines = buildLines(
      [piece("stamp", 0, 0, upward), piece("the page's own text", 50, 700)],
      1,
    );
    expect(lines.map(({ text, turn }) => [text, turn])).toEqual([
      ["the page's own text", 0],
      ["stamp", 1],
    ]);
  });

  it("reads vertical writing downward", () => {
    const vertical = { vertical: true, width: 0, height: 30 };
    const lines = buildLines(
      [piece("吾輩は", 500, 700, vertical), piece("猫で", 500, 670, vertical)],
      1,
    );
    expect(lines.map(({ text, turn }) => [text, turn])).toEqual([["吾輩は猫で", 3]]);
  });

  it("reads Hebrew from the right, whichever way it is drawn", () => {
    const right = piece("שלום", 60, 100);
    const left = piece("עולם", 20, 100);
    expect(texts([right, piece(" ", 55, 100), left])).toEqual(["שלום עולם"]);
    expect(texts([left, piece(" ", 45, 100), right])).toEqual(["שלום עולם"]);
  });

  it("reads the shapes of Arabic letters as letters", () => {
    expect(texts([piece("\uFE8E", 10, 100), piece("\uFEE3", 15, 100)])).toEqual(["ما"]);
  });

  it("bears nonsense", () => {
    const nonsense = [
      piece("a", Number.NaN, 0),
      piece("b", 0, Number.POSITIVE_INFINITY),
      piece("c", 0, 0, { transform: [] }),
      piece("", 0, 0),
      piece("  ", 0, 0),
    ];
    expect(() => buildLines(nonsense, 1)).not.toThrow();
  });
});
