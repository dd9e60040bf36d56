// Which slots of its own keys and values a document's rows see, and how those that none sees any more are done without.
import type { Search } from "./search.js";

/** A document on its way through a batch. */
export interface Member {
  readonly search: Search;
  /** Tokens of its source, padding included. */
  readonly source: number;
  /** Steps that it has taken. */
  steps: number;
  /** The slot that its next row is written to. */
  next: number;
  /**
   * Slots it would have by itself. When it is gathered follows from these, and not from those there are: sums over slots are
   * rounded by where each stands, and must not depend on who else is there.
   */
  room: number;
  /** For each row of its last step that is gone on with, the slots of the steps that it descends from, in their order. */
  pasts: readonly (readonly number[])[];
}

/** Slots are made by so many: sums over whole vectors of them are not rounded otherwise for more slots behind them that nobody sees. */
const block = 16;
const inBlocks = (slots: number) => Math.ceil(slots / block) * block;

/** Slots to make where so many are needed: those of sixteen steps, then of eight more at a time, in whole blocks. */
export function slotsFor(needed: number, width: number): number {
  const more = inBlocks(8 * width);
  return Math.max(inBlocks(16 * width), Math.ceil(needed / more) * more);
}

/** What the rows that come next descend from. */
export const livingPasts = ({ search, pasts }: Member): (readonly number[])[] =>
  search.rows.map(({ parent }) => pasts[parent] ?? []);

/** Marks the slots that the rows that come next may see; answers how many there are. */
export function markLiving(member: Member, marks: Uint8Array): number {
  let count = 0;
  for (const past of livingPasts(member)) {
    for (const slot of past) {
      count += 1 - (marks[slot] as number);
      marks[slot] = 1;
    }
  }
  return count;
}

/** Neighbouring slots, and where the first of them is to be. */
export interface Move {
  readonly from: number;
  readonly to: number;
  length: number;
}

/**
 * Counts the slots that a document's next rows may see anew from the first, in the order they have.
 * @param slots how many slots there are
 * @returns what is to be moved for that, in the order in which nothing is written over that is still to be moved
 */
export function gatherPasts(member: Member, slots: number): readonly Move[] {
  const marks = new Uint8Array(slots);
  const count = markLiving(member, marks);
  const places = new Int32Array(slots);
  const moves: Move[] = [];
  for (let from = 0, to = 0; to < count; from++) {
    if (marks[from] !== 1) continue;
    const last = moves.at(-1);
    if (last !== undefined && last.from + last.length === from) last.length += 1;
    else moves.push({ from, to, length: 1 });
    places[from] = to++;
  }
  const parents = new Set(member.search.rows.map(({ parent }) => parent));
  // Nobody asks for the past of rows that are not gone on with.
  member.pasts = member.pasts.map((past, row) =>
    parents.has(row) ? past.map((slot) => places[slot] as number) : [],
  );
  member.next = count;
  return moves.filter(({ from, to }) => from !== to);
}
