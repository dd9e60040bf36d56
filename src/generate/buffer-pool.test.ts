// Memory given back is taken again, and no more is kept than was in use at one time.
import fc from "fast-check";
import { expect, it } from "vitest";
import { BufferPool } from "./buffer-pool.js";

it("what was given back is taken again where it fits well", () => {
  const pool = new BufferPool();
  const [small, large] = [pool.take(9), pool.take(100)];
  // A quarter of a power of two at most is there for nothing.
  expect([small.length, large.length]).toEqual([10, 112]);
  pool.give(large);
  pool.give(small);
  expect(pool.freeBytes).toBe(488);
  const again = pool.take(60);
  expect(again === large).toBe(true);
  expect(pool.take(7) === small).toBe(true);
  expect(pool.freeBytes).toBe(0);
  pool.give(again);
  // Nine tenths of it would lie idle.
  expect(pool.take(10) === large).toBe(false);
});

it("what is taken is no longer than it may be, and as long as it has to be", () => {
  const pool = new BufferPool();
  expect([pool.take(9, 9), pool.take(100, 105), pool.take(100, 50)]).toMatchObject([
    { length: 9 },
    { length: 105 },
    { length: 100 },
  ]);
  const large = pool.take(100);
  pool.give(large);
  expect(pool.take(100, 112) === large).toBe(true);
  pool.give(large);
  expect(pool.take(100, 111) === large).toBe(false);
});

it("never holds more, used and unused, than was once used at a time", () => {
  const step = fc.record({ length: fc.integer({ min: 1, max: 1000 }), gives: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pool = new BufferPool();
      const used: Float32Array[] = [];
      let most = 0;
      const usedBytes = () => used.reduce((sum, { byteLength }) => sum + byteLength, 0);
      for (const { length, gives } of steps) {
        used.push(pool.take(length));
        expect(used.at(-1)?.length).toBeGreaterThanOrEqual(length);
        most = Math.max(most, usedBytes());
        expect(pool.freeBytes + usedBytes()).toBeLessThanOrEqual(most);
        for (let i = 0; i < gives && used.length > 0; i++) {
          pool.give(used.shift() as Float32Array);
          expect(pool.freeBytes + usedBytes()).toBeLessThanOrEqual(most);
        }
      }
      expect(new Set(used).size).toBe(used.length);
    }),
    { seed: 3 },
  );
});

it("keeps for the next time what the last one took, and not what one long ago did", () => {
  const pool = new BufferPool();
  const use = (count: number) => {
    const taken = Array.from({ length: count }, () => pool.take(128));
    for (const one of taken) pool.give(one);
    pool.rest();
    return pool.freeBytes;
  };
  expect([use(10), use(1), use(10)]).toEqual([5120, 512, 5120]);
});

it("lets go of what it keeps before it says that memory is short", () => {
  let left = 100;
  const pool = new BufferPool((length) => {
    if (length > left) throw new RangeError("Array buffer allocation failed");
    return new Float32Array(length);
  });
  const small = pool.take(40);
  pool.give(small);
  const large = pool.take(90);
  pool.give(large);
  left = 10;
  expect(() => pool.take(30)).toThrow(RangeError);
  expect(pool.freeBytes).toBe(0);
  // Their memory is free at once, not when garbage is collected.
  expect([small.length, large.length]).toEqual([0, 0]);
  expect(pool.take(10)).toHaveLength(10);
});
