// What is new of runs since somebody last looked: all of them as they change, or one with its points and lines.
import type { Database } from "../ports/database.js";
import type { ExportedPoint } from "./export.js";
import {
  getRuns,
  type KeptLine,
  lastLineOf,
  listChanges,
  readLines,
  type TrackedRun,
} from "./read.js";

/** Transactions that are not done and clocks of other machines may lie so far behind. */
const overlapMs = 60_000;
const mostPoints = 2000;

/** Looks on: every call gives the runs that changed since the one before; the first one those of the last minute. */
export function followRuns(database: Database): () => Promise<readonly TrackedRun[]> {
  let told = new Map<string, number>();
  return async () => {
    const changes = await listChanges(database, Date.now() - overlapMs, [...told.keys()]);
    const news = changes.filter(({ id, changedAt }) => told.get(id) !== changedAt);
    // Ended long ago, they are not looked at any more.
    told = new Map(
      changes
        .filter(({ isRecent }) => isRecent)
        .map(({ id, changedAt }) => [id, changedAt] as const),
    );
    return await getRuns(
      database,
      news.map(({ id }) => id),
    );
  };
}

/** Up to where a run's points and lines are known. */
export interface RunPosition {
  /** The last step of each metric. */
  readonly steps: Readonly<Record<string, number>>;
  /** The number of the last line; -1 where there is none. */
  readonly line: number;
}

export interface RunNews {
  /** Where anything of it changed. */
  readonly run: TrackedRun | undefined;
  /** Metrics of a run that was taken up again, with the step up to which what was told still holds. */
  readonly rewound: readonly { readonly key: string; readonly step: number }[];
  readonly points: readonly ExportedPoint[];
  readonly lines: readonly KeptLine[];
}

export interface RunFollower {
  /** From here on news are told. */
  readonly position: RunPosition;
  next(): Promise<RunNews>;
}

interface SeriesRow {
  readonly id: number;
  readonly key: string;
  readonly last_step: number | null;
}

/** Looks on at one run from where it is now. */
export async function followRun(database: Database, runId: string): Promise<RunFollower> {
  const listSeries = async () =>
    (
      await database.query<SeriesRow>(
        "SELECT id, key, last_step FROM track_series WHERE run_id = $1 ORDER BY key",
        [runId],
      )
    ).rows;
  const steps = new Map((await listSeries()).map((each) => [each.key, each.last_step ?? -1]));
  let line = await lastLineOf(database, runId);
  let changedAt: number | undefined;
  return {
    position: { steps: Object.fromEntries(steps), line },
    async next() {
      const points: ExportedPoint[] = [];
      const rewound: { key: string; step: number }[] = [];
      for (const { id, key, last_step } of await listSeries()) {
        const [last, seen] = [last_step ?? -1, steps.get(key) ?? -1];
        if (last < seen) rewound.push({ key, step: last });
        if (last <= seen) {
          steps.set(key, last);
          continue;
        }
        const { rows } = await database.query<Omit<ExportedPoint, "key">>(
          "SELECT step, epoch, at, value FROM track_point WHERE series_id = $1 AND step > $2 ORDER BY step LIMIT $3",
          [id, seen, mostPoints],
        );
        points.push(...rows.map((row) => ({ key, ...row })));
        steps.set(key, rows.at(-1)?.step ?? seen);
      }
      const lines = await readLines(database, runId, { after: line });
      line = lines.at(-1)?.number ?? line;
      const [run] = await getRuns(database, [runId]);
      const isNew = run !== undefined && run.changedAt !== changedAt;
      changedAt = run?.changedAt;
      return { run: isNew ? run : undefined, rewound, points, lines };
    },
  };
}
