// Calls under way together: each answers as it would alone, whenever it comes and whoever goes.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyPegasus, tinyConfig } from "../../test/support/tiny-pegasus.js";
import { BridleError } from "../errors/error.js";
import { readJson, readWeights } from "../model/checkpoint/folder.js";
import { findFamily } from "../model/families.js";
import { forwardGraph } from "../model/forward.js";
import { initialWeights } from "../model/initial-weights.js";
import { Profiler } from "../runtime/profile/profiler.js";
import { type Generator, type GeneratorOptions, openGenerator } from "./generator.js";
import type { GenerateOptions } from "./options.js";
import type { BatchLimits, JobPhases } from "./scheduler.js";

const longest = 60;
let root: string;
let pegasus: Generator;
let narrow: Generator;
let t5: Generator;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-scheduler-"));
  const folder = await makeTinyPegasus(join(root, "model"), { config: tinyConfig });
  const json = (await readJson(join(folder, "config.json"))) as Record<string, unknown>;
  const family = findFamily(json);
  const config = family.readConfig(json);
  const { parameters } = forwardGraph(family, config);
  const weights = await readWeights(folder, family, config, parameters);
  const session = { threads: 1, device: "cpu" } as const;
  pegasus = await openGenerator(family, config, weights, session);
  narrow = await openGenerator(family, config, weights, { ...session, limits: { maxRows: 4 } });
  const t5Json = {
    ...{ architectures: ["T5ForConditionalGeneration"], model_type: "t5", vocab_size: 200 },
    ...{ d_model: 24, d_kv: 6, d_ff: 32, num_layers: 2, num_decoder_layers: 2, num_heads: 4 },
    ...{ relative_attention_num_buckets: 8, relative_attention_max_distance: 12 },
    ...{ pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 },
  };
  const t5Family = findFamily(t5Json);
  const t5Config = t5Family.readConfig(t5Json);
  const graph = forwardGraph(t5Family, t5Config);
  t5 = await openGenerator(
    t5Family,
    t5Config,
    initialWeights(t5Family, t5Config, graph.parameters, { seed: 3, deviation: 0.3 }),
    session,
  );
});
afterAll(async () => {
  for (const each of [pegasus, narrow, t5]) await each.close();
  await rm(root, { recursive: true });
});

/** Another one with the weights of the first. */
async function open(
  limits: BatchLimits = {},
  options: Pick<GeneratorOptions, "allocate" | "profiler"> = {},
): Promise<Generator> {
  const family = findFamily({ ...tinyConfig });
  const config = family.readConfig({ ...tinyConfig });
  const { parameters } = forwardGraph(family, config);
  const weights = await readWeights(join(root, "model"), family, config, parameters);
  return await openGenerator(family, config, weights, {
    ...{ threads: 1, device: "cpu", limits, ...options },
  });
}

const document = fc
  .array(fc.integer({ min: 104, max: 170 }), { minLength: 1, maxLength: longest - 1 })
  .map((ids) => [...ids, 1]);
const drawing: fc.Arbitrary<GenerateOptions> = fc.record({
  doSample: fc.constant(true),
  topK: fc.constantFrom(0, 2, 50),
  topP: fc.constantFrom(0.3, 1),
  temperature: fc.constantFrom(0.05, 1),
});
const searching: fc.Arbitrary<GenerateOptions> = fc.record({
  numBeams: fc.constantFrom(1, 1, 2, 3),
  minNewTokens: fc.constantFrom(0, 4),
  maxNewTokens: fc.integer({ min: 5, max: 40 }),
  noRepeatNgramSize: fc.constantFrom(0, 2),
  repetitionPenalty: fc.constantFrom(1, 1, 1.2),
  lengthPenalty: fc.constantFrom(0.6, 1),
});
const options = fc
  .tuple(searching, fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, drawing))
  .map(([search, draw]) => ({ ...search, ...draw }));
const call = fc.record({ document, options, after: fc.nat(12) });

/** Gives way so many times, as often as steps do. */
async function wait(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise(setImmediate);
}

