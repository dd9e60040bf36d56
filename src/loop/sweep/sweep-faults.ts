// Looks for what cannot be in the rows of sweeps.
import type { Database } from "../../ports/database.js";

const impossible: readonly (readonly [what: string, sql: string])[] = [
  [
    "trials of no sweep",
    "SELECT COUNT(*) AS n FROM sweep_trial t WHERE NOT EXISTS (SELECT 1 FROM sweep s WHERE s.name = t.sweep)",
  ],
  [
    "reports of no trial",
    "SELECT COUNT(*) AS n FROM sweep_report r WHERE NOT EXISTS (SELECT 1 FROM sweep_trial t WHERE t.sweep = r.sweep AND t.number = r.number)",
  ],
  [
    "complete trials without a value",
    "SELECT COUNT(*) AS n FROM sweep_trial WHERE state = 'complete' AND value IS NULL",
  ],
  [
    "workers of no sweep",
    "SELECT COUNT(*) AS n FROM sweep_worker w WHERE NOT EXISTS (SELECT 1 FROM sweep s WHERE s.name = w.sweep)",
  ],
  [
    "sweeps that are done with trials that are not",
    "SELECT COUNT(*) AS n FROM sweep s WHERE s.state = 'done' AND EXISTS (SELECT 1 FROM sweep_trial t WHERE t.sweep = s.name AND t.state IN ('waiting', 'running'))",
  ],
];

/** What cannot be, a line each; empty where all is well. */
export async function findSweepFaults(database: Database): Promise<readonly string[]> {
  return await database.transaction(
    async (sql) => {
      const faults: string[] = [];
      for (const [what, query] of impossible) {
        const { rows } = await sql.query<{ n: number }>(query);
        if ((rows[0]?.n ?? 0) > 0) faults.push(`${rows[0]?.n} ${what}`);
      }
      return faults;
    },
    { readOnly: true },
  );
}
