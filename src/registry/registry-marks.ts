// What tells whether a registered model has changed since somebody looked, read without reading its versions.
import type { Database } from "../ports/database.js";

/** A mark for each model by its name: another one as soon as it has another version, move, evaluation or gates. */
export async function readRegistryMarks(database: Database): Promise<ReadonlyMap<string, string>> {
  const { rows } = await database.query<{ model: string; kind: string; n: number }>(
    `SELECT name AS model, 'added' AS kind, last_version AS n FROM registry_model
     UNION ALL SELECT model, 'collected', COUNT(collected_at) FROM registry_version GROUP BY model
     UNION ALL SELECT model, 'moved', COUNT(*) FROM registry_move GROUP BY model
     UNION ALL SELECT model, 'evaluated', COUNT(*) FROM registry_evaluation GROUP BY model
     UNION ALL SELECT model, 'gates', COUNT(*) FROM registry_gates GROUP BY model
     ORDER BY 1, 2`,
  );
  const marks = new Map<string, string>();
  for (const { model, kind, n } of rows) {
    marks.set(model, `${marks.get(model) ?? ""}${kind}=${n} `);
  }
  return marks;
}
