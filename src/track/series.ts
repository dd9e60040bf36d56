// Points of metrics and the bins above them, kept in step with each other in one transaction.
import type { SqlClient } from "../ports/database.js";
import type { MetricPoint } from "../ports/event-sink.js";
import { insertRows } from "./sql-lists.js";

/** How many bins of one level make one of the next; level 0 are the points themselves. */
export const binWidth = 64;
export const binLevels = 4;
/** All finite values, and neither infinity nor NaN, which is NULL. */
export const finite = "value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308";
/** Sums of values up to here, however many, are numbers too: PostgreSQL refuses what is none, and SQLite goes on with infinity. */
export const mostSummed = "1e290";

/** Steps of one bin of a level. */
export function stepsOf(level: number): number {
  return binWidth ** level;
}

/** Whether a metric is read from the machine; these go by seconds, and no step is ever done again. */
export function isOfMachine(key: string): boolean {
  return key.startsWith("system/");
}

/**
 * Writes points and brings their bins up to date.
 * @param replaces whether each takes the place of one that is there of the same step
 * @returns how many series were touched
 */
export async function writePoints(
  sql: SqlClient,
  runId: string,
  points: readonly MetricPoint[],
  replaces = true,
): Promise<number> {
  // A statement writes no row twice.
  const latest = new Map<string, Map<number, MetricPoint>>();
  for (const point of points) {
    const key = asStored(point.key);
    const own = latest.get(key) ?? new Map<number, MetricPoint>();
    latest.set(key, own.set(point.step, point));
  }
  const ids = await seriesIds(sql, runId, [...latest.keys()]);
  const rows = [...latest].flatMap(([key, own]) =>
    [...own.values()].map(({ step, epoch, at, value }) => [
      ids.get(key) as number,
      step,
      epoch,
      at,
      value,
    ]),
  );
  await insertRows(
    sql,
    "INSERT INTO track_point (series_id, step, epoch, at, value)",
    rows,
    replaces
      ? "ON CONFLICT (series_id, step) DO UPDATE SET epoch = excluded.epoch, at = excluded.at, value = excluded.value"
      : "ON CONFLICT (series_id, step) DO NOTHING",
  );
  for (const [key, own] of latest) {
    const steps = [...own.keys()];
    const id = ids.get(key) as number;
    await gather(sql, id, Math.min(...bounded(steps)), Math.max(...bounded(steps)));
  }
  return ids.size;
}

/** A text as databases hold it, so that it is found again. */
function asStored(text: string): string {
  return Buffer.from(text.replaceAll("\0", "\uFFFD"), "utf8").toString("utf8");
}

/** Spreading very long lists overflows the stack. */
function bounded(steps: number[]): readonly number[] {
  if (steps.length < 10_000) return steps;
  steps.sort((a, b) => a - b);
  return [steps[0] as number, steps.at(-1) as number];
}

async function seriesIds(
  sql: SqlClient,
  runId: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql.query<{ id: number; key: string }>(
    "SELECT id, key FROM track_series WHERE run_id = $1",
    [runId],
  );
  const ids = new Map(rows.map(({ id, key }) => [key, id]));
  for (const key of keys) {
    if (ids.has(key)) continue;
    const { rows: made } = await sql.query<{ id: number }>(
      "INSERT INTO track_series (run_id, key) VALUES ($1, $2) RETURNING id",
      [runId, key],
    );
    ids.set(key, made[0]?.id as number);
  }
  return new Map([...ids].filter(([key]) => keys.includes(key)));
}

/** Totals of earlier versions may be larger, and SQLite's infinite. */
export const mostTotal = "1e300";

/** A sum without what cannot be added up, which leaves its trace in the least and the greatest value. */
export function sumSql(column: string, most: string): string {
  return `SUM(CASE WHEN ${column} BETWEEN -${most} AND ${most} THEN ${column} ELSE 0.0 END)`;
}

