// The room that documents have in a batch: as much as those need that are there, and what they hold stays theirs.
import fc from "fast-check";
import { expect, it } from "vitest";
import { float32, type Tensor } from "../runtime/tensor.js";
import { BufferPool, isOutOfMemory } from "./buffer-pool.js";
import { type CacheInput, cacheInput, type MemoryType } from "./cache.js";
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

/** Keys or values of two heads of two numbers. */
const vectors = (name: string, dtype: MemoryType = "float32"): CacheInput =>
  cacheInput({ name, dtype, shape: ["batch", 2, "slots", 2] });
const open = () =>
  new RunningBatch({ own: [vectors("own.k")], cross: [vectors("cross.k")] }, shape);
const place = (batch: RunningBatch, one: Search) =>
  batch.members.findIndex((member) => member.search === one);

/** Runs so many steps, each of which answers each document's place among the others and its own count. */
function steps(batch: RunningBatch, count: number): void {
  for (let i = 0; i < count; i++) {
    const { feeds, fresh, shape: of, keep } = batch.next();
    const places = (feeds.places as Tensor<"int64">).data;
    const data = Float32Array.from({ length: batch.size * 4 }, (_, j) => {
      const document = Math.floor(j / 4);
      return 1000 * (document + 1) + Number(places[document]);
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
  // Of the room that the old one needed a part will do.
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
  // It was second of two when it wrote; what this step makes it sees at the end.
  expect(written).toEqual([2000, 2001, 2002, 2003, 2004, 2005]);
  expect(ancestors[row * 17 + 16]).toBe(0);
});

const eachBytes = (source: number, slots: number) => 4 * 4 * (source + slots);

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
  // Of each the first head's first number, and what each wrote at its sixteenth step.
  expect([0, 1, 2, 3].map((i) => cross?.data[i * 2 * 16 * 2])).toEqual([1, 2, 3, 4]);
  expect([0, 1, 2, 3].map((i) => own?.data[(i * 2 * 32 + 15) * 2])).toEqual([
    1015, 2015, 3015, 4015,
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
  // It was the second of two at its first two steps.
  expect([data[0], data[2]]).toEqual([2000, 2001]);
  expect((feeds["cross.k"] as Tensor<"float32">).data[0]).toBe(4);
  expect(place(batch, next)).toBe(0);
});

const beams = { width: 4, heads: 2, headWidth: 2 };

/** What a document's keys are that has failed. */
const bad = Number.NaN;

/** A document of four beams, which `turn` gives other parents, and what each of its rows has written and descends from. */
function beamSearch(name: number) {
  const rows = Array.from({ length: 4 }, () => ({ token: 5, parent: 0 }));
  let lines: readonly (readonly number[])[] = [[], [], [], []];
  let step = 0;
  return {
    name,
    search: { width: 4, rows } as unknown as Search,
    /** Of each row that comes next, what those wrote that it descends from. */
    expected: () => rows.map(({ parent }) => lines[parent] ?? []),
    /** What its rows write at a step. */
    writes: () => rows.map((_, row) => 10000 * name + 10 * step + row),
    turn(parents: readonly number[]) {
      const written = this.writes();
      lines = this.expected().map((line, row) => [...line, written[row] as number]);
      step += 1;
      for (const [row, parent] of parents.entries()) rows[row] = { token: 5, parent };
    },
  };
}

/** What a batch is fed of a document's keys: those of both heads at a slot, of which the second has its sign turned. */
function numbersAt({ data, shape: [, , slots = 0] }: Tensor<"float32">, b: number, slot: number) {
  return [0, 1].map((head) => data[((b * 2 + head) * slots + slot) * 2 + head]);
}

it("shows each row all that it descends from and nothing else, whoever comes and goes and wherever memory is short", () => {
  // Of the documents: float32, whole numbers as they are and turned, and what has no slots.
  const turned = { dtype: "uint8", shape: ["batch", 2, 2, "slots"] } as const;
  const scale = { dtype: "float32", shape: ["batch", 2, 1, 2] } as const;
  const inputs = {
    own: [vectors("own.k"), vectors("own.v")],
    cross: [
      ...[vectors("cross.v", "int8"), vectors("cross.k")],
      ...[cacheInput({ name: "cross.w", ...turned }), cacheInput({ name: "cross.s", ...scale })],
    ],
  };
  /** What an input holds of a document: numbers of both signs by turns, along its vectors. */
  const numberOf = ({ dtype }: CacheInput, name: number, odd: boolean) => {
    const number = dtype === "float32" ? name : (name || 0) % 100;
    return (odd ? -number : number) + (dtype === "uint8" ? 128 : 0);
  };
  /** What a document's numbers are at a slot, of both heads, of which the second has its sign turned. */
  const heldAt = (input: CacheInput, fed: Tensor, b: number, slot: number) => {
    const { hasSlots, slices, width } = input;
    const [, , third = 0, fourth = 0] = fed.shape;
    const slots = hasSlots ? (slices === 4 ? fourth : third) : 1;
    const at = (head: number) => {
      if (slices === 4) return ((b * 2 + head) * 2 + head) * slots + slot;
      return hasSlots ? ((b * 2 + head) * slots + slot) * width + head : (b * 2 + head) * 2 + head;
    };
    return [0, 1].map((head) => Number(fed.data[at(head)]));
  };
  let failures = 0;
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          parents: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 24, maxLength: 24 }),
          // Sources of few lengths, of which some fit into the memory that is there for shorter ones.
          comes: fc.option(fc.constantFrom(4, 17, 18, 19, 20, 40), { freq: 2 }),
          together: fc.integer({ min: 1, max: 3 }),
          coming: fc.nat(3),
          // Whoever comes has no numbers, and goes when that is seen.
          spoils: fc.option(fc.constant(true), { freq: 4 }),
          goes: fc.option(fc.nat(), { freq: 3 }),
          tightens: fc.boolean(),
          // How often memory is found before there is none.
          finds: fc.option(fc.nat(5), { freq: 3 }),
          // How much more there is of it than what is held as that begins, which released memory adds to.
          more: fc.option(fc.nat(400)),
        }),
        { minLength: 1, maxLength: 60 },
      ),
      (events) => {
        let left = Number.POSITIVE_INFINITY;
        let most = Number.POSITIVE_INFINITY;
        const taken: Float32Array[] = [];
        // Memory that was released has no length.
        const held = () => taken.reduce((sum, { length }) => sum + length, 0);
        const pool = new BufferPool((length) => {
          if (left-- <= 0 || held() + length > most)
            throw new RangeError("Array buffer allocation failed");
          taken.push(new Float32Array(length));
          return taken.at(-1) as Float32Array;
        });
        /** Does it, and again with enough memory where that was short. */
        const again = <T>(work: () => T): T => {
          try {
            return work();
          } catch (thrown) {
            if (!isOutOfMemory(thrown)) throw thrown;
            failures += 1;
            [left, most] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
            return work();
          }
        };
        const batch = new RunningBatch(inputs, beams, pool);
        const there = new Map<Search, ReturnType<typeof beamSearch> & { source: number }>();
        let count = 0;
        for (const event of events) {
          const { parents, comes, together, coming, spoils, goes, tightens, finds, more } = event;
          left = finds ?? Number.POSITIVE_INFINITY;
          most = more === null ? Number.POSITIVE_INFINITY : held() + more;
          if (batch.size === 0 || (comes !== null && batch.size < 6)) {
            const source = comes ?? 4;
            const ones = Array.from({ length: Math.min(together, 6 - batch.size) }, () => ({
              ...beamSearch(spoils ? bad : ++count),
              source,
            }));
            for (const one of ones) there.set(one.search, one);
            const memoryOf = (input: CacheInput): Tensor => {
              const { dtype, shapeOf, slices, hasSlots } = input;
              const each = hasSlots ? source * 4 : 4;
              const numbers = Array.from({ length: ones.length * each }, (_, i) => {
                const { name } = ones[Math.floor(i / each)] as { name: number };
                return numberOf(input, name, (slices === 4 ? Math.floor(i / source) : i) % 2 === 1);
              });
              const arrays = { int8: Int8Array, uint8: Uint8Array, float32: Float32Array };
              const data = arrays[dtype].from(numbers);
              return { dtype, data, shape: shapeOf(ones.length, source) } as Tensor;
            };
            const mask = float32(new Float32Array(ones.length * source), [
              ones.length,
              1,
              1,
              source,
            ]);
            const searches = ones.map(({ search: one }) => one);
            const fed = Object.fromEntries(
              inputs.cross.map((input) => [input.name, memoryOf(input)]),
            );
            again(() => batch.add(searches, fed, mask, coming));
          }
          if (tightens) again(() => batch.tighten());
          const { feeds, shape: of, keep } = again(() => batch.next());
          const fed = (name: string) => feeds[name] as Tensor<"float32">;
          const slots = fed("own.k").shape[2] as number;
          const ancestors = fed("ancestors").data;
          const positions = (feeds.slotPositions as Tensor<"int64">).data;
          const members = batch.members.map(({ search: one }) => there.get(one));
          const written = new Float32Array(of.reduce((product, dim) => product * dim));
          const spoilt = members.filter((one) => Number.isNaN(one?.name));
          if (spoilt.length === 0) {
            for (const { name } of [...inputs.own, ...inputs.cross])
              expect(fed(name).data.some(Number.isNaN), name).toBe(false);
          }
          for (const [b, one] of members.entries()) {
            const { source = 0 } = one ?? {};
            const [, , , room = 0] = fed("mask").shape;
            const shown = fed("mask").data.subarray(b * room, (b + 1) * room);
            expect([...shown].map((value) => value === 0)).toEqual(
              Array.from({ length: room }, (_, i) => i < source),
            );
            for (const input of inputs.cross) {
              for (let i = 0; i < source; i++) {
                expect(heldAt(input, fed(input.name), b, i)).toEqual(
                  [false, true].map((odd) => 0 + numberOf(input, one?.name ?? 0, odd)),
                );
              }
              // Behind a document's own is what stands for zero.
              const [, , third = 0, fourth = 0] = fed(input.name).shape;
              const slots = input.hasSlots ? (input.slices === 4 ? fourth : third) : 0;
              const zero = input.dtype === "uint8" ? 128 : 0;
              for (let i = source; i < slots; i++)
                expect(heldAt(input, fed(input.name), b, i)).toEqual([zero, zero]);
            }
            const expected = one?.expected() ?? [];
            for (const [row, line] of expected.entries()) {
              const start = (b * 4 + row) * (slots + 1);
              const seen = Array.from({ length: slots }, (_, slot) => slot).filter(
                (slot) => ancestors[start + slot] === 0,
              );
              // In the order of steps, in which sums over them are rounded.
              const at = b * (slots + 1);
              expect(seen.map((slot) => Number(positions[at + slot]))).toEqual([...line.keys()]);
              for (const { name } of inputs.own)
                expect(seen.map((slot) => numbersAt(fed(name), b, slot))).toEqual(
                  line.map((value) => [value, -value]),
                );
              expect(ancestors[start + slots]).toBe(0);
            }
            expect(positions[(b + 1) * (slots + 1) - 1]).toBe(BigInt(expected[0]?.length ?? 0));
            for (const [row, value] of (one?.writes() ?? []).entries()) {
              written.fill(value, (b * 8 + row) * 2, (b * 8 + row + 1) * 2);
              written.fill(-value, (b * 8 + 4 + row) * 2, (b * 8 + 4 + row + 1) * 2);
            }
          }
          const answer = float32(written, of);
          keep({ "own.k.fresh": answer, "own.v.fresh": answer });
          for (const [b, one] of members.entries()) one?.turn(parents.slice(4 * b, 4 * b + 4));
          for (const one of spoilt) batch.remove(place(batch, one?.search as Search));
          if (goes !== null && batch.size > 0) batch.remove(goes % batch.size);
        }
      },
    ),
    { numRuns: 600 },
  );
  expect(failures).toBeGreaterThan(100);
});

