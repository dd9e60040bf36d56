// Reads runs: lists of them, one with all it told, and what tells several apart.
import { BridleError } from "../errors/error.js";
import type { Database, SqlClient, SqlValue } from "../ports/database.js";
import type { RunArtifact, RunStatus } from "../ports/event-sink.js";
import { filterSql, sortSql } from "./filter.js";
import { listOf } from "./sql-lists.js";

/** What a table of runs shows of a metric. */
export interface MetricSummary {
  readonly last: number | null;
  readonly lastStep: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly count: number;
}

export interface TrackedRun {
  readonly id: string;
  readonly experiment: string;
  readonly name: string;
  readonly status: RunStatus;
  readonly source: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** When it last told something. */
  readonly aliveAt: number;
  /** When a process began it, or took it up last. */
  readonly takenUpAt: number;
  readonly host: string;
  readonly pid: number;
  readonly output: string;
  readonly configSha256: string;
  readonly commit: string;
  readonly parent: string;
  readonly error: string;
  readonly changedAt: number;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, MetricSummary>>;
}

export interface Experiment {
  readonly name: string;
  readonly createdAt: number;
  readonly runs: number;
  readonly running: number;
  /** When one of its runs began last; null where it has none. */
  readonly lastStartedAt: number | null;
}

export interface RunQuery {
  /** Conditions that must all hold. */
  readonly filters?: readonly string[];
  /** A field, with `-` before it from the greatest down. Default `-started`. */
  readonly sort?: string;
  readonly limit?: number;
  readonly offset?: number;
}

export interface RunPage {
  readonly runs: readonly TrackedRun[];
  /** How many there are on all pages. */
  readonly total: number;
}

interface RunRow {
  readonly id: string;
  readonly experiment: string;
  readonly name: string;
  readonly status: RunStatus;
  readonly source: string;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly alive_at: number;
  readonly taken_up_at: number;
  readonly host: string;
  readonly pid: number;
  readonly output: string;
  readonly config_sha256: string;
  readonly code_commit: string;
  readonly parent: string;
  readonly error: string;
  readonly changed_at: number;
}

const columns = `r.id, e.name AS experiment, r.name, r.status, r.source, r.started_at, r.ended_at, r.alive_at,
  r.taken_up_at, r.host, r.pid, r.output, r.config_sha256, r.code_commit, r.parent, r.error, r.changed_at`;
const runsAndExperiments = "FROM track_run r JOIN track_experiment e ON e.id = r.experiment_id";

export const usualPage = 100;
/** Runs that are named where a word means several. */
const mostNamed = 20;

/** The parts of a statement that picks runs and puts them in order. @throws RUN_QUERY_INVALID */
function querySql({ filters = [], sort = "-started" }: Pick<RunQuery, "filters" | "sort">) {
  const values: SqlValue[] = [];
  const conditions = filters.map((filter) => filterSql(filter, values));
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  /** Those of the conditions, and then those of the order. */
  const sorted: SqlValue[] = [...values];
  const order = `${sortSql(sort, sorted)}, r.started_at DESC, r.id`;
  return { where, values, order, sorted };
}

/** The ids of all runs that a query asks for, as they are at one moment. @throws RUN_QUERY_INVALID */
export async function listRunIds(
  database: Database,
  query: Pick<RunQuery, "filters" | "sort">,
): Promise<readonly string[]> {
  const { where, order, sorted } = querySql(query);
  const { rows } = await database.query<{ id: string }>(
    `SELECT r.id ${runsAndExperiments} ${where} ORDER BY ${order}`,
    sorted,
  );
  return rows.map(({ id }) => id);
}

/** A page of the runs that a query asks for. @throws RUN_QUERY_INVALID */
export async function listRuns(
  database: Database,
  { limit = usualPage, offset = 0, ...query }: RunQuery = {},
): Promise<RunPage> {
  const { where, values, order, sorted } = querySql(query);
  return await database.transaction(
    async (sql) => {
      const counted = await sql.query<{ total: number }>(
        `SELECT COUNT(*) AS total ${runsAndExperiments} ${where}`,
        values,
      );
      const { rows } = await sql.query<RunRow>(
        `SELECT ${columns} ${runsAndExperiments} ${where} ORDER BY ${order}
        LIMIT $${sorted.push(limit)} OFFSET $${sorted.push(offset)}`,
        sorted,
      );
      return { runs: await withWhatTheyTold(sql, rows), total: counted.rows[0]?.total ?? 0 };
    },
    { readOnly: true },
  );
}

export interface RunChange {
  readonly id: string;
  readonly changedAt: number;
  /** Whether it changed after the moment that was asked for, or runs. */
  readonly isRecent: boolean;
}

