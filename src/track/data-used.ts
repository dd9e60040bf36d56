// The data that runs were trained and validated on, as far as they told of it.
import type { Database } from "../ports/database.js";
import type { RunStatus } from "../ports/event-sink.js";
import { listOf } from "./sql-lists.js";

export type UsedAs = "train" | "validation";

export interface UsedFile {
  /** As the run was told of it. */
  readonly file: string;
  /** Null where the run did not tell, as those of earlier versions of Bridle and of other trackers. */
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
}

/** What one run used as one split. */
export interface UsedData {
  readonly run: {
    readonly id: string;
    readonly name: string;
    readonly experiment: string;
    readonly status: RunStatus;
    readonly startedAt: number;
  };
  readonly as: UsedAs;
  readonly files: readonly UsedFile[];
  /** Of all its files together, those left out not counted. */
  readonly rows: number | null;
  /** Columns that were named. */
  readonly columns: { readonly document?: string; readonly summary?: string };
}

const splits: readonly UsedAs[] = ["train", "validation"];
const keys = [
  ...splits.flatMap((split) => [
    `data.${split}`,
    `data.sha256.${split}`,
    `data.sizeBytes.${split}`,
    `data.rows.${split}`,
  ]),
  "data.documentColumn",
  "data.summaryColumn",
];

/** What every run used, the newest run first. */
export async function listUsedData(database: Database): Promise<UsedData[]> {
  const { rows } = await database.query<{
    id: string;
    name: string;
    experiment: string;
    status: RunStatus;
    started_at: number;
    key: string;
    value: string;
  }>(
    `SELECT r.id, r.name, e.name AS experiment, r.status, r.started_at, p.key, p.value
     FROM track_param p JOIN track_run r ON r.id = p.run_id JOIN track_experiment e ON e.id = r.experiment_id
     WHERE p.key IN (${listOf(keys.length)}) ORDER BY r.started_at DESC, r.id`,
    keys,
  );
  const runs = new Map<string, { run: UsedData["run"]; told: Map<string, string> }>();
  for (const { key, value, started_at: startedAt, ...run } of rows) {
    const found = runs.get(run.id) ?? { run: { ...run, startedAt }, told: new Map() };
    runs.set(run.id, found);
    found.told.set(key, value);
  }
  return [...runs.values()].flatMap(({ run, told }) =>
    splits.flatMap((as) => {
      const used = usedAs(as, told);
      return used === undefined ? [] : [{ run, as, ...used }];
    }),
  );
}

function usedAs(
  as: UsedAs,
  told: ReadonlyMap<string, string>,
): Pick<UsedData, "files" | "rows" | "columns"> | undefined {
  const names = several(told.get(`data.${as}`));
  if (names.length === 0) return undefined;
  const hashes = several(told.get(`data.sha256.${as}`));
  const sizes = several(told.get(`data.sizeBytes.${as}`));
  const [document, summary] = ["document", "summary"].map((of) => {
    const column = told.get(`data.${of}Column`);
    return column === "null" ? undefined : column;
  });
  return {
    files: names.map((file, at) => ({
      file,
      sha256: hashes.length === names.length ? (hashes[at] ?? null) : null,
      sizeBytes: sizes.length === names.length ? numberOf(sizes[at]) : null,
    })),
    rows: numberOf(told.get(`data.rows.${as}`)),
    columns: { ...(document && { document }), ...(summary && { summary }) },
  };
}

/** A value, or the values of a list, as the configuration's parameters are kept. */
function several(text: string | undefined): readonly string[] {
  if (text === undefined || text === "" || text === "null") return [];
  if (!text.startsWith("[")) return [text];
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.map(String) : [text];
  } catch {
    return [text];
  }
}

function numberOf(text: string | undefined): number | null {
  const number = Number(text);
  return text === undefined || text === "" || !Number.isFinite(number) ? null : number;
}
