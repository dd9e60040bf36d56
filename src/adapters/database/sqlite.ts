// SQLite in one file, through libsql: readers never wait for a writer, and what was committed outlives a power cut.
import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import type { Database as Connection, Statement } from "libsql";
import type { ErrorCode } from "../../errors/codes.js";
import { BridleError } from "../../errors/error.js";
import { readError, systemCode, writeError } from "../../errors/file-errors.js";
import type {
  Database,
  SqlClient,
  SqlResult,
  SqlRow,
  SqlValue,
  TransactionOptions,
} from "../../ports/database.js";
import { loadPeer } from "../load-peer.js";
import { numberPlaceholders, storedValues } from "./sql-text.js";
import { refuseInside, retryTurns, TurnLost, workInside } from "./transactions.js";

/** SQLite waits itself for so long, which blocks this thread; longer waits are ours and block nothing. */
const blockedMs = 20;
/** Statements kept compiled. */
const mostStatements = 300;

/** Opens a file that another program keeps, without writing to it. @throws FILE_NOT_FOUND, and what openSqlite throws */
export async function openForeignSqlite(file: string): Promise<Database> {
  const name = path.resolve(file);
  await stat(name).catch((thrown) => {
    throw readError(thrown, name);
  });
  return await connect(name, (connection) => {
    connection.pragma("query_only = ON");
  });
}

/**
 * Opens a database's file, made where there is none.
 * @param file `:memory:` for one that is gone when it is closed
 * @throws DATABASE_UNAVAILABLE, DATABASE_DENIED, DATABASE_CORRUPT, DATABASE_BUSY
 */
export async function openSqlite(file: string): Promise<Database> {
  const name = file === ":memory:" ? file : path.resolve(file);
  if (name !== ":memory:") {
    await mkdir(path.dirname(name), { recursive: true }).catch((thrown) => {
      throw writeError(thrown, name);
    });
    const found = await stat(name).catch((thrown) => {
      if (systemCode(thrown) === "ENOENT") return undefined;
      throw writeError(thrown, name);
    });
    if (found?.isDirectory()) {
      throw new BridleError("DATABASE_UNAVAILABLE", { database: name, reason: "it is a folder" });
    }
  }
  return await connect(name, (connection) => {
    connection.pragma("journal_mode = WAL");
    // A commit is on the disk when it is acknowledged.
    connection.pragma("synchronous = FULL");
    connection.pragma("foreign_keys = ON");
    // As PostgreSQL compares.
    connection.pragma("case_sensitive_like = ON");
    connection.pragma("temp_store = MEMORY");
  });
}

async function connect(name: string, prepare: (connection: Connection) => void): Promise<Database> {
  const { default: Libsql } = await loadPeer(
    "A database in a file",
    "libsql",
    () => import("libsql"),
  );
  return await retryTurns(name, async () => {
    let connection: Connection | undefined;
    try {
      connection = new Libsql(name, { timeout: blockedMs });
      prepare(connection);
      return new SqliteDatabase(name, connection);
    } catch (thrown) {
      connection?.close();
      throw failure(thrown, name);
    }
  });
}

class SqliteDatabase implements Database {
  readonly name: string;
  readonly dialect = "sqlite";
  private readonly connection: Connection;
  private readonly statements = new Map<string, { statement: Statement; count: number }>();
  /** The last of those that wait for the one connection. */
  private turn: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  constructor(name: string, connection: Connection) {
    this.name = name;
    this.connection = connection;
  }

