// Memory that is released is gone at once, and nothing else's.
import { expect, it } from "vitest";
import { GraphBuilder, relu } from "../graph/index.js";
import { release } from "./release.js";
import { openSession } from "./session.js";
import { float32 } from "./tensor.js";

const arrayBytes = () => process.memoryUsage().arrayBuffers;

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
  const before = arrayBytes();
  const arrays = Array.from({ length: 50 }, () => new Float32Array(1e6));
  expect(arrayBytes() - before).toBeGreaterThan(190e6);
  release(arrays);
  expect(arrayBytes() - before).toBeLessThan(10e6);
  // Nothing of them could have been collected: they are still there.
  expect(arrays.map(({ length }) => length)).toEqual(Array(50).fill(0));
});

it("a session keeps no copy of what it has written where it was told to", async () => {
  const g = new GraphBuilder();
  const session = await openSession(
    g.finish([g.output("y", relu(g, g.input("x", "float32", ["n"])))]),
    new Map(),
    { threads: 1, device: "cpu" },
  );
  const [x, into] = [
    float32(new Float32Array(4e6).fill(2), [4e6]),
    float32(new Float32Array(4e6), [4e6]),
  ];
  const before = arrayBytes();
  expect((await session.run({ x }, { y: into })).y === into).toBe(true);
  expect(arrayBytes() - before).toBeLessThan(4e6);
  const { y } = await session.run({ x });
  expect(arrayBytes() - before).toBeGreaterThan(12e6);
  expect(y?.data.at(-1)).toBe(2);
  expect(into.data.at(-1)).toBe(2);
  await session.close();
});
