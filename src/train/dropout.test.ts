// Tests dropout masks: their rate, their values, and that each place has numbers of its own.
import { describe, expect, it } from "vitest";
import { fillDropoutMask, type MaskPlace, maskCapacity } from "./dropout.js";
import { allocateTensors } from "./tensor-memory.js";

const elements = 64_000;
const memory = allocateTensors([{ name: "mask", parts: { mask: [elements] } }]);
const mask = memory.tensors("mask").get("mask")!.data;
const place: MaskPlace = { seed: 42, step: 7, stream: 3 };

function made(probability: number, at: Partial<MaskPlace> = {}): Float32Array {
  fillDropoutMask(mask, probability, { ...place, ...at });
  return Float32Array.from(mask);
}

const dropped = (of: Float32Array) => of.filter((value) => value === 0).length / of.length;

describe("fillDropoutMask", () => {
  it.each([0.1, 0.5, 0.9])("drops a share of %d and scales up what is kept", (probability) => {
    const filled = made(probability);
    const deviation = Math.sqrt((probability * (1 - probability)) / elements);
    expect(Math.abs(dropped(filled) - probability)).toBeLessThan(4 * deviation);
    expect(new Set(filled)).toEqual(new Set([0, Math.fround(1 / (1 - probability))]));
  });

  it("drops nothing at 0 and everything at 1", () => {
    expect(new Set(made(0))).toEqual(new Set([1]));
    expect(new Set(made(1))).toEqual(new Set([0]));
  });

  it("is the same again, and a shorter mask is its beginning", () => {
    const filled = made(0.3);
    expect(made(0.3)).toEqual(filled);
    fillDropoutMask(mask.fill(9).subarray(0, 160), 0.3, place);
    expect(mask.subarray(0, 160)).toEqual(filled.subarray(0, 160));
    expect(mask[160]).toBe(9);
  });

  it.each([
    { seed: 43 },
    { seed: 42 + 2 ** 32 },
    { step: 8 },
    { step: 7 + 2 ** 32 },
    { stream: 4 },
    { seed: 7, step: 42 },
  ])("draws anew for %j", (at) => {
    const [one, other] = [made(0.5), made(0.5, at)];
    const equal = one.filter((value, i) => value === other[i]).length / elements;
    expect(Math.abs(equal - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / elements));
  });

  it("shows no tie between neighbours, near or one row on", () => {
    const filled = made(0.5);
    for (const lag of [1, 2, 4, 16, 64, 256, 1024]) {
      const pairs = elements - lag;
      const equal = filled.filter((value, i) => i < pairs && value === filled[i + lag]).length;
      expect(Math.abs(equal / pairs - 0.5), `lag ${lag}`).toBeLessThan(4 * Math.sqrt(0.25 / pairs));
    }
  });

  it.each([
    [-0.1, {}, "dropout is -0.1"],
    [1.5, {}, "dropout is 1.5"],
    [Number.NaN, {}, "dropout is NaN"],
    [0.1, { seed: -1 }, "seed is -1"],
    [0.1, { step: 0.5 }, "step is 0.5"],
    [0.1, { stream: 2 ** 32 }, "stream is 4294967296"],
  ])("refuses %d at %j", (probability, at, message) => {
    expect(() => made(probability, at)).toThrow(message);
  });
});

it("reserves whole groups", () => {
  expect([1, 16, 17].map(maskCapacity)).toEqual([16, 16, 32]);
  expect(() => fillDropoutMask(mask.subarray(0, 17), 0.1, place)).toThrow("17 elements");
});
