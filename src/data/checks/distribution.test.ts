// Quantiles and histograms: every value is in one bar or above, and outliers do not flatten the picture.
import { describe, expect, it } from "vitest";
import { Values } from "./distribution.js";

function of(kind: "counts" | "shares", numbers: readonly number[]) {
  const values = new Values(kind);
  for (const number of numbers) values.push(number);
  return values.distribution();
}

describe("a distribution", () => {
  it("has quantiles, mean and bars that hold every value", () => {
    const found = of(
      "counts",
      Array.from({ length: 1000 }, (_, i) => (i * 7) % 1000),
    )!;
    expect(found).toMatchObject({ count: 1000, least: 0, most: 999, mean: 499.5 });
    expect([found.p5, found.median, found.p95]).toEqual([50, 500, 949]);
    const { counts, above, width } = found.histogram;
    expect(counts.reduce((sum, count) => sum + count, above)).toBe(1000);
    expect(width).toBe(50);
    expect(counts[0]).toBe(50);
  });

  it("leaves what is far out above its bars", () => {
    const { histogram } = of("counts", [...Array.from({ length: 999 }, (_, i) => i % 20), 1e6])!;
    expect(histogram).toMatchObject({ from: 0, width: 1, above: 1 });
    expect(histogram.counts).toHaveLength(20);
  });

  it("takes shares, one value, and none", () => {
    expect(of("shares", [0, 0.1, 1])!.histogram.counts.reduce((a, b) => a + b)).toBe(3);
    expect(of("counts", [7])).toMatchObject({ median: 7, histogram: { above: 0 } });
    expect(of("shares", [0, 0])).toMatchObject({ most: 0 });
    expect(of("counts", [])).toBeUndefined();
  });
});
