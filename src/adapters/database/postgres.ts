// PostgreSQL through `pg`, which users install when they use it: a pool of connections, transactions as if alone.
import type { Pool, PoolClient, PoolConfig } from "pg";
import type { ErrorCode } from "../../errors/codes.js";
import { BridleError } from "../../errors/error.js";
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

/** Connections of one process; each transaction holds one. */
const mostConnections = 8;
const connectMs = 10_000;
/** The name of the lock that transactions with `isExclusive` hold: "bridle" as a number. */
const exclusiveLock = 0x627269;

/**
 * Opens a database that is there; connections are made as they are needed.
 * @throws PEER_MISSING, DATABASE_UNAVAILABLE, DATABASE_UNAUTHENTICATED, DATABASE_MISSING
 */
export async function openPostgres(url: string): Promise<Database> {
  const { default: pg } = await loadPeer("A database at postgres://", "pg", () => import("pg"));
  const name = withoutPassword(url);
  // A count is a number, and so is a sum of whole numbers; bytes are no more than bytes.
  const { INT8, NUMERIC, BYTEA } = pg.types.builtins;
  const readBytes = pg.types.getTypeParser(BYTEA, "text");
  const parsers = new Map<number, (text: string) => unknown>([
    [INT8, Number],
    [NUMERIC, Number],
    [BYTEA, (text) => Uint8Array.from(readBytes(text) as Buffer)],
  ]);
  const getTypeParser = (oid: number, format: "text" | "binary" = "text") =>
    (format === "text" ? parsers.get(oid) : undefined) ?? pg.types.getTypeParser(oid, format);
  const config: PoolConfig = {
    connectionString: url,
    max: mostConnections,
    connectionTimeoutMillis: connectMs,
    application_name: "bridle",
    allowExitOnIdle: true,
    keepAlive: true,
    types: { getTypeParser } as NonNullable<PoolConfig["types"]>,
  };
  let pool: Pool;
  try {
    pool = new pg.Pool(config);
  } catch (thrown) {
    throw failure(thrown, name);
  }
  // A connection that ends while it rests is replaced by the next query.
  pool.on("error", () => {});
  const database = new PostgresDatabase(name, pool);
  try {
    await database.query("SELECT 1");
  } catch (thrown) {
    await database.close();
    throw thrown;
  }
  return database;
}

/** A URL as it may be shown, also one whose password holds @ or / as it is. */
export function withoutPassword(url: string): string {
  return url
    .replace(/^([a-z]+:\/\/[^/:?#]*):(?:[^/?#]*|[^?]*)@/i, "$1@")
    .replace(/([?&](?:ssl)?password=)[^&]*/gi, "$1…");
}

class PostgresDatabase implements Database {
  readonly name: string;
  readonly dialect = "postgres";
  private readonly pool: Pool;
  private closed: Promise<void> | undefined;

  constructor(name: string, pool: Pool) {
    this.name = name;
    this.pool = pool;
  }

  async query<Row = SqlRow>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    refuseInside(this);
    return await this.with((client) => this.send<Row>(client, sql, values));
  }

  async transaction<Result>(
    work: (sql: SqlClient) => Promise<Result>,
    { readOnly = false, isExclusive = false }: TransactionOptions = {},
  ): Promise<Result> {
    refuseInside(this);
    return await this.with(async (client) => {
      // A snapshot would be older than the lock: whoever waited for it must see what was done meanwhile.
      const level = isExclusive ? "READ COMMITTED" : readOnly ? "REPEATABLE READ" : "SERIALIZABLE";
      await this.send(client, `BEGIN ISOLATION LEVEL ${level}${readOnly ? " READ ONLY" : ""}`);
      try {
        if (isExclusive) {
          await this.send(client, `SELECT pg_advisory_xact_lock(${exclusiveLock})`);
        }
        const send = <Row>(sql: string, sent: readonly SqlValue[]) =>
          this.send<Row>(client, sql, sent);
        const result = await workInside(this, "postgres", send, work);
        await this.send(client, "COMMIT");
        return result;
      } catch (thrown) {
        // The connection may be what failed; then nothing was committed, or the failure was the commit's.
        await client.query("ROLLBACK").catch(() => {});
        throw thrown;
      }
    });
  }

  /** The server checks its own files. */
  async findFaults(): Promise<readonly string[]> {
    await this.query("SELECT 1");
    return [];
  }

  async close(): Promise<void> {
    this.closed ??= this.pool.end();
    await this.closed;
  }

  private async with<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    if (this.closed !== undefined) {
      throw new BridleError("BUG", { reason: `${this.name} was closed before` });
    }
    return await retryTurns(this.name, async () => {
      const client = await this.pool.connect().catch((thrown: unknown) => {
        throw failure(thrown, this.name);
      });
      let isBroken = false;
      const onError = () => (isBroken = true);
      client.on("error", onError);
      try {
        return await work(client);
      } finally {
        client.off("error", onError);
        client.release(isBroken);
      }
    });
  }

  private async send<Row>(
    client: PoolClient,
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    const stored = storedValues(numberPlaceholders(sql, "$"), values);
    try {
      const { rows, rowCount } = await client.query(sql, stored);
      return { rows: rows as Row[], count: rowCount ?? 0 };
    } catch (thrown) {
      throw failure(thrown, this.name);
    }
  }
}

/** SQLSTATE codes, or their first two digits, as rows of the error table. */
const rowsByState: Readonly<Record<string, ErrorCode>> = {
  "08": "DATABASE_UNAVAILABLE",
  "23": "DATABASE_CONFLICT",
  "25006": "DATABASE_DENIED",
  "28": "DATABASE_UNAUTHENTICATED",
  "3D000": "DATABASE_MISSING",
  "42501": "DATABASE_DENIED",
  "53": "DATABASE_UNAVAILABLE",
  "53100": "DATABASE_FULL",
  // Stopped by whoever looks after the server, or by its limits of time.
  "57": "DATABASE_UNAVAILABLE",
  "58": "DATABASE_UNAVAILABLE",
  XX001: "DATABASE_CORRUPT",
  XX002: "DATABASE_CORRUPT",
};

/** Serialization failures and deadlocks: whoever lost may try again. */
const lostTurns = new Set(["40001", "40P01", "55P03"]);

/** A failure in the words of the error table, or a TurnLost. */
function failure(thrown: unknown, database: string): unknown {
  if (thrown instanceof BridleError || thrown instanceof TurnLost) return thrown;
  const { code = "", message = String(thrown) } = thrown as { code?: string; message?: string };
  if (lostTurns.has(code)) return new TurnLost(thrown);
  const reason = (message || code).split("\n")[0] ?? "";
  const isState = /^[0-9A-Z]{5}$/.test(code) && !code.startsWith("E");
  const row = isState
    ? (rowsByState[code] ?? rowsByState[code.slice(0, 3)] ?? rowsByState[code.slice(0, 2)])
    : "DATABASE_UNAVAILABLE";
  if (row !== undefined) return new BridleError(row, { database, reason }, { cause: thrown });
  const refused = `PostgreSQL refused a statement (${code}): ${message}`;
  return new BridleError("BUG", { reason: refused }, { cause: thrown });
}
