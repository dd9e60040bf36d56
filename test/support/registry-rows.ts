// Versions written down as rows alone, without files: families of hundreds for tests that look at lineage.
import type { ModelCard } from "../../src/package/card.js";
import type { Database } from "../../src/ports/database.js";

/** A version to be written down: its package and the one that it was trained from. */
export interface VersionRow {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  readonly parent?: { readonly name: string; readonly version: number; readonly digest: string };
}

export const digestOf = (n: number, model = "") =>
  `${Buffer.from(model).toString("hex")}${n.toString(16)}`.padStart(64, "0");

/** Versions of one model, each trained from the one before, the first from a model of the hub. */
export function chainOf(length: number, model = "news"): VersionRow[] {
  return Array.from({ length }, (_, n) => ({
    ...{ model, version: n + 1, digest: digestOf(n + 1, model) },
    ...(n > 0 && { parent: { name: model, version: n, digest: digestOf(n, model) } }),
  }));
}

/** @param card of every version, but for its parent */
export async function writeVersionRows(
  database: Database,
  versions: readonly VersionRow[],
  card: ModelCard,
): Promise<void> {
  await database.transaction(async (sql) => {
    for (const name of new Set(versions.map(({ model }) => model))) {
      const numbers = versions.flatMap(({ model, version }) => (model === name ? [version] : []));
      await sql.query(
        "INSERT INTO registry_model (name, last_version, created_at, created_by) VALUES ($1, $2, 0, 'test')",
        [name, Math.max(...numbers)],
      );
    }
    for (const { model, version, digest, parent } of versions) {
      const hub = { name: "google/pegasus-xsum", version: null, digest: null };
      const own = { ...card, lineage: { ...card.lineage, parent: parent ?? hub } };
      await sql.query(
        `INSERT INTO registry_version (model, version, digest, parent_digest, size_bytes, card, data_objects, created_at, created_by)
         VALUES ($1, $2, $3, $4, 1, $5, '[]', 0, 'test')`,
        [model, version, digest, parent?.digest ?? null, JSON.stringify(own)],
      );
    }
  });
}
