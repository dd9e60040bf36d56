// What stands in the queues of a database, and whether anybody is at it: for whoever looks after a crash.
import type { SqlClient } from "../../ports/database.js";

export interface QueueState {
  readonly queue: string;
  /** Jobs that have been due for some time. */
  readonly overdue: number;
  /** Jobs whose worker has let its lease run out: it was killed, or cannot reach the database. */
  readonly lost: number;
  /** Jobs that somebody works on. */
  readonly active: number;
  /** Jobs that failed as often as they may. */
  readonly dead: number;
  /** What a dead one failed with. */
  readonly error: string | null;
}

/** A worker looks for jobs every second at the latest. */
const overdueMs = 5000;

/** Every queue with jobs that are not over, by name. */
export async function readQueueStates(sql: SqlClient, now: number): Promise<readonly QueueState[]> {
  const { rows } = await sql.query<QueueState>(
    `SELECT queue,
       SUM(CASE WHEN state = 'waiting' AND run_at_ms < $1 THEN 1 ELSE 0 END) AS overdue,
       SUM(CASE WHEN state = 'active' AND lease_until_ms < $2 THEN 1 ELSE 0 END) AS lost,
       SUM(CASE WHEN state = 'active' AND lease_until_ms >= $2 THEN 1 ELSE 0 END) AS active,
       SUM(CASE WHEN state = 'dead' THEN 1 ELSE 0 END) AS dead,
       MAX(CASE WHEN state = 'dead' THEN error END) AS error
     FROM queue_job WHERE state IN ('waiting', 'active', 'dead') GROUP BY queue ORDER BY queue`,
    [now - overdueMs, now],
  );
  return rows;
}
