// The registry on every database: numbers without gaps, one winner of two, a history that is complete, and files that are verified.
import { existsSync, readdirSync } from "node:fs";
import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBlobStore } from "../../src/compose.js";
import { toEvaluationRecords } from "../../src/package/evaluation-record.js";
import type { ModelPackage } from "../../src/package/model-package.js";
import { type PackedModel, packModel } from "../../src/package/pack-model.js";
import type { BlobStore } from "../../src/ports/blob-store.js";
import { checkGates, usualGates } from "../../src/registry/gates.js";
import { registryMigrations } from "../../src/registry/migrations.js";
import { openRegistry, type Registry } from "../../src/registry/registry.js";
import { parseVersionName } from "../../src/registry/version-name.js";
import { describeEachDatabase } from "../support/databases.js";
import {
  makeTrainedModel,
  scratchFolder,
  type ToyRival,
  toyEvaluation,
} from "../support/model-packages.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
/** Packages that differ, made once. */
const packed: PackedModel[] = [];
const by = "alice";
let places = 0;

beforeAll(async () => {
  scratch = await scratchFolder("registry");
  for (let seed = 0; seed < 8; seed++) {
    packed.push(
      await packModel(await makeTrainedModel(path.join(scratch.folder, `m${seed}`), seed)),
    );
  }
});
afterAll(() => scratch.remove());

const at = (name: string) => {
  const found = parseVersionName(name);
  if (found === undefined) throw new TypeError(name);
  return found;
};

/** An evaluation of a package, beside others. */
function evaluated(index: number, rivals: readonly (number | ToyRival)[] = [], options = {}) {
  const of = (i: number) => ({
    model: `m${i}`,
    version: packed[i]?.card.model.fingerprint ?? "",
    digest: packed[i]?.manifest.digest ?? "",
  });
  const beside = rivals.map((each) => (typeof each === "number" ? of(each) : each));
  return toEvaluationRecords(toyEvaluation(of(index), { rivals: beside, ...options }), "test");
}

const rival = (index: number, difference: readonly [number, number]): ToyRival => ({
  model: `m${index}`,
  version: "1",
  digest: packed[index]?.manifest.digest ?? "",
  difference,
});