describe.each<[string, () => Generator]>([
  ["Pegasus", () => pegasus],
  ["Pegasus with little room", () => narrow],
  ["T5, which knows distances", () => t5],
])("%s", (_, generator) => {
  it("answers calls that come and go at any step as it does each alone", async () => {
    let together = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 2, maxLength: 8 }), async (calls) => {
        const found = await Promise.all(
          calls.map(async ({ document: ids, options: asked, after }) => {
            await wait(after);
            const hooks = {
              onTokens: () => {
                together = Math.max(together, generator().load().running);
              },
            };
            return await generator().generate({ inputIds: [ids] }, asked, hooks);
          }),
        );
        for (const [i, { document: ids, options: asked }] of calls.entries()) {
          const alone = await generator().generate({ inputIds: [ids] }, asked);
          expect(found[i]?.sequences).toEqual(alone.sequences);
        }
        expect(generator().load()).toMatchObject({
          waiting: 0,
          running: 0,
          rows: 0,
          cacheBytes: 0,
        });
      }),
      { numRuns: 25, seed: 8 },
    );
    expect(together).toBeGreaterThan(2);
  }, 120_000);
});

const rows = (count: number) =>
  Array.from({ length: count }, (_, i) => [110 + i, 120 + i, 130 + i, 1]);
const long = { maxNewTokens: 40, minNewTokens: 40 };

