// Every database there is, for suites that must hold on each: SQLite always, PostgreSQL where a server can be started.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { openDatabase } from "../../src/compose.js";
import type { Database, MigrationSet } from "../../src/ports/database.js";
import { hasPostgres, type PostgresServer, startPostgres } from "./postgres.js";

export interface DatabasePlace {
  readonly kind: "sqlite" | "postgres";
  /** The URL of an empty database, another one each time. */
  createUrl(): Promise<string>;
  /** Opens an empty database, or the one of a URL; it is closed when the suite ends. */
  open(sets?: readonly MigrationSet[], url?: string): Promise<Database>;
  /** Undefined for SQLite. */
  readonly server: PostgresServer | undefined;
}

/** Runs a suite on every database; PostgreSQL's is skipped by name where there is none. */
export function describeEachDatabase(title: string, suite: (place: DatabasePlace) => void): void {
  for (const kind of ["sqlite", "postgres"] as const) {
    const isThere = kind === "sqlite" || hasPostgres;
    describe.skipIf(!isThere)(`${title} on ${kind}`, () => {
      let root = "";
      let server: PostgresServer | undefined;
      let made = 0;
      const opened: Database[] = [];
      beforeAll(async () => {
        if (kind === "postgres") server = await startPostgres();
        else root = mkdtempSync(path.join(tmpdir(), "bridle-database-"));
      });
      afterAll(async () => {
        for (const database of opened) await database.close();
        await server?.close();
        if (root !== "") rmSync(root, { recursive: true });
      });
      const place: DatabasePlace = {
        kind,
        createUrl: async () =>
          server ? await server.createSchema() : `sqlite:${path.join(root, `${++made}.db`)}`,
        open: async (sets = [], url = undefined) => {
          const database = await openDatabase(url ?? (await place.createUrl()), sets);
          opened.push(database);
          return database;
        },
        get server() {
          return server;
        },
      };
      suite(place);
    });
  }
}
