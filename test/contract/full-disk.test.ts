// A disk that is full, for models, sweeps and batches: a specific error, nothing half-written, and all goes on once there is room.
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { openLocalQueue } from "../../src/adapters/queue/local.js";
import {
  keepDurableBatches,
  migrationSets,
  openDatabase,
  openRegistry,
} from "../../src/compose.js";
import { resolveServeConfig } from "../../src/config/serve-config.js";
import { importModel } from "../../src/loop/add-model.js";
import { openSweep } from "../../src/loop/sweep/plan.js";
import { type RunSweepOptions, runSweep } from "../../src/loop/sweep/run-sweep.js";
import { findSweepFaults } from "../../src/loop/sweep/sweep-faults.js";
import { findSweep, readTrials } from "../../src/loop/sweep/sweep-store.js";
import { writeArchive } from "../../src/package/archive.js";
import { type PackedModel, packModel } from "../../src/package/pack-model.js";
import { writePackage } from "../../src/package/write-package.js";
import type { Registry } from "../../src/registry/registry.js";
import { startServer } from "../../src/server/server.js";
import { findBatchFaults } from "../../src/summarize/batches/batch-store.js";
import { makeTrainedModel } from "../support/model-packages.js";
import { makeScriptedTrials } from "../support/scripted-trials.js";
import { canMount, mountSmallDisk, type SmallDisk } from "../support/small-disk.js";
import { createToyService, until } from "./toy-service.js";