describe("a call", () => {
  it("that is cancelled frees its rows before the next step, and the others go on", async () => {
    const alone = await pegasus.generate({ inputIds: [rows(3)[2] as number[]] }, long);
    const leaving = new AbortController();
    let steps = 0;
    const cancelled = pegasus.generate({ inputIds: rows(2) }, long, {
      signal: leaving.signal,
      onTokens: () => {
        steps += 1;
        if (steps === 3) leaving.abort(new BridleError("DEADLINE_EXCEEDED", { limitMs: 1 }));
      },
    });
    const staying = pegasus.generate({ inputIds: [rows(3)[2] as number[]] }, long);
    await expect(cancelled).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(pegasus.load().rows).toBe(1);
    expect((await staying).sequences).toEqual(alone.sequences);
    expect(steps).toBe(3);
  });

  it("with many documents encodes them in parts, and may be cancelled between two", async () => {
    const documents = Array.from({ length: 70 }, (_, i) => {
      return Array.from({ length: 30 + (i % 20) }, (_, t) => 104 + ((7 * i + t) % 60));
    });
    const longestOf = Math.max(...documents.map((ids) => ids.length));
    const pad = (ids: readonly number[], by: number) =>
      Array.from({ length: longestOf }, (_, t) => ids[t] ?? by);
    const input = {
      inputIds: documents.map((ids) => pad(ids, tinyConfig.pad_token_id)),
      attentionMask: documents.map((ids) => pad(Array(ids.length).fill(1), 0)),
    };
    const asked = { maxNewTokens: 6, minNewTokens: 6 };
    const profiler = await Profiler.create();
    const watched = await open({}, { profiler });
    const { sequences } = await watched.generate(input, asked);
    const leaving = new AbortController();
    const cancelled = watched.generate(input, asked, {
      signal: leaving.signal,
      onStart: () => setImmediate(() => leaving.abort()),
    });
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    expect(watched.load()).toMatchObject({ waiting: 0, running: 0, rows: 0, cacheBytes: 0 });
    await watched.close();
    const encoded = (await profiler.sessions()).find(({ label }) => label === "encoder");
    await profiler.remove();
    // Five of 48 places fit 256. Of 33 to 47 tokens there are 52, of 30 and 31 eight, of 49 three, which are padded; those of 32 and of 48 are
    // not. Of the second call the first part alone is encoded.
    expect(encoded?.runs).toHaveLength(11 + 1 + 1 + 1 + 1 + 1);
    for (const i of [0, 7, 8, 69]) {
      const alone = await pegasus.generate({ inputIds: [documents[i] as number[]] }, asked);
      expect(sequences[i]).toEqual(alone.sequences[0]);
    }
  });

  it("encodes together those of one length that wait, and each answers as alone", async () => {
    const lengths = [20, 40, 20, 25, 40, 20, 55];
    const documents = lengths.map((length, n) =>
      Array.from({ length }, (_, i) => 104 + ((i * 7 + n * 13) % 60)),
    );
    const asked = { numBeams: 2, maxNewTokens: 6 };
    const profiler = await Profiler.create();
    const watched = await open({}, { profiler });
    const leaving = new AbortController();
    const found = documents.map((ids, n) =>
      watched.generate({ inputIds: [ids] }, asked, {
        ...(n === 5 && {
          signal: leaving.signal,
          onStart: () => setImmediate(() => leaving.abort()),
        }),
      }),
    );
    const ends = await Promise.allSettled(found);
    await watched.close();
    const encoded = (await profiler.sessions()).find(({ label }) => label === "encoder");
    await profiler.remove();
    // The first came when nobody waited. Padded, the others have 48, 32, 32, 48, 32 and 64 tokens.
    expect(encoded?.runs).toHaveLength(4);
    expect(ends.map(({ status }) => status)).toEqual(
      documents.map((_, n) => (n === 5 ? "rejected" : "fulfilled")),
    );
    for (const [n, end] of ends.entries()) {
      if (end.status === "rejected") continue;
      const alone = await pegasus.generate({ inputIds: [documents[n] as number[]] }, asked);
      expect(end.value.sequences).toEqual(alone.sequences);
    }
  });

  it("shares steps with others of any length until padding takes more than the weights", async () => {
    const [short, far] = [rows(1)[0] as number[], Array.from({ length: 60 }, (_, i) => 104 + i)];
    const shared: number[] = [];
    // Of 64 tokens, padding included, a short one lacks 48.
    for (const shorts of [1, 2, 4, 8, 16, 32]) {
      const one = await open();
      const phases: JobPhases[] = [];
      const hooks = { onPhases: (each: JobPhases) => phases.push(each) };
      const pile = one.generate({ inputIds: Array(shorts).fill(short) }, long);
      await Promise.all([pile, one.generate({ inputIds: [far] }, long, hooks)]);
      await one.close();
      const [{ steps, stepDocuments }] = phases as [JobPhases];
      // The long one comes a turn later, and takes its last step alone.
      shared.push(Math.ceil(stepDocuments / steps));
    }
    // The weights of a step are as many bytes as what 5 to 7 short ones lack.
    expect(shared).toEqual([2, 3, 5, 1, 1, 1]);
  });

  it("counts the longest source and the longest summary of those who would share, for each of them", async () => {
    const [short, far] = [rows(1)[0] as number[], Array.from({ length: 60 }, (_, i) => 104 + i)];
    // One reads 64 tokens and has room for 16 steps, the other for 16 and 48: together each takes 64 and 48.
    const tokenBytes = 4 * tinyConfig.d_model * 2 * tinyConfig.decoder_layers;
    const together: boolean[] = [];
    for (const most of [2 * (64 + 48), 2 * (64 + 48) - 1]) {
      const one = await open({ maxCacheBytes: most * tokenBytes });
      const phases: JobPhases[] = [];
      const hooks = { onPhases: (each: JobPhases) => phases.push(each) };
      const brief = { maxNewTokens: 10, minNewTokens: 10 };
      const calls = [
        one.generate({ inputIds: [short] }, long),
        one.generate({ inputIds: [far] }, brief, hooks),
      ];
      await Promise.all(calls);
      await one.close();
      together.push(phases.some(({ steps, stepDocuments }) => stepDocuments > steps));
    }
    expect(together).toEqual([true, false]);
  });

  it("that is cut off tells where its time went until then", async () => {
    const told: [string, JobPhases][] = [];
    const stop = { first: new AbortController(), second: new AbortController() };
    let steps = 0;
    const hooks = (name: "first" | "second") => ({
      signal: stop[name].signal,
      onPhases: (phases: JobPhases) => told.push([name, phases]),
    });
    const first = narrow.generate({ inputIds: rows(4) }, long, {
      ...hooks("first"),
      onTokens: () => {
        steps += 1;
        if (steps === 2) stop.second.abort();
        if (steps === 4) stop.first.abort();
      },
    });
    const second = narrow.generate({ inputIds: rows(4) }, long, hooks("second"));
    await expect(second).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(first).rejects.toMatchObject({ code: "CANCELLED" });
    // There was no room for the second: it has waited and nothing else.
    expect(told).toEqual([
      ["second", expect.objectContaining({ encodeMs: 0, decodeMs: 0, steps: 0 })],
      ["first", expect.objectContaining({ steps: 4, stepDocuments: 16 })],
    ]);
    for (const [, phases] of told) expect(phases.queueMs).toBeGreaterThanOrEqual(0);
    expect(told[0]?.[1].queueMs).toBeGreaterThan(0);
    expect(told[1]?.[1].decodeMs).toBeGreaterThan(0);
  });

  it("whose listener throws fails alone", async () => {
    const alone = await pegasus.generate({ inputIds: [rows(1)[0] as number[]] }, long);
    const failing = pegasus.generate({ inputIds: rows(2) }, long, {
      onTokens: () => {
        throw new Error("no more");
      },
    });
    const other = pegasus.generate({ inputIds: [rows(1)[0] as number[]] }, long);
    await expect(failing).rejects.toThrow("no more");
    expect((await other).sequences).toEqual(alone.sequences);
  });

  it("over the model's limits is refused while others run", async () => {
    const running = pegasus.generate({ inputIds: rows(1) }, long);
    const tooLong = [Array.from({ length: tinyConfig.max_position_embeddings + 1 }, () => 120)];
    await expect(pegasus.generate({ inputIds: tooLong })).rejects.toMatchObject({
      code: "INPUT_TOO_LONG",
    });
    await expect(running).resolves.toMatchObject({ sequences: [expect.any(Array)] });
  });

  it("that somebody waits for goes before a pile of work", async () => {
    const started: string[] = [];
    const start = (name: string, priority: "interactive" | "batch") =>
      narrow.generate({ inputIds: rows(4) }, long, { priority, onStart: () => started.push(name) });
    await Promise.all([
      start("first of the pile", "batch"),
      start("second of the pile", "batch"),
      start("third of the pile", "batch"),
      start("somebody", "interactive"),
    ]);
    // The first found nobody before it.
    expect(started.slice(0, 2)).toEqual(["first of the pile", "somebody"]);
  });

  it("of a pile has its turn after every four that somebody waits for", async () => {
    const started: string[] = [];
    const calls: Promise<unknown>[] = [];
    const start = (name: string, priority: "interactive" | "batch", onStart = () => {}) => {
      const hooks = {
        priority,
        onStart: () => {
          started.push(name);
          onStart();
        },
      };
      calls.push(narrow.generate({ inputIds: rows(4) }, { maxNewTokens: 2 }, hooks));
    };
    // Nobody is on their way any more, so that the first has its turn at once.
    await wait(3);
    // As soon as one has its turn the next one comes.
    const people = (from: number, to: number) =>
      start(`${from}`, "interactive", () => {
        if (from < to) people(from + 1, to);
      });
    people(0, 14);
    for (const name of ["a", "b", "c", "d", "e"]) start(name, "batch");
    for (let i = 0; i < calls.length; i++) await calls[i];
    expect(started.join(" ")).toBe("0 1 2 3 4 a 5 6 7 8 b 9 10 11 12 c 13 14 d e");
    started.length = 0;
    await wait(3);
    for (const name of ["a", "b", "c", "d", "e", "f"]) start(name, "batch");
    start("somebody", "interactive");
    for (let i = 0; i < calls.length; i++) await calls[i];
    expect(started.join(" ")).toBe("a somebody b c d e f");
  });

  it("with more rows than share a step runs alone", async () => {
    const most = { running: 0 };
    const watch = {
      onTokens: () => {
        most.running = Math.max(most.running, narrow.load().running);
      },
    };
    await Promise.all([
      narrow.generate({ inputIds: rows(6) }, long, watch),
      narrow.generate({ inputIds: rows(2) }, long, watch),
    ]);
    expect(most.running).toBe(6);
  });

  it("that comes at any moment after the one before it is answered", async () => {
    const short = { maxNewTokens: 1 };
    for (let later = 0; later < 40; later++) {
      await pegasus.generate({ inputIds: rows(1) }, short);
      for (let i = 0; i < later; i++) await null;
      const { sequences } = await pegasus.generate({ inputIds: rows(1) }, short);
      expect(sequences).toHaveLength(1);
    }
  });

  it.each([0, 1, 3])(
    "under way when the model is closed after %d turns is told so",
    async (turns) => {
      const closing = await open();
      const cut = closing.generate({ inputIds: rows(1) }, long);
      const waiting = expect(cut).rejects.toMatchObject({ code: "CANCELLED" });
      await wait(turns);
      await closing.close();
      await waiting;
      const late = closing.generate({ inputIds: rows(1) }, long);
      await expect(late).rejects.toMatchObject({ code: "CANCELLED" });
    },
  );
});
