// SQLite's own faults: what stands in the way of its file, a disk that is full, another process that holds it.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { openSqlite } from "./sqlite.js";

const root = mkdtempSync(path.join(tmpdir(), "bridle-sqlite-"));
afterAll(() => rmSync(root, { recursive: true }));

it("makes its folder, keeps commits on the disk and reads while another writes", async () => {
  const file = path.join(root, "deep", "er", "a.db");
  const database = await openSqlite(file);
  expect(existsSync(file)).toBe(true);
  const pragma = async (name: string) =>
    Object.values((await database.query(`PRAGMA ${name}`)).rows[0] ?? {});
  expect(await pragma("journal_mode")).toEqual(["wal"]);
  expect(await pragma("synchronous")).toEqual([2]);
  expect(await pragma("foreign_keys")).toEqual([1]);
  await database.close();
});

it("says what stands where the file should be", async () => {
  mkdirSync(path.join(root, "folder.db"));
  writeFileSync(path.join(root, "text.db"), "This is a text. ".repeat(500));
  writeFileSync(path.join(root, "file"), "x");
  const open = (name: string) => openSqlite(path.join(root, name));
  await expect(open("folder.db")).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await expect(open("text.db")).rejects.toMatchObject({ code: "DATABASE_CORRUPT" });
  await expect(open("file/a.db")).rejects.toMatchObject({ code: "FILE_NOT_WRITABLE" });
});

it("finds a file whose pages were overwritten", async () => {
  const file = path.join(root, "spoiled.db");
  const database = await openSqlite(file);
  await database.query("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
  for (let i = 0; i < 50; i++)
    await database.query("INSERT INTO t (b) VALUES ($1)", ["x".repeat(900)]);
  await database.query("PRAGMA wal_checkpoint(TRUNCATE)");
  await database.close();
  const { open } = await import("node:fs/promises");
  const handle = await open(file, "r+");
  await handle.write(Buffer.alloc(5000, 7), 0, 5000, 9000);
  await handle.close();
  const spoiled = await openSqlite(file);
  const faults = await spoiled.findFaults().catch((thrown) => [String(thrown)]);
  expect(faults.length).toBeGreaterThan(0);
  await spoiled.close();
});

it("tells a full disk, keeps what was committed and goes on when there is room", async () => {
  const database = await openSqlite(path.join(root, "full.db"));
  await database.query("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
  await database.query("INSERT INTO t (b) VALUES ('kept')");
  await database.query("PRAGMA max_page_count = 4");
  const filling = database.transaction(async (sql) => {
    for (let i = 0; i < 50; i++)
      await sql.query("INSERT INTO t (b) VALUES ($1)", ["x".repeat(900)]);
  });
  await expect(filling).rejects.toMatchObject({ code: "DATABASE_FULL", kind: "unavailable" });
  await database.query("PRAGMA max_page_count = 1000");
  await database.query("INSERT INTO t (b) VALUES ('after')");
  expect((await database.query("SELECT b FROM t")).rows).toEqual([{ b: "kept" }, { b: "after" }]);
  await database.close();
});

it("keeps no more statements than it should, and the right ones", async () => {
  const database = await openSqlite(":memory:");
  for (let i = 0; i < 700; i++) {
    expect((await database.query(`SELECT ${i} AS i, $1 AS v`, [i])).rows).toEqual([{ i, v: i }]);
  }
  expect((await database.query("SELECT 3 AS i, $1 AS v", ["again"])).rows).toEqual([
    { i: 3, v: "again" },
  ]);
  await database.close();
});
