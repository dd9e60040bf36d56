// What the calls under way may hold of keys and values, and who goes when memory is short.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyPegasus, tinyConfig } from "../../test/support/tiny-pegasus.js";
import { readWeights } from "../model/checkpoint/folder.js";
import { findFamily } from "../model/families.js";
import { forwardGraph } from "../model/forward.js";
import type { Allocate } from "./buffer-pool.js";
import { type Generator, openGenerator } from "./generator.js";
import type { BatchLimits } from "./scheduler.js";

let root: string;
let pegasus: Generator;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-scheduler-memory-"));
  await makeTinyPegasus(join(root, "model"), { config: tinyConfig });
  pegasus = await open();
});
afterAll(async () => {
  await pegasus.close();
  await rm(root, { recursive: true });
});

async function open(limits: BatchLimits = {}, allocate?: Allocate): Promise<Generator> {
  const family = findFamily({ ...tinyConfig });
  const config = family.readConfig({ ...tinyConfig });
  const { parameters } = forwardGraph(family, config);
  const weights = await readWeights(join(root, "model"), family, config, parameters);
  return await openGenerator(family, config, weights, {
    ...{ threads: 1, device: "cpu", limits, ...(allocate && { allocate }) },
  });
}

/** Gives way so many times, as often as steps do. */
async function wait(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise(setImmediate);
}

const rows = (count: number) =>
  Array.from({ length: count }, (_, i) => [110 + i, 120 + i, 130 + i, 1]);
const long = { maxNewTokens: 40, minNewTokens: 40 };
const tokenBytes = 4 * tinyConfig.d_model * 2 * tinyConfig.decoder_layers;

const call = fc.record({
  ids: fc
    .array(fc.integer({ min: 104, max: 170 }), { minLength: 1, maxLength: 59 })
    .map((ids) => [...ids, 1]),
  asked: fc.record({
    numBeams: fc.constantFrom(1, 1, 2, 3),
    minNewTokens: fc.constantFrom(0, 4),
    maxNewTokens: fc.integer({ min: 5, max: 40 }),
  }),
  after: fc.nat(36),
});

