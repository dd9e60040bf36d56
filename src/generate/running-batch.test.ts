// The room that documents have in a batch: as much as those need that are there, and what they hold stays theirs.
import { expect, it } from "vitest";
import { float32, type Tensor } from "../runtime/tensor.js";
import { RunningBatch } from "./running-batch.js";
import type { Search } from "./search.js";

const shape = { width: 1, heads: 2, headWidth: 2 };
const search = () => ({ width: 1, rows: [{ token: 5, parent: 0 }] }) as unknown as Search;

/** Adds a document whose keys are all one number; answers its search. */
function add(batch: RunningBatch, source: number, value: number): Search {
  const one = search();
  const keys = new Float32Array(2 * source * 2).fill(value);
  const mask = new Float32Array(source) as Float32Array;
  batch.add(
    [one],
    { "cross.k": float32(keys, [1, 2, source, 2]) },
    float32(mask, [1, 1, 1, source]),
  );
  return one;
}

const open = () => new RunningBatch({ own: ["own.k"], cross: ["cross.k"] }, shape);
const place = (batch: RunningBatch, one: Search) =>
  batch.members.findIndex((member) => member.search === one);

/** Runs so many steps, each of which answers its number for each document. */
function steps(batch: RunningBatch, count: number): void {
  for (let i = 0; i < count; i++) {
    const { feeds, fresh, shape: of, keep } = batch.next();
    const [now] = (feeds.now as Tensor<"int64">).data;
    const data = Float32Array.from({ length: batch.size * 4 }, (_, j) => {
      return 1000 * (Math.floor(j / 4) + 1) + Number(now);
    });
    expect(fresh).toEqual(["own.k.fresh"]);
    keep({ "own.k.fresh": float32(data, of) });
  }
}

it("gives back the room of long and many documents once short and few are left", () => {
  const batch = open();
  const long = [add(batch, 160, 1), add(batch, 160, 2), add(batch, 160, 3), add(batch, 160, 4)];
  steps(batch, 70);
  const short = add(batch, 16, 9);
  const full = batch.sizeBytes;
  for (const one of long) batch.remove(place(batch, one));
  steps(batch, 5);
  const next = add(batch, 32, 8);
  expect(batch.sourceTokens).toBe(32);
  const fresh = open();
  add(fresh, 16, 9);
  steps(fresh, 5);
  add(fresh, 32, 8);
  fresh.next();
  const { feeds } = batch.next();
  expect(batch.sizeBytes).toBeLessThan(full / 8);
  // What is kept for the next ones may be longer than what is used.
  expect(batch.sizeBytes).toBeLessThanOrEqual(2 * fresh.sizeBytes);
  const cross = feeds["cross.k"] as Tensor<"float32">;
  expect(cross.shape).toEqual([2, 2, 32, 2]);
  const valuesOf = (one: Search, tokens: number) => {
    const start = place(batch, one) * 2 * 32 * 2;
    return new Set(cross.data.subarray(start, start + tokens * 2));
  };
  expect([valuesOf(short, 16), valuesOf(next, 32)]).toEqual([new Set([9]), new Set([8])]);
  const mask = feeds.mask as Tensor<"float32">;
  const seen = [short, next].map((one) => {
    const start = place(batch, one) * 32;
    return mask.data.subarray(start, start + 32).filter((value) => value === 0).length;
  });
  expect(seen).toEqual([16, 32]);
});

it("keeps what a document has written, wherever it is moved", () => {
  const batch = open();
  const old = add(batch, 16, 1);
  steps(batch, 90);
  const young = add(batch, 16, 2);
  steps(batch, 6);
  batch.remove(place(batch, old));
  // Its steps are counted anew, in a narrower window.
  add(batch, 16, 3);
  const { feeds } = batch.next();
  const own = feeds["own.k"] as Tensor<"float32">;
  expect(own.shape[2]).toBe(16);
  const ancestors = (feeds.ancestors as Tensor<"float32">).data;
  const row = place(batch, young);
  const visible = Array.from({ length: 16 }, (_, slot) => slot).filter(
    (slot) => ancestors[row * 17 + slot] === 0,
  );
  const written = visible.map((slot) => own.data[(row * 2 * 16 + slot) * 2]);
  // It was second of two when it wrote, at the batch's steps 90 to 95; what this step makes it sees at the end.
  expect(written).toEqual([2090, 2091, 2092, 2093, 2094, 2095]);
  expect(ancestors[row * 17 + 16]).toBe(0);
});

const eachBytes = (source: number, window: number) => 4 * 4 * (source + window);

it("makes places to spare only as far as they may be held", () => {
  const batch = open();
  const held: number[] = [];
  for (const most of [4, 4, 4, 4, 5.5, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]) {
    batch.mostBytes = most * eachBytes(16, 16);
    add(batch, 16, 1);
    steps(batch, 1);
    held.push(batch.sizeBytes / eachBytes(16, 16));
  }
  // Where there is enough it grows by half, and to lengths that come again.
  expect(held).toEqual([1, 2, 3, 4, 5, 8, 8]);
});

it("gives up places to spare when what documents look back would not fit beside them", () => {
  const batch = open();
  for (const value of [1, 2, 3]) add(batch, 16, value);
  steps(batch, 1);
  add(batch, 16, 4);
  batch.mostBytes = 4 * eachBytes(16, 32);
  expect(batch.sizeBytes).toBeGreaterThan(4 * eachBytes(16, 16));
  steps(batch, 16);
  expect(batch.sizeBytes).toBe(4 * eachBytes(16, 32));
  const { feeds } = batch.next();
  const [own, cross] = [feeds["own.k"], feeds["cross.k"]] as Tensor<"float32">[];
  // Of each the first head's first number, and what the last three wrote at their last step.
  expect([0, 1, 2, 3].map((i) => cross?.data[i * 2 * 16 * 2])).toEqual([1, 2, 3, 4]);
  expect([0, 1, 2, 3].map((i) => own?.data[(i * 2 * 32 + 16) * 2])).toEqual([
    1016, 2016, 3016, 4016,
  ]);
});

it("lets go what its documents do not need when it is asked to, and they go on", () => {
  const batch = open();
  const long = [add(batch, 64, 1), add(batch, 64, 2)];
  const short = add(batch, 32, 3);
  steps(batch, 40);
  for (const one of long) batch.remove(place(batch, one));
  const next = add(batch, 48, 4);
  steps(batch, 2);
  batch.remove(place(batch, short));
  batch.tighten();
  expect(batch.sizeBytes).toBe(eachBytes(48, 16));
  expect(batch.sizeBytes).toBe(batch.neededBytes);
  const { feeds } = batch.next();
  const { data, shape: of } = feeds["own.k"] as Tensor<"float32">;
  expect(of).toEqual([1, 2, 16, 2]);
  // It was the second of two at the steps 40 and 41.
  expect([data[0], data[2]]).toEqual([2040, 2041]);
  expect((feeds["cross.k"] as Tensor<"float32">).data[0]).toBe(4);
  expect(place(batch, next)).toBe(0);
});
