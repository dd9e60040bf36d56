// The beta distribution beside SciPy's figures.
import { expect, it } from "vitest";
import { betaCdf, betaQuantile } from "./beta-distribution.js";

it.each([
  [0.1, 2, 5, 0.11426500000000002],
  [0.7, 0.5, 0.7, 0.7367590200551992],
  [0.5, 30, 20, 0.07620388598073902],
  [0.999, 3, 0.4, 0.8940597203655919],
  [-1, 2, 2, 0],
  [2, 2, 2, 1],
])("up to %d, beta(%d, %d) has %d of its values", (x, a, b, expected) => {
  expect(betaCdf(x, a, b)).toBeCloseTo(expected, 12);
});

it.each([
  [0.1, 2, 5, 0.09259525891312873],
  [0.7, 0.5, 0.7, 0.6459900924654337],
  [0.5, 30, 20, 0.6013436537367756],
])("the quantile %d of beta(%d, %d) is %d", (p, a, b, expected) => {
  expect(betaQuantile(p, a, b)).toBeCloseTo(expected, 12);
});