/** The runs that changed after a moment, those that run, and some by their ids; the earliest change first. */
export async function listChanges(
  database: Database,
  since: number,
  ids: readonly string[] = [],
): Promise<readonly RunChange[]> {
  const found = new Map<string, RunChange>();
  const recent = await database.query<{ id: string; changed_at: number }>(
    "SELECT id, changed_at FROM track_run WHERE changed_at > $1 OR status = 'running'",
    [since],
  );
  for (const { id, changed_at: changedAt } of recent.rows) {
    found.set(id, { id, changedAt, isRecent: true });
  }
  for (const some of inPieces(ids.filter((id) => !found.has(id)))) {
    const { rows } = await database.query<{ id: string; changed_at: number }>(
      `SELECT id, changed_at FROM track_run WHERE id IN (${listOf(some.length)})`,
      some,
    );
    for (const { id, changed_at: changedAt } of rows) {
      found.set(id, { id, changedAt, isRecent: false });
    }
  }
  return [...found.values()].sort((a, b) => a.changedAt - b.changedAt);
}

/** Runs by their whole ids, in that order; those that are not there are left out. */
export async function getRuns(
  database: Database,
  ids: readonly string[],
): Promise<readonly TrackedRun[]> {
  const found = new Map<string, TrackedRun>();
  for (const some of inPieces(ids)) {
    await database.transaction(
      async (sql) => {
        const { rows } = await sql.query<RunRow>(
          `SELECT ${columns} ${runsAndExperiments} WHERE r.id IN (${listOf(some.length)})`,
          some,
        );
        for (const run of await withWhatTheyTold(sql, rows)) found.set(run.id, run);
      },
      { readOnly: true },
    );
  }
  return ids.flatMap((id) => found.get(id) ?? []);
}

function inPieces<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / usualPage) }, (_, piece) =>
    items.slice(piece * usualPage, (piece + 1) * usualPage),
  );
}

/**
 * One run by its id, the beginning of it that no other has, or its name.
 * @throws RUN_NOT_FOUND, RUN_AMBIGUOUS
 */
export async function getRun(database: Database, run: string): Promise<TrackedRun> {
  return await database.transaction(
    async (sql) => {
      const { rows } = await sql.query<RunRow>(
        `SELECT ${columns} ${runsAndExperiments} WHERE r.id = $1 OR r.name = $1 OR r.id LIKE $2 ESCAPE '\\'
        ORDER BY CASE WHEN r.id = $1 THEN 0 WHEN r.name = $1 THEN 1 ELSE 2 END, r.started_at DESC
        LIMIT ${mostNamed + 1}`,
        [run, `${run.replaceAll(/[%_\\]/g, "\\$&")}%`],
      );
      const exact = rows.filter(({ id }) => id === run);
      const named = rows.filter(({ name }) => name === run);
      const found = exact.length > 0 ? exact : named.length > 0 ? named : rows;
      const [first, second] = found;
      if (first === undefined || run === "") throw new BridleError("RUN_NOT_FOUND", { run });
      if (second !== undefined) {
        const told = found.slice(0, mostNamed).map(({ id }) => id);
        const ids = [...told, ...(found.length > mostNamed ? ["…"] : [])].join(", ");
        throw new BridleError("RUN_AMBIGUOUS", { run, ids });
      }
      return (await withWhatTheyTold(sql, [first]))[0] as TrackedRun;
    },
    { readOnly: true },
  );
}

async function withWhatTheyTold(
  sql: SqlClient,
  rows: readonly RunRow[],
): Promise<readonly TrackedRun[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const byRun = async <Row extends { readonly run_id: string }>(select: string) => {
    const groups = new Map<string, Row[]>(ids.map((id) => [id, []]));
    const found = await sql.query<Row>(
      `${select} WHERE run_id IN (${listOf(ids.length)}) ORDER BY run_id, key`,
      ids,
    );
    for (const row of found.rows) groups.get(row.run_id)?.push(row);
    return groups;
  };
  type Text = { readonly run_id: string; readonly key: string; readonly value: string };
  type Series = {
    readonly run_id: string;
    readonly key: string;
    readonly count: number;
    readonly last_step: number | null;
    readonly last_value: number | null;
    readonly min_value: number | null;
    readonly max_value: number | null;
  };
  const params = await byRun<Text>("SELECT run_id, key, value FROM track_param");
  const tags = await byRun<Text>("SELECT run_id, key, value FROM track_tag");
  const series = await byRun<Series>(
    "SELECT run_id, key, count, last_step, last_value, min_value, max_value FROM track_series",
  );
  const texts = (found: readonly Text[] = []) =>
    Object.fromEntries(found.map(({ key, value }) => [key, value]));
  return rows.map((row) => ({
    id: row.id,
    experiment: row.experiment,
    name: row.name,
    status: row.status,
    source: row.source,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    aliveAt: row.alive_at,
    // Rows of before this was kept have none.
    takenUpAt: row.taken_up_at || row.started_at,
    host: row.host,
    pid: row.pid,
    output: row.output,
    configSha256: row.config_sha256,
    commit: row.code_commit,
    parent: row.parent,
    error: row.error,
    changedAt: row.changed_at,
    params: texts(params.get(row.id)),
    tags: texts(tags.get(row.id)),
    metrics: Object.fromEntries(
      (series.get(row.id) ?? []).map((each) => [
        each.key,
        {
          last: finite(each.last_value),
          lastStep: each.last_step,
          min: each.min_value,
          max: each.max_value,
          count: each.count,
        },
      ]),
    ),
  }));
}

