// What tells whether a run has changed since somebody looked, of those that run or changed not long ago.
import type { Database } from "../ports/database.js";

export interface RunMark {
  readonly changedAt: number;
  readonly status: string;
}

/** Transactions that are not done and clocks of other machines may lie so far behind. */
const overlapMs = 60_000;

export async function readRunMarks(
  database: Database,
  now = Date.now(),
): Promise<ReadonlyMap<string, RunMark>> {
  const { rows } = await database.query<{ id: string; changed_at: number; status: string }>(
    "SELECT id, changed_at, status FROM track_run WHERE changed_at > $1 OR status = 'running'",
    [now - overlapMs],
  );
  return new Map(
    rows.map(({ id, changed_at: changedAt, status }) => [id, { changedAt, status }] as const),
  );
}
