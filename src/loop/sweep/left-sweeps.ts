// Sweeps that are not done and that nobody works on: killed, stopped, or on a machine that is gone.
import type { Database } from "../../ports/database.js";
import type { SweepPlan } from "./plan.js";
import { listSweeps, type StoredTrialState } from "./sweep-store.js";
import { isWorkedOn, readWorkers } from "./sweep-workers.js";

export interface LeftSweep {
  readonly plan: SweepPlan;
  /** Trials that have ended, and those that were named and have not. */
  readonly ended: number;
  readonly open: number;
  /** When somebody who worked on it last gave a sign. */
  readonly aliveAtMs: number | null;
}

/** Every sweep that is not done, those that somebody works on apart. */
export async function findLeftSweeps(
  database: Database,
  now = Date.now(),
): Promise<{ readonly left: readonly LeftSweep[]; readonly running: readonly string[] }> {
  return await database.transaction(
    async (sql) => {
      const unfinished = (await listSweeps(sql)).filter(({ state }) => state === "running");
      const workers = await readWorkers(sql);
      const { rows } = await sql.query<{ sweep: string; state: StoredTrialState; n: number }>(
        "SELECT sweep, state, COUNT(*) AS n FROM sweep_trial GROUP BY sweep, state",
      );
      const left: LeftSweep[] = [];
      const running: string[] = [];
      for (const sweep of unfinished) {
        const { name, plan, aliveAtMs } = sweep;
        if (isWorkedOn(sweep, workers.get(name) ?? [], now)) {
          running.push(name);
          continue;
        }
        const own = rows.filter((row) => row.sweep === name);
        const all = own.reduce((sum, { n }) => sum + n, 0);
        const open = own
          .filter(({ state }) => state === "waiting" || state === "running")
          .reduce((sum, { n }) => sum + n, 0);
        left.push({ plan, ended: all - open, open, aliveAtMs });
      }
      return { left, running };
    },
    { readOnly: true },
  );
}
