// Migrations on both databases: forward, once, all or nothing, by several processes at once; what is unknown is refused.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { openDatabase } from "../../src/compose.js";
import type { Database, Migration, MigrationSet } from "../../src/ports/database.js";
import { describeEachDatabase } from "../support/databases.js";

const run = promisify(execFile);
const compose = fileURLToPath(new URL("../../dist/compose.js", import.meta.url));

const steps: readonly Migration[] = [
  {
    name: "shelves",
    statements: ["CREATE TABLE shop_shelf (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID"],
  },
  {
    name: "prices",
    statements: [
      "ALTER TABLE shop_shelf ADD COLUMN price REAL",
      "ALTER TABLE shop_shelf ADD COLUMN text TEXT",
      "UPDATE shop_shelf SET price = 1.5",
      "CREATE TABLE shop_sale (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, real REAL) STRICT",
    ],
  },
];
const version = (count: number, tables: readonly string[]): MigrationSet => ({
  component: "shop",
  tables,
  migrations: steps.slice(0, count),
});
const first = version(1, ["shop_shelf"]);
const second = version(2, ["shop_shelf", "shop_sale"]);
const other: MigrationSet = {
  component: "garden",
  tables: ["garden_bed"],
  migrations: [{ name: "beds", statements: ["CREATE TABLE garden_bed (id TEXT PRIMARY KEY)"] }],
};

/** All tables, columns and rows: what must not change where a database is refused. */
async function snapshot(database: Database): Promise<unknown> {
  const { rows } = await database.query<{ name: string }>(
    database.dialect === "postgres"
      ? "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1"
      : "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1",
  );
  const all: unknown[] = [];
  for (const { name } of rows)
    all.push([name, (await database.query(`SELECT * FROM ${name}`)).rows]);
  return all;
}

describeEachDatabase("migrations", (place) => {
  it("go forward from any version, keep rows, and do nothing twice", async () => {
    const url = await place.createUrl();
    const old = await place.open([first], url);
    await old.query("INSERT INTO shop_shelf (id) VALUES ('a')");
    const database = await place.open([other, second], url);
    expect((await database.query("SELECT id, price FROM shop_shelf")).rows).toEqual([
      { id: "a", price: 1.5 },
    ]);
    const before = await snapshot(database);
    const again = await place.open([second, other], url);
    expect(await snapshot(again)).toEqual(before);
    const { rows } = await again.query(
      "SELECT component, version, name FROM bridle_migrations ORDER BY component, version",
    );
    expect(rows).toEqual([
      { component: "garden", version: 1, name: "beds" },
      { component: "shop", version: 1, name: "shelves" },
      { component: "shop", version: 2, name: "prices" },
    ]);
    // What it does not know of other components is none of its business.
    await place.open([other], url);
  });

  it.each<[string, string, readonly string[], MigrationSet, RegExp]>([
    [
      "of a newer version",
      "DATABASE_NEWER",
      [],
      first,
      /shop is at version 2, and this one knows 1/,
    ],
    [
      "whose ledger has a gap",
      "DATABASE_HALF_MIGRATED",
      ["DELETE FROM bridle_migrations WHERE version = 1"],
      second,
      /version 1 was left out/,
    ],
    [
      "with a table missing",
      "DATABASE_HALF_MIGRATED",
      ["DROP TABLE shop_sale"],
      second,
      /there is no table shop_sale/,
    ],
    [
      "with tables that the ledger does not tell of",
      "DATABASE_HALF_MIGRATED",
      ["DELETE FROM bridle_migrations WHERE component = 'shop'"],
      second,
      /version 1: .*shop_shelf.* already exists/,
    ],
    [
      "made by another wording of a migration",
      "DATABASE_ALTERED",
      ["UPDATE bridle_migrations SET checksum = 'x' WHERE version = 2"],
      second,
      /version 2 of shop/,
    ],
  ])("refuse a database %s and change nothing", async (_, code, spoil, sets, told) => {
    const url = await place.createUrl();
    const database = await place.open([second], url);
    await database.query("INSERT INTO shop_shelf (id, price) VALUES ('a', 2)");
    for (const statement of spoil) await database.query(statement);
    const before = await snapshot(database);
    // Another component's migration before it is not kept either.
    const opening = openDatabase(url, [other, sets]);
    await expect(opening).rejects.toMatchObject({ code, kind: "conflict" });
    await expect(openDatabase(url, [other, sets])).rejects.toThrow(told);
    expect(await snapshot(database)).toEqual(before);
  });

  it("that fail half-way leave nothing", async () => {
    const url = await place.createUrl();
    const broken: MigrationSet = {
      component: "shop",
      tables: [],
      migrations: [...steps, { name: "wrong", statements: ["DROP TABLE no_such_table"] }],
    };
    const opening = openDatabase(url, [broken]);
    await expect(opening).rejects.toMatchObject({ code: "DATABASE_HALF_MIGRATED" });
    expect(await snapshot(await place.open([], url))).toEqual([["bridle_migrations", []]]);
    await place.open([second], url);
  });

  it("that two processes run at once are done once", async () => {
    const url = await place.createUrl();
    const folder = mkdtempSync(path.join(tmpdir(), "bridle-migrate-"));
    const file = path.join(folder, "migrate.mjs");
    const many: MigrationSet = {
      component: "many",
      tables: [],
      migrations: Array.from({ length: 30 }, (_, i) => ({
        name: `table ${i}`,
        statements: [`CREATE TABLE many_${i} (id INTEGER) STRICT`],
      })),
    };
    writeFileSync(
      file,
      `import { openDatabase } from ${JSON.stringify(pathToFileURL(compose).href)};
       await (await openDatabase(process.argv[2], ${JSON.stringify([many])})).close();`,
    );
    const jobs = Array.from({ length: 3 }, () => run(process.execPath, [file, url]));
    await Promise.all(jobs);
    const { rows } = await (await place.open([many], url)).query(
      "SELECT COUNT(*) AS n FROM bridle_migrations",
    );
    expect(rows).toEqual([{ n: 30 }]);
    rmSync(folder, { recursive: true });
  });
});
