// Sweeps in the database: written once for both, read by whoever plans, trains or looks.
import { BridleError } from "../../errors/error.js";
import type { Database, SqlClient, SqlValue } from "../../ports/database.js";
import type { EvaluationReport } from "../../train/events.js";
import type { Parameters } from "./dimension.js";
import { isSamePlan, type SweepPlan } from "./plan.js";
import type { SweepTrial } from "./trial.js";

/** `waiting`: named, and not begun by any worker. */
export type StoredTrialState = "waiting" | "running" | "complete" | "pruned" | "failed";

/** The queue that a sweep's trials are jobs of. */
export const queueOf = (sweep: string) => `sweep:${sweep}`;

export interface StoredReport {
  /** Optimizer steps that were done. */
  readonly step: number;
  /** The objective as evaluated; null where it was no number. */
  readonly value: number | null;
}

export interface StoredTrial {
  readonly number: number;
  readonly parameters: Parameters;
  readonly state: StoredTrialState;
  /** The objective of the trial's best evaluation. */
  readonly value: number | null;
  readonly step: number | null;
  readonly evaluation: EvaluationReport | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** The run it is recorded as. */
  readonly run: string | null;
  readonly beganAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly reports: readonly StoredReport[];
}

export interface StoredSweep {
  readonly name: string;
  readonly plan: SweepPlan;
  readonly folder: string;
  readonly state: "running" | "done";
  readonly beganAtMs: number;
  /** When somebody who worked on it last gave a sign. */
  readonly aliveAtMs: number | null;
  readonly endedAtMs: number | null;
}

interface TrialRow {
  readonly number: number;
  readonly parameters: string;
  readonly state: StoredTrialState;
  readonly value: number | null;
  readonly step: number | null;
  readonly evaluation: string | null;
  readonly error_code: string | null;
  readonly error: string | null;
  readonly run_id: string | null;
  readonly began_at_ms: number | null;
  readonly ended_at_ms: number | null;
}

function toTrial(row: TrialRow, reports: readonly StoredReport[]): StoredTrial {
  return {
    number: row.number,
    parameters: JSON.parse(row.parameters) as Parameters,
    state: row.state,
    value: row.value,
    step: row.step,
    evaluation: row.evaluation === null ? null : (JSON.parse(row.evaluation) as EvaluationReport),
    error: row.error_code === null ? null : { code: row.error_code, message: row.error ?? "" },
    run: row.run_id,
    beganAtMs: row.began_at_ms,
    endedAtMs: row.ended_at_ms,
    reports,
  };
}

export interface TrialEnd {
  readonly state: "complete" | "pruned" | "failed";
  readonly value?: number | null;
  readonly step?: number | null;
  readonly evaluation?: EvaluationReport | null;
  readonly error?: { readonly code: string; readonly message: string };
}

/**
 * Begins a sweep, or goes on with one.
 * @param planSha256 tells whether it is the same sweep that is taken up again
 * @param areTrialsSaid else one that is taken up again ends with as many trials as it was begun with, if that is more
 * @returns what is kept of it now
 * @throws SWEEP_EXISTS where there is one of this name and `resume` is not said, SWEEP_NOT_FOUND the other way round;
 *   SWEEP_CHANGED where it has another plan
 */
export async function beginSweep(
  database: Database,
  { plan, planSha256, folder }: Pick<StoredSweep, "plan" | "folder"> & { planSha256: string },
  { resume, areTrialsSaid }: { readonly resume: boolean; readonly areTrialsSaid: boolean },
): Promise<Pick<StoredSweep, "plan" | "folder"> & { readonly planSha256: string }> {
  const { name } = plan;
  return await database.transaction(async (sql) => {
    const { rows } = await sql.query<{ plan: string; plan_sha256: string; folder: string }>(
      "SELECT plan, plan_sha256, folder FROM sweep WHERE name = $1",
      [name],
    );
    const found = rows[0];
    if (found === undefined) {
      if (resume) throw new BridleError("SWEEP_NOT_FOUND", { name });
      await sql.query(
        `INSERT INTO sweep (name, plan, plan_sha256, folder, state, began_at_ms) VALUES ($1, $2, $3, $4, 'running', $5)`,
        [name, JSON.stringify(plan), planSha256, folder, Date.now()],
      );
      return { plan, folder, planSha256 };
    }
    if (!resume) throw new BridleError("SWEEP_EXISTS", { name });
    const before = JSON.parse(found.plan) as SweepPlan;
    if (found.plan_sha256 !== planSha256 && !isSamePlan(before, plan)) {
      throw new BridleError("SWEEP_CHANGED", { name });
    }
    const { rows: named } = await sql.query<{ n: number }>(
      "SELECT COUNT(*) AS n FROM sweep_trial WHERE sweep = $1",
      [name],
    );
    // Trials that were named are part of it, however few are wanted now.
    const fewest = areTrialsSaid ? (named[0]?.n ?? 0) : before.trials;
    const trials = Math.max(plan.trials, fewest);
    const now = { ...plan, trials };
    await sql.query(
      "UPDATE sweep SET plan = $2, state = 'running', ended_at_ms = NULL WHERE name = $1",
      [name, JSON.stringify(now)],
    );
    return { plan: now, folder: found.folder, planSha256: found.plan_sha256 };
  });
}

