// The lattice against listing every way to cut a string.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Lattice } from "./lattice.js";
import { allocateTrie, countNodes, fillTrie, sortPieces } from "./vocabulary-trie.js";

/** A vocabulary of pieces of the characters 1 to 3, the single ones first. */
function vocabularyOf(longer: readonly number[][], draws: readonly number[]) {
  const pieces = [[1], [2], [3], ...longer];
  const starts = new Uint32Array(pieces.length + 1);
  for (const [i, piece] of pieces.entries()) starts[i + 1] = (starts[i] as number) + piece.length;
  const flat = { characters: Uint32Array.from(pieces.flat()), starts };
  const sorted = sortPieces(flat);
  const trie = allocateTrie(countNodes(flat, sorted), 4);
  fillTrie(
    trie,
    flat,
    sorted,
    Int32Array.from(pieces, (_, i) => i),
  );
  const scores = Float32Array.from(pieces, (_, i) => -1 - (draws[i % draws.length] as number) / 7);
  return {
    pieces,
    scores,
    lattice: new Lattice({ trie, scores, leastScore: Math.min(...scores) }),
  };
}

function waysToCut(text: readonly number[], pieces: readonly number[][]): number[][] {
  if (text.length === 0) return [[]];
  return pieces.flatMap((piece, id) =>
    piece.every((character, i) => text[i] === character)
      ? waysToCut(text.slice(piece.length), pieces).map((rest) => [id, ...rest])
      : [],
  );
}

const character = fc.integer({ min: 1, max: 3 });
const inputs = fc.record({
  longer: fc.uniqueArray(fc.array(character, { minLength: 2, maxLength: 4 }), {
    maxLength: 12,
    selector: (piece) => piece.join(),
  }),
  draws: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 5, maxLength: 15 }),
  text: fc.array(character, { minLength: 1, maxLength: 9 }),
});

describe("a lattice", () => {
  it("expects each piece as often as it stands in all ways, by their probability", () => {
    fc.assert(
      fc.property(inputs, ({ longer, draws, text }) => {
        const { pieces, scores, lattice } = vocabularyOf(longer, draws);
        const ways = waysToCut(text, pieces).map((way) => ({
          way,
          weight: Math.exp(way.reduce((sum, id) => sum + (scores[id] as number), 0)),
        }));
        const all = ways.reduce((sum, { weight }) => sum + weight, 0);
        const wanted = pieces.map((_, id) =>
          ways.reduce(
            (sum, { way, weight }) => sum + way.filter((each) => each === id).length * weight,
            0,
          ),
        );
        lattice.set(Uint32Array.from(text), 0, text.length);
        const expected = new Float32Array(pieces.length);
        const total = lattice.addExpected(3, expected);
        expect(total).toBeCloseTo(Math.log(all), 4);
        for (const [id, sum] of wanted.entries()) {
          expect(expected[id]).toBeCloseTo((3 * sum) / all, 3);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("cuts the likeliest way, and knows the second", () => {
    fc.assert(
      fc.property(inputs, ({ longer, draws, text }) => {
        fc.pre(text.length > 1);
        const { pieces, scores, lattice } = vocabularyOf(
          [...longer.filter((piece) => piece.join() !== text.join()), text],
          draws,
        );
        const scoreOf = (way: readonly number[]) =>
          way.reduce((sum, id) => sum + (scores[id] as number), 0);
        const ways = waysToCut(text, pieces)
          .map(scoreOf)
          .sort((a, b) => b - a);
        lattice.set(Uint32Array.from(text), 0, text.length);
        const path: number[] = [];
        lattice.cut(path);
        expect(scoreOf(path)).toBeCloseTo(ways[0] as number, 4);
        expect(path.reverse().flatMap((id) => pieces[id] as number[])).toEqual(text);
        const alternative = lattice.alternative();
        if (path.length > 1) {
          const whole = scores[pieces.length - 1] as number;
          // Two ways that are as good may come in either order.
          if (alternative !== undefined) expect(whole).toBeCloseTo(ways[0] as number, 4);
        } else if (ways.length === 1) expect(alternative).toEqual([]);
        else if (alternative !== undefined) {
          expect(scoreOf(alternative)).toBeCloseTo(ways[1] as number, 4);
          expect(alternative.flatMap((id) => pieces[id] as number[])).toEqual(text);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("tells a piece that others shadow", () => {
    const { lattice } = vocabularyOf(
      [
        [1, 2],
        [2, 3],
      ],
      [0, 0, 0, 30, 0],
    );
    lattice.set(Uint32Array.of(1, 2), 0, 2);
    expect(lattice.isShadowed(3)).toBe(true);
    lattice.set(Uint32Array.of(2, 3), 0, 2);
    expect(lattice.isShadowed(4)).toBe(false);
  });
});
