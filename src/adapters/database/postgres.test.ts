// PostgreSQL's own faults: a server that is not there, refuses, or drops connections while work is under way.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasPostgres, type PostgresServer, startPostgres } from "../../../test/support/postgres.js";
import { openPostgres, withoutPassword } from "./postgres.js";

it("says that nobody listens, without the password", async () => {
  const opening = openPostgres("postgres://me:secret@127.0.0.1:1/x");
  await expect(opening).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await expect(opening).rejects.toThrow(/^The database postgres:\/\/me@127\.0\.0\.1:1\/x cannot/);
});

it.each([
  ["postgres://me:p@ss@host/x", "postgres://me@host/x"],
  ["postgres://me:p@s@s@host:5432/x?a=b@c", "postgres://me@host:5432/x?a=b@c"],
  ["postgres://me:p/a@ss@host/x", "postgres://me@host/x"],
  ["postgres://me@corp:secret@host/x", "postgres://me@corp@host/x"],
  ["postgres://me@host:5432/x", "postgres://me@host:5432/x"],
  ["postgres://host:5432/x", "postgres://host:5432/x"],
  [
    "postgresql:///x?host=/run&password=secret&sslpassword=other&user=me",
    "postgresql:///x?host=/run&password=…&sslpassword=…&user=me",
  ],
])("shows %s as %s", (url, shown) => {
  expect(withoutPassword(url)).toBe(shown);
});

describe.skipIf(!hasPostgres)("with a PostgreSQL server", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.close());

  it("names a database and a user that are not there", async () => {
    const url = new URL(await server.createSchema());
    url.pathname = "/nowhere";
    await expect(openPostgres(url.href)).rejects.toMatchObject({ code: "DATABASE_MISSING" });
    url.username = "stranger";
    await expect(openPostgres(url.href)).rejects.toMatchObject({
      code: "DATABASE_UNAUTHENTICATED",
    });
  });

  it("goes on after the server dropped every connection, and keeps nothing of a transaction cut off", async () => {
    const database = await openPostgres(await server.createSchema());
    await database.query("CREATE TABLE t (a BIGINT)");
    const cut = database.transaction(async (sql) => {
      await sql.query("INSERT INTO t VALUES (1)");
      await server.dropConnections();
      await sql.query("INSERT INTO t VALUES (2)");
    });
    await expect(cut).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    await server.dropConnections();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await database.query("SELECT a FROM t")).rows).toEqual([]);
    await database.close();
  });
});
