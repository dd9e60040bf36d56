// What tells whether a sweep has changed since somebody looked, read without reading the sweep.
import type { Database } from "../../ports/database.js";
import type { SweepPlan } from "./plan.js";
import { isWorkedOn, readWorkers } from "./sweep-workers.js";

interface SweepRow {
  readonly name: string;
  readonly state: string;
  readonly plan: string | null;
  readonly began_at_ms: number;
  readonly ended_at_ms: number | null;
}

/** A mark for each sweep by its name: another one as soon as a trial, a report, who works on it or its end is another. */
export async function readSweepMarks(
  database: Database,
  now = Date.now(),
): Promise<ReadonlyMap<string, string>> {
  return await database.transaction(
    async (sql) => {
      // Only a sweep that goes on gets other plans and reports.
      const { rows: sweeps } = await sql.query<SweepRow>(
        `SELECT name, state, CASE WHEN state = 'running' THEN plan END AS plan, began_at_ms, ended_at_ms
         FROM sweep`,
      );
      const { rows: trials } = await sql.query<{
        sweep: string;
        state: string;
        n: number;
        runs: number;
      }>(
        `SELECT sweep, state, COUNT(*) AS n, COUNT(run_id) AS runs FROM sweep_trial
         GROUP BY sweep, state ORDER BY sweep, state`,
      );
      const { rows: reports } = await sql.query<{ sweep: string; n: number }>(
        `SELECT sweep, COUNT(*) AS n FROM sweep_report
         WHERE sweep IN (SELECT name FROM sweep WHERE state = 'running') GROUP BY sweep`,
      );
      const workers = await readWorkers(sql);
      const marks = new Map<string, string>();
      for (const { name, state, plan, began_at_ms: beganAtMs, ended_at_ms: endedAtMs } of sweeps) {
        const own = workers.get(name) ?? [];
        const planned = plan === null ? null : (JSON.parse(plan) as SweepPlan).trials;
        const counts = trials
          .filter(({ sweep }) => sweep === name)
          .map(({ state: of, n, runs }) => [of, n, runs]);
        const told = reports.find(({ sweep }) => sweep === name)?.n ?? 0;
        const isLeft = state === "running" && !isWorkedOn({ beganAtMs }, own, now);
        marks.set(
          name,
          JSON.stringify([state, isLeft, beganAtMs, endedAtMs, planned, counts, told, own.length]),
        );
      }
      return marks;
    },
    { readOnly: true },
  );
}
