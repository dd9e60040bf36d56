// The trie of a vocabulary: beside plain string comparison, at sizes where its arrays have grown.
import { describe, expect, it } from "vitest";
import { seededRandom } from "../seeded-random.js";
import { PieceTrie } from "./piece-trie.js";

/** Pieces that begin at a place, as the trie answers them: length and place in the list. */
function begunAt(trie: PieceTrie, text: string, start: number): [number, number][] {
  const found: [number, number][] = [];
  let node: number = PieceTrie.root;
  for (let at = start; at < text.length; at++) {
    node = trie.child(node, text.charCodeAt(at));
    if (node < 0) break;
    if (trie.idAt(node) >= 0) found.push([at + 1 - start, trie.idAt(node)]);
  }
  return found;
}

describe("a trie of pieces", () => {
  it.each([1, 60, 5000])("answers every one of %i that begins at a place, and no other", (size) => {
    const drawn = seededRandom(size);
    const random = () => drawn.nextUint32() / 2 ** 32;
    const alphabet = ["a", "b", "c", "\u2581", "\ud83d\ude00", "\u4e2d", "\u0000"];
    const word = () =>
      Array.from(
        { length: 1 + Math.floor(random() * 7) },
        () => alphabet[Math.floor(random() * alphabet.length)],
      ).join("");
    const words = new Set<string>();
    while (words.size < size) words.add(word());
    const pieces = [...words].map((piece) => ({ piece }));
    const trie = new PieceTrie(pieces);
    expect(trie.twice).toBeUndefined();
    for (const [id, { piece }] of pieces.entries()) expect(trie.find(piece)).toBe(id);
    const ids = new Map(pieces.map(({ piece }, id) => [piece, id]));
    let text = "";
    while (text.length < 3000) text += word();
    for (let start = 0; start < text.length; start++) {
      const wanted: [number, number][] = [];
      for (let length = 1; length <= 14; length++) {
        const id = ids.get(text.slice(start, start + length));
        if (id !== undefined && start + length <= text.length) wanted.push([length, id]);
      }
      expect(begunAt(trie, text, start)).toEqual(wanted);
    }
    for (let i = 0; i < 500; i++) {
      const other = word();
      expect(trie.find(other)).toBe(ids.get(other) ?? -1);
    }
    expect(trie.find("")).toBe(-1);
    expect(trie.find("nowhere")).toBe(-1);
  });

  it("tells of a piece that stands in the list twice, and keeps its first place", () => {
    const trie = new PieceTrie(["ab", "a", "ab", "a"].map((piece) => ({ piece })));
    expect(trie.twice).toBe("ab");
    expect([trie.find("ab"), trie.find("a")]).toEqual([0, 1]);
  });

  it("keeps nodes apart whose units were chosen to fall into few places", () => {
    // By the low bits of what is mixed, before the seed of a process is.
    const place = (node: number, unit: number) => {
      const hash = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b);
      return (hash ^ (hash >>> 15)) & 0xff;
    };
    let piece = "";
    for (let node = 0; node < 20_000; node++) {
      let unit = 1;
      while (place(node, unit) > 2) unit += 1;
      piece += String.fromCharCode(unit);
    }
    const trie = new PieceTrie([{ piece }]);
    expect(trie.find(piece)).toBe(0);
    expect(trie.find(piece.slice(1))).toBe(-1);
  });

  it("holds one piece that is longer than it begins with", () => {
    const piece = "x".repeat(100_000);
    const trie = new PieceTrie([{ piece }, { piece: "x" }]);
    expect([trie.find(piece), trie.find("x"), trie.find("xx")]).toEqual([0, 1, -1]);
  });
});
