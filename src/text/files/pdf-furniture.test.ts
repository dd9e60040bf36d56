// Tests that running heads and page numbers go, and that nothing else does.
import { describe, expect, it } from "vitest";
import { type PdfPage, removeFurniture } from "./pdf-furniture.js";
import type { PdfLine } from "./pdf-lines.js";

function line(text: string, y: number, page: number): PdfLine {
  return { text, left: 72, right: 72 + 5 * text.length, y, size: 10, page, turn: 0 };
}

function makePages(count: number, linesOf: (page: number) => [string, number][]): PdfPage[] {
  return Array.from({ length: count }, (_, i) => ({
    number: i + 1,
    lines: linesOf(i + 1).map(([text, y]) => line(text, y, i + 1)),
    box: [0, 0, 612, 792],
  }));
}

const kept = (pages: PdfPage[]) =>
  removeFurniture(pages).map(({ lines }) => lines.map(({ text }) => text));

describe("removeFurniture", () => {
  it("removes what recurs in the margins, numbers aside", () => {
    const pages = makePages(4, (page) => [
      ["The Journal of Rivers", 760],
      [`Body of page ${page}`, 400],
      [`Page ${page} of 4`, 30],
    ]);
    expect(kept(pages)).toEqual([1, 2, 3, 4].map((page) => [`Body of page ${page}`]));
  });

  it("removes heads that alternate between left and right pages", () => {
    const pages = makePages(6, (page) => [
      [page % 2 === 0 ? "A. Author" : "On Rivers", 760],
      [`Body ${page}`, 400],
    ]);
    expect(kept(pages).flat()).toEqual([1, 2, 3, 4, 5, 6].map((page) => `Body ${page}`));
  });

  it("removes chapter heads that count the pages, and the numbers of the front matter", () => {
    const heads = ["iii", "1", "Chapter 1: Springs 2", "3", "Chapter 2: Deltas 4"];
    const pages = makePages(5, (page) => [
      [heads[page - 1]!, 760],
      [`Body ${page}`, 400],
    ]);
    expect(kept(pages).flat()).toEqual([1, 2, 3, 4, 5].map((page) => `Body ${page}`));
  });

  it("removes the own number of a short document's page and nothing else", () => {
    const pages = makePages(2, (page) => [
      ["Same head", 760],
      [`Body ${page}`, 400],
      [String(page), 30],
      [`notes.txt ${page}/2`, 20],
      ["1984", 40],
    ]);
    expect(kept(pages)).toEqual([
      ["Same head", "Body 1", "1984"],
      ["Same head", "Body 2", "1984"],
    ]);
  });

  it("keeps what recurs in the body, at other heights, or in long lines", () => {
    const long =
      "A long line of running text that has no business in a head or a foot of a page. ".repeat(2);
    const pages = makePages(5, (page) => [
      [long, 770],
      ["Yours sincerely", 400],
      ["Moving line", 720 + 9 * page],
    ]);
    expect(kept(pages).every((lines) => lines.includes("Yours sincerely"))).toBe(true);
    expect(kept(pages).every((lines) => lines.includes(long))).toBe(true);
    expect(kept(pages).every((lines) => lines.includes("Moving line"))).toBe(true);
  });

  it("keeps numbers in the margin that do not count pages", () => {
    const years = ["1850", "1912", "1933"];
    const pages = makePages(3, (page) => [[`Founded ${years[page - 1]}`, 400 + page]]);
    expect(kept(pages).flat()).toHaveLength(3);
  });
});