describe.skipIf(!canMount)("on a full disk", () => {
  let root: string;
  const packed: PackedModel[] = [];
  let disk: SmallDisk;
  let made = 0;
  beforeAll(async () => {
    root = await mkdtemp(path.join(tmpdir(), "bridle-full-"));
    for (const seed of [0, 1]) {
      packed.push(await packModel(await makeTrainedModel(path.join(root, `m${seed}`), seed)));
    }
  });
  afterAll(() => rm(root, { recursive: true }));
  beforeEach(() => {
    const mounted = mountSmallDisk(8);
    if (mounted === undefined) throw new Error("no disk can be mounted");
    disk = mounted;
    return () => disk.unmount();
  });
  const elsewhere = () => path.join(root, String(++made));
  const full = { message: expect.stringMatching(/full|no room/) };

  describe("a model", () => {
    const openAt = async (places: { db?: string; store?: string }) => {
      const registry = await openRegistry({ ...places, env: { BRIDLE_HOME: elsewhere() } });
      onTestFinished(() => registry.close());
      return registry;
    };
    const add = (registry: Registry, index: 0 | 1) =>
      registry.add("news", packed[index] as PackedModel, {
        ...{ card: (packed[index] as PackedModel).card, by: "ada" },
      });
    const faultsOf = async (registry: Registry) =>
      (await registry.check()).faults.filter(({ kind }) => kind === "fault");
    const versionsOf = async (registry: Registry) =>
      (await registry.getModel("news")).versions.map(({ version }) => version);

    it("is not added where the store has no room, and is once it has", async () => {
      const store = path.join(disk.folder, "store");
      const registry = await openAt({ store });
      await add(registry, 0);
      disk.fill();
      await expect(add(registry, 1)).rejects.toMatchObject({ code: "BLOB_STORE_FULL", ...full });
      expect(await versionsOf(registry)).toEqual([1]);
      expect(await faultsOf(registry)).toEqual([]);
      expect(readdirSync(path.join(store, "bridle-tmp"))).toEqual([]);
      // The other one answers as before, every byte held against its hash.
      await registry.open(await registry.getVersion({ model: "news", at: { version: 1 } }));
      disk.drain();
      expect((await add(registry, 1)).version).toBe(2);
    });

    it("is neither added, promoted nor rolled back where the database has no room", async () => {
      const registry = await openAt({ db: `sqlite:${path.join(disk.folder, "bridle.db")}` });
      await add(registry, 0);
      await registry.promote("news", 1, { by: "ada", alias: "live" });
      await registry.promote("news", 1, { by: "ada", alias: "next" });
      disk.fill();
      const noRoom = { code: "DATABASE_FULL", ...full };
      await expect(add(registry, 1)).rejects.toMatchObject(noRoom);
      const promoted = registry.promote("news", 1, { by: "ada", alias: "third" });
      await expect(promoted).rejects.toMatchObject(noRoom);
      await expect(
        registry.setGates("news", (await registry.getModel("news")).gates, "ada"),
      ).rejects.toMatchObject(noRoom);
      expect(await versionsOf(registry)).toEqual([1]);
      expect(await registry.findAlias("news", "third")).toBeUndefined();
      expect(await registry.history("news")).toHaveLength(2);
      disk.drain();
      expect((await add(registry, 1)).version).toBe(2);
      expect(await registry.promote("news", 2, { by: "ada", alias: "live" })).toMatchObject({
        ...{ version: 2, move: 2 },
      });
      expect(await faultsOf(registry)).toEqual([]);
    });

    it("is not imported where there is no room to unpack it, nor exported", async () => {
      const registry = await openAt({});
      const archive = path.join(root, "news.tar");
      await writeArchive(packed[0] as PackedModel, archive, { overwrite: true });
      disk.fill();
      const take = () =>
        importModel(registry, "news", archive, path.join(disk.folder, "tmp"), { by: "ada" });
      await expect(take()).rejects.toMatchObject({ code: "FILE_NOT_WRITABLE", ...full });
      expect(await registry.listModels()).toEqual([]);
      const target = path.join(disk.folder, "out");
      for (const out of [
        () => writePackage(packed[0] as PackedModel, target),
        () => writeArchive(packed[0] as PackedModel, `${target}.tar`),
      ]) {
        await expect(out()).rejects.toMatchObject({ code: "FILE_NOT_WRITABLE", ...full });
      }
      const left = readdirSync(disk.folder, { recursive: true }).map(String);
      expect(left.filter((name) => name !== "filler" && name !== "tmp")).toEqual([]);
      disk.drain();
      expect(await take()).toMatchObject({ version: 1 });
      expect(readdirSync(path.join(disk.folder, "tmp"))).toEqual([]);
    });
  });

  describe("a sweep", () => {
    const make = async (db: string) => {
      const folder = elsewhere();
      const space = { "train.seed": [0, 1, 2, 3] };
      const trials = await makeScriptedTrials(folder, { space, sampler: "grid" });
      const database = await openDatabase(`sqlite:${db}`, migrationSets);
      onTestFinished(() => database.close());
      const run = async (options: Partial<RunSweepOptions> = {}) =>
        runSweep(await openSweep(trials.file), {
          ...{ database, queue: openLocalQueue(database), workers: 1, threads: 1 },
          folder: path.join(folder, "trials"),
          startProcess: trials.startProcess,
          ...options,
        });
      return { database, run, ...trials };
    };

    it("ends by saying so, and goes on as it would have gone once there is room", async () => {
      const { database, run } = await make(path.join(disk.folder, "bridle.db"));
      const stopped = run({
        onChange: (trials) => {
          if (trials.some(({ state }) => state === "complete")) disk.fill();
        },
      });
      await expect(stopped).rejects.toMatchObject({ code: "DATABASE_FULL", ...full });
      const [first, ...others] = await readTrials(database, "sweep");
      expect(first).toMatchObject({ state: "complete", value: 0 });
      expect(others.every(({ value }) => value === null)).toBe(true);
      disk.drain();
      const whole = await run({ resume: true });
      expect(whole.ranked.map(({ value }) => value)).toEqual([0, 1, 2, 3]);
      expect(await findSweepFaults(database)).toEqual([]);
      expect((await findSweep(database, "sweep"))?.state).toBe("done");
    }, 60_000);

    it("is not begun where there is no room for its folder", async () => {
      const { database, run, begun } = await make(path.join(elsewhere(), "bridle.db"));
      disk.fill();
      const folder = path.join(disk.folder, "trials");
      const refused = { code: "FILE_NOT_WRITABLE", ...full };
      await expect(run({ folder })).rejects.toMatchObject(refused);
      expect(await findSweep(database, "sweep")).toBeUndefined();
      expect(await begun()).toEqual([]);
      disk.drain();
      expect((await run({ folder })).trials).toHaveLength(4);
    }, 60_000);
  });

  describe("a batch", () => {
    const start = async () => {
      const db = `sqlite:${path.join(disk.folder, "bridle.db")}`;
      const service = createToyService();
      const config = resolveServeConfig({ port: 0, logLevel: "silent" }, {});
      const batches = keepDurableBatches({ db, env: {} }, service, config.maxOpenBatchLines);
      const files = { dashboard: "/nonexistent", docs: "/nonexistent" };
      const server = await startServer(config, { ...service, batches }, { files });
      onTestFinished(async () => {
        service.release();
        await server.close();
        await batches.close();
      });
      const ask = async (route: string, body?: string) => {
        const headers = { "content-type": "application/x-ndjson" };
        const init = body === undefined ? {} : { method: "POST", headers, body };
        const response = await fetch(server.url + route, init);
        const text = await response.text();
        // biome-ignore lint/suspicious/noExplicitAny: every route answers a shape of its own
        const parsed: any = route.endsWith("/results")
          ? text
              .trim()
              .split("\n")
              .map((line) => JSON.parse(line))
          : JSON.parse(text);
        return { status: response.status, body: parsed };
      };
      const faults = async () => {
        const database = await openDatabase(db, migrationSets);
        return await findBatchFaults(database).finally(() => database.close());
      };
      return { ask, faults, service };
    };
    const documents = (...texts: readonly string[]) =>
      texts.map((document) => JSON.stringify({ document })).join("\n");

    it("is refused whole, and taken once there is room", async () => {
      const { ask, faults } = await start();
      const first = await ask("/v1/batches", documents("One. Two."));
      await until(async () => (await ask(`/v1/batches/${first.body.id}`)).body.state === "done");
      disk.fill();
      const many = documents(
        ...Array.from({ length: 200 }, (_, n) => `Document ${n}. It goes on.`),
      );
      expect(await ask("/v1/batches", many)).toMatchObject({
        status: 503,
        body: { code: "DATABASE_FULL" },
      });
      expect((await ask("/v1/batches")).body.batches).toHaveLength(1);
      expect((await ask(`/v1/batches/${first.body.id}/results`)).body).toHaveLength(1);
      expect(await faults()).toEqual([]);
      disk.drain();
      const { status, body } = await ask("/v1/batches", many);
      expect(status).toBe(202);
      await until(async () => (await ask(`/v1/batches/${body.id}`)).body.state === "done");
      expect((await ask(`/v1/batches/${body.id}/results`)).body).toHaveLength(200);
    }, 60_000);

    it("that is under way gets each answer once, after there is room again", async () => {
      const { ask, faults, service } = await start();
      const texts = Array.from({ length: 40 }, (_, n) => `Document ${n}. It goes on.`);
      const { body } = await ask("/v1/batches", documents("SLOW one. Two.", ...texts));
      await until(async () => (await ask(`/v1/batches/${body.id}`)).body.documents.done === 40);
      disk.fill();
      service.release();
      await until(() => service.running === 0);
      expect((await ask(`/v1/batches/${body.id}`)).body).toMatchObject({
        ...{ state: "running", documents: { done: 40, waiting: 1 } },
      });
      expect(await faults()).toEqual([]);
      disk.drain();
      await until(async () => {
        service.release();
        return (await ask(`/v1/batches/${body.id}`)).body.state === "done";
      });
      const lines = (await ask(`/v1/batches/${body.id}/results`)).body;
      expect(lines.map((each: { line: number }) => each.line)).toEqual(
        Array.from({ length: 41 }, (_, n) => n + 1),
      );
      expect(await faults()).toEqual([]);
    }, 60_000);
  });
});
