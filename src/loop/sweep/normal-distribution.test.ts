// The normal distribution beside SciPy's figures, deep in the tails too.
import { describe, expect, it } from "vitest";
import { normalCdf, normalLogCdf, normalLogMass, normalQuantile } from "./normal-distribution.js";

const close = (found: number, expected: number) =>
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(2e-14 * Math.max(1, Math.abs(expected)));

describe("the normal distribution", () => {
  it.each([
    [-8, 6.22096057427174e-16],
    [-2, 0.022750131948179195],
    [-0.3, 0.3820885778110474],
    [0, 0.5],
    [0.7, 0.758036347776927],
    [2.5, 0.9937903346742238],
    [6, 0.9999999990134123],
  ])("up to %d has %d of its values", (x, expected) => {
    expect(Math.abs(normalCdf(x) / expected - 1)).toBeLessThan(1e-13);
  });

  it("has logarithms where probabilities are too small for a double", () => {
    close(normalLogCdf(-40), -804.6084420137539);
    close(normalLogCdf(-31), -484.8539636271794);
    close(normalLogCdf(-8), -35.01343715991456);
    close(normalLogCdf(0.7), -0.2770239422771313);
  });

  it.each([
    [-1, 2, -0.20016629432446262],
    [0.5, 0.6, -3.373064226942795],
    [6, 7, -20.738067003282474],
    [-9, -8, -35.01361859343716],
  ])("between %d and %d has the logarithm of a mass %d", (a, b, expected) => {
    expect(normalLogMass(a, b)).toBeCloseTo(expected, 11);
  });

  it.each([
    [1e-12, -7.034483825301131],
    [1e-4, -3.7190164854556804],
    [0.02, -2.053748910631823],
    [0.3, -0.5244005127080409],
    [0.5, 0],
    [0.9, 1.2815515655446004],
  ])("has the quantile of %d at %d", (p, expected) => {
    close(normalQuantile(p), expected);
  });

  it("ends at infinity", () => {
    expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
  });
});