/** The bins of a level as what is below them has it: points below the first. @param where which of these, in SQL */
export function binsSql(level: number, where: string): string {
  return level === 1
    ? `SELECT series_id, 1 AS level, step / ${binWidth} AS bin, MIN(step) AS first_step, MAX(step) AS last_step,
        MAX(epoch) AS last_epoch, MAX(at) AS last_at, COUNT(*) AS count,
        SUM(CASE WHEN ${finite} THEN 1 ELSE 0 END) AS finite_count,
        ${sumSql("value", mostSummed)} AS total,
        MIN(CASE WHEN ${finite} THEN value END) AS min_value, MAX(CASE WHEN ${finite} THEN value END) AS max_value
      FROM track_point WHERE ${where} GROUP BY series_id, step / ${binWidth}`
    : `SELECT series_id, ${level} AS level, bin / ${binWidth} AS bin, MIN(first_step) AS first_step,
        MAX(last_step) AS last_step, MAX(last_epoch) AS last_epoch, MAX(last_at) AS last_at, SUM(count) AS count,
        SUM(finite_count) AS finite_count, ${sumSql("total", mostTotal)} AS total, MIN(min_value) AS min_value,
        MAX(max_value) AS max_value
      FROM track_bin WHERE level = ${level - 1} AND ${where} GROUP BY series_id, bin / ${binWidth}`;
}

/** Makes the bins over a range of steps anew, each level from the one below, and the series' figures from the last. */
async function gather(sql: SqlClient, id: number, first: number, last: number): Promise<void> {
  for (let level = 1; level <= binLevels; level++) {
    const width = stepsOf(level);
    const from = Math.floor(first / width);
    const to = Math.floor(last / width);
    const place = level === 1 ? "step" : "bin";
    const source = binsSql(level, `series_id = $1 AND ${place} >= $2 AND ${place} < $3`);
    const below = level === 1 ? width : binWidth;
    await sql.query(
      `INSERT INTO track_bin (series_id, level, bin, first_step, last_step, last_epoch, last_at, count, finite_count,
        total, min_value, max_value) ${source}
      ON CONFLICT (series_id, level, bin) DO UPDATE SET first_step = excluded.first_step,
        last_step = excluded.last_step, last_epoch = excluded.last_epoch, last_at = excluded.last_at,
        count = excluded.count, finite_count = excluded.finite_count, total = excluded.total,
        min_value = excluded.min_value, max_value = excluded.max_value`,
      [id, from * below, (to + 1) * below],
    );
  }
  await summarizeSeries(sql, id);
}

async function summarizeSeries(sql: SqlClient, id: number): Promise<void> {
  await sql.query(
    `UPDATE track_series SET
      (count, min_value, max_value) = (SELECT COALESCE(SUM(count), 0), MIN(min_value), MAX(max_value)
        FROM track_bin WHERE series_id = $1 AND level = ${binLevels}),
      last_step = (SELECT step FROM track_point WHERE series_id = $1 ORDER BY step DESC LIMIT 1),
      last_value = (SELECT value FROM track_point WHERE series_id = $1 ORDER BY step DESC LIMIT 1)
    WHERE id = $1`,
    [id],
  );
}

/** Takes away what was told of steps after this one, in series that go by steps; those of the machine go by seconds. */
export async function dropPointsAfter(sql: SqlClient, runId: string, step: number): Promise<void> {
  const { rows } = await sql.query<{ id: number }>(
    "SELECT id FROM track_series WHERE run_id = $1 AND last_step > $2 AND key NOT LIKE 'system/%'",
    [runId, step],
  );
  for (const { id } of rows) {
    await sql.query("DELETE FROM track_point WHERE series_id = $1 AND step > $2", [id, step]);
    for (let level = 1; level <= binLevels; level++) {
      await sql.query("DELETE FROM track_bin WHERE series_id = $1 AND level = $2 AND bin >= $3", [
        id,
        level,
        Math.floor(step / stepsOf(level)),
      ]);
    }
    await gather(sql, id, step, step);
  }
}
