// Holds the bit-parallel subsequences to the plain table, at small sizes, at word borders and beyond memory.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../seeded-random.js";
import { columnsOf, lcsIndices, lcsLength } from "./lcs.js";

/** The table and the backtracking as rouge_score writes them, cell by cell. */
function byTable(rows: readonly string[], columns: readonly string[]) {
  const width = columns.length + 1;
  const table = new Uint16Array((rows.length + 1) * width);
  const at = (i: number, j: number) => table[i * width + j]!;
  for (let i = 1; i <= rows.length; i++) {
    for (let j = 1; j <= columns.length; j++) {
      table[i * width + j] =
        rows[i - 1] === columns[j - 1]
          ? at(i - 1, j - 1) + 1
          : Math.max(at(i - 1, j), at(i, j - 1));
    }
  }
  const indices: number[] = [];
  let [i, j] = [rows.length, columns.length];
  while (i > 0 && j > 0) {
    if (rows[i - 1] === columns[j - 1]) {
      indices.unshift(i - 1);
      i--;
      j--;
    } else if (at(i, j - 1) > at(i - 1, j)) j--;
    else i--;
  }
  return { length: at(rows.length, columns.length), indices };
}

function expectTable(rows: readonly string[], columns: readonly string[]) {
  const ready = columnsOf(columns);
  const { length, indices } = byTable(rows, columns);
  expect(lcsLength(rows, ready)).toBe(length);
  expect(lcsIndices(rows, ready)).toEqual(indices);
}

describe("lcsLength and lcsIndices", () => {
  it.each([1, 2, 4, 12, 60])("agree with the plain table over %i kinds of token", (kinds) => {
    const token = fc.integer({ min: 1, max: kinds }).map(String);
    const tokens = fc.array(token, { maxLength: 140, size: "max" });
    fc.assert(fc.property(tokens, tokens, expectTable), { numRuns: 150 });
  });

  it.each([
    [0, 0],
    [0, 5],
    [5, 0],
    [32, 32],
    [64, 31],
    [33, 65],
  ])("hold at the borders of words of bits: %i by %i", (rows, columns) => {
    expectTable(new Array(rows).fill("a"), new Array(columns).fill("a"));
    expectTable(
      Array.from({ length: rows }, (_, i) => String(i % 7)),
      Array.from({ length: columns }, (_, i) => String(i % 5)),
    );
  });

  it("agree where the rows no longer fit at once", () => {
    const random = seededRandom(5);
    const draw = (count: number) =>
      Array.from({ length: count }, () => String(random.nextBelow(40)));
    expectTable(draw(9_000), draw(4_000));
  });

  it("need no table for long texts", () => {
    const random = seededRandom(6);
    const draw = (count: number) =>
      Array.from({ length: count }, () => String(random.nextBelow(3_000)));
    const [rows, columns] = [draw(20_000), columnsOf(draw(20_000))];
    const indices = lcsIndices(rows, columns);
    expect(indices).toHaveLength(lcsLength(rows, columns));
    // A common subsequence: ascending, and its tokens stand in this order among the columns.
    let column = -1;
    for (const [k, index] of indices.entries()) {
      expect(index).toBeGreaterThan(indices[k - 1] ?? -1);
      column = columns.tokens.indexOf(rows[index]!, column + 1);
      expect(column).toBeGreaterThanOrEqual(0);
    }
  });
});