interface SweepRow {
  readonly name: string;
  readonly plan: string;
  readonly folder: string;
  readonly state: StoredSweep["state"];
  readonly began_at_ms: number;
  readonly alive_at_ms: number | null;
  readonly ended_at_ms: number | null;
}

const sweepColumns = "name, plan, folder, state, began_at_ms, alive_at_ms, ended_at_ms";

function toSweep(row: SweepRow): StoredSweep {
  return {
    name: row.name,
    plan: JSON.parse(row.plan) as SweepPlan,
    folder: row.folder,
    state: row.state,
    beganAtMs: row.began_at_ms,
    aliveAtMs: row.alive_at_ms,
    endedAtMs: row.ended_at_ms,
  };
}

/** A sign of life of somebody who works on a sweep. */
export async function touchSweep(sql: SqlClient, name: string, now = Date.now()): Promise<void> {
  await sql.query("UPDATE sweep SET alive_at_ms = $2 WHERE name = $1", [name, now]);
}

export async function findSweep(
  database: SqlClient,
  name: string,
): Promise<StoredSweep | undefined> {
  const { rows } = await database.query<SweepRow>(
    `SELECT ${sweepColumns} FROM sweep WHERE name = $1`,
    [name],
  );
  return rows[0] && toSweep(rows[0]);
}

/** Every sweep, the newest first. */
export async function listSweeps(database: SqlClient): Promise<StoredSweep[]> {
  const { rows } = await database.query<SweepRow>(
    `SELECT ${sweepColumns} FROM sweep ORDER BY began_at_ms DESC, name`,
  );
  return rows.map(toSweep);
}

/**
 * Ends a sweep all of whose trials have ended.
 * @param planned how many there were to be when that was seen
 * @returns false where somebody has asked for more since, or named another one
 */
export async function endSweep(
  database: Database,
  name: string,
  planned: number,
): Promise<boolean> {
  return await database.transaction(async (sql) => {
    if ((await readPlannedTrials(sql, name)) !== planned) return false;
    const { rows } = await sql.query(
      "SELECT 1 AS found FROM sweep_trial WHERE sweep = $1 AND state IN ('waiting', 'running') LIMIT 1",
      [name],
    );
    if (rows.length > 0) return false;
    await sql.query(
      "UPDATE sweep SET state = 'done', ended_at_ms = $2 WHERE name = $1 AND state = 'running'",
      [name, Date.now()],
    );
    return true;
  });
}

/** How many trials there are to be, as whoever went on with it last has said. */
export async function readPlannedTrials(sql: SqlClient, name: string): Promise<number | undefined> {
  return (await findSweep(sql, name))?.plan.trials;
}

const trialColumns =
  "number, parameters, state, value, step, evaluation, error_code, error, run_id, began_at_ms, ended_at_ms";

/** All trials of a sweep with what they reported, in the order of their numbers. */
export async function readTrials(sql: SqlClient, sweep: string): Promise<StoredTrial[]> {
  const { rows } = await sql.query<TrialRow>(
    `SELECT ${trialColumns} FROM sweep_trial WHERE sweep = $1 ORDER BY number`,
    [sweep],
  );
  const reported = await sql.query<StoredReport & { readonly number: number }>(
    "SELECT number, step, value FROM sweep_report WHERE sweep = $1 ORDER BY number, step",
    [sweep],
  );
  const reports = new Map<number, StoredReport[]>();
  for (const { number, step, value } of reported.rows) {
    const own = reports.get(number) ?? [];
    own.push({ step, value });
    reports.set(number, own);
  }
  return rows.map((row) => toTrial(row, reports.get(row.number) ?? []));
}

/** @returns whether it was added; false where another planner has named this trial */
export async function addTrial(
  sql: SqlClient,
  sweep: string,
  trial: Pick<StoredTrial, "number" | "parameters"> & { readonly config: unknown },
): Promise<boolean> {
  const { count } = await sql.query(
    `INSERT INTO sweep_trial (sweep, number, parameters, config, state) VALUES ($1, $2, $3, $4, 'waiting')
     ON CONFLICT (sweep, number) DO NOTHING`,
    [sweep, trial.number, JSON.stringify(trial.parameters), JSON.stringify(trial.config)],
  );
  return count > 0;
}