it("needs no more room for beams that share their past than for what they see of it", () => {
  const batch = new RunningBatch({ own: [vectors("own.k")], cross: [] }, beams);
  const one = beamSearch(1);
  batch.add([one.search], {}, float32(new Float32Array(4), [1, 1, 1, 4]));
  for (let step = 0; step < 60; step++) {
    const { shape: of, keep } = batch.next();
    keep({ "own.k.fresh": float32(new Float32Array(16), of) });
    // All go on from the first, as where one beam is ahead of the others.
    one.turn([0, 0, 0, 0]);
  }
  const { feeds } = batch.next();
  // 60 that all see and those of a few steps, of 240 that have been written.
  expect((feeds["own.k"] as Tensor<"float32">).shape).toEqual([1, 2, 96, 2]);
});

/** Bytes of a document's own past in so many slots. */
const ownBytes = (slots: number) => 4 * 4 * slots;

it("puts what a document sees where it would be if nobody else were there", () => {
  const inputs = { own: [vectors("own.k")], cross: [] };
  const join = (batch: RunningBatch, one: ReturnType<typeof beamSearch>) =>
    batch.add([one.search], {}, float32(new Float32Array(4), [1, 1, 1, 4]));
  /** Takes a step; answers which slots each row of a document sees, of those it has written. */
  const seenBy = (batch: RunningBatch, one: Search) => {
    const { feeds, shape: of, keep } = batch.next();
    keep({ "own.k.fresh": float32(new Float32Array(batch.size * 16), of) });
    const { data, shape: visible } = feeds.ancestors as Tensor<"float32">;
    const width = visible[3] as number;
    return Array.from({ length: 4 }, (_, row) => {
      const start = (place(batch, one) * 4 + row) * width;
      return [...data.subarray(start, start + width - 1)].flatMap((x, slot) =>
        x === 0 ? slot : [],
      );
    });
  };
  // Which row goes on from which, so that some of what was written is seen by nobody any more.
  const parents = fc.array(fc.nat(3), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(
      fc.array(parents, { minLength: 70, maxLength: 110 }),
      fc.array(fc.record({ at: fc.nat(100), stays: fc.nat(80), parents }), { maxLength: 6 }),
      (turns, others) => {
        const [alone, beside] = [new RunningBatch(inputs, beams), new RunningBatch(inputs, beams)];
        const [mine, same] = [beamSearch(1), beamSearch(1)];
        join(alone, mine);
        join(beside, same);
        const there = new Map<ReturnType<typeof beamSearch>, (typeof others)[number]>();
        for (const [at, turn] of turns.entries()) {
          for (const other of others.filter((each) => each.at === at)) {
            const one = beamSearch(2);
            join(beside, one);
            there.set(one, other);
          }
          expect(seenBy(beside, same.search)).toEqual(seenBy(alone, mine.search));
          mine.turn(turn);
          same.turn(turn);
          for (const [one, other] of there) {
            one.turn(other.parents);
            if (at < other.at + other.stays) continue;
            beside.remove(place(beside, one.search));
            there.delete(one);
          }
        }
      },
    ),
    { numRuns: 40, seed: 3 },
  );
});

