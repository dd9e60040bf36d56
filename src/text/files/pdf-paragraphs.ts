// Lines of a PDF to paragraphs: what was one paragraph before it was set in lines, columns and pages becomes one again.
import type { PdfLine } from "./pdf-lines.js";

/** A paragraph under construction. */
interface Paragraph {
  text: string;
  readonly size: number;
  /** Its last line and the block that stands in, which tell whether it may go on elsewhere. */
  last: PdfLine;
  readonly block: Extent;
  /** Begins on the line below what came before, without a gap or an indent: an item, a row. */
  readonly attached: boolean;
}

/** Joining a line takes time in proportion to the paragraph, so that an endless one is cut. In UTF-16 units. */
const longestParagraph = 20_000;
/** A line of fewer characters is a label or heading and does not go on in the next column. */
const shortestFullLine = 20;
const endsSentence = /[\p{Sentence_Terminal}:;…][\p{Pe}\p{Pf}"'”’]*$/u;
const bullet = /^[•‣▪◦●○■□–—·✓➢➤▶]\s?/u;
const numbered = /^(?:\(?\d{1,3}[.)]|\(?[a-z][.)]|\[\d{1,3}\])\s/;
const tableOfContents = /(?:(?:\.\s?){5}|(?:…\s?){3})[.…\s]{0,300}(?:\d{1,4}|[ivxlc]{1,6})$/;
const contentsHeading =
  /^(?:table of contents|contents|inhalt(?:sverzeichnis)?|sommaire|table des matières|índice|indice)$/i;
const eastAsian =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\u3000-\u303f\uff00-\uffef]/u;
/** Behind a hanging hyphen these say that it belongs there: "pre- and post-war". */
const conjunction = /^(?:and|or|und|oder|bzw|et|ou|y|o|e|ed|en|of|och|eller|og)\b/i;

/** Words seen whole, in lower case: the evidence for what a hyphen at a line's end was. */
export function collectWords(lines: readonly PdfLine[]): ReadonlySet<string> {
  const words = new Set<string>();
  for (const { text } of lines) {
    for (const [word] of text.matchAll(/\p{L}[\p{L}\p{M}]{0,60}(?:-[\p{L}\p{M}]{1,60}){0,4}/gu)) {
      words.add(word.toLowerCase());
    }
  }
  return words;
}

/** Joins a line to the text before it, taking back the hyphen that the line break put in. */
export function joinLine(before: string, after: string, words: ReadonlySet<string>): string {
  const head = /([\p{L}\p{M}]{1,60}(?:-[\p{L}\p{M}]{1,60}){0,4})([-‐\u00ad])$/u.exec(
    before.slice(-300),
  );
  const tail = /^[\p{L}\p{M}]{1,60}/u.exec(after)?.[0];
  if (head === null || tail === undefined) {
    const dash =
      /\S—$/.test(before.slice(-2)) || (/\d–$/.test(before.slice(-2)) && /^\d/.test(after));
    const together = eastAsian.test(before.slice(-1)) && eastAsian.test(after.slice(0, 1));
    const unspaced = /[\p{L}\d][-‐/]$/u.test(before.slice(-3)) && /^[\p{L}\d]/u.test(after);
    return together || dash || unspaced ? before + after : `${before} ${after}`;
  }
  if (conjunction.test(after)) return `${before} ${after}`;
  const stem = before.slice(0, -1);
  if (head[2] === "\u00ad") return stem + after;
  const compound = `${head[1]}-${tail}`.toLowerCase();
  const whole = `${head[1]}${tail}`.toLowerCase();
  if (!/^\p{Ll}/u.test(tail)) return words.has(whole) ? stem + after : before + after;
  const self = /^(?:self|well)$/i.test(head[1]!) && tail.length > 3;
  return !words.has(whole) && (self || words.has(compound)) ? before + after : stem + after;
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[values.length >> 1] ?? 0;
}

/** The usual distance between baselines, in font sizes; 1.2 where the lines don't tell. */
function usualLeading(lines: readonly PdfLine[]): number {
  const leadings: number[] = [];
  for (let i = 1; i < lines.length; i++) {
    const above = lines[i - 1]!;
    const below = lines[i]!;
    const leading = (above.y - below.y) / below.size;
    if (above.page === below.page && leading > 0.8 && leading < 2.5) leadings.push(leading);
  }
  return leadings.length < 3 ? 1.2 : median(leadings);
}

function isSameSize(a: number, b: number): boolean {
  return Math.abs(a - b) <= 0.12 * Math.max(a, b);
}

function startsBlock(line: PdfLine, above: PdfLine, leading: number): boolean {
  if (line.page !== above.page || line.turn !== above.turn) return true;
  if (!isSameSize(line.size, above.size)) return true;
  const drop = (above.y - line.y) / line.size;
  if (drop < 0.5 || drop > Math.max(1.35 * leading, leading + 0.3)) return true;
  return line.left > above.right || line.right < above.left;
}

function splitBlocks(lines: readonly PdfLine[], leading: number): PdfLine[][] {
  const blocks: PdfLine[][] = [];
  for (const line of lines) {
    const block = blocks.at(-1);
    if (block === undefined || startsBlock(line, block.at(-1)!, leading)) blocks.push([line]);
    else block.push(line);
  }
  return blocks;
}

