// What transactions of both databases share: turns that are taken again, and statements that must not go astray.
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as wait } from "node:timers/promises";
import { BridleError } from "../../errors/error.js";
import type { SqlClient, SqlResult, SqlRow, SqlValue } from "../../ports/database.js";

/** How long is tried to get a turn, and the waits in between, in milliseconds. */
const patienceMs = 30_000;
const shortestWaitMs = 2;
const longestWaitMs = 100;

/** Thrown by an adapter where the same work may go through if it is done again. */
export class TurnLost {
  readonly cause: unknown;
  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** Does work until it gets its turn. @throws DATABASE_BUSY where it gets none in time */
export async function retryTurns<Result>(
  database: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const deadline = performance.now() + patienceMs;
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (thrown) {
      if (!(thrown instanceof TurnLost)) throw thrown;
      if (performance.now() > deadline) {
        const details = { database, seconds: patienceMs / 1000 };
        throw new BridleError("DATABASE_BUSY", details, { cause: thrown.cause });
      }
      // By chance, so that two that met do not meet again.
      const longest = Math.min(longestWaitMs, shortestWaitMs * 2 ** tries);
      await wait(shortestWaitMs + Math.random() * longest);
    }
  }
}

type Send = <Row>(sql: string, values: readonly SqlValue[]) => Promise<SqlResult<Row>>;

/** What work in a transaction is handed. After a statement that failed no other goes through, as PostgreSQL has it. */
class TransactionClient implements SqlClient {
  readonly dialect: SqlClient["dialect"];
  readonly database: unknown;
  isOver = false;
  failure: { readonly thrown: unknown } | undefined;
  private readonly send: Send;

  constructor(database: unknown, dialect: SqlClient["dialect"], send: Send) {
    this.database = database;
    this.dialect = dialect;
    this.send = send;
  }

  async query<Row = SqlRow>(
    sql: string,
    values: readonly SqlValue[] = [],
  ): Promise<SqlResult<Row>> {
    if (this.isOver) throw new BridleError("BUG", { reason: "a transaction is over and was used" });
    if (this.failure) throw this.failure.thrown;
    try {
      return await this.send<Row>(sql, values);
    } catch (thrown) {
      this.failure ??= { thrown };
      throw thrown;
    }
  }
}

/** The transactions that are under way around a call. */
const around = new AsyncLocalStorage<readonly TransactionClient[]>();

/** @throws BUG where a statement is sent past the transaction that it stands in, and would wait for its end */
export function refuseInside(database: unknown): void {
  const inside = around.getStore()?.some((each) => each.database === database && !each.isOver);
  if (!inside) return;
  const reason = "inside a transaction, statements and transactions go through what it was handed";
  throw new BridleError("BUG", { reason });
}

/**
 * Does the work of a transaction that has begun.
 * @throws what the work throws, and what a statement threw also where the work went on after it
 */
export async function workInside<Result>(
  database: unknown,
  dialect: SqlClient["dialect"],
  send: Send,
  work: (sql: SqlClient) => Promise<Result>,
): Promise<Result> {
  const client = new TransactionClient(database, dialect, send);
  try {
    const result = await around.run([...(around.getStore() ?? []), client], () => work(client));
    if (client.failure) throw client.failure.thrown;
    return result;
  } finally {
    client.isOver = true;
  }
}
