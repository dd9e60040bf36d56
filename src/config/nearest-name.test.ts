// Tests that a mistyped name leads to the one that was meant, and to none where nothing is near.
import { expect, it } from "vitest";
import { nearestName } from "./nearest-name.js";

const names = ["document", "model", "parameters", "stream"];

it.each([
  ["documnet", "document"],
  ["Document", "document"],
  ["docment", "document"],
  ["parameter", "parameters"],
  ["steam", "stream"],
])("takes %s for %s", (typed, meant) => {
  expect(nearestName(typed, names)).toBe(meant);
});

it.each(["text", "", "x".repeat(100_000)])(
  "guesses nothing for what resembles nothing",
  (typed) => {
    expect(nearestName(typed, names)).toBeUndefined();
  },
);
