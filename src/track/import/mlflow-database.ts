// Runs out of the SQLite file that MLflow 3 writes where no server and no other store is named.
// Source: mlflow/store/tracking/dbmodels/models.py of MLflow 3.
import { open, stat } from "node:fs/promises";
import path from "node:path";
import { BridleError } from "../../errors/error.js";
import { readError } from "../../errors/file-errors.js";
import type { Database } from "../../ports/database.js";
import type { ForeignRun, MetricPoint, RunEvent } from "../../ports/event-sink.js";
import { artifactEvents, leftOutError, statusOf } from "./mlflow-run.js";

const usualName = "mlflow.db";
const magic = "SQLite format 3\0";
const atOnce = 5000;
/** What MLflow's database holds in an infinity's place. */
const infinite = Number.MAX_VALUE;

interface RunRow {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  readonly started: number | null;
  readonly ended: number | null;
  readonly uri: string | null;
  readonly experiment: string;
  readonly experiment_id: number;
}

/**
 * The database's file that a place means: it is one, `sqlite:` leads to it, or it is the folder of one. Undefined for
 * another folder.
 * @throws FILE_NOT_FOUND, FILE_INVALID for a file of another kind
 */
export async function findMlflowDatabase(place: string): Promise<string | undefined> {
  const file = place.replace(/^sqlite:(\/\/\/)?/i, "");
  const found = await stat(file).catch((thrown) => {
    throw readError(thrown, file);
  });
  if (!found.isDirectory()) {
    if (await isSqlite(file)) return file;
    const reason = "it is neither a folder `mlruns` nor a database of MLflow's";
    throw new BridleError("FILE_INVALID", { file, reason }, { hint: serverHint });
  }
  const inside = path.join(file, usualName);
  const hasOne = await stat(inside).then(
    (each) => each.isFile(),
    () => false,
  );
  return hasOne && (await isSqlite(inside)) ? inside : undefined;
}

const serverHint =
  "Runs of any store can be imported by address: start `mlflow server --backend-store-uri STORE` and give http://localhost:5000.";

async function isSqlite(file: string): Promise<boolean> {
  const handle = await open(file, "r");
  try {
    const head = Buffer.alloc(magic.length);
    await handle.read(head, 0, head.length, 0);
    return head.toString("latin1") === magic;
  } finally {
    await handle.close();
  }
}

/**
 * @param database is read from as long as events of its runs are asked for
 * @param wanted the experiment's name; all of them where left out
 * @param options `followFiles`: files are copied from wherever runs say; else those in `mlruns` and `mlartifacts` beside it
 * @throws IMPORT_EMPTY, FILE_INVALID where its tables are not MLflow's
 */
export async function readMlflowDatabase(
  database: Database,
  wanted?: string,
  { followFiles = false }: { readonly followFiles?: boolean } = {},
): Promise<readonly ForeignRun[]> {
  const { rows: tables } = await database.query<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table'",
  );
  const names = new Set(tables.map(({ name }) => name));
  const missing = ["experiments", "runs", "params", "tags", "metrics"].filter(
    (name) => !names.has(name),
  );
  if (missing.length > 0) {
    const reason = `it has no table ${missing.join(", ")}, as MLflow's databases have`;
    throw new BridleError("FILE_INVALID", { file: database.name, reason }, { hint: serverHint });
  }
  const { rows } = await database.query<RunRow>(
    `SELECT r.run_uuid AS id, r.name AS name, r.status AS status, r.start_time AS started, r.end_time AS ended,
      r.artifact_uri AS uri, e.name AS experiment, e.experiment_id AS experiment_id
    FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
    WHERE r.lifecycle_stage = 'active' AND ($1 = '' OR e.name = $1) ORDER BY r.start_time, r.run_uuid`,
    [wanted ?? ""],
  );
  if (rows.length === 0) {
    const expected = wanted === undefined ? "runs" : `runs of the experiment ${wanted}`;
    throw new BridleError("IMPORT_EMPTY", { place: database.name, expected });
  }
  const runs: ForeignRun[] = [];
  for (const row of rows) {
    const tags = await valuesIn(database, "tags", row.id);
    runs.push(foreignRun(database, row, tags, followFiles));
  }
  return runs;
}

async function valuesIn(
  database: Database,
  table: "params" | "tags",
  id: string,
): Promise<Record<string, string>> {
  const { rows } = await database.query<{ key: string; value: string | null }>(
    `SELECT key, value FROM ${table} WHERE run_uuid = $1 ORDER BY key`,
    [id],
  );
  return Object.fromEntries(rows.map(({ key, value }) => [key, value ?? ""]));
}

function foreignRun(
  database: Database,
  { id, name, status, started, ended, uri, experiment, experiment_id: experimentId }: RunRow,
  tags: Readonly<Record<string, string>>,
  followFiles: boolean,
): ForeignRun {
  const startedAt = started ?? 0;
  const endedAt = ended || startedAt;
  // Where MLflow puts files without a server, and where its server puts them.
  const roots = ["mlruns", "mlartifacts"].map((each) =>
    path.join(path.dirname(database.name), each),
  );
  const folders = roots.map((root) => path.join(root, String(experimentId), id, "artifacts"));
  const place = `${experimentId}/${id}`;
  return {
    ...{ source: "mlflow", foreignId: id },
    known: {
      ...{ experiment, startedAt, name: name || tags["mlflow.runName"] || id },
      commit: tags["mlflow.source.git.commit"] ?? "",
    },
    async *events(run, keep) {
      yield [
        { type: "start", run, fromStep: Number.MAX_SAFE_INTEGER },
        { type: "params", values: await valuesIn(database, "params", id) },
        { type: "tags", values: { ...tags, "mlflow.run_id": id } },
      ];
      const leftOut: string[] = [];
      const { rows } = await database.query<{ key: string }>(
        "SELECT DISTINCT key FROM metrics WHERE run_uuid = $1 ORDER BY key",
        [id],
      );
      for (const { key } of rows) yield* metricEvents(database, id, key, leftOut);
      const places = { uri: uri ?? "", folders, run: place, roots, followFiles };
      yield* artifactEvents(places, endedAt, keep);
      yield [{ type: "end", status: statusOf(status), at: endedAt, error: "" }];
      if (leftOut.length > 0) throw leftOutError(database.name, leftOut);
    },
  };
}

/** As they were told; where all were told without a step, the next one is the next step. Points before step 0 are left out. */
async function* metricEvents(
  database: Database,
  id: string,
  key: string,
  leftOut: string[],
): AsyncGenerator<readonly RunEvent[]> {
  const { rows } = await database.query<{
    value: number;
    at: number;
    step: number;
    is_nan: number;
  }>(
    "SELECT value, timestamp AS at, step, is_nan FROM metrics WHERE run_uuid = $1 AND key = $2 ORDER BY timestamp, step",
    [id, key],
  );
  const isStepless = rows.length > 1 && rows.every(({ step }) => step === 0);
  const points: MetricPoint[] = [];
  for (const [index, { value, at, step, is_nan: isNan }] of rows.entries()) {
    if (step < 0) continue;
    const told = Math.abs(value) === infinite ? Math.sign(value) * Number.POSITIVE_INFINITY : value;
    points.push({
      ...{ key, epoch: null, at, step: isStepless ? index : step },
      value: isNan ? Number.NaN : told,
    });
  }
  for (let first = 0; first < points.length; first += atOnce) {
    yield [{ type: "points", points: points.slice(first, first + atOnce) }];
  }
  if (points.length < rows.length) leftOut.push(`${key} has ${rows.length - points.length}`);
}
