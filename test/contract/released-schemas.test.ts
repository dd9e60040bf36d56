// Every schema that was released is still what it was, and goes forward to the newest one with its rows and what they mean.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { checksumOf } from "../../src/adapters/database/migrate.js";
import { migrationSets } from "../../src/compose.js";
import { describeEachDatabase } from "../support/databases.js";
import { releasedRows } from "../support/released-rows.js";

/** `COMPONENT-VERSION.sql` has rows as that version holds them, a statement a line; checksums.json has all that were released. */
const folder = fileURLToPath(new URL("../fixtures/migrations", import.meta.url));
const released: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(path.join(folder, "checksums.json"), "utf8"),
);
const rowsOf = (component: string, version: number) =>
  readFileSync(path.join(folder, `${component}-${version}.sql`), "utf8")
    .trim()
    .split("\n");

describe("released migrations", () => {
  it("are what they were, every one there is, each with rows as it holds them", () => {
    const now = migrationSets.map(({ component, migrations }) => [
      component,
      migrations.map(checksumOf),
    ]);
    // One whose wording was changed makes databases that others refuse: write another one after it. A new one is added here
    // with rows of its own.
    expect(released).toEqual(Object.fromEntries(now));
    const files = Object.entries(released).flatMap(([component, checksums]) =>
      checksums.map((_, index) => `${component}-${index + 1}.sql`),
    );
    expect(readdirSync(folder).sort()).toEqual(["checksums.json", ...files].sort());
  });

  it("have rows in every table that they made", () => {
    for (const { component, tables, migrations } of migrationSets) {
      const rows = rowsOf(component, migrations.length).join("\n");
      for (const table of tables) expect(rows).toContain(`INSERT INTO ${table} (`);
    }
  });
});

const versions = migrationSets.flatMap((set) =>
  set.migrations.map((_, index) => [set.component, index + 1] as const),
);

describeEachDatabase("a released schema", (place) => {
  it.each(versions)(
    "of %s, version %i, goes forward to the newest with its rows",
    async (component, version) => {
      const set = migrationSets.find((each) => each.component === component)!;
      const url = await place.createUrl();
      const old = { component, tables: [], migrations: set.migrations.slice(0, version) };
      const before = await place.open([old], url);
      const counts = new Map<string, number>();
      for (const statement of rowsOf(component, version)) {
        await before.query(statement);
        const [, table = ""] = /^INSERT INTO (\w+)/.exec(statement) ?? [];
        counts.set(table, (counts.get(table) ?? 0) + 1);
      }
      await before.close();
      const database = await place.open(migrationSets, url);
      for (const [table, count] of counts) {
        const { rows: found } = await database.query(`SELECT COUNT(*) AS n FROM ${table}`);
        expect([table, found[0]?.n]).toEqual([table, count]);
      }
      const done = await database.query(
        "SELECT COUNT(*) AS n FROM bridle_migrations WHERE component = $1",
        [component],
      );
      expect(done.rows).toEqual([{ n: set.migrations.length }]);
      const scratch = mkdtempSync(path.join(tmpdir(), "bridle-released-"));
      onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
      await releasedRows[component]?.(database, version, scratch);
      // None was forgotten above.
      expect(Object.keys(releasedRows)).toContain(component);
    },
  );
});
