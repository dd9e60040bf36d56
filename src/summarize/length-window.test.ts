// Whose turn it is: the longest of a window, and when a window is full.
import { expect, it } from "vitest";
import { createLengthWindow } from "./length-window.js";

function turnsOf(limits: { count: number; length: number }) {
  const turns: string[] = [];
  const window = createLengthWindow(limits);
  const add = (text: string) =>
    window.add({ length: text.length, begin: () => void turns.push(text) });
  return { turns, add, handOut: window.handOut };
}

it("hands out so many at once, the longest first and equally long ones as they came", () => {
  const { turns, add, handOut } = turnsOf({ count: 4, length: 1000 });
  for (const text of ["a", "ccc", "b", "dddd", "e", "ff"]) add(text);
  expect(turns).toEqual(["dddd", "ccc", "a", "b"]);
  handOut();
  expect(turns.slice(4)).toEqual(["ff", "e"]);
});

it("holds no more text than it is told, but for the last that came", () => {
  const { turns, add } = turnsOf({ count: 100, length: 10 });
  for (const text of ["a".repeat(4), "b".repeat(5)]) add(text);
  expect(turns).toEqual([]);
  add("c".repeat(50));
  expect(turns.map((text) => text[0])).toEqual(["c", "b", "a"]);
  add("d".repeat(9));
  expect(turns).toHaveLength(3);
});
