// Where rows lie: SQLite on this machine, or PostgreSQL. Types only; whoever needs a database is handed one.

/**
 * What a column holds. Whole numbers go up to 2^53 - 1; NaN is stored as NULL; in texts U+0000 and lone surrogates
 * become U+FFFD, because PostgreSQL holds neither.
 */
export type SqlValue = string | number | Uint8Array | null;

export type SqlRow = Readonly<Record<string, SqlValue>>;

export interface SqlResult<Row> {
  readonly rows: readonly Row[];
  /** Rows that were written, or that came back where the statement reads or has RETURNING. */
  readonly count: number;
}

/** What statements are sent to: the database itself, each one by itself, or a transaction. */
export interface SqlClient {
  readonly dialect: "sqlite" | "postgres";
  /**
   * Sends one statement. Values stand in it as `$1`, `$2`, …; each may be used again.
   * The SQL is what both dialects read alike; see docs/decisions/0080-one-sql-for-two-databases.md.
   * @throws DATABASE_CONFLICT where a constraint forbids it, DATABASE_BUSY, DATABASE_FULL, DATABASE_DENIED,
   *   DATABASE_UNAVAILABLE, DATABASE_CORRUPT
   */
  query<Row = SqlRow>(sql: string, values?: readonly SqlValue[]): Promise<SqlResult<Row>>;
}

export interface TransactionOptions {
  /** Nothing is written; everything read is of one moment. */
  readonly readOnly?: boolean;
  /** No other transaction with this option runs in the meantime, in any process: for migrations and clean-ups. */
  readonly isExclusive?: boolean;
}

export interface Database extends SqlClient {
  /** How it is called in messages: a path, or a URL without its password. */
  readonly name: string;
  /**
   * Does work all or nothing, as if no other transaction ran beside it. What it resolves to is kept on disk before this
   * returns. Where another one got in between, the work is done again: it must do nothing but read and write rows.
   * Inside, statements go to `sql`; sending one to the database itself is a BUG, because it would wait for ever.
   * @throws what the work throws, after rolling back, and what query throws
   */
  transaction<Result>(
    work: (sql: SqlClient) => Promise<Result>,
    options?: TransactionOptions,
  ): Promise<Result>;
  /** What the database finds wrong with its own files; empty where all is well. Reads everything. */
  findFaults(): Promise<readonly string[]>;
  /** Waits for what is under way and lets go of files and connections. */
  close(): Promise<void>;
}

/**
 * One step forward of a schema. It is never changed once released: a later one changes what it made.
 * Tables are written in SQLite's strict types, INTEGER, REAL, TEXT and BLOB; PostgreSQL gets BIGINT, DOUBLE PRECISION,
 * TEXT in byte order and BYTEA in CREATE TABLE and ALTER TABLE.
 */
export interface Migration {
  /** What it does, in a few words. */
  readonly name: string;
  /** In order, each one statement without a semicolon. */
  readonly statements: readonly string[];
}

/** The schema of one component, such as `track`. Sets know nothing of each other and share no tables. */
export interface MigrationSet {
  readonly component: string;
  /** Every table that the last migration leaves; names start with the component's. */
  readonly tables: readonly string[];
  /** From version 1 on. */
  readonly migrations: readonly Migration[];
}
