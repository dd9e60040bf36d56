// What is marked of a document: each sentence once, cut where the parts of the document are.
import { expect, it } from "vitest";
import { marksOf, piecesWithin } from "./marks.js";

const source = (start: number, end: number, score: number) => ({ start, end, score });

it("marks a sentence once, for all that come from it, the nearest first", () => {
  const marks = marksOf([
    { start: 0, end: 5, sources: [source(40, 50, 0.4), source(10, 20, 0.3)] },
    { start: 5, end: 9, sources: [] },
    { start: 9, end: 20, sources: [source(10, 20, 0.9)] },
  ]);
  expect(marks).toEqual([
    { start: 10, end: 20, of: [2, 0], isAnchor: true },
    { start: 40, end: 50, of: [0], isAnchor: true },
  ]);
});

it("leads each sentence to the nearest of its sources alone", () => {
  const [first, second] = marksOf([
    { start: 0, end: 5, sources: [source(10, 20, 0.3), source(40, 50, 0.4)] },
  ]);
  expect([first?.isAnchor, second?.isAnchor]).toEqual([false, true]);
});

it("cuts marks at the ends of a part, and leaves nothing out", () => {
  const marks = marksOf([{ start: 0, end: 5, sources: [source(10, 20, 1), source(30, 40, 0.5)] }]);
  const kinds = (start: number, end: number) =>
    piecesWithin({ start, end }, marks).map((piece) => [piece.kind, piece.start, piece.end]);
  expect(kinds(0, 15)).toEqual([
    ["text", 0, 10],
    ["mark", 10, 15],
  ]);
  expect(kinds(15, 35)).toEqual([
    ["mark", 15, 20],
    ["text", 20, 30],
    ["mark", 30, 35],
  ]);
  expect(kinds(21, 29)).toEqual([["text", 21, 29]]);
});
