// Finds runs whose process is gone: they show as interrupted, from when they last told something.
import { BridleError } from "../errors/error.js";
import type { Database } from "../ports/database.js";
import { isRunning } from "../runtime/living-process.js";

/** How long a run of another machine may be silent; its process cannot be asked for. */
export const silentMs = 120_000;

/**
 * Marks runs that were killed. A run that was taken for dead and tells something again is running again.
 * @param host this machine
 * @returns their ids
 */
export async function markInterrupted(
  database: Database,
  host: string,
  now = Date.now(),
): Promise<readonly string[]> {
  const { rows } = await database.query<{
    id: string;
    host: string;
    pid: number;
    process_mark: string;
    alive_at: number;
  }>("SELECT id, host, pid, process_mark, alive_at FROM track_run WHERE status = 'running'");
  const dead = rows.filter((run) =>
    run.host === host ? !isRunning(run.pid, run.process_mark) : now - run.alive_at > silentMs,
  );
  const marked: string[] = [];
  for (const { id, alive_at: aliveAt } of dead) {
    // It may have told something in the meantime.
    const { count } = await database.query(
      `UPDATE track_run SET status = 'interrupted', ended_at = alive_at,
        changed_at = CASE WHEN changed_at < $3 THEN $3 ELSE changed_at + 1 END
      WHERE id = $1 AND status = 'running' AND alive_at = $2`,
      [id, aliveAt, now],
    );
    if (count > 0) marked.push(id);
  }
  return marked;
}

/** Why nothing can be written, while everything can be read. */
const readOnlyCodes = new Set(["DATABASE_BUSY", "DATABASE_DENIED", "DATABASE_FULL"]);

/** As markInterrupted, for whoever only looks: where nothing can be written, runs are shown as they were. */
export async function markIfPossible(database: Database, host: string): Promise<void> {
  try {
    await markInterrupted(database, host);
  } catch (thrown) {
    if (!(thrown instanceof BridleError) || !readOnlyCodes.has(thrown.code)) throw thrown;
  }
}
