// Which models finished runs started from, by the name that was typed: it may be a registered version's.
import type { SqlClient } from "../ports/database.js";

export interface StartedFrom {
  /** The run's id. */
  readonly run: string;
  readonly model: string;
  /** Folder of what it trained, as it was called on the machine it ran on. */
  readonly output: string;
}

/** Runs that never finished are left out: the model may have been a slip of the pen. */
export async function listStartedFrom(sql: SqlClient): Promise<readonly StartedFrom[]> {
  const { rows } = await sql.query<{ id: string; value: string; output: string }>(
    `SELECT r.id, p.value, r.output FROM track_param p JOIN track_run r ON r.id = p.run_id
     WHERE p.key = 'model.name' AND r.status = 'finished' ORDER BY r.id`,
  );
  return rows.map(({ id, value, output }) => ({ run: id, model: value, output }));
}
