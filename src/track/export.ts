// Every point of a run, in order, some thousands at a time: for exports, which may be of millions.
import type { Database } from "../ports/database.js";

export interface ExportedPoint {
  readonly key: string;
  readonly step: number;
  readonly epoch: number | null;
  readonly at: number;
  /** Null is NaN. */
  readonly value: number | null;
}

const atOnce = 5000;

/** The points of a run by key and step; of some keys where they are named. */
export async function* readPoints(
  database: Database,
  runId: string,
  keys?: readonly string[],
): AsyncGenerator<readonly ExportedPoint[]> {
  const { rows: series } = await database.query<{ id: number; key: string }>(
    "SELECT id, key FROM track_series WHERE run_id = $1 ORDER BY key",
    [runId],
  );
  for (const { id, key } of series) {
    if (keys !== undefined && !keys.includes(key)) continue;
    for (let after = -1; ; ) {
      const { rows } = await database.query<Omit<ExportedPoint, "key">>(
        "SELECT step, epoch, at, value FROM track_point WHERE series_id = $1 AND step > $2 ORDER BY step LIMIT $3",
        [id, after, atOnce],
      );
      if (rows.length > 0) yield rows.map((row) => ({ key, ...row }));
      if (rows.length < atOnce) break;
      after = rows.at(-1)?.step ?? after;
    }
  }
}