describe("memory for keys and values", () => {
  /** Memory that ends: it refuses in V8's words what goes beyond so many numbers at once. */
  const scarce =
    (most: number): Allocate =>
    (length) => {
      if (length > most) throw new RangeError("Array buffer allocation failed");
      return new Float32Array(length);
    };
  const one = rows(1);

  it("is refused to a call that would need more than there is, before anything is done for it", async () => {
    const small = await open({ maxCacheBytes: 60_000 });
    const running = small.generate({ inputIds: one }, { maxNewTokens: 10 });
    const started = { count: 0 };
    const greedy = small.generate(
      { inputIds: one },
      { ...long, numBeams: 8 },
      {
        onStart: () => {
          started.count += 1;
        },
      },
    );
    await expect(greedy).rejects.toMatchObject({
      code: "CACHE_MEMORY_SHORT",
      kind: "too-large",
      message: expect.stringContaining("room for 60 kB"),
      hint: expect.stringContaining("fewer beams"),
    });
    expect(started.count).toBe(0);
    expect((await running).sequences).toHaveLength(1);
    await small.close();
  });

  it("is promised to those on their way, so that the next wait for theirs", async () => {
    const small = await open({ maxCacheBytes: 60_000 });
    let together = 0;
    const watch = {
      onTokens: () => {
        together = Math.max(together, small.load().running);
      },
    };
    const asked = [1, 2, 3].map((i) =>
      small.generate({ inputIds: [rows(i).at(-1) as number[]] }, long, watch),
    );
    const answers = await Promise.all(asked);
    expect(together).toBe(1);
    for (const [i, { sequences }] of answers.entries()) {
      const alone = await pegasus.generate({ inputIds: [rows(i + 1).at(-1) as number[]] }, long);
      expect(sequences).toEqual(alone.sequences);
    }
    await small.close();
  });

  it("is never more than the limit where one after the other comes until it is reached", async () => {
    // Each reads 16 tokens and has room for 16 steps.
    const eachBytes = tokenBytes * (16 + 16);
    const small = await open({ maxCacheBytes: 4 * eachBytes });
    const held: number[] = [];
    const watch = { onTokens: () => held.push(small.load().cacheBytes) };
    let together = 0;
    const asked = { maxNewTokens: 12, minNewTokens: 12 };
    const calls = rows(6).map((ids) => small.generate({ inputIds: [ids] }, asked, watch));
    const count = setInterval(() => {
      together = Math.max(together, small.load().running);
    });
    const answers = await Promise.all(calls);
    clearInterval(count);
    expect(together).toBe(4);
    expect(held).toHaveLength(6 * 12);
    expect(Math.max(...held)).toBe(4 * eachBytes);
    for (const [i, { sequences }] of answers.entries()) {
      const alone = await pegasus.generate({ inputIds: [rows(6)[i] as number[]] }, asked);
      expect(sequences).toEqual(alone.sequences);
    }
    await small.close();
  });

  it("is never more than the limit whoever comes and goes, and each answers as it does alone", async () => {
    // What the largest call may need: 64 tokens, and three beams of 48 steps.
    const maxCacheBytes = (64 + 3 * 48) * tokenBytes;
    const small = await open({ maxCacheBytes });
    let [most, together] = [0, 0];
    const look = () => {
      const { cacheBytes, running } = small.load();
      most = Math.max(most, cacheBytes);
      together = Math.max(together, running);
    };
    const looking = setInterval(look);
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 4, maxLength: 12 }), async (calls) => {
        const found = await Promise.all(
          calls.map(async ({ ids, asked, after }) => {
            await wait(after);
            return await small.generate({ inputIds: [ids] }, asked, { onTokens: look });
          }),
        );
        expect(most).toBeLessThanOrEqual(maxCacheBytes);
        for (const [i, { ids, asked }] of calls.entries()) {
          const alone = await pegasus.generate({ inputIds: [ids] }, asked);
          expect(found[i]?.sequences).toEqual(alone.sequences);
        }
      }),
      { numRuns: 25, seed: 4 },
    );
    clearInterval(looking);
    expect(together).toBeGreaterThan(2);
    expect(most).toBeGreaterThan(0.8 * maxCacheBytes);
    await small.close();
  }, 120_000);

  it("that is short when one comes in ends that one alone", async () => {
    // Two documents' keys of 16 tokens fit, and not those of 64.
    const short = await open({}, scarce(32 * 63));
    const staying = short.generate(
      { inputIds: one },
      { ...long, maxNewTokens: 16, minNewTokens: 16 },
    );
    const coming = short.generate(
      { inputIds: [Array.from({ length: 60 }, (_, i) => 110 + i)] },
      { ...long, numBeams: 4, maxNewTokens: 60, minNewTokens: 60 },
    );
    await expect(coming).rejects.toMatchObject({ code: "RUN_MEMORY_SHORT" });
    const asked = { maxNewTokens: 16, minNewTokens: 16 };
    const alone = await pegasus.generate({ inputIds: one }, asked);
    expect((await staying).sequences).toEqual(alone.sequences);
    expect((await short.generate({ inputIds: one }, asked)).sequences).toEqual(alone.sequences);
    await short.close();
  });

  it("that is short when one grows ends that one, and those beside it go on", async () => {
    // Room for two documents to look back 16 steps, and not for 32.
    const short = await open({}, scarce(2 * 32 * 16));
    const growing = short.generate({ inputIds: one }, { maxNewTokens: 40, minNewTokens: 40 });
    await wait(3);
    const asked = { maxNewTokens: 15, minNewTokens: 15 };
    const others = [short.generate({ inputIds: [rows(2)[1] as number[]] }, asked)];
    // Beside others that is how things are, and not what it asks for.
    await expect(growing).rejects.toMatchObject({ code: "RUN_MEMORY_SHORT" });
    const alone = await pegasus.generate({ inputIds: [rows(2)[1] as number[]] }, asked);
    for (const other of others) expect((await other).sequences).toEqual(alone.sequences);
    expect(short.load()).toMatchObject({ running: 0, rows: 0, cacheBytes: 0 });
    await short.close();
  });

  it("that is short for one with nobody beside it is its own fault", async () => {
    const short = await open({}, scarce(32 * 16));
    const growing = { maxNewTokens: 40, minNewTokens: 40 };
    await expect(short.generate({ inputIds: one }, growing)).rejects.toMatchObject({
      code: "CACHE_MEMORY_SHORT",
      message: expect.stringContaining("not as much memory left"),
    });
    await short.close();
  });

  it("that is short for all scores ends who needs them, and those beside it go on", async () => {
    // Memory for all scores of one row, and not of two.
    const allocate: Allocate = (length) => {
      if (length === 2 * tinyConfig.vocab_size)
        throw new RangeError("Array buffer allocation failed");
      return new Float32Array(length);
    };
    const short = await open({}, allocate);
    const asked = { maxNewTokens: 12, minNewTokens: 0 };
    const [first, second] = rows(2) as [number[], number[]];
    const alone = await pegasus.generate({ inputIds: [first] }, asked);
    let steps = 0;
    const staying = short.generate({ inputIds: [first] }, asked, {
      onTokens: () => {
        steps += 1;
      },
    });
    await wait(3);
    const drawing = { ...asked, doSample: true, seed: 1 };
    await expect(short.generate({ inputIds: [second] }, drawing)).rejects.toMatchObject({
      code: "RUN_MEMORY_SHORT",
    });
    expect(steps).toBeGreaterThan(0);
    expect((await staying).sequences).toEqual(alone.sequences);
    const { sequences } = await short.generate({ inputIds: [second] }, drawing);
    expect(sequences).toEqual((await pegasus.generate({ inputIds: [second] }, drawing)).sequences);
    // Where all need as many, whoever came last goes.
    const earlier = short.generate({ inputIds: [first] }, drawing);
    await wait(3);
    await expect(short.generate({ inputIds: [second] }, drawing)).rejects.toMatchObject({
      code: "RUN_MEMORY_SHORT",
    });
    const undisturbed = await pegasus.generate({ inputIds: [first] }, drawing);
    expect((await earlier).sequences).toEqual(undisturbed.sequences);
    await short.close();
  });
});
