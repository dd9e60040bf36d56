// Who works on a sweep: each process with the trials it trains at once, known by the signs it gives.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Database, SqlClient } from "../../ports/database.js";
import { isSameRunning, processStart } from "../../runtime/living-process.js";

export interface SweepWorker {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** When the process began, as `processStart` tells it. */
  readonly start: string | null;
  /** Trials it trains at once. */
  readonly trials: number;
  /** Counts its signs of life. */
  readonly sign: number;
  readonly aliveAtMs: number;
}

interface WorkerRow extends Omit<SweepWorker, "aliveAtMs"> {
  readonly sweep: string;
  readonly alive_at_ms: number;
}

/** One of another machine, whose process cannot be asked for, is gone after so long without a sign. */
export const silentMs = 30_000;

/** Whether somebody's process still works; that of another machine by its last sign. */
export function isAlive({ host, pid, start, aliveAtMs }: SweepWorker, now: number): boolean {
  return host === hostname() ? isSameRunning(pid, start ?? undefined) : now - aliveAtMs <= silentMs;
}

/** Between the row of a sweep and the first sign of whoever begins it. */
const beginningMs = 5000;

/** Whether somebody works on a sweep. @param workers those written down for it */
export function isWorkedOn(
  { beganAtMs }: { readonly beganAtMs: number },
  workers: readonly SweepWorker[],
  now: number,
): boolean {
  if (workers.length === 0) return now - beganAtMs < beginningMs;
  return workers.some((worker) => isAlive(worker, now));
}

/** Who is written down as working, by sweep; whoever was killed is among them. */
export async function readWorkers(
  sql: SqlClient,
  sweep?: string,
): Promise<ReadonlyMap<string, readonly SweepWorker[]>> {
  const { rows } = await sql.query<WorkerRow>(
    `SELECT sweep, id, host, pid, start, trials, sign, alive_at_ms FROM sweep_worker
     ${sweep === undefined ? "" : "WHERE sweep = $1"} ORDER BY sweep, id`,
    sweep === undefined ? [] : [sweep],
  );
  const workers = new Map<string, SweepWorker[]>();
  for (const { sweep: of, alive_at_ms: aliveAtMs, ...row } of rows) {
    const own = workers.get(of) ?? [];
    own.push({ ...row, aliveAtMs });
    workers.set(of, own);
  }
  return workers;
}

/** What a process among those that work on one sweep says of itself, and sees of the others. */
export interface Presence {
  /** Gives a sign of life. */
  touch(): Promise<void>;
  /** Looks who is there. @returns trials that all of them train at once, this process's among them */
  countPlaces(): Promise<number>;
  leave(): Promise<void>;
}

/**
 * Joins those who work on a sweep. Others count from the first sign that they give while this one looks, so that whoever was
 * killed never does, whatever the machines' clocks say.
 * @param trials those this process trains at once
 */
export function joinSweep(
  database: Database,
  sweep: string,
  trials: number,
  { id = randomUUID(), now = Date.now }: { readonly id?: string; readonly now?: () => number } = {},
): Presence {
  let sign = 0;
  /** The last sign of each that was there at the first look, and of others the one before their first. */
  let seen: Map<string, number> | undefined;
  /** When each last gave a sign, by this process's own clock. */
  const heardAt = new Map<string, number>();
  return {
    async touch() {
      await database.query(
        `INSERT INTO sweep_worker (sweep, id, host, pid, start, trials, sign, alive_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (sweep, id) DO UPDATE SET sign = $7, alive_at_ms = $8`,
        [
          ...[sweep, id, hostname(), process.pid, processStart(process.pid) ?? null],
          ...[trials, ++sign, now()],
        ],
      );
    },
    async countPlaces() {
      const others = ((await readWorkers(database, sweep)).get(sweep) ?? []).filter(
        (worker) => worker.id !== id,
      );
      const before = seen;
      seen = new Map(others.map((worker) => [worker.id, worker.sign]));
      for (const worker of others) {
        // At the first look nobody has given a sign; whoever comes later has.
        if (before !== undefined && before.get(worker.id) !== worker.sign)
          heardAt.set(worker.id, now());
      }
      const there = others.filter(
        (worker) =>
          now() - (heardAt.get(worker.id) ?? Number.NEGATIVE_INFINITY) <= silentMs &&
          isAlive(worker, worker.aliveAtMs),
      );
      return there.reduce((sum, worker) => sum + worker.trials, trials);
    },
    async leave() {
      await database.query("DELETE FROM sweep_worker WHERE sweep = $1 AND id = $2", [sweep, id]);
    },
  };
}

/** Forgets who was killed at work. */
export async function forgetGone(database: Database, sweep: string, now: number): Promise<void> {
  for (const worker of (await readWorkers(database, sweep)).get(sweep) ?? []) {
    // It may have given a sign since.
    if (!isAlive(worker, now)) {
      await database.query("DELETE FROM sweep_worker WHERE sweep = $1 AND id = $2 AND sign = $3", [
        sweep,
        worker.id,
        worker.sign,
      ]);
    }
  }
}