export interface BegunTrial {
  readonly config: unknown;
  /** The end that was decided for it before whoever worked on it was killed. */
  readonly decided: TrialEnd | undefined;
}

/**
 * Marks a trial as running. Once one has ended it stays so: a job that is done twice is done once.
 * @returns undefined where it has ended, or there is none
 */
export async function beginTrial(
  sql: SqlClient,
  sweep: string,
  number: number,
): Promise<BegunTrial | undefined> {
  const { rows } = await sql.query<{ config: string; decided: string | null }>(
    `UPDATE sweep_trial SET state = 'running', began_at_ms = COALESCE(began_at_ms, $3)
     WHERE sweep = $1 AND number = $2 AND state IN ('waiting', 'running') RETURNING config, decided`,
    [sweep, number, Date.now()],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    config: JSON.parse(row.config),
    decided: row.decided === null ? undefined : (JSON.parse(row.decided) as TrialEnd),
  };
}

/** Keeps what is to become of a trial whose process has still to end: a kill in between does not undo it. */
export async function decideTrial(
  sql: SqlClient,
  sweep: string,
  number: number,
  end: TrialEnd,
): Promise<void> {
  await sql.query("UPDATE sweep_trial SET decided = $3 WHERE sweep = $1 AND number = $2", [
    ...[sweep, number, JSON.stringify(end)],
  ]);
}

/** Counts a process that was lost over a trial. @returns how many there were */
export async function countLoss(sql: SqlClient, sweep: string, number: number): Promise<number> {
  const { rows } = await sql.query<{ losses: number }>(
    "UPDATE sweep_trial SET losses = losses + 1 WHERE sweep = $1 AND number = $2 RETURNING losses",
    [sweep, number],
  );
  return rows[0]?.losses ?? 0;
}

/** Whether a trial has reported at a step. */
export async function hasReport(
  sql: SqlClient,
  sweep: string,
  number: number,
  step: number,
): Promise<boolean> {
  const { rows } = await sql.query(
    "SELECT 1 AS found FROM sweep_report WHERE sweep = $1 AND number = $2 AND step = $3",
    [sweep, number, step],
  );
  return rows.length > 0;
}

/** Says as which run a trial is recorded. */
export async function setTrialRun(
  sql: SqlClient,
  sweep: string,
  number: number,
  run: string,
): Promise<void> {
  await sql.query("UPDATE sweep_trial SET run_id = $3 WHERE sweep = $1 AND number = $2", [
    ...[sweep, number, run],
  ]);
}

/** Keeps a report in place of all from its step on, which are there where a trial was taken up again before them. */
export async function addReport(
  sql: SqlClient,
  sweep: string,
  number: number,
  { step, value }: StoredReport,
): Promise<void> {
  await sql.query("DELETE FROM sweep_report WHERE sweep = $1 AND number = $2 AND step > $3", [
    ...[sweep, number, step],
  ]);
  await sql.query(
    `INSERT INTO sweep_report (sweep, number, step, value) VALUES ($1, $2, $3, $4)
     ON CONFLICT (sweep, number, step) DO UPDATE SET value = $4`,
    [sweep, number, step, value],
  );
}

/** @returns whether it had not ended before */
export async function endTrial(
  sql: SqlClient,
  sweep: string,
  number: number,
  { state, value = null, step = null, evaluation = null, error }: TrialEnd,
): Promise<boolean> {
  const values: SqlValue[] = [
    ...[sweep, number, state, value, step],
    evaluation === null ? null : JSON.stringify(evaluation),
    ...[error?.code ?? null, error?.message ?? null, Date.now()],
  ];
  const { count } = await sql.query(
    `UPDATE sweep_trial SET state = $3, value = $4, step = $5, evaluation = $6, error_code = $7, error = $8, ended_at_ms = $9
     WHERE sweep = $1 AND number = $2 AND state IN ('waiting', 'running')`,
    values,
  );
  return count > 0;
}

/** Trials as samplers and pruners see them: costs in place of values, reports counted from 1. */
export function toSweepTrials(
  trials: readonly StoredTrial[],
  goal: "minimize" | "maximize",
): SweepTrial[] {
  const sign = goal === "minimize" ? 1 : -1;
  return trials.map(({ number, parameters, state, value, reports }) => ({
    number,
    parameters,
    state: state === "waiting" ? "running" : state,
    ...(value !== null && { cost: sign * value }),
    reports: reports.map((report, index) => ({
      step: index + 1,
      cost: report.value === null ? Number.NaN : sign * report.value,
    })),
  }));
}