it("goes on with what it has where there is no memory for room to spare, and takes no more than it must", () => {
  let most = Number.POSITIVE_INFINITY;
  const pool = new BufferPool((length) => {
    if (4 * length > most) throw new RangeError("Array buffer allocation failed");
    return new Float32Array(length);
  });
  const batch = new RunningBatch({ own: [vectors("own.k")], cross: [] }, beams, pool);
  const one = beamSearch(1);
  batch.add([one.search], {}, float32(new Float32Array(4), [1, 1, 1, 4]));
  const step = (parents: readonly number[]) => {
    const { feeds, shape: of, keep } = batch.next();
    keep({ "own.k.fresh": float32(new Float32Array(16), of) });
    one.turn(parents);
    return (feeds["own.k"] as Tensor<"float32">).shape[2];
  };
  const slots: unknown[] = [];
  // All go on from the first: 56 steps later as many slots are seen, of 64 that there are.
  for (let i = 0; i < 56; i++) {
    if (i > 8) most = ownBytes(64);
    slots.push(step([0, 0, 0, 0]));
  }
  expect(new Set(slots)).toEqual(new Set([64]));
  for (let i = 0; i < 5; i++) expect(step([0, 0, 0, 0])).toBe(64);
  // Now what is seen and the four that a step writes do not fit any more.
  expect(() => step([0, 0, 0, 0])).toThrow(RangeError);
  most = ownBytes(96);
  expect(step([0, 0, 0, 0])).toBe(96);
});

