// Tells hard-wrapped paragraphs from lines that stand alone, so that sentences neither break at a wrap nor run across headings and list items.
import {
  characterAt,
  characterBefore,
  isEastAsian,
  isLower,
  isSpaceCode,
  isUpper,
} from "./characters.js";

/** A half-open range [start, end) of a text, in UTF-16 code units. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** One line that is not blank. */
interface Line {
  readonly start: number;
  readonly end: number;
  /** Where its text begins after the marks of quoted mail, such as `> `. */
  readonly head: number;
  /** Length with its indentation, in UTF-16 units. */
  readonly width: number;
}

/** A paragraph is looked at in windows of so many lines, which bounds memory on a text of 20 million lines. */
const windowLines = 1024;
const minWrapWidth = 30;
/** Where a paragraph's shape alone does not say that it was wrapped, only lines of this length are joined. */
const minProseWidth = 40;
const minEastAsianWrapWidth = 15;
const maxWrapWidth = 160;
/** A line is full when the next line's first word would have passed this share of the paragraph's width. */
const fullShare = 0.88;

const listMarker =
  /^(?:[-*+•‣▪◦·●○■□–—»|#]+\s|(?:\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\(?[ivxIVX]{1,5}[.)])\s|[①-⑳])/;
const speaker = /^\p{Lu}[\p{L}.]{0,20}(?: [\p{Lu}\d][\p{L}\d.]{0,20}){0,2}:(?:\s|$)/u;
const lineEndPunctuation = /[\p{Sentence_Terminal}…:;][\p{Pe}\p{Pf}"'”’]*$/u;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

function isLineBreak(code: number): boolean {
  return (
    (code >= lineFeed && code <= carriageReturn) ||
    code === 0x85 ||
    code === 0x2028 ||
    code === 0x2029
  );
}

/** Words after which no line of prose ends on purpose. */
const linking =
  /(?:[,(–-]|\s(?:an?|and|as|at|by|for|from|in|is|nor|of|on|or|that|the|to|with|das|der|die|für|im|mit|oder|und|von|zu|au|aux|d|de|des|du|en|et|la|le|les|ou|par|pour|sur|con|del|el|los|las|por|para|que|y|di|e|il|per))$/i;

/** How much of a line a test of its start or end looks at. */
const peekLength = 48;

function opensItem(text: string, line: Line): boolean {
  return listMarker.test(text.slice(line.head, Math.min(line.end, line.head + peekLength)));
}

function opensTurn(text: string, line: Line): boolean {
  return speaker.test(text.slice(line.head, Math.min(line.end, line.head + 2 * peekLength)));
}

function endsSentence(text: string, line: Line): boolean {
  return lineEndPunctuation.test(text.slice(Math.max(line.head, line.end - 8), line.end));
}

function endsLinking(text: string, line: Line): boolean {
  return linking.test(text.slice(Math.max(line.head, line.end - 8), line.end));
}

function opensLower(text: string, line: Line): boolean {
  return isLower(characterAt(text, line.head));
}

function opensUpper(text: string, line: Line): boolean {
  return isUpper(characterAt(text, line.head));
}

/** Past the marks of quoted mail; the line's own start where they are all of it. */
function headOf(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && (text.charCodeAt(at) === 0x3e || isSpaceCode(text.charCodeAt(at)))) at++;
  return at < end ? at : start;
}

/** The column at which a paragraph was wrapped: its longest line, from five lines on without stray longer ones (a twentieth, at least one). */
function wrapWidth(text: string, lines: readonly Line[], eastAsian: boolean): number {
  const widths = lines
    .filter((line) => eastAsian || hasInnerSpace(text, line))
    .map((line) => line.width)
    .sort((a, b) => a - b);
  const last = widths.length - 1;
  return widths[last < 4 ? last : Math.floor(0.95 * last)] ?? 0;
}

function firstWordLength(text: string, line: Line): number {
  if (isEastAsian(characterAt(text, line.head))) return 1;
  const limit = Math.min(line.end, line.head + peekLength);
  let at = line.head;
  while (at < limit && !isSpaceCode(text.charCodeAt(at))) at++;
  return at - line.head;
}

function hasInnerSpace(text: string, line: Line): boolean {
  if (line.width > maxWrapWidth) return true;
  for (let at = line.start; at < line.end; at++) if (isSpaceCode(text.charCodeAt(at))) return true;
  return false;
}

/** For each pair of neighbouring lines, whether the second goes on with the first's paragraph. */
function joins(text: string, lines: readonly Line[]): boolean[] {
  const pairs = lines.length - 1;
  const eastAsian = isEastAsian(characterBefore(text, lines[0]!.end));
  const width = wrapWidth(text, lines, eastAsian);
  const minWidth = eastAsian ? minEastAsianWrapWidth : minWrapWidth;
  if (width < minWidth || width > maxWrapWidth) return new Array<boolean>(pairs).fill(false);

  const full: boolean[] = [];
  const item: boolean[] = [];
  let judged = 0;
  let fullCount = 0;
  let openPairs = 0;
  let lowerCount = 0;
  for (let index = 0; index < pairs; index++) {
    const line = lines[index]!;
    const next = lines[index + 1]!;
    item.push(opensItem(text, next));
    full.push(
      line.width + 1 + firstWordLength(text, next) > fullShare * width &&
        Math.max(line.width, next.width) <= maxWrapWidth,
    );
    if (item[index]) continue;
    judged++;
    if (!full[index]) continue;
    fullCount++;
    if (endsSentence(text, line)) continue;
    openPairs++;
    // Scripts without case give no evidence either way and count as continuing.
    if (!opensUpper(text, next)) lowerCount++;
  }
  const wrapped =
    judged >= 2 && fullCount >= 0.6 * judged && (openPairs === 0 || lowerCount >= 0.25 * openPairs);

  const joined: boolean[] = [];
  for (let index = 0; index < pairs; index++) {
    const line = lines[index]!;
    const next = lines[index + 1]!;
    const open = !endsSentence(text, line);
    let join = false;
    if (!item[index]) {
      if (wrapped) {
        join =
          (full[index]! && !(opensTurn(text, next) && !open)) ||
          (open && opensLower(text, next) && line.width >= minWidth / 2);
      } else if (full[index]! && open && line.width >= minProseWidth) {
        const lastOfProse =
          line.width >= 50 &&
          index === pairs - 1 &&
          endsSentence(text, next) &&
          !opensTurn(text, next) &&
          !opensItem(text, line);
        join = opensLower(text, next) || endsLinking(text, line) || lastOfProse;
      }
    }
    joined.push(join);
  }
  if (wrapped) return joined;
  // Among headings and tables, a full line beside one that is surely wrapped is wrapped too.
  return joined.map((join, index) => {
    if (join || !full[index] || item[index] || lines[index]!.width < minProseWidth) return join;
    return (joined[index - 1] || joined[index + 1]) === true && !opensTurn(text, lines[index + 1]!);
  });
}

function* unitsOf(
  text: string,
  lines: readonly Line[],
  more: boolean,
): Generator<TextRange, number> {
  const joined = joins(text, lines);
  const last = more ? lines.length - 1 : lines.length;
  let start = lines[0]!.start;
  let index = 0;
  for (; index < last; index++) {
    if (index < joined.length && joined[index]) continue;
    yield { start, end: lines[index]!.end };
    start = lines[index + 1]?.start ?? start;
  }
  return start;
}

/**
 * The units of a text that no sentence crosses: paragraphs, headings, list items, dialogue turns.
 * Hard-wrapped lines are joined where line lengths and lower-case continuation say so.
 * Ranges are trimmed of white space, ascending, and cover every character that is not white space.
 */
export function* lineUnits(text: string): Generator<TextRange> {
  const length = text.length;
  let lines: Line[] = [];
  // Where the paragraph's open unit began, when a window ended inside it.
  let carried: number | undefined;
  let at = 0;
  while (at <= length) {
    const lineStart = at;
    let first = -1;
    let last = -1;
    let code = 0;
    for (; at < length; at++) {
      code = text.charCodeAt(at);
      if (isLineBreak(code)) break;
      if (!isSpaceCode(code)) {
        if (first < 0) first = at;
        last = at;
      }
    }
    const atEnd = at >= length;
    const hardBreak = !atEnd && (code === 0x2029 || code === 0x0c);
    if (!atEnd) at += code === carriageReturn && text.charCodeAt(at + 1) === lineFeed ? 2 : 1;
    if (first >= 0) {
      const end = last + 1;
      lines.push({ start: first, end, head: headOf(text, first, end), width: end - lineStart });
    }
    const blockEnds = first < 0 || hardBreak || atEnd;
    if (lines.length > 0 && (blockEnds || lines.length > windowLines)) {
      const more = !blockEnds;
      const lastLine = lines.at(-1)!;
      const openStart = lines[0]!.start;
      const units = unitsOf(text, lines, more);
      let next = units.next();
      while (!next.done) {
        const start =
          next.value.start === openStart && carried !== undefined ? carried : next.value.start;
        if (next.value.start === openStart) carried = undefined;
        yield { start, end: next.value.end };
        next = units.next();
      }
      if (more) {
        // The last line waits for its successors; a unit that reaches into it is closed when they are known.
        const open = next.value;
        carried = open === openStart && carried !== undefined ? carried : open;
        if (carried === lastLine.start) carried = undefined;
        lines = [lastLine];
      } else {
        carried = undefined;
        lines = [];
      }
    }
    if (atEnd) break;
  }
}
