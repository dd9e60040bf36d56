// Looks for what cannot be: rows without the row they belong to, bins that are not the sum of their points, blobs lost.

import type { BlobReader } from "../ports/blob-store.js";
import type { Database, SqlClient } from "../ports/database.js";
import { binLevels, binsSql, stepsOf } from "./series.js";

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
  [
    "runs that go on and have ended",
    "SELECT COUNT(*) AS n FROM track_run WHERE status = 'running' AND ended_at IS NOT NULL",
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
      for (const { run_id: run, key, what } of await faultySeries(sql)) {
        faults.push(`${key} of run ${run}: ${what}`);
      }
    },
    { readOnly: true },
  );
  if (blobs !== undefined) faults.push(...(await lostBlobs(database, blobs)));
  return faults;
}

interface FaultySeries {
  readonly run_id: string;
  readonly key: string;
  readonly what: string;
}

/** Curves whose bins and figures are not those of their points. */
async function faultySeries(sql: SqlClient): Promise<readonly FaultySeries[]> {
  const found: FaultySeries[] = [];
  const look = async (query: string, what: (row: Counted) => string) => {
    const { rows } = await sql.query<Counted>(query);
    for (const row of rows) found.push({ run_id: row.run_id, key: row.key, what: what(row) });
  };
  await look(
    `SELECT s.run_id, s.key, COALESCE(p.n, 0) AS n, s.count AS told FROM track_series s
      LEFT JOIN (SELECT series_id, COUNT(*) AS n FROM track_point GROUP BY series_id) p ON p.series_id = s.id
      WHERE COALESCE(p.n, 0) <> s.count`,
    ({ n, told }) => `it has ${n} points, and its row says ${told}`,
  );
  for (let level = 1; level <= binLevels; level++) {
    // Sums are added up in another order each time; where they are near the greatest number they say nothing.
    await look(
      `SELECT s.run_id, s.key, COUNT(*) AS n, 0 AS told FROM (${binsSql(level, "1 = 1")}) x
        JOIN track_series s ON s.id = x.series_id
        LEFT JOIN track_bin b ON b.series_id = x.series_id AND b.level = x.level AND b.bin = x.bin
        WHERE b.series_id IS NULL OR b.count <> x.count OR b.finite_count <> x.finite_count
          OR b.first_step <> x.first_step OR b.last_step <> x.last_step
          OR COALESCE(b.min_value, 0.0) <> COALESCE(x.min_value, 0.0)
          OR COALESCE(b.max_value, 0.0) <> COALESCE(x.max_value, 0.0)
          OR CASE WHEN ABS(b.total) < 1e300 AND ABS(x.total) < 1e300 AND ABS(x.min_value) < 1e280
            AND ABS(x.max_value) < 1e280
            THEN ABS(b.total - x.total) > 1e-9 * x.count * (ABS(x.min_value) + ABS(x.max_value) + 1e-290) ELSE FALSE END
        GROUP BY s.run_id, s.key`,
      ({ n }) => `${n} bins of level ${level} are not the sum of what is below them`,
    );
    const width = stepsOf(level);
    await look(
      `SELECT s.run_id, s.key, COUNT(*) AS n, 0 AS told FROM track_bin b JOIN track_series s ON s.id = b.series_id
        WHERE b.level = ${level} AND NOT EXISTS (SELECT 1 FROM track_point p WHERE p.series_id = b.series_id
          AND p.step >= b.bin * ${width} AND p.step < (b.bin + 1) * ${width})
        GROUP BY s.run_id, s.key`,
      ({ n }) => `${n} bins of level ${level} have no points`,
    );
  }
  await look(
    `SELECT s.run_id, s.key, 0 AS n, 0 AS told FROM track_series s
      JOIN (SELECT series_id, MAX(last_step) AS last_step, MIN(min_value) AS min_value, MAX(max_value) AS max_value
        FROM track_bin WHERE level = ${binLevels} GROUP BY series_id) b ON b.series_id = s.id
      LEFT JOIN track_point p ON p.series_id = s.id AND p.step = b.last_step
      WHERE COALESCE(s.last_step, -1) <> b.last_step
        OR COALESCE(s.last_value, 0.0) <> COALESCE(p.value, 0.0)
        OR COALESCE(s.min_value, 0.0) <> COALESCE(b.min_value, 0.0)
        OR COALESCE(s.max_value, 0.0) <> COALESCE(b.max_value, 0.0)`,
    () => "its last, least or greatest value is not that of its points",
  );
  return found;
}

interface Counted {
  readonly run_id: string;
  readonly key: string;
  readonly n: number;
  readonly told: number;
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
