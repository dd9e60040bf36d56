// Tests accumulation, the global norm, clipping and the search for what is not finite.
import { describe, expect, it } from "vitest";
import { recordedOptimizers as recorded } from "../../test/golden/recorded-optimizers.js";
import { copyTensors, setTensors, tensorsOf } from "../../test/support/trained-tensors.js";
import {
  accumulate,
  clippingScale,
  findNonFinite,
  globalNorm,
  microBatchWeights,
} from "./gradients.js";

describe("clipping", () => {
  it.each(recorded.clipping)(
    "to $maxNorm gives torch's norm and gradients",
    ({ maxNorm, step, norm, clipped }) => {
      const { gradient } = tensorsOf(recorded.shapes, ["gradient"]);
      setTensors(gradient, recorded.gradients[step]!);
      const ours = globalNorm(gradient);
      expect(Math.abs(ours - norm)).toBeLessThan(3e-7 * norm);
      const scale = clippingScale(ours, maxNorm);
      for (const [name, expected] of Object.entries(clipped)) {
        for (const [i, value] of expected.entries()) {
          const got = Math.fround(gradient.get(name)!.data[i]! * scale);
          expect(Math.abs(got - value)).toBeLessThanOrEqual(5e-7 * Math.abs(value));
        }
      }
    },
  );

  it("never scales up, holds torch's 1e-6, and keeps NaN", () => {
    expect(clippingScale(0.5, 1)).toBe(1);
    expect(clippingScale(0, 1)).toBe(1);
    expect(clippingScale(1e-6, 1e-6)).toBe(0.5);
    expect(clippingScale(Number.POSITIVE_INFINITY, 1)).toBe(0);
    expect(clippingScale(Number.NaN, 1)).toBeNaN();
  });
});

describe("accumulation", () => {
  const shapes = { a: [2, 3], b: [7] };
  const values = (of: number) => ({
    a: Array.from({ length: 6 }, (_, i) => of + i),
    b: Array.from({ length: 7 }, (_, i) => of * i),
  });

  it("weighs micro-batches each the same, or by label tokens", () => {
    expect(microBatchWeights("mean", [3, 9, 0, 4])).toEqual([0.25, 0.25, 0.25, 0.25]);
    expect(microBatchWeights("tokens", [3, 9, 0, 4])).toEqual([3 / 16, 9 / 16, 0, 1 / 4]);
    expect(microBatchWeights("tokens", [0, 0])).toEqual([0.5, 0.5]);
  });

  it("sums weighted gradients and forgets the step before, whatever was in it", () => {
    const { total, gradient } = tensorsOf(shapes, ["total", "gradient"]);
    setTensors(total, { a: [Number.NaN], b: [Number.POSITIVE_INFINITY] });
    setTensors(gradient, values(1));
    accumulate(total, gradient, { weight: 0.25, first: true });
    setTensors(gradient, values(5));
    accumulate(total, gradient, { weight: 0.75, first: false });
    expect(copyTensors(total)).toEqual(values(4));
  });

  it("refuses tensors that do not match, by name", () => {
    const { total } = tensorsOf({ a: [2, 3], c: [1] }, ["total"]);
    const { gradient } = tensorsOf({ a: [2, 3], b: [7] }, ["gradient"]);
    const refusal = expect.objectContaining({
      code: "SHAPE_MISMATCH",
      message: expect.stringContaining("c is [1] in the sum and absent in the gradients"),
    });
    expect(() => accumulate(total, gradient, { weight: 1, first: true })).toThrow(refusal);
    const turned = tensorsOf({ a: [3, 2], c: [1] }, ["gradient"]).gradient;
    expect(() => accumulate(total, turned, { weight: 1, first: true })).toThrow(
      "a is [2,3] in the sum and [3,2] in the gradients",
    );
  });
});

describe("findNonFinite", () => {
  it("names the first tensor and element that is NaN or infinite", () => {
    const { gradient } = tensorsOf({ a: [2, 3], b: [7], c: [5] }, ["gradient"]);
    expect(findNonFinite(gradient)).toBeUndefined();
    gradient.get("c")!.data[0] = Number.NaN;
    gradient.get("b")!.data[4] = Number.NEGATIVE_INFINITY;
    expect(findNonFinite(gradient)).toEqual({
      ...{ name: "b", index: 4, value: Number.NEGATIVE_INFINITY },
    });
  });

  it("takes the largest floats for what they are", () => {
    const { gradient } = tensorsOf({ a: [33] }, ["gradient"]);
    gradient.get("a")!.data.fill(3.4e38);
    expect(findNonFinite(gradient)).toBeUndefined();
    expect(globalNorm(gradient)).toBeCloseTo(3.4e38 * Math.sqrt(33), -32);
  });
});