/** Whether the next line's first word would still have fit: then the line was ended on purpose. */
function isShort(line: PdfLine, next: PdfLine, block: Extent): boolean {
  const perCharacter = (next.right - next.left) / Math.max(1, next.text.length);
  const word = eastAsian.test(next.text.charAt(0)) ? 1 : (next.text.split(" ", 1)[0]?.length ?? 1);
  // A centred line leaves room on both sides.
  const room = block.right - block.left - (line.right - line.left);
  return room > (word + 1) * perCharacter + 0.5 * line.size && line.right < block.right - line.size;
}

interface Extent {
  readonly left: number;
  readonly right: number;
}

function isIndented(lines: readonly PdfLine[], i: number, block: Extent): boolean {
  const line = lines[i]!;
  const indent = 0.7 * line.size;
  const above = lines[i - 1]!;
  const below = lines[i + 1];
  if (line.left - block.left < indent || line.left - above.left < indent) return false;
  if (below !== undefined && line.left - below.left < indent) return false;
  return endsSentence.test(above.text) || isShort(above, line, block);
}

type Break = "none" | "item" | "paragraph";

function breakBefore(lines: readonly PdfLine[], i: number, block: Extent, opening: boolean): Break {
  const line = lines[i]!;
  const above = lines[i - 1]!;
  if (bullet.test(line.text)) return "item";
  if (isIndented(lines, i, block)) return "paragraph";
  const outdented = above.left - line.left > 0.7 * line.size;
  // Behind a first line that was indented, the margin is where the text goes on; elsewhere an entry begins there.
  if (outdented && !opening) return "item";
  if (isShort(above, line, block)) return endsSentence.test(above.text) ? "paragraph" : "item";
  return numbered.test(line.text) && endsSentence.test(above.text) ? "item" : "none";
}

/** A paragraph of before that goes on in this block: the last of its size, broken off at a column's or page's end. */
function findContinued(paragraphs: readonly Paragraph[], line: PdfLine): Paragraph | undefined {
  if (!/^[\p{Ll}\p{Lo}]/u.test(line.text)) return undefined;
  for (let i = paragraphs.length - 1; i >= Math.max(0, paragraphs.length - 6); i--) {
    const paragraph = paragraphs[i]!;
    if (!isSameSize(paragraph.size, line.size)) continue;
    const { last, text, block } = paragraph;
    const elsewhere = line.page !== last.page || line.y > last.y;
    if (!elsewhere || last.text.length < shortestFullLine || endsSentence.test(text))
      return undefined;
    return isShort(last, line, block) ? undefined : paragraph;
  }
  return undefined;
}

/** A large first letter set over several lines belongs to the text beside it. */
function joinDropCaps(lines: readonly PdfLine[]): PdfLine[] {
  const joined: PdfLine[] = [];
  for (const line of lines) {
    const cap = joined.at(-1);
    const drops = cap !== undefined && /^\p{Lu}$/u.test(cap.text) && cap.size > 1.8 * line.size;
    const beside = drops && cap.page === line.page && line.left >= cap.right - 2;
    if (beside && /^\p{L}/u.test(line.text) && line.left - cap.right < 2 * line.size) {
      joined[joined.length - 1] = { ...line, text: cap.text + line.text, left: cap.left };
    } else {
      joined.push(line);
    }
  }
  return joined;
}

/** Without the lines of a table of contents and the heading right above them. */
function dropContents(lines: readonly PdfLine[]): PdfLine[] {
  return lines.filter(({ text }, i) => {
    if (tableOfContents.test(text)) return false;
    return !(contentsHeading.test(text) && tableOfContents.test(lines[i + 1]?.text ?? ""));
  });
}

/**
 * The text of lines given in reading order: paragraphs apart by a blank line, items and rows by a newline, words
 * whole again that a line break cut. Lines of a table of contents (leader dots and a page number) are left out.
 */
export function buildParagraphs(given: readonly PdfLine[]): string {
  const lines = joinDropCaps(dropContents(given));
  const words = collectWords(lines);
  const paragraphs: Paragraph[] = [];
  for (const block of splitBlocks(lines, usualLeading(lines))) {
    addBlock(block, paragraphs, words);
  }
  return paragraphs
    .map(({ text, attached }, i) => (i === 0 ? "" : attached ? "\n" : "\n\n") + text)
    .join("");
}

function addBlock(
  block: readonly PdfLine[],
  paragraphs: Paragraph[],
  words: ReadonlySet<string>,
): void {
  const extent: Extent = {
    left: block.reduce((least, { left }) => Math.min(least, left), Number.POSITIVE_INFINITY),
    right: block.reduce((most, { right }) => Math.max(most, right), Number.NEGATIVE_INFINITY),
  };
  let current: Paragraph | undefined = findContinued(paragraphs, block[0]!);
  let opening = true;
  for (const [i, line] of block.entries()) {
    const decided: Break = i > 0 ? breakBefore(block, i, extent, opening) : "none";
    const cut = current === undefined || current.text.length > longestParagraph;
    if (current === undefined || cut || decided !== "none") {
      const attached = i > 0 && decided === "item";
      current = { text: line.text, size: line.size, last: line, block: extent, attached };
      paragraphs.push(current);
      opening = true;
    } else {
      current.text = joinLine(current.text, line.text, words);
      opening = i === 0;
    }
    current.last = line;
  }
}
