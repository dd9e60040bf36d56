// Sizes, times and values at the edges of their units.
import { describe, expect, it } from "vitest";
import { ago, bytes, span, value } from "./format.js";

describe("bytes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [999_499, "999 kB"],
    [999_500, "1.00 MB"],
    [1_536_000, "1.54 MB"],
    [15_360_000, "15.4 MB"],
    [-2_000_000_000, "−2.00 GB"],
  ])("%d → %s", (number, text) => expect(bytes(number)).toBe(text));
});

describe("span", () => {
  it.each([
    [0, "0 s"],
    [59_400, "59 s"],
    [60_000, "1 min 00 s"],
    [200_000, "3 min 20 s"],
    [7_500_000, "2 h 05 min"],
    [273_600_000, "3 d 4 h"],
  ])("%d → %s", (ms, text) => expect(span(ms)).toBe(text));
});

describe("ago", () => {
  const now = Date.parse("2026-03-14T12:00:00Z");
  it.each([
    [0, "just now"],
    [60_000, "1 min ago"],
    [3_560_000, "59 min ago"],
    [3_600_000, "1 h ago"],
    [86_400_000, "1 d ago"],
    [10 * 86_400_000, "4 Mar"],
    [400 * 86_400_000, "7 Feb 2025"],
  ])("%d ms", (ms, text) => expect(ago(now - ms, now)).toBe(text));
});

describe("value", () => {
  it.each([
    [0, "0"],
    [3, "3"],
    [2.345678, "2.3457"],
    [0.000123456, "0.0001235"],
    [0.0000001234, "1.234e-7"],
    [0.0000012, "1.2e-6"],
    [12_345.678, "12,346"],
    [-0.5, "−0.5"],
    [4e12, "4e12"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "−∞"],
  ])("%d → %s", (number, text) => expect(value(number)).toBe(text));
});
