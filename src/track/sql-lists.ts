// Lists of values in statements: rows to insert, and names to look for.
import type { SqlClient, SqlValue } from "../ports/database.js";

/** Values of one statement; both databases take several times as many. */
const mostValues = 5000;

/** `($1, $2), ($3, $4)` for so many rows of so many columns. */
function placeholders(rows: number, columns: number): string {
  return Array.from({ length: rows }, (_, row) => {
    const cells = Array.from({ length: columns }, (__, column) => `$${row * columns + column + 1}`);
    return `(${cells.join(", ")})`;
  }).join(", ");
}

/** `$3, $4, $5` for so many values after the first ones. */
export function listOf(count: number, after = 0): string {
  return Array.from({ length: count }, (_, index) => `$${after + index + 1}`).join(", ");
}

/**
 * Inserts rows, as many in a statement as may be.
 * @param before the statement up to VALUES
 * @param after what follows the values: ON CONFLICT
 */
export async function insertRows(
  sql: SqlClient,
  before: string,
  rows: readonly (readonly SqlValue[])[],
  after: string,
): Promise<void> {
  const columns = rows[0]?.length ?? 1;
  const atOnce = Math.floor(mostValues / columns);
  for (let start = 0; start < rows.length; start += atOnce) {
    const some = rows.slice(start, start + atOnce);
    await sql.query(
      `${before} VALUES ${placeholders(some.length, columns)} ${after}`,
      some.flat() as SqlValue[],
    );
  }
}
