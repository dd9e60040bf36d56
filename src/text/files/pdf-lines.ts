// Positioned pieces of a PDF page to lines: what stands on one baseline, side by side, in the order the file draws it.

/** A piece of text as pdf.js gives it. Coordinates are PDF units (1/72 inch), y upward. */
export interface PdfPiece {
  readonly str: string;
  /** [a, b, c, d, e, f]: the text's matrix; e and f are where it starts. */
  readonly transform: readonly number[];
  readonly width: number;
  readonly height: number;
  /** Set in a font of vertical writing. */
  readonly vertical: boolean;
}

/** A line, in coordinates turned so that its text runs to the right. */
export interface PdfLine {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  /** The baseline; grows upward. */
  readonly y: number;
  /** Font size. */
  readonly size: number;
  readonly page: number;
  /** Quarter turns of the text against the page: 0 upright, 1 running upward. */
  readonly turn: number;
}

/** Text further off the axes is a watermark across the page. */
const widestSkewDegrees = 10;

interface Glyphs {
  readonly str: string;
  readonly left: number;
  readonly right: number;
  readonly y: number;
  readonly size: number;
  readonly turn: number;
}

interface OpenLine {
  readonly run: Glyphs[];
  left: number;
  right: number;
  y: number;
  /** Size of the longest piece, by which the line's neighbours judge it. */
  size: number;
  longest: number;
  readonly turn: number;
  rightToLeft: boolean;
}

const rightToLeftLetter = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u;

/** Arabic drawn by the shapes of its letters, and punctuation turned for vertical writing, as plain characters. */
function readShapes(str: string): string {
  const shapes = /[\ufb50-\ufdff\ufe10-\ufe19\ufe30-\ufe4f\ufe70-\ufefc]{1,200}/g;
  return str.replace(shapes, (run) => run.normalize("NFKC"));
}

/** A piece in upright coordinates, or undefined for one that is no line of the page's text. */
function place(piece: PdfPiece): Glyphs | undefined {
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = piece.transform;
  const degrees = (Math.atan2(b, a) * 180) / Math.PI - (piece.vertical ? 90 : 0);
  const turn = ((Math.round(degrees / 90) % 4) + 4) % 4;
  const skew = Math.abs(degrees - Math.round(degrees / 90) * 90);
  if (!Number.isFinite(skew) || skew > widestSkewDegrees) return undefined;
  const size = Math.hypot(c, d) || Math.abs(piece.height);
  const length = Math.abs(piece.vertical ? piece.height : piece.width);
  const along = [e, f, -e, -f][turn]!;
  const y = [f, -e, -f, e][turn]!;
  if (![size, length, along, y].every(Number.isFinite)) return undefined;
  const str = readShapes(piece.str);
  return { str, left: along, right: along + length, y, size, turn };
}

/** A small raised number behind a word points to a note; behind a digit or a unit it is a power. */
function isNoteMark(glyphs: Glyphs, line: OpenLine, before: string): boolean {
  const raised = glyphs.y - line.y > 0.2 * line.size && glyphs.size < 0.82 * line.size;
  if (!raised || !/^\s*(?:\d{1,3}(?:,\d{1,3}){0,5}|[*†‡§])\s*$/.test(glyphs.str)) return false;
  return /(?:\p{L}{3}|[.,;:!?)\]”"’])\s*$/u.test(before);
}

function continues(glyphs: Glyphs, line: OpenLine): boolean {
  if (glyphs.turn !== line.turn) return false;
  const size = Math.max(glyphs.size, line.size);
  if (Math.abs(glyphs.y - line.y) > 0.5 * size) return false;
  const overlap = -0.6 * size;
  if (glyphs.left - line.right >= overlap) return true;
  const rightToLeft = line.rightToLeft || rightToLeftLetter.test(glyphs.str);
  return rightToLeft && line.left - glyphs.right >= overlap;
}