  async query<Row = SqlRow>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    refuseInside(this);
    return await this.inTurn(() => retryTurns(this.name, async () => this.send<Row>(sql, values)));
  }

  async transaction<Result>(
    work: (sql: SqlClient) => Promise<Result>,
    { readOnly = false }: TransactionOptions = {},
  ): Promise<Result> {
    refuseInside(this);
    return await this.inTurn(() =>
      retryTurns(this.name, async () => {
        // A writer takes its turn at the start: writers come one after another, so each is exclusive.
        this.send(readOnly ? "BEGIN" : "BEGIN IMMEDIATE");
        try {
          if (readOnly) this.send("PRAGMA query_only = ON");
          const send = async <Row>(sql: string, values: readonly SqlValue[]) =>
            this.send<Row>(sql, values);
          const result = await workInside(this, "sqlite", send, work);
          this.send("COMMIT");
          return result;
        } finally {
          // A full disk has rolled back by itself.
          if (this.connection.inTransaction) this.send("ROLLBACK");
          if (readOnly) this.send("PRAGMA query_only = OFF");
        }
      }),
    );
  }

  async findFaults(): Promise<readonly string[]> {
    refuseInside(this);
    return await this.inTurn(async () => {
      const faults: string[] = [];
      for (const row of this.send<SqlRow>("PRAGMA integrity_check").rows) {
        const told = String(row.integrity_check);
        if (told !== "ok") faults.push(told);
      }
      for (const row of this.send<SqlRow>("PRAGMA foreign_key_check").rows) {
        faults.push(
          `row ${row.rowid} of ${row.table} names a row of ${row.parent} that is not there`,
        );
      }
      return faults;
    });
  }

  async close(): Promise<void> {
    await this.inTurn(async () => {
      if (this.isClosed) return;
      this.isClosed = true;
      this.statements.clear();
      this.connection.close();
    });
  }

  /** Waits until nobody else uses the connection. */
  private async inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => {});
    return await mine;
  }

  private send<Row>(sql: string, values: readonly SqlValue[] = []): SqlResult<Row> {
    if (this.isClosed) throw new BridleError("BUG", { reason: `${this.name} was closed before` });
    try {
      const { statement, count } = this.prepare(sql);
      // A number would be bound as a real one, and divided as such; PostgreSQL goes by what it is.
      const bound = storedValues({ text: sql, count }, values).map((value) =>
        Number.isSafeInteger(value) ? BigInt(value as number) : value,
      );
      if (!statement.reader) return { rows: [], count: statement.run(...bound).changes };
      const rows = statement.all(...bound) as Row[];
      for (const row of rows) bytesOf(row as Record<string, unknown>);
      return { rows, count: rows.length };
    } catch (thrown) {
      throw failure(thrown, this.name);
    }
  }

  private prepare(sql: string): { statement: Statement; count: number } {
    const kept = this.statements.get(sql);
    if (kept !== undefined) {
      // The last used stand last.
      this.statements.delete(sql);
      this.statements.set(sql, kept);
      return kept;
    }
    const { text, count } = numberPlaceholders(sql, "?");
    const prepared = { statement: this.connection.prepare(text), count };
    this.statements.set(sql, prepared);
    const [oldest] = this.statements.keys();
    if (this.statements.size > mostStatements && oldest !== undefined) {
      this.statements.delete(oldest);
    }
    return prepared;
  }
}

/** libsql gives bytes as an ArrayBuffer. */
function bytesOf(row: Record<string, unknown>): void {
  for (const name in row) {
    const value = row[name];
    if (value instanceof ArrayBuffer) row[name] = new Uint8Array(value);
  }
}

/** A failure in the words of the error table, or a TurnLost. */
function failure(thrown: unknown, database: string): unknown {
  if (thrown instanceof BridleError || thrown instanceof TurnLost) return thrown;
  const { code = "", message = String(thrown) } = thrown as { code?: string; message?: string };
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return new TurnLost(thrown);
  const details = { database, reason: message.split("\n")[0] ?? "" };
  const as = (row: ErrorCode) => new BridleError(row, details, { cause: thrown });
  if (code.startsWith("SQLITE_CONSTRAINT")) return as("DATABASE_CONFLICT");
  if (code === "SQLITE_FULL") return as("DATABASE_FULL");
  if (/^SQLITE_(READONLY|PERM|AUTH)/.test(code)) return as("DATABASE_DENIED");
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return as("DATABASE_CORRUPT");
  if (/^SQLITE_(IOERR|CANTOPEN|NOLFS)/.test(code) || /unable to open/i.test(message)) {
    return as("DATABASE_UNAVAILABLE");
  }
  const reason = `SQLite refused a statement: ${message}`;
  return new BridleError("BUG", { reason }, { cause: thrown });
}
