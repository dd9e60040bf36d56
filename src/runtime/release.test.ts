// Memory that is released is gone at once, and nothing else's.
import { expect, it } from "vitest";
import { release } from "./release.js";

it("takes the memory of arrays, once where several share it", () => {
  const [one, other, kept] = [new Float32Array(8), new BigInt64Array(4), new Float32Array(2)];
  const part = one.subarray(2, 4);
  release([one, part, other]);
  expect([one.length, part.length, other.length, kept.length]).toEqual([0, 0, 0, 2]);
  release([one]);
  release([]);
});

it("leaves memory that several threads share where it is", () => {
  const shared = new Float32Array(new SharedArrayBuffer(16));
  release([shared]);
  expect(shared.length).toBe(4);
});

it("gives megabytes back without any garbage being collected", () => {
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i++) release([new Float32Array(1e6)]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40e6);
});