/** The same words drawn again a hair aside: how some programs make bold or shadow. */
function isShadow(glyphs: Glyphs, before: Glyphs | undefined): boolean {
  if (before === undefined || before.str !== glyphs.str || glyphs.str.trim().length < 2) {
    return false;
  }
  const near = 0.2 * glyphs.size;
  return Math.abs(glyphs.left - before.left) < near && Math.abs(glyphs.y - before.y) < near;
}

function extend(line: OpenLine, glyphs: Glyphs): void {
  line.run.push(glyphs);
  line.left = Math.min(line.left, glyphs.left);
  line.right = Math.max(line.right, glyphs.right);
  line.rightToLeft ||= rightToLeftLetter.test(glyphs.str);
  const { length } = glyphs.str.trim();
  if (length > line.longest) {
    line.size = glyphs.size;
    line.y = glyphs.y;
    line.longest = length;
  }
}

function begin(glyphs: Glyphs): OpenLine {
  const { str, left, right, y, size, turn } = glyphs;
  const rightToLeft = rightToLeftLetter.test(str);
  return { run: [glyphs], left, right, y, size, longest: str.trim().length, turn, rightToLeft };
}

function countLetters(run: readonly Glyphs[], pattern: RegExp): number {
  return run.reduce(
    (sum, { str }) => sum + [...str].filter((char) => pattern.test(char)).length,
    0,
  );
}

/** The pieces as they are read: as drawn, or from right to left where most letters run so. */
function readingOrder(line: OpenLine): readonly Glyphs[] {
  if (!line.rightToLeft) return line.run;
  const rightward = countLetters(line.run, /\p{Script=Latin}/u);
  if (countLetters(line.run, rightToLeftLetter) <= rightward) return line.run;
  return [...line.run].sort((a, b) => b.left - a.left);
}

function writeLine(line: OpenLine): string {
  const parts: string[] = [];
  let before: Glyphs | undefined;
  for (const glyphs of readingOrder(line)) {
    if (glyphs.str.trim() === "") {
      parts.push(" ");
      continue;
    }
    if (before !== undefined) {
      if (isNoteMark(glyphs, line, before.str)) continue;
      const gap = Math.max(glyphs.left - before.right, before.left - glyphs.right);
      if (gap > 0.3 * glyphs.size) parts.push(" ");
    }
    parts.push(glyphs.str);
    before = glyphs;
  }
  return parts.join("").replace(/\s+/g, " ").trim();
}

/** The lines of one page, in the order they are drawn; text turned otherwise than most of the page comes last. */
export function buildLines(pieces: Iterable<PdfPiece>, page: number): PdfLine[] {
  const lines: PdfLine[] = [];
  let line: OpenLine | undefined;
  let before: Glyphs | undefined;
  const finish = (): void => {
    if (line === undefined) return;
    const { left, right, y, size, turn } = line;
    lines.push({ text: writeLine(line), left, right, y, size, page, turn });
  };
  for (const piece of pieces) {
    if (piece.str === "") continue;
    const glyphs = place(piece);
    if (glyphs !== undefined && piece.str.trim() === "") {
      // pdf.js puts spaces between pieces; their boxes overlap what follows, so only where they stand counts.
      line?.run.push({ ...glyphs, right: glyphs.left });
      continue;
    }
    if (glyphs === undefined || isShadow(glyphs, before)) continue;
    before = glyphs;
    if (line !== undefined && continues(glyphs, line)) {
      extend(line, glyphs);
    } else {
      finish();
      line = begin(glyphs);
    }
  }
  finish();
  const main = mainTurn(lines);
  return [
    ...lines.filter(({ turn }) => turn === main),
    ...lines.filter(({ turn }) => turn !== main),
  ];
}

/** The direction most characters run in. */
function mainTurn(lines: readonly PdfLine[]): number {
  const characters = [0, 0, 0, 0];
  for (const { turn, text } of lines) characters[turn]! += text.length;
  return characters.indexOf(Math.max(...characters));
}
