// Where versions come from, on every database: as many statements for a family of hundreds as for a small one, and told where it is cut.
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBlobStore } from "../../src/compose.js";
import type { ModelCard } from "../../src/package/card.js";
import { packModel } from "../../src/package/pack-model.js";
import type { BlobStore } from "../../src/ports/blob-store.js";
import type { Database, SqlClient } from "../../src/ports/database.js";
import type { Lineage } from "../../src/registry/lineage.js";
import { registryMigrations } from "../../src/registry/migrations.js";
import { openRegistry } from "../../src/registry/registry.js";
import { describeEachDatabase } from "../support/databases.js";
import { makeTrainedModel, scratchFolder } from "../support/model-packages.js";
import { chainOf, digestOf, type VersionRow, writeVersionRows } from "../support/registry-rows.js";

let scratch: Awaited<ReturnType<typeof scratchFolder>>;
let card: ModelCard;
beforeAll(async () => {
  scratch = await scratchFolder("lineage");
  card = (await packModel(await makeTrainedModel(path.join(scratch.folder, "model")))).card;
});
afterAll(() => scratch.remove());

/** A database that counts what is sent to it. */
function counting(database: Database): { database: Database; sent: () => number } {
  let count = 0;
  const counted = (sql: SqlClient): SqlClient => ({
    dialect: sql.dialect,
    query(text, values) {
      count += 1;
      return sql.query(text, values);
    },
  });
  return {
    sent: () => count,
    database: {
      ...counted(database),
      name: database.name,
      transaction: (work, options) => database.transaction((sql) => work(counted(sql)), options),
      findFaults: () => database.findFaults(),
      close: () => database.close(),
    },
  };
}

describeEachDatabase("the lineage of a registered model", (place) => {
  async function open(versions: readonly VersionRow[]) {
    const { database, sent } = counting(await place.open([registryMigrations]));
    await writeVersionRows(database, versions, card);
    const folder = path.join(scratch.folder, "store");
    const store = (await openBlobStore({ url: folder, options: {}, env: {} })) as BlobStore;
    const registry = openRegistry({ database, store, cache: path.join(folder, "cache") });
    /** What is told, and how many statements that took. */
    const look = async (model: string, version?: number): Promise<[Lineage, number]> => {
      const before = sent();
      const of = version === undefined ? { model } : { model, version };
      return [await registry.lineage(of), sent() - before];
    };
    return { registry, look };
  }
  const names = ({ nodes }: Lineage) => nodes.map(({ name }) => name).sort();
  const arrows = ({ edges }: Lineage) => edges.map(({ from, to }) => `${from} → ${to}`).sort();

  it("takes no more statements for 400 versions than for four", async () => {
    const [, few] = await (await open(chainOf(4))).look("news");
    const { registry, look } = await open(chainOf(400));
    await registry.promote("news", 399, { alias: "live", by: "test" });
    const [whole, many] = await look("news");
    expect(many).toBe(few);
    expect(many).toBeLessThan(10);
    expect(whole.truncated).toBe(false);
    expect(whole.nodes).toHaveLength(401);
    expect(whole.edges).toHaveLength(400);
    expect(whole.edges).toContainEqual({ from: "news:398", to: "news:399" });
    expect(whole.edges).toContainEqual({ from: "google/pegasus-xsum", to: "news:1" });
    expect(whole.nodes.find(({ name }) => name === "news:399")?.aliases).toEqual(["live"]);
    expect(whole.nodes.find(({ name }) => name === "news:398")?.aliases).toEqual([]);
    const [one, ofOne] = await look("news", 200);
    expect(ofOne).toBe(few);
    expect(one.nodes).toHaveLength(401);
  });

  it("is cut past 500 versions, and says so: of a model the newest stay, of a version the nearest", async () => {
    const { look } = await open(chainOf(730));
    const [whole] = await look("news");
    expect(whole.truncated).toBe(true);
    expect(whole.nodes).toHaveLength(500);
    expect(whole.nodes.map(({ version }) => version)).toContain(730);
    expect(whole.nodes.map(({ version }) => version)).toContain(231);
    // Its parent is registered, and only too far away to be drawn: no stranger.
    expect(whole.edges).toHaveLength(499);
    const [one] = await look("news", 300);
    expect(one.truncated).toBe(true);
    const versions = one.nodes.map(({ version }) => version ?? 0);
    expect([Math.min(...versions), Math.max(...versions)]).toEqual([50, 549]);
  });

  it("goes up from what one looks at and down from it, and not down again to what came of a parent otherwise", async () => {
    const base = { model: "base", version: 1, digest: digestOf(1) };
    const from = (n: number, name = "base", version = 1) => ({
      parent: { name, version, digest: digestOf(n) },
    });
    const { look } = await open([
      base,
      { model: "news", version: 1, digest: digestOf(2), ...from(1) },
      { model: "sport", version: 1, digest: digestOf(3), ...from(1) },
      { model: "news", version: 2, digest: digestOf(4), ...from(3, "sport") },
      { model: "local", version: 1, digest: digestOf(5), ...from(2, "news") },
    ]);
    const [first] = await look("news", 1);
    expect(names(first)).toEqual(["base:1", "google/pegasus-xsum", "local:1", "news:1"]);
    const [news] = await look("news");
    expect(arrows(news)).toEqual([
      "base:1 → news:1",
      "base:1 → sport:1",
      "google/pegasus-xsum → base:1",
      "news:1 → local:1",
      "sport:1 → news:2",
    ]);
  });

  it("names the parent as it was named, where one package was added under two names", async () => {
    const parent = { name: "news", version: 1, digest: digestOf(1) };
    const { look } = await open([
      { model: "copy", version: 1, digest: digestOf(1) },
      { model: "news", version: 1, digest: digestOf(1) },
      { model: "news", version: 2, digest: digestOf(2), parent },
    ]);
    const [two] = await look("news", 2);
    expect(names(two)).toEqual(["google/pegasus-xsum", "news:1", "news:2"]);
    // Under its other name the package is where it came from all the same.
    const [copy] = await look("copy");
    expect(arrows(copy)).toEqual(["copy:1 → news:2", "google/pegasus-xsum → copy:1"]);
  });

  it("ends in a ring that somebody made of hashes", async () => {
    const ring = chainOf(3).map((each) =>
      each.version === 1
        ? { ...each, parent: { name: "news", version: 3, digest: digestOf(3, "news") } }
        : each,
    );
    const [found] = await (await open(ring)).look("news", 2);
    expect(names(found)).toEqual(["news:1", "news:2", "news:3"]);
    expect(found.edges).toHaveLength(3);
  });

  it("is of registered models alone", async () => {
    const { look } = await open(chainOf(1));
    await expect(look("sport")).rejects.toMatchObject({ code: "MODEL_NOT_REGISTERED" });
  });
});
