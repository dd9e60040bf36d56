// Every schema that was released is still what it was, and goes forward to the newest one with its rows.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { checksumOf } from "../../src/adapters/database/migrate.js";
import { migrationSets } from "../../src/compose.js";
import { describeEachDatabase } from "../support/databases.js";

/** `COMPONENT-VERSION.sql` has rows as that version holds them, a statement a line; checksums.json has all that were released. */
const folder = fileURLToPath(new URL("../fixtures/migrations", import.meta.url));
const released: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(path.join(folder, "checksums.json"), "utf8"),
);

describe("released migrations", () => {
  it("are what they were, each with rows as it holds them", () => {
    for (const [component, checksums] of Object.entries(released)) {
      const set = migrationSets.find((each) => each.component === component);
      // One that was changed makes databases that others refuse: write another one after it.
      expect(set?.migrations.slice(0, checksums.length).map(checksumOf), component).toEqual(
        checksums,
      );
      for (const version of checksums.keys()) {
        expect(readdirSync(folder)).toContain(`${component}-${version + 1}.sql`);
      }
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
      const file = path.join(folder, `${component}-${version}.sql`);
      const rows = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
      const counts = new Map<string, number>();
      for (const statement of rows) {
        await before.query(statement);
        const [, table = ""] = /^INSERT INTO (\w+)/.exec(statement) ?? [];
        counts.set(table, (counts.get(table) ?? 0) + 1);
      }
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
    },
  );
});
