// The tracker's own sink: what runs tell becomes rows, a batch of events in one transaction.
import type { Database, SqlClient } from "../ports/database.js";
import type { EventSink, RunEvent, RunIdentity } from "../ports/event-sink.js";
import { dropPointsAfter, writePoints } from "./series.js";
import { insertRows } from "./sql-lists.js";

/**
 * A sink over a database.
 * @param open is called once, at the first events; where it fails, again at the next
 */
export function createTrackSink(open: () => Promise<Database>): EventSink {
  let opened: Database | undefined;
  return {
    name: "track",
    async send(run, events) {
      opened ??= await open();
      await writeEvents(opened, run, events);
    },
    async close() {
      await opened?.close();
    },
  };
}

/** Keeps events of a run, all or nothing. Done twice, it leaves what it leaves once. */
export async function writeEvents(
  database: Database,
  run: RunIdentity,
  events: readonly RunEvent[],
): Promise<void> {
  await database.transaction(async (sql) => {
    await findOrMakeRun(sql, run);
    for (const event of events) await writeEvent(sql, run, event);
    const alive = Math.max(run.startedAt, ...events.map(timeOf));
    // Whoever took it for dead was wrong, unless it has ended since.
    await sql.query(
      `UPDATE track_run SET changed_at = $2,
        alive_at = CASE WHEN alive_at < $3 THEN $3 ELSE alive_at END,
        status = CASE WHEN status = 'interrupted' AND alive_at < $3 AND pid = $4 THEN 'running' ELSE status END
      WHERE id = $1`,
      [run.id, Date.now(), alive, events.some(({ type }) => type === "alive") ? run.pid : -1],
    );
  });
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
async function findOrMakeRun(sql: SqlClient, run: RunIdentity): Promise<void> {
  const { count } = await sql.query("SELECT id FROM track_run WHERE id = $1", [run.id]);
  if (count > 0) return;
  await sql.query(
    "INSERT INTO track_experiment (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
    [run.experiment, run.startedAt],
  );
  await sql.query(
    `INSERT INTO track_run (id, experiment_id, name, status, source, started_at, alive_at, host, pid, output,
      config_sha256, code_commit, parent, error, changed_at)
    VALUES ($1, (SELECT id FROM track_experiment WHERE name = $2), $3, 'running', $4, $5, $5, $6, $7, $8, $9, $10,
      $11, '', $5)`,
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
    ],
  );
}

async function writeEvent(sql: SqlClient, run: RunIdentity, event: RunEvent): Promise<void> {
  switch (event.type) {
    case "start":
      await sql.query(
        `UPDATE track_run SET status = 'running', ended_at = NULL, error = '', host = $2, pid = $3, code_commit = $4,
          name = $5 WHERE id = $1`,
        [run.id, run.host, run.pid, run.commit, run.name],
      );
      await dropPointsAfter(sql, run.id, event.fromStep);
      return;
    case "params":
      await insertRows(
        sql,
        "INSERT INTO track_param (run_id, key, value, number)",
        Object.entries(event.values).map(([key, value]) => [run.id, key, value, numberIn(value)]),
        "ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value, number = excluded.number",
      );
      return;
    case "tags":
      await insertRows(
        sql,
        "INSERT INTO track_tag (run_id, key, value)",
        Object.entries(event.values).map(([key, value]) => [run.id, key, value]),
        "ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value",
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
        "ON CONFLICT (run_id, number) DO NOTHING",
      );
      return;
    case "artifact": {
      const { name, sha256, sizeBytes, mediaType, blob, uri, at } = event.artifact;
      await sql.query(
        `INSERT INTO track_artifact (run_id, name, sha256, size_bytes, media_type, blob, uri, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (run_id, name) DO UPDATE SET sha256 = excluded.sha256, size_bytes = excluded.size_bytes,
          media_type = excluded.media_type, blob = excluded.blob, uri = excluded.uri, at = excluded.at`,
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
