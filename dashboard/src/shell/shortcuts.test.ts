// One key, keys one after another, and what is neither.
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Shortcut } from "./shortcuts.js";

beforeAll(() => {
  vi.stubGlobal("window", { addEventListener: () => {} });
});
afterAll(() => void vi.unstubAllGlobals());

const make = (...keys: string[]): Shortcut => ({ keys, does: keys.join(" "), run: () => {} });

describe("findShortcut", () => {
  const all = [make("?"), make("g", "r"), make("g", "s"), make("r"), make("r")];

  it.each([
    [["?"], all[0]],
    [["g"], "begun"],
    [["g", "s"], all[2]],
    [["r"], all[4]],
    [["g", "x"], undefined],
    [["x"], undefined],
    [["s"], undefined],
  ])("%j", async (keys, wanted) => {
    const { findShortcut } = await import("./shortcuts.js");
    expect(findShortcut(all, keys)).toBe(wanted);
  });
});
