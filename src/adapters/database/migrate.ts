// Brings a database's schema forward, component by component, all in one transaction; refuses what it does not know.
import { createHash } from "node:crypto";
import { BridleError } from "../../errors/error.js";
import type { Database, Migration, MigrationSet, SqlClient } from "../../ports/database.js";
import { postgresSchema } from "./sql-text.js";

/** What was done to a database, one row a migration. */
const ledger = `CREATE TABLE IF NOT EXISTS bridle_migrations (
  component TEXT NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at INTEGER NOT NULL,
  PRIMARY KEY (component, version)
) STRICT, WITHOUT ROWID`;

interface Applied {
  readonly component: string;
  readonly version: number;
  readonly checksum: string;
}

/** Tells one wording of a migration from another. */
export function checksumOf({ name, statements }: Migration): string {
  return createHash("sha256")
    .update([name, ...statements].join("\0"))
    .digest("hex");
}

/**
 * Runs the migrations that a database has not had. Several processes may do it at once; either all of them are done or
 * none, and a database that is refused is not changed.
 * @throws DATABASE_NEWER, DATABASE_ALTERED, DATABASE_HALF_MIGRATED
 */
export async function migrate(database: Database, sets: readonly MigrationSet[]): Promise<void> {
  if (await isUpToDate(database, sets)) return;
  await database.transaction(
    async (sql) => {
      await sql.query(forDialect(sql, ledger));
      const tables = await tablesOf(sql);
      const applied = await appliedTo(sql);
      for (const set of sets) {
        const mine = checkApplied(database, set, applied, tables);
        for (const [index, migration] of set.migrations.entries()) {
          if (index < mine) continue;
          await applyMigration(database, sql, set.component, index + 1, migration);
        }
      }
      const after = await tablesOf(sql);
      for (const set of sets) checkTables(database, set, after);
    },
    { isExclusive: true },
  );
}

/** Whether nothing is to be done, found without a writer's turn. */
async function isUpToDate(database: Database, sets: readonly MigrationSet[]): Promise<boolean> {
  return await database.transaction(
    async (sql) => {
      const tables = await tablesOf(sql);
      if (!tables.has("bridle_migrations")) return false;
      const applied = await appliedTo(sql);
      return sets.every(
        (set) => checkApplied(database, set, applied, tables) === set.migrations.length,
      );
    },
    { readOnly: true },
  );
}

/** How many of a set's migrations a database has had. @throws what migrate throws */
function checkApplied(
  database: Database,
  set: MigrationSet,
  applied: readonly Applied[],
  tables: ReadonlySet<string>,
): number {
  const { component } = set;
  const mine = applied
    .filter((row) => row.component === component)
    .sort((a, b) => a.version - b.version);
  const newest = mine.at(-1)?.version ?? 0;
  const known = set.migrations.length;
  if (newest > known) {
    throw new BridleError("DATABASE_NEWER", {
      database: database.name,
      component,
      version: newest,
      known,
    });
  }
  for (const [index, { version, checksum }] of mine.entries()) {
    if (version !== index + 1) {
      throw halfMigrated(database, component, `version ${index + 1} was left out`);
    }
    if (checksum !== checksumOf(set.migrations[index] as Migration)) {
      throw new BridleError("DATABASE_ALTERED", { database: database.name, component, version });
    }
  }
  if (mine.length === known) checkTables(database, set, tables);
  return mine.length;
}

function checkTables(database: Database, set: MigrationSet, tables: ReadonlySet<string>): void {
  const missing = set.tables.filter((table) => !tables.has(table));
  if (missing.length === 0) return;
  throw halfMigrated(database, set.component, `there is no table ${missing.join(", ")}`);
}

function halfMigrated(
  database: Database,
  component: string,
  reason: string,
  cause?: unknown,
): BridleError {
  const details = { database: database.name, component, reason };
  return new BridleError("DATABASE_HALF_MIGRATED", details, { cause });
}

async function applyMigration(
  database: Database,
  sql: SqlClient,
  component: string,
  version: number,
  migration: Migration,
): Promise<void> {
  for (const statement of migration.statements) {
    try {
      await sql.query(forDialect(sql, statement));
    } catch (thrown) {
      // Tables that no row of the ledger tells of, or rows that the next schema forbids.
      const isRefused =
        thrown instanceof BridleError && ["BUG", "DATABASE_CONFLICT"].includes(thrown.code);
      if (!isRefused) throw thrown;
      const told = String(thrown.details.reason);
      throw halfMigrated(database, component, `version ${version}: ${told}`, thrown);
    }
  }
  await sql.query(
    "INSERT INTO bridle_migrations (component, version, name, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)",
    [component, version, migration.name, checksumOf(migration), Date.now()],
  );
}

function forDialect(sql: SqlClient, statement: string): string {
  return sql.dialect === "postgres" ? postgresSchema(statement) : statement;
}

async function appliedTo(sql: SqlClient): Promise<readonly Applied[]> {
  const { rows } = await sql.query<Applied>(
    "SELECT component, version, checksum FROM bridle_migrations",
  );
  return rows;
}

async function tablesOf(sql: SqlClient): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ name: string }>(
    sql.dialect === "postgres"
      ? "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()"
      : "SELECT name FROM sqlite_schema WHERE type = 'table'",
  );
  return new Set(rows.map(({ name }) => name));
}
