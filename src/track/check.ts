// Looks for what cannot be: rows without the row they belong to, bins that are not the sum of their points, blobs lost.

import type { BlobReader } from "../ports/blob-store.js";
import type { Database } from "../ports/database.js";
import { binLevels } from "./series.js";

const orphans: readonly (readonly [what: string, sql: string])[] = [
  [
    "points of no series",
    "SELECT COUNT(*) AS n FROM (SELECT DISTINCT series_id FROM track_point) p WHERE NOT EXISTS (SELECT 1 FROM track_series s WHERE s.id = p.series_id)",
  ],
  [
    "bins of no series",
    "SELECT COUNT(*) AS n FROM (SELECT DISTINCT series_id FROM track_bin) b WHERE NOT EXISTS (SELECT 1 FROM track_series s WHERE s.id = b.series_id)",
  ],
  [
    "lines of no run",
    "SELECT COUNT(*) AS n FROM (SELECT DISTINCT run_id FROM track_line) l WHERE NOT EXISTS (SELECT 1 FROM track_run r WHERE r.id = l.run_id)",
  ],
  [
    "runs that ended without a time",
    "SELECT COUNT(*) AS n FROM track_run WHERE status <> 'running' AND ended_at IS NULL",
  ],
];

/**
 * What is inconsistent, a line each; empty where nothing is. Reads all points.
 * @param blobs the store of artifacts, where it can be asked
 */
export async function findTrackingFaults(
  database: Database,
  blobs?: BlobReader,
): Promise<readonly string[]> {
  const faults: string[] = [];
  await database.transaction(
    async (sql) => {
      for (const [what, query] of orphans) {
        const { rows } = await sql.query<{ n: number }>(query);
        if ((rows[0]?.n ?? 0) > 0) faults.push(`${rows[0]?.n} ${what}`);
      }
      for (let level = 1; level <= binLevels; level++) {
        const { rows } = await sql.query<{
          key: string;
          run_id: string;
          points: number;
          binned: number;
        }>(
          `SELECT s.run_id, s.key, p.n AS points, COALESCE(b.n, 0) AS binned
          FROM (SELECT series_id, COUNT(*) AS n FROM track_point GROUP BY series_id) p
          JOIN track_series s ON s.id = p.series_id
          LEFT JOIN (SELECT series_id, SUM(count) AS n FROM track_bin WHERE level = $1 GROUP BY series_id) b
            ON b.series_id = p.series_id
          WHERE p.n <> COALESCE(b.n, 0) OR p.n <> s.count`,
          [level],
        );
        for (const { run_id: run, key, points, binned } of rows) {
          faults.push(
            `${key} of run ${run} has ${points} points, and ${binned} in bins of level ${level}`,
          );
        }
      }
    },
    { readOnly: true },
  );
  if (blobs !== undefined) faults.push(...(await lostBlobs(database, blobs)));
  return faults;
}

async function lostBlobs(database: Database, blobs: BlobReader): Promise<readonly string[]> {
  const { rows } = await database.query<{
    blob: string;
    size_bytes: number;
    run_id: string;
    name: string;
  }>(
    "SELECT blob, size_bytes, run_id, name FROM track_artifact WHERE blob <> '' ORDER BY blob, run_id",
  );
  const faults: string[] = [];
  const sizes = new Map<string, number | undefined>();
  for (const { blob, size_bytes: size, run_id: run, name } of rows) {
    if (!sizes.has(blob)) sizes.set(blob, (await blobs.head(blob))?.sizeBytes);
    const found = sizes.get(blob);
    if (found === undefined) faults.push(`${name} of run ${run} is not in ${blobs.name}: ${blob}`);
    else if (found !== size) {
      faults.push(`${name} of run ${run} has ${found} bytes in place of ${size}: ${blob}`);
    }
  }
  return faults;
}
