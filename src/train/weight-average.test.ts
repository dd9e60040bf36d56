// Tests the moving average of the weights against torch's.
import { expect, it } from "vitest";
import { recordedOptimizers as recorded } from "../../test/golden/recorded-optimizers.js";
import { copyTensors, setTensors, tensorsOf } from "../../test/support/trained-tensors.js";
import { rampedDecay, startAverage, updateAverage } from "./weight-average.js";

it.each(recorded.averages)("follows as torch's does with decay $decay", ({ decay, average }) => {
  const { mean, weight } = tensorsOf(recorded.shapes, ["mean", "weight"]);
  setTensors(weight, recorded.params);
  startAverage(mean, weight);
  expect(copyTensors(mean)).toEqual(copyTensors(weight));
  for (const each of recorded.gradients) {
    setTensors(weight, each);
    updateAverage(mean, weight, decay);
  }
  for (const [name, expected] of Object.entries(average)) {
    for (const [i, value] of expected.entries()) {
      const scale = Math.max(...recorded.gradients.map((each) => Math.abs(each[name]![i]!)));
      const off = Math.abs(mean.get(name)!.data[i]! - value);
      expect(off).toBeLessThanOrEqual(3e-7 * Math.max(scale, Math.abs(value), 1));
    }
  }
});

it("ramps its decay up to the one asked for", () => {
  expect(rampedDecay(0.999, 0)).toBe(0.1);
  expect(rampedDecay(0.999, 90)).toBe(0.91);
  expect(rampedDecay(0.5, 90)).toBe(0.5);
});

it("refuses an average of other weights", () => {
  const { weight } = tensorsOf({ a: [3] }, ["weight"]);
  const { mean } = tensorsOf({ b: [3] }, ["mean"]);
  expect(() => updateAverage(mean, weight, 0.9)).toThrow("has no a");
});