it.each([
  ["that failed as the last", [2, bad], [1, 0]],
  ["that failed, and the one behind it in the same step", [bad, bad], [0, 1]],
  ["that failed after one before it was done", [2, bad], [0, 1]],
])("counts nothing that one left %s, when others come in its place", (_, values, order) => {
  const batch = open();
  const kept = add(batch, 32, 1);
  const others = values.map((value) => add(batch, 32, value));
  const { shape: of, keep } = batch.next();
  const data = Float32Array.from([1, ...values].flatMap((value) => Array(4).fill(value)));
  keep({ "own.k.fresh": float32(data, of) });
  for (const i of order) batch.remove(place(batch, others[i] as Search));
  const next = [add(batch, 16, 3), add(batch, 8, 4)];
  const { feeds } = batch.next();
  for (const name of ["own.k", "cross.k"]) {
    const { data: held } = feeds[name] as Tensor<"float32">;
    expect([...held].filter(Number.isNaN), name).toEqual([]);
  }
  expect([kept, ...next].map((one) => place(batch, one))).toEqual([0, 1, 2]);
});

/** A batch whose memory is short after it has been found so often; documents of one row. */
function openScarce() {
  const memory = { left: Number.POSITIVE_INFINITY };
  const pool = new BufferPool((length) => {
    if (memory.left-- <= 0) throw new RangeError("Array buffer allocation failed");
    return new Float32Array(length);
  });
  const single = (name: string) =>
    cacheInput({ name, dtype: "float32", shape: ["batch", 1, "slots", 1] });
  const inputs = { own: [single("own.k")], cross: [single("cross.k"), single("cross.v")] };
  const batch = new RunningBatch(inputs, { width: 1, heads: 1, headWidth: 1 }, pool);
  const come = (source: number, ...values: number[]) => {
    const shape = [values.length, 1, source, 1];
    const numbers = values.flatMap((value) => Array<number>(source).fill(value));
    const keys = float32(Float32Array.from(numbers), shape);
    const mask = float32(new Float32Array(numbers.length), [values.length, 1, 1, source]);
    batch.add(values.map(search), { "cross.k": keys, "cross.v": keys }, mask);
  };
  /** What the first number of each document is, in both tensors. */
  const firsts = () => {
    const { feeds } = batch.next();
    return inputs.cross.map(({ name }) => {
      const { data, shape } = feeds[name] as Tensor<"float32">;
      return Array.from({ length: batch.size }, (_, b) => data[b * (shape[2] as number)]);
    });
  };
  return { batch, memory, come, firsts };
}

it("has places again for those it had, once memory was short while it gave them up", () => {
  const { batch, memory, come, firsts } = openScarce();
  come(16, 1, 2, 3, 4, 5, 6, 7, 8);
  while (batch.size > 1) batch.remove(1);
  // The mask and the first of two tensors have moved then.
  memory.left = 2;
  expect(() => batch.tighten()).toThrow("allocation failed");
  [memory.left, batch.mostBytes] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  come(16, 12, 13, 14, 15);
  expect(firsts()).toEqual([
    [1, 12, 13, 14, 15],
    [1, 12, 13, 14, 15],
  ]);
});

it("says that memory is short for more documents, also where those that are left need less of a source", () => {
  const { batch, memory, come, firsts } = openScarce();
  come(40, 1);
  come(20, 2);
  batch.remove(0);
  memory.left = 2;
  expect(() => come(20, 3, 4, 5, 6)).toThrow("allocation failed");
  expect(batch.size).toBe(1);
  memory.left = Number.POSITIVE_INFINITY;
  expect(firsts()).toEqual([[2], [2]]);
  come(20, 3, 4, 5, 6);
  expect(firsts()).toEqual([
    [2, 3, 4, 5, 6],
    [2, 3, 4, 5, 6],
  ]);
});
