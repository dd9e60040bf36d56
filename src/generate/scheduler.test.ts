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
import { type Generator, openGenerator } from "./generator.js";
import type { GenerateOptions } from "./options.js";

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

const document = fc
  .array(fc.integer({ min: 104, max: 170 }), { minLength: 1, maxLength: longest - 1 })
  .map((ids) => [...ids, 1]);
const options: fc.Arbitrary<GenerateOptions> = fc.record({
  numBeams: fc.constantFrom(1, 1, 2, 3),
  minNewTokens: fc.constantFrom(0, 4),
  maxNewTokens: fc.integer({ min: 5, max: 40 }),
  noRepeatNgramSize: fc.constantFrom(0, 2),
  repetitionPenalty: fc.constantFrom(1, 1, 1.2),
  lengthPenalty: fc.constantFrom(0.6, 1),
});
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
      const family = findFamily({ ...tinyConfig });
      const config = family.readConfig({ ...tinyConfig });
      const { parameters } = forwardGraph(family, config);
      const weights = await readWeights(join(root, "model"), family, config, parameters);
      const closing = await openGenerator(family, config, weights, { threads: 1 });
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
