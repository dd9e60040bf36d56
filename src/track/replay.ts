// A run that is in the database, told once more from its beginning: for sinks that were not there when it ran.
import type { Database } from "../ports/database.js";
import type { RunEvent, RunIdentity } from "../ports/event-sink.js";
import { readPoints } from "./export.js";
import { listArtifacts, readLines, type TrackedRun } from "./read.js";

export function identityOf(run: TrackedRun): RunIdentity {
  const {
    id,
    experiment,
    name,
    startedAt,
    takenUpAt,
    source,
    host,
    pid,
    output,
    configSha256,
    commit,
    parent,
  } = run;
  return {
    id,
    experiment,
    name,
    startedAt,
    takenUpAt,
    source,
    host,
    pid,
    output,
    configSha256,
    commit,
    parent,
  };
}

/** What a run told, some events at a time, in an order in which it could have told it. */
export async function* replayRun(
  database: Database,
  run: TrackedRun,
): AsyncGenerator<readonly RunEvent[]> {
  yield [
    // Nothing is taken back.
    { type: "start", run: identityOf(run), fromStep: Number.MAX_SAFE_INTEGER },
    { type: "params", values: run.params },
    { type: "tags", values: run.tags },
  ];
  for await (const points of readPoints(database, run.id)) {
    // What is not a number is kept as nothing.
    yield [
      {
        type: "points",
        points: points.map((each) => ({ ...each, value: each.value ?? Number.NaN })),
      },
    ];
  }
  for (let after = -1; ; ) {
    const lines = await readLines(database, run.id, { after });
    const last = lines.at(-1);
    if (last === undefined) break;
    after = last.number;
    yield [
      {
        type: "lines",
        lines: lines.map((line) => ({
          ...line,
          level: line.level as "info" | "warning" | "error",
        })),
      },
    ];
  }
  const artifacts = await listArtifacts(database, run.id);
  if (artifacts.length > 0) yield artifacts.map((artifact) => ({ type: "artifact", artifact }));
  if (run.status !== "running") {
    yield [{ type: "end", status: run.status, at: run.endedAt ?? run.aliveAt, error: run.error }];
  }
}
