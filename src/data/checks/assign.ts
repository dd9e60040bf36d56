// Decides which split each row goes to: rows that belong together stay together, and what is decided stays when rows are added.
import { createHash } from "node:crypto";
import { NumberColumn } from "../number-column.js";

export interface Share {
  readonly name: string;
  /** Above 0; all of them sum to 1. */
  readonly share: number;
}

/** 52 bits of a hash as a number in 0..1. */
function position(seed: number, key: number, keyHigh: number): number {
  const hash = createHash("sha256").update(`${seed}:${key}:${keyHigh}`).digest();
  return (hash.readUInt32LE(0) + (hash.readUInt32LE(4) >>> 12) * 2 ** 32) / 2 ** 52;
}

/** Which share a position in 0..1 falls into. */
function shareAt(shares: readonly Share[], at: number): number {
  let sum = 0;
  for (const [index, { share }] of shares.entries()) {
    sum += share;
    if (at < sum) return index;
  }
  return shares.length - 1;
}

/** Rows by their numbers, with what keeps them together and what decides where they go. 32 bytes a row. */
export class Assignment {
  readonly #keys = new NumberColumn(Uint32Array);
  readonly #times = new NumberColumn(Float64Array);
  readonly #pairs = new NumberColumn(Uint32Array);

  get rows(): number {
    return this.#keys.length / 2;
  }

  /**
   * @param key what decides where the row goes: its document, or what it is grouped by
   * @param time where rows are split by time
   */
  add(key: string, time = 0): number {
    const hash = createHash("sha256").update(key).digest();
    this.#keys.push(hash.readUInt32LE(0));
    this.#keys.push(hash.readUInt32LE(4));
    this.#times.push(time);
    return this.rows - 1;
  }

  /** Keeps two rows together. */
  join(row: number, other: number): void {
    this.#pairs.push(row);
    this.#pairs.push(other);
  }

  /** For each row the first of its group. */
  groups(): Uint32Array {
    const first = Uint32Array.from({ length: this.rows }, (_, row) => row);
    const root = (row: number) => {
      let at = row;
      while (first[at] !== at) {
        first[at] = first[first[at]!]!;
        at = first[at]!;
      }
      return at;
    };
    for (let at = 0; at < this.#pairs.length; at += 2) {
      const [a, b] = [root(this.#pairs.at(at)), root(this.#pairs.at(at + 1))];
      first[Math.max(a, b)] = Math.min(a, b);
    }
    for (let row = 0; row < first.length; row++) first[row] = root(row);
    return first;
  }

  /**
   * By a hash of what decides for the group's first row, so that rows that are added change nothing for those that are
   * there, unless they bring two groups together.
   * @returns for each row the index of its share
   */
  byHash(groups: Uint32Array, shares: readonly Share[], seed: number): Uint8Array {
    const assigned = new Uint8Array(groups.length);
    for (const [row, group] of groups.entries()) {
      assigned[row] =
        group === row
          ? shareAt(shares, position(seed, this.#keys.at(2 * row), this.#keys.at(2 * row + 1)))
          : assigned[group]!;
    }
    return assigned;
  }

  /**
   * By time: the earliest rows go to the first share. A group goes where its earliest row does, and rows of one time go
   * together.
   * @returns for each row the index of its share
   */
  byTime(groups: Uint32Array, shares: readonly Share[]): Uint8Array {
    const earliest = this.#earliestOf(groups);
    const sizes = new Uint32Array(groups.length);
    for (const group of groups) sizes[group]!++;
    const order = Uint32Array.from(groups.keys())
      .filter((row) => groups[row] === row)
      .sort((a, b) => earliest[a]! - earliest[b]! || a - b);
    const assigned = new Uint8Array(groups.length);
    let before = 0;
    let time = Number.NaN;
    let share = 0;
    for (const group of order) {
      if (earliest[group] !== time) share = shareAt(shares, before / groups.length);
      time = earliest[group]!;
      assigned[group] = share;
      before += sizes[group]!;
    }
    for (const [row, group] of groups.entries()) assigned[row] = assigned[group]!;
    return assigned;
  }

  /**
   * By times that each split but the first begins at. A group goes where its earliest row does.
   * @param from rising times
   * @returns for each row the index of its split
   */
  byCutOffs(groups: Uint32Array, from: readonly number[]): Uint8Array {
    const earliest = this.#earliestOf(groups);
    return Uint8Array.from(
      groups,
      (group) => from.filter((time) => time <= earliest[group]!).length,
    );
  }

  /** Times of the earliest row of each group, at its first row's number. */
  #earliestOf(groups: Uint32Array): Float64Array {
    const earliest = Float64Array.from({ length: groups.length }, (_, row) => this.#times.at(row));
    for (const [row, group] of groups.entries()) {
      earliest[group] = Math.min(earliest[group]!, earliest[row]!);
    }
    return earliest;
  }
}
