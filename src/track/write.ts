// The tracker's own sink: what runs tell becomes rows, a batch of events in one transaction.
import { BridleError } from "../errors/error.js";
import type { Database, SqlClient } from "../ports/database.js";
import type { EventSink, RunEvent, RunIdentity } from "../ports/event-sink.js";
import { dropPointsAfter, isOfMachine, writePoints } from "./series.js";
import { insertRows } from "./sql-lists.js";

/**
 * A sink over a database.
 * @param open is called once, at the first events; where it fails, again at the next
 * @param destination which database that is
 */
export function createTrackSink(open: () => Promise<Database>, destination: string): EventSink {
  let opened: Database | undefined;
  let isClosed = false;
  const closed = () =>
    new BridleError("DATABASE_UNAVAILABLE", { database: destination, reason: "it was closed" });
  return {
    name: "track",
    destination,
    async send(run, events) {
      if (isClosed) throw closed();
      const database = opened ?? (await open());
      if (isClosed) {
        // Nobody waits for it any more.
        if (opened === undefined) await database.close();
        throw closed();
      }
      opened = database;
      await writeEvents(database, run, events);
    },
    async close() {
      isClosed = true;
      await opened?.close();
    },
  };
}

/** What a run's row says of who told of it last. */
interface LastTaken {
  readonly takenUpAt: number;
  /** The step after which that process goes on; more than any where it has not said so yet. */
  readonly fromStep: number;
}

/**
 * Keeps events of a run, all or nothing. Done twice, it leaves what it leaves once. Those of a process after which another
 * one took the run up fill in what is missing.
 */
export async function writeEvents(
  database: Database,
  run: RunIdentity,
  events: readonly RunEvent[],
): Promise<void> {
  await database.transaction(async (sql) => {
    const last = await findOrMakeRun(sql, run);
    const isLate = last.takenUpAt > takenUpAt(run);
    for (const event of events) {
      await (isLate ? fillIn(sql, run, event, last) : writeEvent(sql, run, event));
    }
    const alive = Math.max(run.startedAt, ...events.map(timeOf));
    // Whoever took it for dead was wrong, unless it has ended since.
    const isAlive = !isLate && events.some(({ type }) => type === "alive");
    const wasWrong = "status = 'interrupted' AND alive_at < $3 AND pid = $4";
    await sql.query(
      // Later than any change before it, also within a millisecond: whoever looked in between is to be told.
      `UPDATE track_run SET changed_at = CASE WHEN changed_at < $2 THEN $2 ELSE changed_at + 1 END,
        alive_at = CASE WHEN alive_at < $3 THEN $3 ELSE alive_at END,
        status = CASE WHEN ${wasWrong} THEN 'running' ELSE status END,
        ended_at = CASE WHEN ${wasWrong} THEN NULL ELSE ended_at END
      WHERE id = $1`,
      [run.id, Date.now(), alive, isAlive ? run.pid : -1],
    );
  });
}

function takenUpAt(run: RunIdentity): number {
  return run.takenUpAt ?? run.startedAt;
}

function timeOf(event: RunEvent): number {
  switch (event.type) {
    case "points":
      return event.points.at(-1)?.at ?? 0;
    case "lines":
      return event.lines.at(-1)?.at ?? 0;
    case "alive":
    case "end":
      return event.at;
    case "artifact":
      return event.artifact.at;
    default:
      return 0;
  }
}

/** A run is made with its first events, whichever they are: those before them may still wait in a spool. */
async function findOrMakeRun(sql: SqlClient, run: RunIdentity): Promise<LastTaken> {
  const { rows } = await sql.query<{ taken_up_at: number; from_step: number }>(
    "SELECT taken_up_at, from_step FROM track_run WHERE id = $1",
    [run.id],
  );
  const [row] = rows;
  if (row !== undefined) return { takenUpAt: row.taken_up_at, fromStep: row.from_step };
  await sql.query(
    "INSERT INTO track_experiment (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
    [run.experiment, run.startedAt],
  );
  await sql.query(
    `INSERT INTO track_run (id, experiment_id, name, status, source, started_at, alive_at, host, pid, output,
      config_sha256, code_commit, parent, error, changed_at, process_mark, taken_up_at)
    VALUES ($1, (SELECT id FROM track_experiment WHERE name = $2), $3, 'running', $4, $5, $5, $6, $7, $8, $9, $10,
      $11, '', $5, $12, $13)`,
    [
      run.id,
      run.experiment,
      run.name,
      run.source,
      run.startedAt,
      run.host,
      run.pid,
      run.output,
      run.configSha256,
      run.commit,
      run.parent,
      run.process ?? "",
      takenUpAt(run),
    ],
  );
  return { takenUpAt: takenUpAt(run), fromStep: Number.MAX_SAFE_INTEGER };
}

