// Serving an alias that moves: requests end on the version they began on, and what cannot be opened leaves the old one answering.
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRegistry as openAt } from "../../src/compose.js";
import { BridleError } from "../../src/errors/error.js";
import {
  type ServedAliasOptions,
  type SwapEvent,
  serveAlias,
} from "../../src/loop/served-alias.js";
import type { FoundModel } from "../../src/model/resolve-model.js";
import { type PackedModel, packModel } from "../../src/package/pack-model.js";
import type { Registry } from "../../src/registry/registry.js";
import { createTurns } from "../../src/server/processes/turns.js";
import { extractiveTraits } from "../../src/summarize/extractive/parameters.js";
import type { EngineLoad, Summarizer, SummaryResult } from "../../src/summarize/summarizer.js";
import { makeTrainedModel, scratchFolder } from "../support/model-packages.js";
import { homeEnvironment } from "../support/suite-database.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
const packed: PackedModel[] = [];
let places = 0;

beforeAll(async () => {
  scratch = await scratchFolder("served");
  for (const seed of [0, 1, 2]) {
    packed.push(
      await packModel(await makeTrainedModel(path.join(scratch.folder, `m${seed}`), seed)),
    );
  }
});
afterAll(() => scratch.remove());

/** A summarizer that answers when it is told to, and says what became of it. */
class Toy implements Summarizer {
  readonly model = "news@live";
  readonly version: string;
  readonly digest: string;
  readonly traits = extractiveTraits;
  readonly supportedParameters = [];
  readonly defaults = {};
  warm = false;
  closed = false;
  written = 0;
  private readonly held: (() => void)[] = [];

  constructor({ registered }: FoundModel) {
    this.version = String(registered?.version);
    this.digest = registered?.digest ?? "";
  }

  async summarize(document: string): Promise<SummaryResult> {
    if (document === "hold") await new Promise<void>((resolve) => this.held.push(resolve));
    if (this.closed) throw new BridleError("CANCELLED");
    this.written += 10;
    return { model: this.model, version: this.version } as SummaryResult;
  }

  load(): EngineLoad {
    return {
      ...{ waiting: 0, running: this.held.length, rows: this.held.length, cacheBytes: 0 },
      ...{ steps: 0, stepRows: 0, tokens: this.written, encodeMs: 0, stepMs: 0 },
    };
  }

  release(): void {
    for (const resolve of this.held.splice(0)) resolve();
  }

  async warmUp(): Promise<void> {
    this.warm = true;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.release();
  }
}

async function start(more: Partial<ServedAliasOptions> = {}) {
  const env = await homeEnvironment(path.join(scratch.folder, `home-${++places}`));
  const registry: Registry = await openAt({ env });
  for (const each of packed) await registry.add("news", each, { card: each.card, by: "test" });
  const move = (version: number) => registry.promote("news", version, { alias: "live", by: "bob" });
  await move(1);
  const toys: Toy[] = [];
  const events: SwapEvent[] = [];
  const served = await serveAlias({
    ...{ name: "news@live", model: "news", alias: "live", pollMs: 3_600_000 },
    registry: await openAt({ env }),
    open: async (found) => {
      const toy = new Toy(found);
      toys.push(toy);
      return toy;
    },
    freeBytes: () => undefined,
    onEvent: (event) => events.push(event),
    ...more,
  });
  const stop = async () => {
    await served.close();
    await registry.close();
  };
  return { registry, served, toys, events, move, stop, env };
}

