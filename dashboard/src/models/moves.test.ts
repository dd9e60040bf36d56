// Where a rollback leads, by the same rule as the registry's.
import { expect, it } from "vitest";
import type { Move } from "../api/registry.js";
import { versionAt, waysBack } from "./moves.js";

/** Moves as the server lists them: the newest first. */
const moves = (...made: readonly (readonly [string, Move["action"], number])[]): readonly Move[] =>
  made
    .map(([alias, action, version], index) => ({
      ...{ model: "news", alias, action, version, move: index + 1 },
      ...{ previous: null, forced: false, reason: null, gates: [] },
      ...{ movedAt: "2026-01-01T00:00:00.000Z", movedBy: "alice" },
    }))
    .reverse();

it("goes back to what was promoted before, and from there to what was there before that", () => {
  const made = [
    ["champion", "promote", 1],
    ["champion", "promote", 2],
    ["champion", "promote", 3],
  ] as const;
  expect(waysBack(moves(...made))).toEqual([{ alias: "champion", version: 2 }]);
  expect(waysBack(moves(...made, ["champion", "rollback", 2]))).toEqual([
    { alias: "champion", version: 1 },
  ]);
  expect(waysBack(moves(...made, ["champion", "rollback", 2], ["champion", "promote", 4]))).toEqual(
    [{ alias: "champion", version: 2 }],
  );
  expect(
    waysBack(moves(...made, ["champion", "rollback", 2], ["champion", "rollback", 1])),
  ).toEqual([]);
});

it("keeps aliases apart, the one in production first", () => {
  const made = moves(
    ["candidate", "promote", 1],
    ["candidate", "promote", 2],
    ["champion", "promote", 5],
    ["champion", "promote", 6],
    ["once", "promote", 1],
  );
  expect(waysBack(made)).toEqual([
    { alias: "champion", version: 5 },
    { alias: "candidate", version: 1 },
  ]);
  expect(waysBack([])).toEqual([]);
});

it("finds where an alias points", () => {
  const state = { movedAt: "", movedBy: "" };
  expect(versionAt([{ alias: "champion", version: 3, ...state }], "champion")).toBe(3);
  expect(versionAt([], "champion")).toBeNull();
});
