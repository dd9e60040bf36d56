// Outputs use the memory of those before them, and only longer ones take more.
import { expect, it } from "vitest";
import { OutputBuffers } from "./output-buffers.js";

it("memory is asked for once for all outputs that are no longer than the longest", () => {
  const asked: number[] = [];
  const buffers = new OutputBuffers((length) => {
    asked.push(length);
    return new Float32Array(length);
  });
  const first = buffers.float32("best", [2, 3]);
  first.data.fill(7);
  const shorter = buffers.float32("best", [2, 2]);
  expect([shorter.shape, [...shorter.data]]).toEqual([[2, 2], Array(4).fill(7)]);
  expect(shorter.data.buffer).toBe(first.data.buffer);
  expect(buffers.float32("best", [3, 2]).data.buffer).toBe(first.data.buffer);
  expect(buffers.float32("likeliest", [2, 1]).data.buffer).not.toBe(first.data.buffer);
  expect(buffers.float32("best", [4, 2]).data).toHaveLength(8);
  expect(asked).toEqual([6, 2, 8]);
  const ids = buffers.int64("tokens", [2, 2]);
  expect(buffers.int64("tokens", [3]).data.buffer).toBe(ids.data.buffer);
  expect(buffers.int64("tokens", [5]).data).toHaveLength(5);
});

it("memory that is short leaves nothing behind, and what fits is answered again", () => {
  let most = 4;
  const buffers = new OutputBuffers((length) => {
    if (length > most) throw new RangeError("Array buffer allocation failed");
    return new Float32Array(length);
  });
  buffers.float32("k", [4]);
  expect(() => buffers.float32("k", [5])).toThrow(RangeError);
  expect(buffers.float32("k", [4]).data).toEqual(new Float32Array(4));
  most = 5;
  expect(buffers.float32("k", [5]).data).toHaveLength(5);
});
