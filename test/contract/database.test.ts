// One suite for both databases: what the port promises holds on SQLite and on PostgreSQL.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { MigrationSet, SqlClient } from "../../src/ports/database.js";
import { describeEachDatabase } from "../support/databases.js";

const run = promisify(execFile);
const compose = fileURLToPath(new URL("../../dist/compose.js", import.meta.url));

const books: MigrationSet = {
  component: "book",
  tables: ["book_title", "book_copy"],
  migrations: [
    {
      name: "titles and copies",
      statements: [
        `CREATE TABLE book_title (
          id TEXT PRIMARY KEY, pages INTEGER, price REAL, cover BLOB,
          note TEXT NOT NULL DEFAULT 'TEXT, STRICT', CHECK (pages > 0)
        ) STRICT`,
        `CREATE TABLE book_copy (
          id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL REFERENCES book_title (id),
          shelf INTEGER NOT NULL, UNIQUE (title, shelf)
        ) STRICT`,
        "CREATE INDEX book_copy_shelf ON book_copy (shelf)",
      ],
    },
  ],
};
const add = "INSERT INTO book_title (id, pages, price, cover) VALUES ($1, $2, $3, $4)";

describeEachDatabase("a database", (place) => {
  it("gives back what was stored, of every type, and what neither can hold in the same form", async () => {
    const database = await place.open([books]);
    const rows = [
      ["a", 1, 0.1 + 0.2, new Uint8Array([0, 255, 3])],
      ["é\u{1f600} 'x' \"y\" $1 --", 2 ** 53 - 1, Number.POSITIVE_INFINITY, new Uint8Array()],
      ["Z", null, Number.NaN, null],
      ["nul\0 and \ud800", 7, -5, null],
    ] as const;
    for (const row of rows) expect((await database.query(add, row)).count).toBe(1);
    const found = await database.query("SELECT * FROM book_title ORDER BY id");
    expect(found.rows.map((row) => row.id)).toEqual(["Z", "a", "nul\ufffd and \ufffd", rows[1][0]]);
    const note = "TEXT, STRICT";
    expect(found.rows[1]).toEqual({ id: "a", pages: 1, price: 0.1 + 0.2, cover: rows[0][3], note });
    expect(found.rows[3]).toEqual({
      id: rows[1][0],
      pages: 2 ** 53 - 1,
      price: Number.POSITIVE_INFINITY,
      cover: new Uint8Array(),
      note,
    });
    expect(found.rows[0]).toMatchObject({ pages: null, price: null, cover: null });
    expect(found.rows[2]).toMatchObject({ pages: 7, price: -5 });
    for (const row of found.rows) {
      if (row.cover !== null) expect(row.cover).toBeInstanceOf(Uint8Array);
    }
  });

  it("counts, sums and divides whole numbers as numbers, and takes a value twice", async () => {
    const database = await place.open([books]);
    for (const [i, id] of ["a", "b", "c"].entries())
      await database.query(add, [id, i + 1, i, null]);
    const { rows } = await database.query(
      "SELECT COUNT(*) AS n, SUM(pages) AS s, MAX(pages) / $1 AS d, AVG(price) AS m, MIN(price) AS least FROM book_title WHERE pages >= $2 AND pages <> $2 + 7",
      [2, 1],
    );
    expect(rows).toEqual([{ n: 3, s: 6, d: 1, m: 1, least: 0 }]);
    const found = await database.query(
      "SELECT id FROM book_title WHERE id = $2 OR (id <> '$1' AND id LIKE $1) /* $9 */ ORDER BY id LIMIT $3",
      ["A%", "c", 5],
    );
    // LIKE tells capitals from small letters.
    expect(found.rows).toEqual([{ id: "c" }]);
  });

  it("counts what was written, returns what was asked for, and upserts", async () => {
    const database = await place.open([books]);
    for (const id of ["a", "b"]) await database.query(add, [id, 1, 1, null]);
    const upsert =
      "INSERT INTO book_copy (title, shelf) VALUES ($1, $2) ON CONFLICT (title, shelf) DO UPDATE SET shelf = excluded.shelf RETURNING id";
    const first = await database.query<{ id: number }>(upsert, ["a", 1]);
    expect(first).toMatchObject({ count: 1, rows: [{ id: expect.any(Number) }] });
    expect((await database.query(upsert, ["a", 1])).rows).toEqual(first.rows);
    expect((await database.query("UPDATE book_title SET pages = 2")).count).toBe(2);
    expect((await database.query("DELETE FROM book_title WHERE id = 'none'")).count).toBe(0);
    const taken = await database.query(
      "UPDATE book_title SET pages = 3 WHERE id = (SELECT id FROM book_title ORDER BY id LIMIT 1) RETURNING id, pages",
    );
    expect(taken).toEqual({ rows: [{ id: "a", pages: 3 }], count: 1 });
  });

  it("tells which row a constraint refuses, of each kind", async () => {
    const database = await place.open([books]);
    await database.query(add, ["a", 1, 1, null]);
    const copy = "INSERT INTO book_copy (title, shelf) VALUES ($1, $2)";
    for (const [sql, values] of [
      [add, ["a", 2, 2, null]],
      [add, ["b", 0, 2, null]],
      [copy, ["none", 1]],
      [copy, ["a", null]],
    ] as const) {
      await expect(database.query(sql, values)).rejects.toMatchObject({
        code: "DATABASE_CONFLICT",
        kind: "conflict",
      });
    }
    expect((await database.query("SELECT id FROM book_title")).rows).toEqual([{ id: "a" }]);
  });

  it("refuses statements that are wrong, and another number of values, as bugs", async () => {
    const database = await place.open([books]);
    for (const [sql, values] of [
      ["SELEC 1", []],
      ["SELECT no_column FROM book_title", []],
      ["SELECT $1", []],
      ["SELECT id FROM book_title WHERE id = $1", ["a", "b"]],
    ] as const) {
      await expect(database.query(sql, values)).rejects.toMatchObject({ code: "BUG" });
    }
  });

  it("does all of a transaction or nothing", async () => {
    const database = await place.open([books]);
    const result = await database.transaction(async (sql) => {
      await sql.query(add, ["kept", 1, 1, null]);
      return sql.dialect;
    });
    expect(result).toBe(place.kind);
    const broken = database.transaction(async (sql) => {
      await sql.query(add, ["lost", 1, 1, null]);
      expect((await sql.query("SELECT id FROM book_title")).rows).toHaveLength(2);
      throw new Error("changed my mind");
    });
    await expect(broken).rejects.toThrow("changed my mind");
    expect((await database.query("SELECT id FROM book_title")).rows).toEqual([{ id: "kept" }]);
  });

  it("keeps nothing of a transaction in which a statement failed, also where the work went on", async () => {
    const database = await place.open([books]);
    await database.query(add, ["a", 1, 1, null]);
    const work = database.transaction(async (sql) => {
      await sql.query(add, ["b", 1, 1, null]);
      await sql.query(add, ["a", 1, 1, null]).catch(() => {});
      await expect(sql.query("SELECT 1")).rejects.toMatchObject({ code: "DATABASE_CONFLICT" });
    });
    await expect(work).rejects.toMatchObject({ code: "DATABASE_CONFLICT" });
    expect((await database.query("SELECT id FROM book_title")).rows).toEqual([{ id: "a" }]);
  });

  it("refuses statements past the transaction they stand in, and a transaction that is over", async () => {
    const database = await place.open([books]);
    let kept: SqlClient | undefined;
    await database.transaction(async (sql) => {
      kept = sql;
      await expect(database.query("SELECT 1")).rejects.toMatchObject({ code: "BUG" });
      await expect(database.transaction(async () => {})).rejects.toMatchObject({ code: "BUG" });
    });
    await expect(kept?.query("SELECT 1")).rejects.toMatchObject({ code: "BUG" });
    expect((await database.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  it("reads one moment, and writes nothing, where a transaction only reads", async () => {
    const url = await place.createUrl();
    const [database, other] = [await place.open([books], url), await place.open([books], url)];
    await database.query(add, ["a", 1, 1, null]);
    await database.transaction(
      async (sql) => {
        const count = async () => (await sql.query("SELECT id FROM book_title")).count;
        expect(await count()).toBe(1);
        await other.query(add, ["b", 1, 1, null]);
        expect(await count()).toBe(1);
      },
      { readOnly: true },
    );
    const writing = database.transaction((sql) => sql.query(add, ["c", 1, 1, null]), {
      readOnly: true,
    });
    await expect(writing).rejects.toMatchObject({ code: "DATABASE_DENIED" });
    expect((await database.query("SELECT id FROM book_title")).count).toBe(2);
    await database.query(add, ["c", 1, 1, null]);
  });

  it("loses no update of many that read before they write, over several connections", async () => {
    const url = await place.createUrl();
    const clients = [await place.open([books], url), await place.open([books], url)];
    await clients[0]?.query(add, ["a", 1, 0, null]);
    const raise = (client: (typeof clients)[0]) =>
      client.transaction(async (sql) => {
        const { rows } = await sql.query<{ pages: number }>("SELECT pages FROM book_title");
        await new Promise(setImmediate);
        await sql.query("UPDATE book_title SET pages = $1", [(rows[0]?.pages ?? 0) + 1]);
      });
    await Promise.all(clients.flatMap((client) => Array.from({ length: 15 }, () => raise(client))));
    const { rows } = await clients[1]!.query("SELECT pages FROM book_title");
    expect(rows).toEqual([{ pages: 31 }]);
  });

  it("lets exclusive transactions run one after another, over several connections", async () => {
    const url = await place.createUrl();
    const clients = [await place.open([books], url), await place.open([books], url)];
    let inside = 0;
    let most = 0;
    const alone = (client: (typeof clients)[0]) =>
      client.transaction(
        async (sql) => {
          most = Math.max(most, ++inside);
          await sql.query("SELECT 1");
          await new Promise(setImmediate);
          inside--;
        },
        { isExclusive: true },
      );
    await Promise.all(clients.flatMap((client) => [alone(client), alone(client), alone(client)]));
    expect(most).toBe(1);
  });

  it("finds no faults in a sound database, and is closed for good", async () => {
    const database = await place.open([books]);
    await database.query(add, ["a", 1, 0, null]);
    expect(await database.findFaults()).toEqual([]);
    await database.close();
    await database.close();
    await expect(database.query("SELECT 1")).rejects.toMatchObject({ code: "BUG" });
  });

  it("is written by several processes at once, each acknowledged row kept", async () => {
    const url = await place.createUrl();
    const database = await place.open([books], url);
    const script = `
      import { openDatabase } from ${JSON.stringify(pathToFileURL(compose).href)};
      const database = await openDatabase(process.argv[2], []);
      for (let i = 0; i < 40; i++) {
        await database.transaction(async (sql) => {
          await sql.query(${JSON.stringify(add)}, [process.argv[3] + i, 1, i, null]);
        });
      }
      await database.close();`;
    const folder = mkdtempSync(path.join(tmpdir(), "bridle-writers-"));
    const file = path.join(folder, "writer.mjs");
    writeFileSync(file, script);
    await Promise.all(["a", "b", "c"].map((name) => run(process.execPath, [file, url, name])));
    rmSync(folder, { recursive: true });
    const { rows } = await database.query("SELECT COUNT(*) AS n FROM book_title");
    expect(rows).toEqual([{ n: 120 }]);
  });
});