describe("a served alias", () => {
  it("changes over when it moves, warmed first, and back on a rollback", async () => {
    const { registry, served, toys, events, move, stop } = await start();
    expect(served.version).toBe("1");
    await move(2);
    await served.refresh();
    expect(await served.summarize("now")).toMatchObject({ model: "news@live", version: "2" });
    expect(served).toMatchObject({ version: "2", digest: packed[1]?.manifest.digest });
    expect(toys.map(({ version, warm, closed }) => [version, warm, closed])).toEqual([
      ["1", false, true],
      ["2", true, false],
    ]);
    await registry.rollback("news", { alias: "live", by: "bob" });
    await served.refresh();
    expect((await served.summarize("now")).version).toBe("1");
    expect(events.map((event) => [event.type, "version" in event ? event.version : 0])).toEqual([
      ["opening", 2],
      ["swapped", 2],
      ["opening", 1],
      ["swapped", 1],
    ]);
    await stop();
    expect(toys.every(({ closed }) => closed)).toBe(true);
  });

  it("lets requests end on the version they began on, and closes it after the last", async () => {
    const { served, toys, move, stop } = await start();
    const waiting = [served.summarize("hold"), served.summarize("hold")];
    await move(2);
    await served.refresh();
    const after = served.summarize("now");
    expect(toys[0]?.closed).toBe(false);
    toys[0]?.release();
    expect((await Promise.all(waiting)).map(({ version }) => version)).toEqual(["1", "1"]);
    expect((await after).version).toBe("2");
    await served.refresh();
    expect(toys[0]?.closed).toBe(true);
    await stop();
  });

  it("counts on with what versions have done that have left, and with what they end", async () => {
    const { served, toys, move, stop } = await start();
    await served.summarize("now");
    const waiting = served.summarize("hold");
    const counted = [served.load?.()];
    await move(2);
    await served.refresh();
    await served.summarize("now");
    counted.push(served.load?.());
    toys[0]?.release();
    await waiting;
    while (toys[0]?.closed !== true) await new Promise((resolve) => setTimeout(resolve, 5));
    counted.push(served.load?.());
    await move(3);
    await served.refresh();
    counted.push(served.load?.());
    expect(counted.map((load) => [load?.tokens, load?.running])).toEqual([
      [10, 1],
      [20, 1],
      [30, 0],
      [30, 0],
    ]);
    await stop();
  });

  it("finds out by itself, and looks no more once it is closed", async () => {
    const { served, move, stop } = await start({ pollMs: 5 });
    await move(3);
    while (served.version !== "3") await new Promise((resolve) => setTimeout(resolve, 5));
    await stop();
  });

  it("goes on with the old version where the new one does not open, tells why, and tries again", async () => {
    let fails = true;
    const { served, events, move, stop } = await start({
      open: async (found) => {
        if (fails && found.registered?.version === 2) {
          throw new BridleError("WEIGHTS_CORRUPT", { file: "w", reason: "test" });
        }
        return new Toy(found);
      },
    });
    await move(2);
    await served.refresh();
    expect((await served.summarize("now")).version).toBe("1");
    expect(served.pending).toMatchObject({ version: 2, error: { code: "WEIGHTS_CORRUPT" } });
    expect(events.at(-1)).toMatchObject({ type: "failed", version: 2 });
    fails = false;
    await served.refresh();
    expect((await served.summarize("now")).version).toBe("2");
    expect(served.pending).toBeUndefined();
    await stop();
  });

  it("forgets what could not be opened when the alias is rolled back from it", async () => {
    const { registry, served, move, stop } = await start({
      open: async (found) => {
        if (found.registered?.version === 2) throw new BridleError("CANCELLED");
        return new Toy(found);
      },
    });
    await move(2);
    await served.refresh();
    expect(served.pending?.version).toBe(2);
    await registry.rollback("news", { alias: "live", by: "bob" });
    await served.refresh();
    expect(served.pending).toBeUndefined();
    expect(served.version).toBe("1");
    await stop();
  });

  it("does not open a second version where memory is short", async () => {
    let free = 1_000_000;
    const { served, toys, move, stop } = await start({ freeBytes: () => free });
    await move(2);
    await served.refresh();
    expect(served.pending?.error).toMatchObject({
      code: "MODEL_MEMORY_SHORT",
      message: expect.stringMatching(/Version 2 of news needs about 64 MB .* 1 MB can be had/),
    });
    expect((await served.summarize("now")).version).toBe("1");
    expect(toys).toHaveLength(1);
    free = 1e12;
    await served.refresh();
    expect(served.version).toBe("2");
    await stop();
  });

  it("opens a version when it is its turn, the one that is named then, and ends the turn", async () => {
    const turns = createTurns();
    const { served, toys, move, stop } = await start({ takeTurn: () => turns.take() });
    const endOther = await turns.take();
    await move(2);
    const refreshed = served.refresh();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(toys).toHaveLength(1);
    await move(3);
    endOther();
    await refreshed;
    expect(toys.map(({ version }) => version)).toEqual(["1", "3"]);
    // Neither one that does not open nor one that was moved back meanwhile keeps it.
    const endThird = await turns.take();
    await move(2);
    const again = served.refresh();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await move(3);
    endThird();
    await again;
    expect(toys).toHaveLength(2);
    (await turns.take())();
    await stop();
  });

  it("is closed while it waits for its turn", async () => {
    const events: SwapEvent[] = [];
    const { served, move, stop } = await start({
      takeTurn: (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new BridleError("CANCELLED")));
        }),
      onEvent: (event) => events.push(event),
    });
    await move(2);
    const refreshed = served.refresh();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all([stop(), expect(refreshed).rejects.toMatchObject({ code: "CANCELLED" })]);
    expect(events).toEqual([]);
  });

  it("is refused a version whose files are altered, and keeps the old one", async () => {
    const { served, move, stop, env } = await start();
    const { appendFile } = await import("node:fs/promises");
    const folder = path.join(env.BRIDLE_HOME, "store", "models", packed[1]?.manifest.digest ?? "");
    await appendFile(path.join(folder, "config.json"), " ");
    await move(2);
    await served.refresh();
    expect(served.pending?.error).toMatchObject({
      code: "PACKAGE_ALTERED",
      details: expect.objectContaining({ file: "config.json" }),
    });
    expect((await served.summarize("now")).version).toBe("1");
    await stop();
  });

  it("has the files of each version hashed anew, of one that it goes back to as well", async () => {
    const env = await homeEnvironment(path.join(scratch.folder, `home-${++places}`));
    const real = await openAt({ env });
    for (const each of packed) await real.add("news", each, { card: each.card, by: "test" });
    await real.promote("news", 1, { alias: "live", by: "bob" });
    const asked: [number, boolean | undefined][] = [];
    const served = await serveAlias({
      ...{ name: "news@live", model: "news", alias: "live", pollMs: 3_600_000 },
      registry: {
        ...real,
        open: async (version, work) => {
          asked.push([version.version, work?.anew]);
          return await real.open(version, work);
        },
      },
      open: async (found) => new Toy(found),
      freeBytes: () => undefined,
    });
    await real.promote("news", 2, { alias: "live", by: "bob" });
    await served.refresh();
    await real.rollback("news", { alias: "live", by: "bob" });
    await served.refresh();
    expect(asked).toEqual([
      [1, true],
      [2, true],
      [1, true],
    ]);
    await served.close();
  });

  it("goes on while the registry does not answer, and says so once", async () => {
    let down = false;
    const env = await homeEnvironment(path.join(scratch.folder, `home-${++places}`));
    const real = await openAt({ env });
    for (const each of packed) await real.add("news", each, { card: each.card, by: "test" });
    await real.promote("news", 1, { alias: "live", by: "bob" });
    const events: SwapEvent[] = [];
    let looks = 0;
    const served = await serveAlias({
      ...{ name: "news@live", model: "news", alias: "live", pollMs: 2 },
      registry: {
        ...real,
        findAlias: async (model, alias) => {
          looks++;
          if (down)
            throw new BridleError("DATABASE_UNAVAILABLE", { database: "x", reason: "gone" });
          return await real.findAlias(model, alias);
        },
      },
      open: async (found) => new Toy(found),
      freeBytes: () => undefined,
      onEvent: (event) => events.push(event),
    });
    down = true;
    const before = looks;
    while (looks < before + 3) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(events.map(({ type }) => type)).toEqual(["unreachable"]);
    expect((await served.summarize("now")).version).toBe("1");
    down = false;
    await real.promote("news", 2, { alias: "live", by: "bob" });
    while (served.version !== "2") await new Promise((resolve) => setTimeout(resolve, 5));
    await served.close();
  });

  it("ends what is under way on every version when it is closed", async () => {
    const { served, toys, move, stop } = await start();
    const old = served.summarize("hold");
    old.catch(() => {});
    await move(2);
    await served.refresh();
    await stop();
    await expect(old).rejects.toMatchObject({ code: "CANCELLED" });
    expect(toys.every(({ closed }) => closed)).toBe(true);
  });

  it("needs an alias that is there", async () => {
    const { registry, stop } = await start();
    await expect(
      serveAlias({
        ...{ name: "news@nobody", model: "news", alias: "nobody", pollMs: 1000, registry },
        open: async (found) => new Toy(found),
        freeBytes: () => undefined,
      }),
    ).rejects.toMatchObject({ code: "MODEL_VERSION_NOT_FOUND" });
    await stop();
  });
});
