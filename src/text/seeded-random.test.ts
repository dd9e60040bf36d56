// Holds the generator to its authors' output, and its draws to an even spread.
import { describe, expect, it } from "vitest";
import { deriveSeed, drawDistinct, seededRandom, shuffle, xoshiro128 } from "./seeded-random.js";

describe("xoshiro128", () => {
  // Printed by the authors' C program for these states.
  it.each([
    [
      [1, 2, 3, 4],
      [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034],
    ],
    [
      [0x964d4a0c, 0xd40ab895, 0xad7fdecb, 0x3006f0f0],
      [0xf1391922, 0x6fe53806],
    ],
  ] as const)("continues %j as the authors' program", (state, expected) => {
    const random = xoshiro128(state);
    expect(expected.map(() => random.nextUint32())).toEqual(expected);
  });
});

describe("seededRandom", () => {
  const draws = (seed: number, count = 8) => {
    const random = seededRandom(seed);
    return Array.from({ length: count }, () => random.nextUint32());
  };

  it("repeats itself for a seed, and differs between seeds that share their low or high bits", () => {
    expect(draws(42)).toEqual(draws(42));
    const all = [0, 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER].map((seed) => draws(seed));
    expect(new Set(all.map(String)).size).toBe(all.length);
  });

  it("stays as it is from release to release", () => {
    expect(draws(0, 3)).toEqual([3809008728, 1219411154, 2874742318]);
  });

  it("draws every number below a bound about equally often", () => {
    const random = seededRandom(1);
    const counts = new Array(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[random.nextBelow(7)]++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
    expect(random.nextBelow(1)).toBe(0);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])("refuses the seed %d", (seed) => {
    expect(() => seededRandom(seed)).toThrow(
      expect.objectContaining({ code: "INVALID_PARAMETER" }),
    );
  });
});

describe("drawDistinct", () => {
  it("draws different numbers, all of them if asked", () => {
    const drawn = drawDistinct(50, 20, seededRandom(9));
    expect(new Set(drawn).size).toBe(20);
    expect(drawDistinct(9, 9, seededRandom(9)).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(drawDistinct(0, 0, seededRandom(9))).toEqual([]);
  });
});

describe("deriveSeed", () => {
  it("gives each part of each seed one of its own, the same one again", () => {
    const seeds = [];
    for (const seed of [0, 1, 2, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      for (const part of [0, 1, 2, 3, 2 ** 32, 2 ** 32 + 1]) {
        const derived = deriveSeed(seed, part);
        expect(Number.isSafeInteger(derived) && derived >= 0).toBe(true);
        expect(deriveSeed(seed, part)).toBe(derived);
        seeds.push(derived);
      }
    }
    expect(new Set(seeds).size).toBe(seeds.length);
  });

  it("stays as it is from release to release", () => {
    expect([deriveSeed(0, 0), deriveSeed(7, 3)]).toEqual([8550923931911524, 5390440425421238]);
  });
});

describe("shuffle", () => {
  it("keeps every number, and puts each into every place about equally often", () => {
    const random = seededRandom(5);
    const counts = Array.from({ length: 4 }, () => new Array(4).fill(0));
    for (let turn = 0; turn < 4000; turn++) {
      const numbers = Uint32Array.of(0, 1, 2, 3);
      shuffle(numbers, random);
      for (const [place, number] of numbers.entries()) counts[number]![place]++;
      expect([...numbers].sort()).toEqual([0, 1, 2, 3]);
    }
    for (const count of counts.flat()) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});
