// Any text comes to a name that a sweep may have, or to none.
import fc from "fast-check";
import { expect, it } from "vitest";
import { isSweepName, toSweepName } from "./sweep-name.js";

it.each([
  ["rates", "rates"],
  ["bert-lr (v2)", "bert-lr-v2"],
  ["lr: first", "lr-first"],
  ["sweep #1", "sweep-1"],
  ["team/news", "team-news"],
  ["  (draft) rates!", "draft-rates"],
  ["поиск №2", "поиск-2"],
  ["हिन्दी", "हिन्दी"],
  ["x".repeat(120), "x".repeat(100)],
])("%j comes to %j", (text, name) => {
  expect(toSweepName(text)).toBe(name);
});

it("nothing is left of signs alone", () => {
  expect(toSweepName("!?#")).toBeUndefined();
  expect(toSweepName("")).toBeUndefined();
});

it("is a name whatever it came from, and stays as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 120 }), (text) => {
      const name = toSweepName(text);
      if (name === undefined) return;
      expect(isSweepName(name)).toBe(true);
      expect(toSweepName(name)).toBe(name);
    }),
  );
});
