// Parameters, tags and metrics that conditions ask for and that no run has: most likely mistyped.
import { nearestName } from "../config/nearest-name.js";
import type { SqlClient } from "../ports/database.js";
import { fieldOf } from "./filter.js";

export interface MissingKey {
  /** As in the condition: `metrics.eval/los`. */
  readonly field: string;
  /** The field most like it that a run has. */
  readonly nearest: string | undefined;
}

const tables: Readonly<Record<string, string>> = {
  params: "track_param",
  tags: "track_tag",
  metrics: "track_series",
  min: "track_series",
  max: "track_series",
};

/** Reads every key of the kinds that are asked for: for a search that found nothing. @throws RUN_QUERY_INVALID */
export async function findMissingKeys(
  sql: SqlClient,
  filters: readonly string[],
): Promise<readonly MissingKey[]> {
  const missing: MissingKey[] = [];
  for (const field of new Set(filters.map(fieldOf))) {
    const [kind = "", ...parts] = field.split(".");
    const table = Object.hasOwn(tables, kind) ? tables[kind] : undefined;
    if (table === undefined) continue;
    const { rows } = await sql.query<{ key: string }>(`SELECT DISTINCT key FROM ${table}`);
    const keys = rows.map(({ key }) => key).sort();
    const key = parts.join(".");
    if (keys.includes(key)) continue;
    const nearest = nearestName(key, keys);
    missing.push({ field, nearest: nearest && `${kind}.${nearest}` });
  }
  return missing;
}
