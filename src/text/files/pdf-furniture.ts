// What stands on every page and belongs to none: running heads, feet and page numbers, found by repetition in place.
import type { PdfLine } from "./pdf-lines.js";

export interface PdfPage {
  /** 1 for the first. */
  readonly number: number;
  readonly lines: readonly PdfLine[];
  /** The page's box in PDF units: left, bottom, right, top. */
  readonly box: readonly [number, number, number, number];
}

/** Running heads and feet stand in this share of the page's height at its top and bottom. */
const marginShare = 0.12;
/** And are among so many outermost lines there. */
const outermost = 3;
const longestRunningLine = 150;
const leastRepeats = 3;
/** On how many of the pages between its first and last appearance; every other page has another head. */
const leastShare = 0.4;
/** How far the same line may wander from page to page, in PDF units. */
const wander = 8;

const pageNumber =
  /^[-–—[(•\s]*(?:(?:page|seite|página|pagina|strona|sida|side|стр\.?|p\.)\s*)?(\d{1,4})(?:\s*(?:\/|of|von|de|di|sur|av|z|из)\s*\d{1,4})?[-–—\])•\s]*$/i;

interface Candidate {
  readonly line: PdfLine;
  readonly page: number;
  readonly zone: "top" | "bottom";
  /** Distance from the page's edge. */
  readonly distance: number;
}

/** The edges that a line's page has above and below it, in the line's own turned coordinates. */
function edges(line: PdfLine, box: PdfPage["box"]): readonly [number, number] {
  const [left, bottom, right, top] = box;
  const turned = [
    [bottom, top],
    [-right, -left],
    [-top, -bottom],
    [left, right],
  ] as const;
  return turned[line.turn]!;
}

function findCandidates(page: PdfPage): Candidate[] {
  const candidates: Candidate[] = [];
  for (const line of page.lines) {
    if (line.text.length > longestRunningLine) continue;
    const [low, high] = edges(line, page.box);
    const margin = marginShare * (high - low);
    const fromTop = high - line.y;
    const fromBottom = line.y - low;
    if (fromTop < margin) {
      candidates.push({ line, page: page.number, zone: "top", distance: fromTop });
    } else if (fromBottom < margin) {
      candidates.push({ line, page: page.number, zone: "bottom", distance: fromBottom });
    }
  }
  candidates.sort((a, b) => a.distance - b.distance);
  const heights = { top: new Set<number>(), bottom: new Set<number>() };
  return candidates.filter(({ zone, distance }) => {
    heights[zone].add(Math.round(distance / 3));
    return heights[zone].size <= outermost;
  });
}

/** A line as it recurs: its numbers aside. */
function recurringForm(text: string): string {
  const form = text.toLowerCase().replace(/\d+/g, "#").replace(/\s+/g, " ");
  return /^[ivxlc]{1,6}$/.test(form) ? "#" : form;
}

function recurs(group: readonly Candidate[]): boolean {
  const pages = [...new Set(group.map(({ page }) => page))].sort((a, b) => a - b);
  const span = pages.at(-1)! - pages[0]! + 1;
  return pages.length >= leastRepeats && pages.length >= leastShare * span;
}

/** Splits candidates of one form by where they stand, so that a line is only taken for the same in the same place. */
function byPlace(group: readonly Candidate[]): Candidate[][] {
  const sorted = [...group].sort((a, b) => a.distance - b.distance);
  const places: Candidate[][] = [];
  for (const candidate of sorted) {
    const place = places.at(-1);
    if (place !== undefined && candidate.distance - place.at(-1)!.distance <= wander) {
      place.push(candidate);
    } else {
      places.push([candidate]);
    }
  }
  return places;
}

/** The number a running line gives its page: alone, at its start or at its end. */
function findNumber({ line }: Candidate): number | undefined {
  const match = pageNumber.exec(line.text) ?? /^(\d{1,4})\s|\s(\d{1,4})$/.exec(line.text);
  const digits = match?.[1] ?? match?.[2];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * Running lines that number their pages in step with them, at a height where several do. Heads that change from
 * chapter to chapter are found by this alone.
 */
function findNumbered(candidates: readonly Candidate[]): Candidate[] {
  const found: Candidate[] = [];
  for (const zone of ["top", "bottom"] as const) {
    for (const place of byPlace(candidates.filter((candidate) => candidate.zone === zone))) {
      const byOffset = new Map<number, Candidate[]>();
      for (const candidate of place) {
        const number = findNumber(candidate);
        if (number === undefined) continue;
        const offset = number - candidate.page;
        byOffset.set(offset, [...(byOffset.get(offset) ?? []), candidate]);
      }
      const inStep = [...byOffset.values()].filter(recurs).flat();
      found.push(...inStep);
      if (inStep.length === 0) continue;
      found.push(...place.filter(({ line }) => /^[ivxlc]{1,6}$/i.test(line.text)));
    }
  }
  return found;
}

/** On documents too short to show a pattern: the number that the page has, alone or as "1/2" at a line's end. */
function isOwnNumber({ line, page }: Candidate, pages: number): boolean {
  const match = pageNumber.exec(line.text);
  if (match !== null && Number(match[1]) === page) return true;
  const counted = /(?:^|\s)(\d{1,4})\s?(?:\/|of|von|de|sur|di)\s?(\d{1,4})$/.exec(line.text);
  return counted !== null && Number(counted[1]) === page && Number(counted[2]) === pages;
}

/**
 * Pages without running heads, feet and page numbers. A line goes only if it stands in the top or bottom margin and
 * on three pages or more recurs at one height, numbers aside, or counts the pages there; or it states just the
 * page's own number.
 */
export function removeFurniture(pages: readonly PdfPage[]): PdfPage[] {
  const candidates = pages.flatMap(findCandidates);
  const groups = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const key = `${candidate.zone} ${recurringForm(candidate.line.text)}`;
    groups.set(key, [...(groups.get(key) ?? []), candidate]);
  }
  const recurring = [...groups.values()].flatMap(byPlace).filter(recurs).flat();
  const own = candidates.filter((candidate) => isOwnNumber(candidate, pages.length));
  const removed = new Set(
    [...recurring, ...findNumbered(candidates), ...own].map(({ line }) => line),
  );
  return pages.map((page) => ({ ...page, lines: page.lines.filter((line) => !removed.has(line)) }));
}