/** JSON knows no infinity. */
function finite(value: number | null): number | null {
  return Number.isFinite(value) ? value : null;
}

export async function listExperiments(database: Database): Promise<readonly Experiment[]> {
  const { rows } = await database.query<{
    name: string;
    created_at: number;
    runs: number;
    running: number;
    last_started: number | null;
  }>(
    `SELECT e.name, e.created_at, COUNT(r.id) AS runs,
      SUM(CASE WHEN r.status = 'running' THEN 1 ELSE 0 END) AS running, MAX(r.started_at) AS last_started
    FROM track_experiment e LEFT JOIN track_run r ON r.experiment_id = e.id
    GROUP BY e.id, e.name, e.created_at ORDER BY MAX(r.started_at) DESC NULLS LAST, e.name`,
  );
  return rows.map((row) => ({
    name: row.name,
    createdAt: row.created_at,
    runs: row.runs,
    running: row.running,
    lastStartedAt: row.last_started,
  }));
}

export interface KeptLine {
  readonly number: number;
  readonly at: number;
  readonly level: string;
  readonly text: string;
}

/** A run's lines after one of them, in order. */
export async function readLines(
  database: Database,
  runId: string,
  { after = -1, limit = 1000 }: { readonly after?: number; readonly limit?: number } = {},
): Promise<readonly KeptLine[]> {
  const { rows } = await database.query<KeptLine>(
    `SELECT number, at, level, text FROM track_line WHERE run_id = $1 AND number > $2 ORDER BY number LIMIT $3`,
    [runId, after, limit],
  );
  return rows;
}

export async function listArtifacts(
  database: Database,
  runId: string,
): Promise<readonly RunArtifact[]> {
  const { rows } = await database.query<{
    name: string;
    sha256: string;
    size_bytes: number;
    media_type: string;
    blob: string;
    uri: string;
    at: number;
  }>(
    "SELECT name, sha256, size_bytes, media_type, blob, uri, at FROM track_artifact WHERE run_id = $1 ORDER BY name",
    [runId],
  );
  return rows.map(({ size_bytes: sizeBytes, media_type: mediaType, ...rest }) => ({
    ...rest,
    sizeBytes,
    mediaType,
  }));
}

/** The ids of finished runs that kept a file of this name and content. */
export async function findRunsWithArtifact(
  database: Database,
  { name, sha256 }: Pick<RunArtifact, "name" | "sha256">,
): Promise<readonly string[]> {
  const { rows } = await database.query<{ id: string }>(
    `SELECT r.id FROM track_artifact a JOIN track_run r ON r.id = a.run_id
    WHERE a.name = $1 AND a.sha256 = $2 AND r.status = 'finished' ORDER BY r.id`,
    [name, sha256],
  );
  return rows.map(({ id }) => id);
}

/** A value of every run, where they are not all the same. */
export interface Difference {
  readonly key: string;
  readonly values: readonly (string | null)[];
}

/** The parameters in which runs differ, in the order of their keys. */
export function differingParams(runs: readonly TrackedRun[]): readonly Difference[] {
  const keys = new Set(runs.flatMap(({ params }) => Object.keys(params)));
  return [...keys]
    .sort()
    .map((key) => ({ key, values: runs.map(({ params }) => params[key] ?? null) }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** Runs that a folder's training may have been told under, the latest first. */
export async function findRunsOf(
  database: Database,
  output: string,
  configSha256: string,
): Promise<
  readonly {
    readonly id: string;
    readonly status: RunStatus;
    readonly startedAt: number;
    readonly takenUpAt: number;
  }[]
> {
  const { rows } = await database.query<{
    id: string;
    status: RunStatus;
    started_at: number;
    taken_up_at: number;
  }>(
    `SELECT id, status, started_at, taken_up_at FROM track_run WHERE output = $1 AND config_sha256 = $2
    ORDER BY started_at DESC LIMIT 5`,
    [output, configSha256],
  );
  return rows.map(({ id, status, started_at: startedAt, taken_up_at: takenUpAt }) => ({
    ...{ id, status, startedAt, takenUpAt },
  }));
}

/** The number of a run's last line; -1 where it has none. */
export async function lastLineOf(database: Database, runId: string): Promise<number> {
  const { rows } = await database.query<{ number: number }>(
    "SELECT number FROM track_line WHERE run_id = $1 ORDER BY number DESC LIMIT 1",
    [runId],
  );
  return rows[0]?.number ?? -1;
}
