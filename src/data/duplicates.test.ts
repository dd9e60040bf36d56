// Tests finding repeated documents: what counts as the same, and agreement with a plain map for any rows.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalizedText, RowHashes } from "./duplicates.js";

function hashesOf(rows: readonly (readonly [string, string])[]): RowHashes {
  const hashes = new RowHashes();
  for (const [document, summary] of rows) hashes.add(document, summary);
  return hashes;
}

describe("normalizedText", () => {
  it("forgets case, white space and forms of letters, and nothing else", () => {
    expect(normalizedText(" The\n\tHarbour ﬁlled ")).toBe("the harbour filled");
    expect(normalizedText("e\u0301")).toBe(normalizedText("É"));
    expect(normalizedText("a b")).not.toBe(normalizedText("ab"));
    expect(normalizedText("a.")).not.toBe(normalizedText("a"));
  });
});

describe("RowHashes", () => {
  const row = fc.tuple(fc.constantFrom("a", "b", "c", "d", "e f"), fc.constantFrom("x", "y"));

  it("finds what a map of texts finds", () => {
    fc.assert(
      fc.property(fc.array(row), fc.array(row), (rows, others) => {
        const first = new Map<string, number>();
        const expected: [number, number, boolean][] = [];
        for (const [index, [document, summary]] of rows.entries()) {
          const as = first.get(document);
          if (as === undefined) first.set(document, index);
          else expected.push([index, as, rows[as]![1] === summary]);
        }
        const { documents, pairs, examples } = hashesOf(rows).repeats();
        expect(documents).toBe(expected.length);
        expect(pairs).toBe(expected.filter(([, , same]) => same).length);
        expect(examples.map(({ row, as, sameSummary }) => [row, as, sameSummary])).toEqual(
          expected.slice(0, 5),
        );
        const shared = hashesOf(others).sharedWith(hashesOf(rows));
        expect(shared.documents).toBe(others.filter(([document]) => first.has(document)).length);
        for (const { row, as } of shared.examples) {
          expect(rows[as]![0]).toBe(others[row]![0]);
        }
      }),
    );
  });

  it("holds many rows apart", () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => [`${index}`, ""] as const);
    expect(hashesOf(rows).repeats().documents).toBe(0);
    expect(hashesOf([...rows, ["7", ""]]).repeats().examples).toEqual([
      { row: 20_000, as: 7, sameSummary: true },
    ]);
  });
});