describeEachDatabase("the registry", (place) => {
  async function open({ url = undefined as string | undefined, root = "", now = Date.now } = {}) {
    const database = await place.open([registryMigrations], url);
    const folder = root || path.join(scratch.folder, `store-${++places}`);
    const store = (await openBlobStore({ url: folder, options: {}, env: {} })) as BlobStore;
    const cache = path.join(folder, "cache");
    return {
      registry: openRegistry({ database, store, cache, now }),
      root: folder,
      database,
      store,
    };
  }
  const add = (registry: Registry, index: number, model = "news", more = {}) => {
    const from = packed[index] as PackedModel;
    return registry.add(model, from, { card: from.card, by, ...more });
  };
  const addEvaluated = (
    registry: Registry,
    index: number,
    rivals: readonly (number | ToyRival)[] = [],
  ) => add(registry, index, "news", { evaluations: evaluated(index, rivals) });
  const folderOf = (root: string, index: number) =>
    path.join(root, "models", packed[index]?.manifest.digest ?? "");

  describe("adding", () => {
    it("numbers versions from 1, keeps the card, and gives the folder back verified", async () => {
      const { registry } = await open();
      const one = await add(registry, 0, "news", { note: "first", dataObjects: ["abc"] });
      expect(one).toMatchObject({
        ...{
          model: "news",
          version: 1,
          isNew: true,
          createdBy: by,
          note: "first",
          collectedAt: null,
        },
        ...{ digest: packed[0]?.manifest.digest, card: packed[0]?.card, aliases: [] },
      });
      expect((await add(registry, 1)).version).toBe(2);
      const { folder, version } = await registry.open(await registry.getVersion(at("news:1")));
      expect(version.version).toBe(1);
      expect(readdirSync(folder)).toContain("config.json");
      expect(await registry.listModels()).toMatchObject([
        { name: "news", lastVersion: 2, aliases: [] },
      ]);
      expect((await registry.getModel("news")).versions.map((each) => each.version)).toEqual([
        2, 1,
      ]);
      expect([...(await registry.dataObjects())]).toEqual(["abc"]);
    });

    it("adds nothing where the model has the package already, and mends its files", async () => {
      const { registry, root } = await open();
      await add(registry, 0);
      await appendFile(path.join(folderOf(root, 0), "config.json"), " ");
      const again = await add(registry, 0);
      expect(again).toMatchObject({ version: 1, isNew: false });
      await registry.open(again);
      expect((await add(registry, 0, "other")).version).toBe(1);
    });

    it("gives every writer at once a number of its own, without a gap", async () => {
      const url = await place.createUrl();
      const one = await open({ url });
      const two = await open({ url, root: one.root });
      const versions = await Promise.all(
        packed.map((_, index) => add(index % 2 === 0 ? one.registry : two.registry, index)),
      );
      expect(versions.map(({ version }) => version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    });

    it("shows nothing of a version whose bytes were not what they were said to be", async () => {
      const { registry, root } = await open();
      const from = packed[0] as PackedModel;
      const lying: ModelPackage = {
        ...from,
        open: (file, start, end) =>
          file === "spiece.model" ? from.open("config.json") : from.open(file, start, end),
      };
      const refused = registry.add("news", lying, { card: from.card, by });
      await expect(refused).rejects.toMatchObject({ code: "PACKAGE_ALTERED" });
      expect(await registry.listModels()).toEqual([]);
      expect(existsSync(path.join(folderOf(root, 0), "bridle-package.json"))).toBe(false);
      await add(registry, 0);
      expect((await registry.check()).faults).toEqual([]);
    });

    it("refuses names that could be something else", async () => {
      const { registry } = await open();
      for (const name of ["News", "a/b", "news:1", "", "..", "-x", "extractive", "x".repeat(64)]) {
        await expect(add(registry, 0, name), name).rejects.toMatchObject({
          code: "MODEL_NAME_INVALID",
        });
      }
    });
  });

  describe("names", () => {
    it("mean a version, an alias, what is in production, or nothing of the registry's", async () => {
      const { registry } = await open();
      await addEvaluated(registry, 0);
      await addEvaluated(registry, 1, [0]);
      await registry.promote("news", 1, { by });
      await registry.promote("news", 2, { by, alias: "candidate" });
      const found = async (name: string) => (await registry.findVersion(name))?.version;
      expect(await found("news:2")).toBe(2);
      expect(await found("news@candidate")).toBe(2);
      expect(await found("news@champion")).toBe(1);
      expect(await found("news")).toBe(1);
      for (const other of [
        "sport",
        "google/pegasus-xsum",
        "./news",
        "news:0",
        "news:01",
        "news@",
      ]) {
        expect(await found(other), other).toBeUndefined();
      }
      for (const wrong of ["news:3", "news@nobody"]) {
        await expect(found(wrong)).rejects.toMatchObject({
          code: "MODEL_VERSION_NOT_FOUND",
          message: expect.stringContaining(wrong.includes(":") ? "version 3" : "alias nobody"),
          hint: expect.stringContaining("versions 1 to 2 and @candidate, @champion"),
        });
      }
      await expect(registry.getModel("sport")).rejects.toMatchObject({
        code: "MODEL_NOT_REGISTERED",
        hint: expect.stringContaining("news"),
      });
    });
  });

  describe("promotion", () => {
    it("passes gates alone, says which do not, and keeps their figures with the move", async () => {
      const { registry } = await open();
      await add(registry, 0);
      await expect(registry.promote("news", 1, { by })).rejects.toMatchObject({
        code: "PROMOTION_GATES_FAILED",
        message: expect.stringContaining("no evaluation"),
      });
      await registry.recordEvaluations("news", 1, evaluated(0), by);
      const first = await registry.promote("news", 1, { by });
      expect(first).toMatchObject({ changed: true, previous: null, move: 1, forced: false });
      expect(first.gates.map(({ gate }) => gate)).toEqual(["rows", "failed"]);
      await addEvaluated(registry, 1);
      await expect(registry.promote("news", 2, { by })).rejects.toMatchObject({
        message: expect.stringContaining("no evaluation compares the two"),
        hint: expect.stringContaining("--against news@champion"),
      });
      // Surely worse by more than a point at the low end.
      await registry.recordEvaluations("news", 2, evaluated(1, [rival(0, [-0.03, 0.01])]), by);
      await expect(registry.promote("news", 2, { by })).rejects.toMatchObject({
        message: expect.stringContaining("rouge1 against news:1 (-3.00 to 1.00 points"),
      });
      await registry.recordEvaluations("news", 2, evaluated(1, [rival(0, [-0.009, 0.03])]), by);
      const moved = await registry.promote("news", 2, { by: "bob", reason: "better" });
      expect(moved).toMatchObject({ previous: 1, version: 2, movedBy: "bob", reason: "better" });
      expect(moved.gates.every(({ passed }) => passed)).toBe(true);
      expect(moved.gates.at(-1)?.told).toContain("-0.90 to 3.00");
    });

    it("takes no evaluation of another model, and none against another", async () => {
      const { registry } = await open();
      await addEvaluated(registry, 0);
      await registry.promote("news", 1, { by });
      await add(registry, 1);
      await expect(
        registry.recordEvaluations("news", 2, evaluated(2, [rival(0, [0, 0.1])]), by),
      ).rejects.toMatchObject({ code: "EVALUATION_INVALID" });
      await registry.recordEvaluations("news", 2, evaluated(1, [rival(3, [0.1, 0.2])]), by);
      await expect(registry.promote("news", 2, { by })).rejects.toMatchObject({
        code: "PROMOTION_GATES_FAILED",
      });
    });

    it("goes by the gates that were set: rows, failures, least scores, data, margin, aliases", async () => {
      const { registry } = await open();
      await addEvaluated(registry, 0);
      const gates = (content: object) =>
        registry.setGates("news", checkGates(content, "gates"), by);
      const failing = async (content: object, told: string) => {
        await gates(content);
        await expect(registry.promote("news", 1, { by }), told).rejects.toMatchObject({
          code: "PROMOTION_GATES_FAILED",
          message: expect.stringContaining(told),
        });
      };
      await failing({ minimumRows: 51 }, "50 rows of test.jsonl, at least 51");
      await failing({ minimum: { rouge2: 0.41 } }, "rouge2 minimum (40.00, at least 41.00)");
      await failing({ dataSha256: "0".repeat(64) }, "no evaluation on the data 000000000000");
      await registry.recordEvaluations("news", 1, evaluated(0, [], { failed: 1 }), by);
      await failing({}, "1 rows failed, at most 0.00 %");
      await gates({ mostFailed: 0.02 });
      await registry.promote("news", 1, { by });
      await addEvaluated(registry, 1, [rival(0, [0.001, 0.02])]);
      await gates({ againstCurrent: { margin: -0.01 } });
      await expect(registry.promote("news", 2, { by })).rejects.toMatchObject({
        message: expect.stringContaining("at least 1.00"),
      });
      await gates({ againstCurrent: null });
      await registry.promote("news", 2, { by });
      await gates({ aliases: ["champion", "candidate"], minimumRows: 99 });
      await expect(registry.promote("news", 2, { by, alias: "candidate" })).rejects.toMatchObject({
        code: "PROMOTION_GATES_FAILED",
      });
      expect((await registry.getModel("news")).gates.minimumRows).toBe(99);
    });

    it("may be forced with a reason, which is kept beside the gates that failed", async () => {
      const { registry } = await open();
      await add(registry, 0);
      for (const reason of [undefined, "  "]) {
        await expect(
          registry.promote("news", 1, { by, force: true, reason }),
        ).rejects.toMatchObject({
          code: "INVALID_PARAMETER",
        });
      }
      const moved = await registry.promote("news", 1, {
        by,
        force: true,
        reason: "the old one is down",
      });
      expect(moved).toMatchObject({ forced: true, reason: "the old one is down" });
      const [kept] = await registry.history("news");
      expect(kept).toMatchObject({ forced: true, gates: [{ gate: "evaluated", passed: false }] });
      // Forcing what passes is no forcing.
      await registry.recordEvaluations("news", 1, evaluated(0), by);
      await registry.promote("news", 1, { by, alias: "candidate", force: true, reason: "why not" });
      expect((await registry.history("news", "candidate"))[0]?.forced).toBe(false);
    });

    it("changes nothing where the alias is there already", async () => {
      const { registry } = await open();
      await addEvaluated(registry, 0);
      await registry.promote("news", 1, { by });
      expect(await registry.promote("news", 1, { by: "bob" })).toMatchObject({
        changed: false,
        movedBy: by,
      });
      expect(await registry.history("news")).toHaveLength(1);
    });

    it("has one winner of two at once; the other is told who won", async () => {
      const url = await place.createUrl();
      const one = await open({ url });
      const two = await open({ url, root: one.root });
      await addEvaluated(one.registry, 0);
      await one.registry.promote("news", 1, { by });
      await addEvaluated(one.registry, 1, [0]);
      await addEvaluated(one.registry, 2, [0]);
      // Both have looked before either moves.
      const first = await one.registry.sight("news", 2, {});
      const second = await two.registry.sight("news", 3, {});
      const outcomes = await Promise.allSettled([
        one.registry.commit(first, { by: "alice" }),
        two.registry.commit(second, { by: "bob" }),
      ]);
      const won = outcomes.filter((each) => each.status === "fulfilled");
      const lost = outcomes.filter((each) => each.status === "rejected");
      expect(won).toHaveLength(1);
      expect(lost).toHaveLength(1);
      const winner = (won[0] as PromiseFulfilledResult<{ version: number; movedBy: string }>).value;
      expect((lost[0] as PromiseRejectedResult).reason).toMatchObject({
        code: "PROMOTION_CONFLICT",
        message: expect.stringContaining(`to version ${winner.version} by ${winner.movedBy}`),
      });
      expect((await two.registry.findAlias("news", "champion"))?.version).toBe(winner.version);
      expect(await two.registry.history("news")).toHaveLength(2);
    });

    it("has one winner of many, all of whom expected the same", async () => {
      const url = await place.createUrl();
      const one = await open({ url });
      const two = await open({ url, root: one.root });
      for (let index = 0; index < 6; index++) await add(one.registry, index);
      await one.registry.promote("news", 1, { by, alias: "live" });
      const outcomes = await Promise.allSettled(
        [2, 3, 4, 5, 6].map((version) =>
          (version % 2 === 0 ? one : two).registry.promote("news", version, {
            ...{ by, alias: "live", expected: 1 },
          }),
        ),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const each of outcomes) {
        if (each.status === "rejected")
          expect(each.reason).toMatchObject({ code: "PROMOTION_CONFLICT" });
      }
      expect(await one.registry.history("news", "live")).toHaveLength(2);
    });

    it("notices a move there and back in the meantime", async () => {
      const { registry } = await open();
      for (const index of [0, 1, 2]) await add(registry, index);
      const alias = "live";
      await registry.promote("news", 1, { by, alias });
      const seen = await registry.sight("news", 3, { alias });
      await registry.promote("news", 2, { by, alias });
      await registry.rollback("news", { by, alias });
      await expect(registry.commit(seen, { by, alias })).rejects.toMatchObject({
        code: "PROMOTION_CONFLICT",
      });
    });

    it("refuses an expectation that is not met, and versions and names that are not there", async () => {
      const { registry } = await open();
      await addEvaluated(registry, 0);
      await expect(registry.promote("news", 1, { by, expected: 4 })).rejects.toMatchObject({
        code: "PROMOTION_CONFLICT",
        message: expect.stringContaining("moved to no version"),
      });
      await registry.promote("news", 1, { by, expected: null });
      await expect(registry.promote("news", 2, { by })).rejects.toMatchObject({
        code: "MODEL_VERSION_NOT_FOUND",
      });
      await expect(registry.promote("sport", 1, { by })).rejects.toMatchObject({
        code: "MODEL_NOT_REGISTERED",
      });
      await expect(registry.promote("news", 1, { by, alias: "3" })).rejects.toMatchObject({
        code: "MODEL_NAME_INVALID",
      });
    });
  });

  describe("rollback", () => {
    it("goes back to what was there before, and again further back, and promotion goes on from there", async () => {
      const { registry } = await open();
      const alias = "live";
      for (let index = 0; index < 4; index++) {
        await add(registry, index);
        await registry.promote("news", index + 1, { by, alias });
      }
      const back = async () => (await registry.rollback("news", { by: "bob", alias })).version;
      expect(await back()).toBe(3);
      expect(await back()).toBe(2);
      await registry.promote("news", 4, { by, alias });
      expect(await back()).toBe(2);
      expect(await back()).toBe(1);
      await expect(back()).rejects.toMatchObject({
        code: "ROLLBACK_IMPOSSIBLE",
        message: expect.stringContaining("version 1, and at nothing before"),
      });
      const history = await registry.history("news", alias);
      expect(history.map(({ action, version }) => `${action} ${version}`).reverse()).toEqual([
        ...["promote 1", "promote 2", "promote 3", "promote 4", "rollback 3", "rollback 2"],
        ...["promote 4", "rollback 2", "rollback 1"],
      ]);
      expect(history[0]).toMatchObject({ movedBy: "bob", previous: 2, move: 9 });
      expect((await registry.check()).faults).toEqual([]);
    });

    it("is refused for an alias that was never set, or is elsewhere than expected", async () => {
      const { registry } = await open();
      await add(registry, 0);
      await expect(registry.rollback("news", { by })).rejects.toMatchObject({
        code: "MODEL_VERSION_NOT_FOUND",
      });
      await registry.promote("news", 1, { by, alias: "live" });
      await expect(
        registry.rollback("news", { by, alias: "live", expected: 2 }),
      ).rejects.toMatchObject({
        code: "PROMOTION_CONFLICT",
      });
    });
  });

  describe("lineage", () => {
    it("goes up to what a version was trained from and down to what came of it", async () => {
      const { registry } = await open();
      const one = await add(registry, 0);
      const parent = { name: "news", version: 1, digest: one.digest };
      const child = await packModel(
        await makeTrainedModel(path.join(scratch.folder, `child-${places}`), 20, { parent }),
      );
      const two = await registry.add("news", child, { card: child.card, by });
      const grand = { name: "news", version: 2, digest: two.digest };
      const third = await packModel(
        await makeTrainedModel(path.join(scratch.folder, `grand-${places}`), 21, { parent: grand }),
      );
      await registry.add("sport", third, { card: third.card, by });
      const { nodes, edges } = await registry.lineage(two);
      expect(edges).toEqual([
        { from: "news:1", to: "news:2" },
        { from: "google/pegasus-xsum", to: "news:1" },
        { from: "news:2", to: "sport:1" },
      ]);
      expect(nodes.map(({ name }) => name).sort()).toEqual([
        ...["google/pegasus-xsum", "news:1", "news:2", "sport:1"],
      ]);
      expect((await registry.findByDigest(two.digest)).map(({ model }) => model)).toEqual(["news"]);
    });
  });

  describe("collecting garbage", () => {
    it("keeps what aliases point at, what they can go back to and the newest; the rest loses its files alone", async () => {
      const { registry, root } = await open();
      for (let index = 0; index < 8; index++) await add(registry, index);
      for (const version of [1, 2, 3, 4, 5])
        await registry.promote("news", version, { by, alias: "live" });
      const dry = await registry.collectGarbage({ keep: 2, dryRun: true });
      expect(dry.versions.map(({ version }) => version).sort()).toEqual([1, 2, 6]);
      expect(existsSync(folderOf(root, 0))).toBe(true);
      const done = await registry.collectGarbage({ keep: 2 });
      expect(done).toMatchObject({
        versions: dry.versions,
        packages: 3,
        freedBytes: dry.freedBytes,
        kept: 5,
      });
      expect(done.freedBytes).toBeGreaterThan(10_000);
      for (const [index, there] of [false, false, true, true, true, false, true, true].entries()) {
        expect(existsSync(folderOf(root, index)), `version ${index + 1}`).toBe(there);
      }
      const gone = await registry.getVersion(at("news:1"));
      expect(gone.collectedAt).not.toBeNull();
      expect(gone.card).toEqual(packed[0]?.card);
      await expect(registry.open(gone)).rejects.toMatchObject({ code: "MODEL_VERSION_COLLECTED" });
      await expect(registry.promote("news", 1, { by, alias: "live" })).rejects.toMatchObject({
        code: "MODEL_VERSION_COLLECTED",
      });
      expect((await registry.rollback("news", { by, alias: "live" })).version).toBe(4);
      expect((await registry.rollback("news", { by, alias: "live" })).version).toBe(3);
      await expect(registry.rollback("news", { by, alias: "live" })).rejects.toMatchObject({
        code: "ROLLBACK_IMPOSSIBLE",
        message: expect.stringContaining("deleted by gc"),
      });
      expect((await registry.check()).faults).toEqual([]);
      // The same package again is a new version.
      expect(await add(registry, 0)).toMatchObject({ version: 9, isNew: true });
      expect((await registry.collectGarbage({ keep: 8 })).packages).toBe(0);
    });

    it("keeps a package that another model needs", async () => {
      const { registry, root } = await open();
      for (const index of [0, 1]) await add(registry, index);
      await add(registry, 0, "other");
      const { versions, packages } = await registry.collectGarbage({ keep: 1 });
      expect(versions.map(({ version }) => version)).toEqual([1]);
      expect(packages).toBe(0);
      expect(existsSync(folderOf(root, 0))).toBe(true);
    });

    it("takes away what additions left that were cut off, once nobody can be at work on it", async () => {
      let ms = 1_000_000;
      const { registry, root } = await open({ now: () => ms });
      const controller = new AbortController();
      const cut = add(registry, 0, "news", {
        signal: controller.signal,
        onProgress: () => controller.abort(),
      });
      await expect(cut).rejects.toMatchObject({ code: "CANCELLED" });
      expect(existsSync(folderOf(root, 0))).toBe(true);
      expect((await registry.collectGarbage()).packages).toBe(0);
      expect((await registry.check()).faults).toEqual([]);
      ms += 3 * 60_000;
      expect((await registry.check()).faults).toMatchObject([{ kind: "leftover" }]);
      expect((await registry.collectGarbage()).packages).toBe(1);
      expect(existsSync(folderOf(root, 0))).toBe(false);
      expect((await registry.check()).faults).toEqual([]);
    });

    it("never takes a package from under somebody who adds it", async () => {
      const url = await place.createUrl();
      const one = await open({ url });
      const two = await open({ url, root: one.root });
      for (const index of [0, 1, 2]) await add(one.registry, index);
      await one.registry.collectGarbage({ keep: 1 });
      for (let round = 0; round < 4; round++) {
        const [added] = await Promise.all([
          add(one.registry, 0),
          two.registry.collectGarbage({ keep: 1 }),
          add(two.registry, 1).catch((thrown: { code?: string }) => {
            if (thrown.code !== "PACKAGE_BEING_DELETED") throw thrown;
          }),
        ]).catch((thrown: { code?: string }) => {
          if (thrown.code !== "PACKAGE_BEING_DELETED") throw thrown;
          return [undefined];
        });
        if (added !== undefined) await one.registry.getVersion(at(`news:${added.version}`));
        const { faults } = await one.registry.check();
        expect(faults.filter(({ kind }) => kind === "fault")).toEqual([]);
      }
    });

    it("finishes what a gc that was killed began", async () => {
      let ms = 1_000_000;
      const { registry, root, database } = await open({ now: () => ms });
      for (const index of [0, 1]) await add(registry, index);
      const digest = packed[0]?.manifest.digest ?? "";
      await database.query("UPDATE registry_version SET collected_at = 1 WHERE version = 1");
      await database.query(
        "UPDATE registry_package SET state = 'deleting', claimed_until = $1 WHERE digest = $2",
        [ms + 1000, digest],
      );
      await rm(path.join(folderOf(root, 0), "bridle-package.json"));
      await expect(add(registry, 0)).rejects.toMatchObject({ code: "PACKAGE_BEING_DELETED" });
      ms += 2000;
      expect((await registry.collectGarbage({ keep: 9 })).packages).toBe(1);
      expect(await add(registry, 0)).toMatchObject({ version: 3 });
      expect((await registry.check()).faults).toEqual([]);
    });
  });

  describe("a look at everything", () => {
    it("names altered and missing files, and rows that do not fit", async () => {
      const { registry, root, database } = await open();
      for (const index of [0, 1, 2]) await add(registry, index);
      await registry.promote("news", 2, { by, alias: "live" });
      expect(await registry.check()).toEqual({ versions: 3, faults: [] });
      const weights = path.join(folderOf(root, 0), "model.safetensors");
      const bytes = await readFile(weights);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await writeFile(weights, bytes);
      await rm(path.join(folderOf(root, 1), "spiece.model"));
      await rm(folderOf(root, 2), { recursive: true });
      const messages = (await registry.check()).faults.map(({ message }) => message);
      expect(messages).toHaveLength(3);
      expect(messages.join("\n")).toMatch(/news:1: model\.safetensors .* SHA-256/);
      expect(messages.join("\n")).toMatch(/news:2: spiece\.model .* not there/);
      expect(messages.join("\n")).toMatch(/news:3: bridle-package\.json .* no bridle-package/);
      for (const version of ["news:1", "news:2", "news:3"]) {
        await expect(registry.open(await registry.getVersion(at(version)))).rejects.toMatchObject({
          code: "PACKAGE_ALTERED",
        });
      }
      for (const index of [0, 1, 2]) await add(registry, index);
      expect((await registry.check()).faults).toEqual([]);
      await database.query("DELETE FROM registry_version WHERE version = 2");
      const rows = (await registry.check()).faults.map(({ message }) => message).join("\n");
      expect(rows).toContain("news has versions 1, 3 of 3");
      expect(rows).toContain("news@live points at version 2, which is not there");
    });

    it("finds a history with a gap", async () => {
      const { registry, database } = await open();
      for (const index of [0, 1, 2]) await add(registry, index);
      for (const version of [1, 2, 3])
        await registry.promote("news", version, { by, alias: "live" });
      await database.query("DELETE FROM registry_move WHERE move = 2");
      const told = (await registry.check()).faults.map(({ message }) => message).join("\n");
      expect(told).toContain("the history of news@live has a gap");
    });
  });

  describe("a store elsewhere", () => {
    it("is copied into the cache, checked on its way, and the copy is mended where it is spoiled", async () => {
      const { root, store, database } = await open();
      // Without a place on this machine, as a bucket.
      const far: BlobStore = {
        name: store.name,
        head: (key) => store.head(key),
        get: (key, request) => store.get(key, request),
        put: (key, source) => store.put(key, source),
        list: (prefix) => store.list(prefix),
        delete: (key) => store.delete(key),
        close: () => store.close(),
      };
      const cache = path.join(root, "copies");
      const registry = openRegistry({ database, store: far, cache });
      const one = await add(registry, 0);
      const { folder } = await registry.open(one);
      expect(folder.startsWith(cache)).toBe(true);
      await appendFile(path.join(folder, "config.json"), " ");
      const again = await Promise.all([registry.open(one), registry.open(one)]);
      expect(again.map((each) => each.folder)).toEqual([folder, folder]);
      expect((await registry.check()).faults).toEqual([]);
      await appendFile(path.join(folderOf(root, 0), "config.json"), " ");
      expect((await registry.check()).faults).toHaveLength(1);
      // The copy is whole; without it the store's own fault is told.
      await registry.open(one);
      await rm(folder, { recursive: true });
      await expect(registry.open(one)).rejects.toMatchObject({
        code: "PACKAGE_ALTERED",
        details: expect.objectContaining({ file: "config.json" }),
      });
    });
  });
});

describe("gates", () => {
  it("have defaults, and name what is wrong with what is said instead", () => {
    expect(checkGates({}, "x")).toEqual(usualGates);
    for (const [content, told] of [
      [{ minimumRow: 1 }, "minimumRow"],
      [{ minimum: { rouge9: 0.1 } }, "rouge9"],
      [{ mostFailed: 2 }, "mostFailed"],
      [{ againstCurrent: { scores: [] } }, "againstCurrent.scores"],
      [[], "its content"],
    ] as const) {
      expect(() => checkGates(content, "gates.yaml")).toThrow(
        expect.objectContaining({ code: "GATES_INVALID", message: expect.stringContaining(told) }),
      );
    }
    expect(() => checkGates({ aliases: ["3"] }, "x")).toThrow(
      expect.objectContaining({ code: "MODEL_NAME_INVALID" }),
    );
  });
});
