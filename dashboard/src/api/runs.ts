// Experiments and their runs: lists, one run with all it told, its charts and lines, and news of those that go on.
import { follow } from "./follow.js";
import { get, withQuery } from "./http.js";

export type RunStatus = "running" | "finished" | "failed" | "stopped" | "interrupted";

export interface MetricSummary {
  readonly last: number | null;
  readonly lastStep: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly count: number;
}

/** Times are milliseconds since 1970. */
export interface Run {
  readonly id: string;
  readonly experiment: string;
  readonly name: string;
  readonly status: RunStatus;
  readonly source: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** When it last told something. */
  readonly aliveAt: number;
  readonly takenUpAt: number;
  readonly host: string;
  readonly pid: number;
  readonly output: string;
  readonly configSha256: string;
  /** With `+` after it where files differed from it. */
  readonly commit: string;
  readonly parent: string;
  readonly error: string;
  readonly changedAt: number;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, MetricSummary>>;
}

export interface Artifact {
  readonly name: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly mediaType: string;
  /** Where it lies, for a file that was not copied. */
  readonly uri: string;
  readonly at: number;
}

export interface RunPage {
  readonly runs: readonly Run[];
  readonly total: number;
}

export interface Experiment {
  readonly name: string;
  readonly createdAt: number;
  readonly runs: number;
  readonly running: number;
  readonly lastStartedAt: number | null;
}

/** Points that lie together on a chart; a single one where `count` is 1. */
export interface ChartPoint {
  readonly step: number;
  readonly lastStep: number;
  readonly epoch: number | null;
  readonly at: number;
  /** Of the finite values; null where there is none. */
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly count: number;
  readonly notFinite: number;
}

export interface Chart {
  readonly runId: string;
  readonly key: string;
  readonly isExact: boolean;
  readonly points: readonly ChartPoint[];
}

export interface LogLine {
  readonly number: number;
  readonly at: number;
  readonly level: string;
  readonly text: string;
}

export interface RunQuery {
  /** Conditions that must all hold, such as `metrics.eval/loss < 2`. */
  readonly filters?: readonly string[];
  /** A field, with `-` before it from the greatest down. */
  readonly sort?: string;
  readonly limit?: number;
  readonly offset?: number;
}

/** @throws Problem, such as RUN_QUERY_INVALID */
export function listRuns(
  { filters, sort, limit, offset }: RunQuery,
  signal: AbortSignal,
): Promise<RunPage> {
  return get(withQuery("/v1/runs", { filter: filters, sort, limit, offset }), signal);
}

/** @throws Problem */
export async function listExperiments(signal: AbortSignal): Promise<readonly Experiment[]> {
  const { experiments } = await get<{ experiments: readonly Experiment[] }>(
    "/v1/experiments",
    signal,
  );
  return experiments;
}

const runPath = (id: string) => `/v1/runs/${encodeURIComponent(id)}`;

export interface RunDetails {
  readonly run: Run;
  readonly artifacts: readonly Artifact[];
}

/** @throws Problem, such as RUN_NOT_FOUND */
export function getRun(id: string, signal: AbortSignal): Promise<RunDetails> {
  return get(runPath(id), signal);
}

/** Where a file that is kept with a run is fetched. */
export function artifactPath(id: string, name: string): string {
  return `${runPath(id)}/artifacts/${name.split("/").map(encodeURIComponent).join("/")}`;
}

/** Some runs, in the order they are named. @throws Problem */
export async function compareRuns(
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly Run[]> {
  const { runs } = await get<{ runs: readonly Run[] }>(
    withQuery("/v1/runs/compare", { id: ids }),
    signal,
  );
  return runs;
}

export interface ChartQuery {
  readonly keys?: readonly string[];
  /** The most points of one chart. */
  readonly points?: number;
  /** Steps, both included. */
  readonly fromStep?: number | undefined;
  readonly toStep?: number | undefined;
}

/** @throws Problem */
export async function readCharts(
  id: string,
  query: ChartQuery,
  signal: AbortSignal,
): Promise<readonly Chart[]> {
  const path = withQuery(`${runPath(id)}/metrics`, { ...query });
  const { charts } = await get<{ charts: readonly Chart[] }>(path, signal);
  return charts;
}

/** Lines after one of them, in order. @throws Problem */
export async function readLines(
  id: string,
  { after, limit }: { readonly after?: number | undefined; readonly limit?: number },
  signal: AbortSignal,
): Promise<readonly LogLine[]> {
  const path = withQuery(`${runPath(id)}/logs`, { after, limit });
  const { lines } = await get<{ lines: readonly LogLine[] }>(path, signal);
  return lines;
}

/** A value as it came. */
export interface NewPoint {
  readonly key: string;
  readonly step: number;
  readonly epoch: number | null;
  readonly at: number;
  /** Null where it is not finite. */
  readonly value: number | null;
}

/** What a run that goes on tells. */
export type RunNews =
  /** From here on it is told: the last step of each metric, and the number of the last line. */
  | {
      readonly type: "position";
      readonly steps: Readonly<Record<string, number>>;
      readonly line: number;
    }
  | { readonly type: "points"; readonly points: readonly NewPoint[] }
  | { readonly type: "lines"; readonly lines: readonly LogLine[] }
  | { readonly type: "run"; readonly run: Run }
  /** It was taken up again: what it told of later steps holds no more. */
  | { readonly type: "rewound" };

/**
 * Calls back with every run that is begun, goes on or ends, until the signal.
 * @throws Problem where the server refuses or goes away
 */
export async function followRuns(signal: AbortSignal, onRun: (run: Run) => void): Promise<void> {
  await follow("/v1/runs/events", signal, (name, data) => {
    if (name === "run") onRun(data as Run);
  });
}

/**
 * Calls back with what one run tells, until the signal.
 * @throws Problem where the server refuses or goes away
 */
export async function followRun(
  id: string,
  signal: AbortSignal,
  onNews: (news: RunNews) => void,
): Promise<void> {
  await follow(`${runPath(id)}/events`, signal, (name, data) => {
    if (name === "run") onNews({ type: "run", run: data as Run });
    if (name === "rewound") onNews({ type: "rewound" });
    if (name === "position" || name === "points" || name === "lines") {
      onNews({ type: name, ...(data as object) } as RunNews);
    }
  });
}
