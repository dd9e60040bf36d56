// Points for a chart: all of them where there are few, else gathered in SQL so that no spike is lost.
import type { Database } from "../ports/database.js";
import { binLevels, finite, mostSummed, mostTotal, stepsOf, sumSql } from "./series.js";
import { listOf } from "./sql-lists.js";

/** Points that lie together on a chart; a single one where `count` is 1. */
export interface ChartPoint {
  /** The first and last step of them. */
  readonly step: number;
  readonly lastStep: number;
  readonly epoch: number | null;
  /** When the last of them was told. */
  readonly at: number;
  /** Of the finite values; null where there is none. Of values that cannot be added up, the middle between the outermost. */
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly count: number;
  /** How many of them are NaN or infinite. */
  readonly notFinite: number;
}

export interface Chart {
  readonly runId: string;
  readonly key: string;
  /** Whether these are the points themselves. */
  readonly isExact: boolean;
  readonly points: readonly ChartPoint[];
}

export interface ChartRequest {
  readonly runIds: readonly string[];
  /** All of them where left out. */
  readonly keys?: readonly string[];
  /** The most points a chart has. Default 500. */
  readonly points?: number;
  /** The steps that are looked at, both included. */
  readonly fromStep?: number;
  readonly toStep?: number;
}

interface Series {
  readonly id: number;
  readonly run_id: string;
  readonly key: string;
  readonly first: number | null;
  readonly last: number | null;
  readonly count: number;
}

export const usualPoints = 500;
export const mostPoints = 10_000;

/** The charts of some metrics of some runs, read at one moment, in the order of runs, then of keys. */
export async function readCharts(
  database: Database,
  { runIds, keys, points = usualPoints, fromStep, toStep }: ChartRequest,
): Promise<readonly Chart[]> {
  if (runIds.length === 0 || keys?.length === 0) return [];
  return await database.transaction(
    async (sql) => {
      const named = keys === undefined ? "" : `AND key IN (${listOf(keys.length, runIds.length)})`;
      const { rows } = await sql.query<Series>(
        `SELECT id, run_id, key, count, last_step AS last,
          (SELECT MIN(first_step) FROM track_bin WHERE series_id = track_series.id AND level = ${binLevels}) AS first
        FROM track_series WHERE run_id IN (${listOf(runIds.length)}) ${named} ORDER BY key`,
        [...runIds, ...(keys ?? [])],
      );
      const charts: Chart[] = [];
      for (const runId of runIds) {
        for (const series of rows.filter((row) => row.run_id === runId)) {
          const from = Math.max(series.first ?? 0, fromStep ?? 0);
          const to = Math.min(series.last ?? -1, toStep ?? Number.MAX_SAFE_INTEGER);
          const plan = planChart(series.count, from, to, points);
          const { rows: found } = await sql.query<ChartRow>(chartSql(plan), [
            series.id,
            ...plan.values,
          ]);
          const isExact = plan.level === 0 && plan.group === 1;
          charts.push({ runId, key: series.key, isExact, points: found.map(chartPoint) });
        }
      }
      return charts;
    },
    { readOnly: true },
  );
}

export interface ChartPlan {
  /** 0 for points, else the level of bins that are read. */
  readonly level: number;
  /** How many steps (level 0) or bins make one point of the chart. */
  readonly group: number;
  readonly values: readonly [first: number, last: number];
}

/**
 * What to read for a chart so that it reads at most 64 rows, and a few, for each of its points.
 * @param count points of the series in all
 */
export function planChart(count: number, from: number, to: number, points: number): ChartPlan {
  if (count <= points) return { level: 0, group: 1, values: [from, to] };
  const steps = Math.max(1, to - from + 1);
  let level = 0;
  while (level < binLevels && stepsOf(level + 1) * points <= steps) level++;
  const width = stepsOf(level);
  const [first, last] = [Math.floor(from / width), Math.floor(to / width)];
  // One more than its share may come of where groups begin.
  const group = Math.max(1, Math.ceil((last - first + 1) / points));
  return { level, group, values: [first, last] };
}

/** Whether all finite values could be added up; a mean of less than all of them would be a wrong one. */
const isSummed = (least: string, most: string) =>
  `${least} >= -${mostSummed} AND ${most} <= ${mostSummed}`;

export function chartSql({ level, group }: ChartPlan): string {
  if (level === 0 && group === 1) {
    return `SELECT step AS first_step, step AS last_step, epoch AS last_epoch, at AS last_at, value AS mean,
        value AS min_value, value AS max_value, 1 AS count,
        CASE WHEN ${finite} THEN 1 ELSE 0 END AS finite_count
      FROM track_point WHERE series_id = $1 AND step >= $2 AND step <= $3 ORDER BY step`;
  }
  if (level === 0) {
    const [least, most] = ["MIN", "MAX"].map(
      (of) => `${of}(CASE WHEN ${finite} THEN value END)`,
    ) as [string, string];
    // PostgreSQL's AVG squares differences on its way, and refuses values from 1e154 on.
    return `SELECT MIN(step) AS first_step, MAX(step) AS last_step, MAX(epoch) AS last_epoch, MAX(at) AS last_at,
        CASE WHEN ${isSummed(least, most)}
          THEN ${sumSql("value", mostSummed)} / COUNT(CASE WHEN ${finite} THEN 1 END) END AS mean,
        ${least} AS min_value, ${most} AS max_value, COUNT(*) AS count,
        SUM(CASE WHEN ${finite} THEN 1 ELSE 0 END) AS finite_count
      FROM track_point WHERE series_id = $1 AND step >= $2 AND step <= $3
      GROUP BY (step - $2) / ${group} ORDER BY 1`;
  }
  return `SELECT MIN(first_step) AS first_step, MAX(last_step) AS last_step, MAX(last_epoch) AS last_epoch,
      MAX(last_at) AS last_at, CASE WHEN ${isSummed("MIN(min_value)", "MAX(max_value)")}
        THEN ${sumSql("total", mostTotal)} / SUM(finite_count) END AS mean,
      MIN(min_value) AS min_value, MAX(max_value) AS max_value, SUM(count) AS count,
      SUM(finite_count) AS finite_count
    FROM track_bin WHERE series_id = $1 AND level = ${level} AND bin >= $2 AND bin <= $3
    GROUP BY (bin - $2) / ${group} ORDER BY 1`;
}

interface ChartRow {
  readonly first_step: number;
  readonly last_step: number;
  readonly last_epoch: number | null;
  readonly last_at: number;
  readonly mean: number | null;
  readonly min_value: number | null;
  readonly max_value: number | null;
  readonly count: number;
  readonly finite_count: number;
}

function chartPoint(row: ChartRow): ChartPoint {
  const finite = (value: number | null) => (Number.isFinite(value) ? value : null);
  const { min_value: least, max_value: most } = row;
  const middle = least === null || most === null ? null : least / 2 + most / 2;
  return {
    step: row.first_step,
    lastStep: row.last_step,
    epoch: row.last_epoch,
    at: row.last_at,
    mean: finite(row.mean ?? middle),
    min: finite(least),
    max: finite(most),
    count: row.count,
    notFinite: row.count - row.finite_count,
  };
}
