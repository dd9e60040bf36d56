// Tests that lines become paragraphs, told apart by gap, indent and short last lines.
import { describe, expect, it } from "vitest";
import type { PdfLine } from "./pdf-lines.js";
import { buildParagraphs, collectWords, joinLine } from "./pdf-paragraphs.js";

interface Place {
  readonly left?: number;
  readonly size?: number;
  readonly page?: number;
  readonly right?: number;
}

/** A line of type 5 units wide a letter. */
function line(
  text: string,
  y: number,
  { left = 72, size = 10, page = 1, right }: Place = {},
): PdfLine {
  return { text, left, right: right ?? left + 5 * text.length, y, size, page, turn: 0 };
}

/** Lines 12 units apart, all set to one right edge except the last. */
function block(lines: readonly string[], top: number, place: Place = {}): PdfLine[] {
  const left = place.left ?? 72;
  const right = left + 5 * Math.max(...lines.map((text) => text.length));
  return lines.map((text, i) =>
    line(text, top - 12 * i, i < lines.length - 1 ? { ...place, right } : place),
  );
}

const text = [
  "The first sentence of a paragraph that is set",
  "in lines of one width, as books have them, and",
  "that ends here.",
];
const joined =
  "The first sentence of a paragraph that is set in lines of one width, as books have them, and that ends here.";

describe("buildParagraphs", () => {
  it("joins the lines of a paragraph and tells paragraphs by the gap", () => {
    const lines = [...block(text, 700), ...block(text, 640)];
    expect(buildParagraphs(lines)).toBe(`${joined}\n\n${joined}`);
  });

  it("tells paragraphs by an indent", () => {
    const [first, ...rest] = text;
    const lines = [
      line(first!, 700, { left: 87, right: 302 }),
      ...block(rest, 688),
      line(first!, 664, { left: 87, right: 302 }),
      ...block(rest, 652),
    ];
    expect(buildParagraphs(lines)).toBe(`${joined}\n\n${joined}`);
  });

  it("tells paragraphs by a short last line", () => {
    expect(buildParagraphs([...block(text, 700), ...block(text, 664)])).toBe(
      `${joined}\n\n${joined}`,
    );
  });

  it("keeps headings of another size, items and rows on lines of their own", () => {
    const lines = [
      line("A heading", 720, { size: 16 }),
      ...block(text, 700),
      line("• first item", 664),
      line("• second item", 652),
      line("Region Flow", 600),
      line("North 120", 588),
      line("South and islands 80", 576),
    ];
    expect(buildParagraphs(lines)).toBe(
      `A heading\n\n${joined}\n• first item\n• second item\n\nRegion Flow\nNorth 120\nSouth and islands 80`,
    );
  });

  it("goes on in the next column and on the next page", () => {
    const [first, second, third] = text;
    const column = { left: 320 };
    const lines = [
      ...block([first!, second!], 112),
      line("that goes on in another column, right there,", 700, { ...column, right: 550 }),
      line("and ends on the next", 688, { ...column, right: 550 }),
      line(third!, 700, { page: 2 }),
    ];
    lines[1] = { ...lines[1]!, right: 307 };
    expect(buildParagraphs(lines)).toBe(
      `${first} ${second} that goes on in another column, right there, and ends on the next ${third}`,
    );
  });

  it("goes on behind a footnote at the page's end", () => {
    const lines = [
      line("A paragraph that the end of the page cuts in", 112, { right: 300 }),
      line("the middle, right behind these very words and", 100, { right: 300 }),
      line("1 A note in smaller type.", 60, { size: 7 }),
      line("goes on over here.", 700, { page: 2 }),
    ];
    expect(buildParagraphs(lines)).toBe(
      "A paragraph that the end of the page cuts in the middle, right behind these very words and goes on over here.\n\n1 A note in smaller type.",
    );
  });

  it("does not join what begins anew", () => {
    const lines = [
      line("A sentence that is complete at the page's end.", 100, { right: 300 }),
      line("another in lower case", 700, { page: 2 }),
    ];
    expect(buildParagraphs(lines)).toContain("\n\n");
  });

  it("leaves out the lines of a table of contents", () => {
    const lines = [
      line("Contents", 700),
      line("1 Springs . . . . . . . . . . . . 3", 688),
      line("2 Deltas .................... iv", 676),
      line("Text.", 600),
    ];
    expect(buildParagraphs(lines)).toBe("Text.");
  });

  it("puts a large first letter back to its word", () => {
    const lines = [
      line("R", 676, { size: 30, right: 90 }),
      line("ivers carry water from the hills", 700, { left: 92, right: 300 }),
      line("to the sea.", 688, { left: 92 }),
    ];
    expect(buildParagraphs(lines)).toBe("Rivers carry water from the hills to the sea.");
  });

  it("joins East Asian lines without a space", () => {
    const lines = [
      line("吾輩は猫である。名前は", 700, { right: 300 }),
      line("まだ無い。", 688, { right: 150 }),
    ];
    expect(buildParagraphs(lines)).toBe("吾輩は猫である。名前はまだ無い。");
  });

  it("cuts a paragraph without end", () => {
    const lines = Array.from({ length: 3000 }, (_, i) =>
      line("words without a full stop anywhere", 90_000 - 12 * i, { right: 300 }),
    );
    const paragraphs = buildParagraphs(lines).split("\n\n");
    expect(paragraphs.length).toBeGreaterThan(3);
    expect(paragraphs.join(" ").match(/words/g)).toHaveLength(3000);
  });

  it("makes nothing of nothing", () => {
    expect(buildParagraphs([])).toBe("");
  });
});

describe("joinLine", () => {
  const words = collectWords([
    line("The well-known labor-leisure choice of a household and SEQUENCE sequence", 0),
  ]);

  it.each([
    ["a house-", "hold budget", "a household budget"],
    ["the labor-", "leisure choice", "the labor-leisure choice"],
    ["of self-", "control", "of self-control"],
    ["an unseen com-", "pound", "an unseen compound"],
    ["the Anglo-", "Saxon laws", "the Anglo-Saxon laws"],
    ["an OCTET SE-", "QUENCE", "an OCTET SEQUENCE"],
    ["pre-", "and post-war", "pre- and post-war"],
    ["soft\u00ad", "ware", "software"],
    ["pages 20–", "25 of it", "pages 20–25 of it"],
    ["a dash—", "like this", "a dash—like this"],
    ["a pause –", "like this", "a pause – like this"],
    ["and/", "or", "and/or"],
    ["F-", "16", "F-16"],
    ["plain", "words", "plain words"],
  ])("%j and %j give %j", (before, after, whole) => {
    expect(joinLine(before, after, words)).toBe(whole);
  });
});