/** What another process took up since: only what it has not told itself, and no steps that it does again. */
async function fillIn(
  sql: SqlClient,
  run: RunIdentity,
  event: RunEvent,
  { fromStep }: LastTaken,
): Promise<void> {
  if (event.type === "start" || event.type === "end") return;
  if (event.type !== "points") return await writeEvent(sql, run, event, false);
  const points = event.points.filter(({ key, step }) => step <= fromStep || isOfMachine(key));
  await writePoints(sql, run.id, points, false);
}

/** @param replaces whether it takes the place of what is there */
async function writeEvent(
  sql: SqlClient,
  run: RunIdentity,
  event: RunEvent,
  replaces = true,
): Promise<void> {
  const orReplace = (change: string) => (replaces ? `DO UPDATE SET ${change}` : "DO NOTHING");
  switch (event.type) {
    case "start":
      await sql.query(
        `UPDATE track_run SET status = 'running', ended_at = NULL, error = '', host = $2, pid = $3, code_commit = $4,
          name = $5, process_mark = $6, taken_up_at = $7, from_step = $8 WHERE id = $1`,
        [
          ...[run.id, run.host, run.pid, run.commit, run.name],
          ...[run.process ?? "", takenUpAt(run), event.fromStep],
        ],
      );
      await dropPointsAfter(sql, run.id, event.fromStep);
      return;
    case "params":
      await insertRows(
        sql,
        "INSERT INTO track_param (run_id, key, value, number)",
        Object.entries(event.values).map(([key, value]) => [run.id, key, value, numberIn(value)]),
        `ON CONFLICT (run_id, key) ${orReplace("value = excluded.value, number = excluded.number")}`,
      );
      return;
    case "tags":
      await insertRows(
        sql,
        "INSERT INTO track_tag (run_id, key, value)",
        Object.entries(event.values).map(([key, value]) => [run.id, key, value]),
        `ON CONFLICT (run_id, key) ${orReplace("value = excluded.value")}`,
      );
      return;
    case "points":
      await writePoints(sql, run.id, event.points);
      return;
    case "lines":
      await insertRows(
        sql,
        "INSERT INTO track_line (run_id, number, at, level, text)",
        event.lines.map(({ number, at, level, text }) => [run.id, number, at, level, text]),
        `ON CONFLICT (run_id, number) ${orReplace("at = excluded.at, level = excluded.level, text = excluded.text")}`,
      );
      return;
    case "artifact": {
      const { name, sha256, sizeBytes, mediaType, blob, uri, at } = event.artifact;
      await sql.query(
        `INSERT INTO track_artifact (run_id, name, sha256, size_bytes, media_type, blob, uri, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (run_id, name) ${orReplace(`sha256 = excluded.sha256, size_bytes = excluded.size_bytes,
          media_type = excluded.media_type, blob = excluded.blob, uri = excluded.uri, at = excluded.at`)}`,
        [run.id, name, sha256, sizeBytes, mediaType, blob, uri, at],
      );
      return;
    }
    case "alive":
      return;
    case "end":
      await sql.query("UPDATE track_run SET status = $2, ended_at = $3, error = $4 WHERE id = $1", [
        run.id,
        event.status,
        event.at,
        event.error,
      ]);
      return;
  }
}

/** What a parameter is compared by where it is a number. */
function numberIn(value: string): number | null {
  const number = value.trim() === "" ? Number.NaN : Number(value);
  return Number.isFinite(number) ? number : null;
}
