// A database that a test can make fail or wait.
import type { Database } from "../../src/ports/database.js";

/** A database whose statements pass by somebody; a transaction is told as one. */
export function changed(
  database: Database,
  by: <Result>(send: () => Promise<Result>, sql: string) => Promise<Result>,
): Database {
  return {
    name: database.name,
    dialect: database.dialect,
    query: (sql, values) => by(() => database.query(sql, values), sql),
    transaction: (work, options) => by(() => database.transaction(work, options), "a transaction"),
    findFaults: () => database.findFaults(),
    close: () => database.close(),
  };
}
