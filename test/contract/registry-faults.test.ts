// The registry where clocks, stores and other processes do what they should not: what is whole stays whole.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { openBlobStore } from "../../src/compose.js";
import { importModel } from "../../src/loop/add-model.js";
import { toEvaluationRecords } from "../../src/package/evaluation-record.js";
import { openPackageFolder } from "../../src/package/model-package.js";
import { type PackedModel, packModel } from "../../src/package/pack-model.js";
import { writePackage } from "../../src/package/write-package.js";
import type { BlobStore } from "../../src/ports/blob-store.js";
import type { Database } from "../../src/ports/database.js";
import { registryMigrations } from "../../src/registry/migrations.js";
import { openRegistry, type Registry } from "../../src/registry/registry.js";
import { describeEachDatabase } from "../support/databases.js";
import { makeTrainedModel, scratchFolder, toyEvaluation } from "../support/model-packages.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
const packed: PackedModel[] = [];
const by = "alice";
let places = 0;

beforeAll(async () => {
  scratch = await scratchFolder("registry-faults");
  for (let seed = 0; seed < 3; seed++) {
    packed.push(
      await packModel(await makeTrainedModel(path.join(scratch.folder, `m${seed}`), seed)),
    );
  }
});
afterAll(() => scratch.remove());
afterEach(() => {
  vi.useRealTimers();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Holds whoever waits until it is opened. */
function gate() {
  let open = () => {};
  let reach = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const pass = async () => {
    reach();
    await opened;
  };
  return { open, reached, pass };
}

describeEachDatabase("a registry", (place) => {
  const open = async (
    now: () => number,
    change: (parts: { store: BlobStore; database: Database }) => {
      store?: BlobStore;
      database?: Database;
    } = () => ({}),
  ) => {
    const database = await place.open([registryMigrations]);
    const root = path.join(scratch.folder, `store-${++places}`);
    const store = (await openBlobStore({ url: root, options: {}, env: {} })) as BlobStore;
    const parts = { store, database, ...change({ store, database }) };
    const registry = openRegistry({ ...parts, cache: path.join(root, "cache"), now });
    /** Another process at the same registry. */
    const beside = openRegistry({ database, store, cache: path.join(root, "cache"), now });
    return { registry, beside, database };
  };
  const add = (registry: Registry, index: number) => {
    const from = packed[index] as PackedModel;
    return registry.add("news", from, { card: from.card, by });
  };
  const stateOf = async (database: Database, index: number) =>
    (
      await database.query("SELECT state FROM registry_package WHERE digest = $1", [
        packed[index]?.manifest.digest ?? "",
      ])
    ).rows;
  /** A store whose next listing, which deleting a package begins with, waits at a gate. */
  const gated = (store: BlobStore, at: ReturnType<typeof gate>): BlobStore => ({
    name: store.name,
    head: (key) => store.head(key),
    get: (key, request) => store.get(key, request),
    put: (key, source) => store.put(key, source),
    async *list(prefix) {
      if (prefix !== "models/") await at.pass();
      yield* store.list(prefix);
    },
    delete: (key) => store.delete(key),
    fileOf: store.fileOf && ((key) => store.fileOf!(key)),
    close: () => store.close(),
  });

  it("goes by the order of moves where the clocks of those who moved disagree", async () => {
    let ms = 9_000_000;
    const { registry } = await open(() => ms);
    for (const index of [0, 1, 2]) await add(registry, index);
    for (const version of [1, 2, 3]) {
      await registry.promote("news", version, { by, alias: "live" });
      ms -= 1_000_000;
    }
    ms = 7_500_000;
    await registry.promote("news", 1, { by, alias: "candidate" });
    expect((await registry.check()).faults).toEqual([]);
    const live = await registry.history("news", "live");
    expect(live.map(({ move }) => move)).toEqual([3, 2, 1]);
    // Of two aliases the clocks decide, and never within one.
    const all = await registry.history("news");
    expect(all.map(({ alias, move }) => `${alias} ${move}`)).toEqual([
      ...["candidate 1", "live 3", "live 2", "live 1"],
    ]);
    const { versions } = await registry.collectGarbage({ keep: 1, dryRun: true });
    expect(versions).toEqual([]);
    expect((await registry.rollback("news", { by, alias: "live" })).version).toBe(2);
    expect((await registry.rollback("news", { by, alias: "live" })).version).toBe(1);
    expect((await registry.check()).faults).toEqual([]);
  });

  it("deletes nothing more of a package once its mark has ended and somebody has brought it again", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    let ms = 1_000_000;
    const at = gate();
    const { registry, beside, database } = await open(
      () => ms,
      ({ store }) => ({ store: gated(store, at) }),
    );
    for (const index of [0, 1]) await add(registry, index);
    const collecting = registry.collectGarbage({ keep: 1 }).catch((thrown: unknown) => thrown);
    await at.reached;
    // As of a machine that slept: no sign of life for longer than the mark lasts.
    ms += 61_000;
    expect(await add(beside, 0)).toMatchObject({ version: 3, isNew: true });
    await vi.advanceTimersByTimeAsync(15_000);
    await pause(50);
    at.open();
    expect(await collecting).toMatchObject({ code: "CANCELLED" });
    expect(await stateOf(database, 0)).toEqual([{ state: "stored" }]);
    expect((await beside.check()).faults).toEqual([]);
  });

  it("leaves no mark behind of a package that is gone", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const at = gate();
    let isSlow = false;
    const { registry, database } = await open(
      () => 1_000_000,
      ({ store, database: real }) => ({
        store: gated(store, at),
        database: {
          name: real.name,
          dialect: real.dialect,
          async query(sql, values) {
            if (isSlow) await pause(50);
            return await real.query(sql, values);
          },
          async transaction(work, options) {
            if (isSlow) await pause(50);
            return await real.transaction(work, options);
          },
          findFaults: () => real.findFaults(),
          close: () => real.close(),
        },
      }),
    );
    for (const index of [0, 1]) await add(registry, index);
    const collecting = registry.collectGarbage({ keep: 1 });
    await at.reached;
    isSlow = true;
    vi.advanceTimersByTime(15_000);
    isSlow = false;
    at.open();
    expect((await collecting).packages).toBe(1);
    await pause(100);
    expect(await stateOf(database, 0)).toEqual([]);
  });

  it("shows no version whose claim ended while its bytes were on their way", async () => {
    let ms = 1_000_000;
    let isFirst = true;
    const { registry, beside } = await open(
      () => ms,
      ({ store }) => ({
        store: {
          ...gated(store, gate()),
          list: (prefix) => store.list(prefix),
          async put(key, source) {
            await store.put(key, source);
            if (!isFirst || !key.endsWith("bridle-package.json")) return;
            isFirst = false;
            // Slower than its claim, and a gc comes by.
            ms += 3 * 60_000;
            expect((await beside.collectGarbage()).packages).toBe(1);
            // Put back by nobody: what is written is written again.
            await store.put(key, source);
          },
          fileOf: undefined,
        },
      }),
    );
    await add(registry, 0);
    expect((await beside.check()).faults).toEqual([]);
  });

  describe("of a store that is sent pieces", () => {
    /** As S3 takes large files: from several places at once, so that nobody sees all bytes in their order. */
    const inPieces = (
      store: BlobStore,
      onPut: () => Promise<void> = async () => {},
    ): BlobStore => ({
      ...gated(store, gate()),
      list: (prefix) => store.list(prefix),
      async put(key, { sizeBytes, open: from }) {
        const middle = Math.floor(sizeBytes / 2);
        const pieces: Uint8Array[] = [];
        const parts =
          middle > 0 && sizeBytes > 1000
            ? [
                [0, middle],
                [middle, sizeBytes],
              ]
            : [[0, sizeBytes]];
        for (const [start, end] of parts as [number, number][])
          for await (const piece of from(start, end)) pieces.push(piece);
        const bytes = Buffer.concat(pieces);
        await store.put(key, {
          sizeBytes,
          async *open(start = 0, end = sizeBytes) {
            yield bytes.subarray(start, end);
          },
        });
        await onPut();
      },
      fileOf: undefined,
    });
    const packageFolder = async () => {
      const folder = path.join(scratch.folder, `package-${++places}`);
      await writePackage(packed[0] as PackedModel, folder);
      return folder;
    };
    const spoil = async (folder: string) => {
      const file = path.join(folder, "model.safetensors");
      const bytes = await readFile(file);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await writeFile(file, bytes);
    };

    it("takes no package from a folder that is not what its manifest says", async () => {
      const { registry } = await open(Date.now, ({ store }) => ({ store: inPieces(store) }));
      const folder = await packageFolder();
      await spoil(folder);
      await expect(
        importModel(registry, "news", folder, scratch.folder, { by }),
      ).rejects.toMatchObject({
        code: "PACKAGE_ALTERED",
        details: expect.objectContaining({ file: "model.safetensors" }),
      });
      expect(await registry.listModels()).toEqual([]);
    });

    it("takes none that changes on its way", async () => {
      const folder = await packageFolder();
      let changes = 1;
      const { registry } = await open(Date.now, ({ store }) => ({
        store: inPieces(store, async () => {
          if (changes-- > 0) await spoil(folder);
        }),
      }));
      await expect(
        importModel(registry, "news", folder, scratch.folder, { by }),
      ).rejects.toMatchObject({ code: "PACKAGE_ALTERED" });
      expect(await registry.listModels()).toEqual([]);
    });

    it("takes one that is whole", async () => {
      const { registry } = await open(Date.now, ({ store }) => ({ store: inPieces(store) }));
      const folder = await packageFolder();
      const added = await importModel(registry, "news", folder, scratch.folder, { by });
      expect(added).toMatchObject({ version: 1, digest: packed[0]?.manifest.digest });
      expect((await registry.check()).faults).toEqual([]);
    });
  });

  it("takes no version where an evaluation beside it is of another model", async () => {
    const { registry } = await open(Date.now);
    const folder = path.join(scratch.folder, `package-${++places}`);
    await writePackage(packed[0] as PackedModel, folder);
    const { manifest } = await openPackageFolder(folder);
    const evaluated = (digest: string) =>
      toEvaluationRecords(toyEvaluation({ model: "m", version: "1", digest }), "test");
    const bring = (digest: string) =>
      importModel(registry, "news", folder, scratch.folder, {
        ...{ by, evaluations: evaluated(digest) },
      });
    await expect(bring("0".repeat(64))).rejects.toMatchObject({ code: "EVALUATION_INVALID" });
    expect(await registry.listModels()).toEqual([]);
    const { version } = await bring(manifest.digest);
    expect(version).toBe(1);
    expect(await registry.evaluations("news", 1)).toHaveLength(1);
  });
});
