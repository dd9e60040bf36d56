// Runs out of the CSV files that W&B's pages export: the table of runs, a row a run, and charts, a column a run's metric.
import { stat } from "node:fs/promises";
import path from "node:path";
import { openRows } from "../../data/rows.js";
import { BridleError } from "../../errors/error.js";
import type { ForeignRun, MetricPoint, RunEvent } from "../../ports/event-sink.js";
import { brokenRun, inUtc, latestMs, metricNumber } from "./foreign-run.js";

export type WandbTable = "runs" | "chart";

/** How W&B calls the states of a run; one that goes on there does not go on here, and of a crashed one nothing more was heard. */
const states: Readonly<Record<string, Extract<RunEvent, { type: "end" }>["status"]>> = {
  ...{ finished: "finished", failed: "failed", killed: "stopped", crashed: "interrupted" },
  ...{ running: "interrupted", pending: "interrupted", preempting: "interrupted" },
  preempted: "interrupted",
};
/** Columns of the table that are W&B's own, and the tags that they become; the rest is a run's configuration and summary. */
const tagOf: Readonly<Record<string, string>> = {
  ...{ id: "wandb.run_id", notes: "wandb.notes", tags: "wandb.tags", user: "wandb.user" },
  ...{ sweep: "wandb.sweep", group: "wandb.group", "job type": "wandb.job_type" },
};
const ownColumns = new Set(["", "name", "state", "created", "runtime", "hostname"]);
const stepColumn = /^(.*[/_ ])?step$/i;
const chartColumn = /^(.+) - (.+?)(__MIN|__MAX)?$/;
const atOnce = 5000;
/** Lines of a file that are named where they are wrong. */
const mostNamed = 5;

/** A row of the table. */
interface TableRun {
  readonly line: number;
  readonly name: string;
  /** As the table says it; empty where it does not. */
  readonly created: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly host: string;
  readonly status: Extract<RunEvent, { type: "end" }>["status"];
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** By its header; undefined for a CSV file of another kind. */
export async function wandbTableIn(file: string): Promise<WandbTable | undefined> {
  for await (const found of (await openRows(file, { format: "csv" })).rows) {
    return kindOf(Object.keys(found.read()));
  }
  return undefined;
}

function kindOf(columns: readonly string[]): WandbTable | undefined {
  const names = columns.map((name) => name.toLowerCase());
  if (names.includes("name") && names.includes("state")) return "runs";
  const [first, ...rest] = columns.filter((name) => name !== "");
  const isChart =
    first !== undefined &&
    rest.length > 0 &&
    rest.every((name) => chartColumn.test(name)) &&
    (stepColumn.test(first) || rest.some((name) => name.endsWith("__MIN")));
  return isChart ? "chart" : undefined;
}

/**
 * The runs of tables and charts, those of one name together.
 * @throws FILE_INVALID where a file is neither, or holds no rows; what reading rows throws
 */
export async function readWandbTables(
  files: readonly string[],
  experiment: string,
): Promise<readonly ForeignRun[]> {
  const rows: TableRun[] = [];
  const curves = new Map<string, Curve>();
  const broken: ForeignRun[] = [];
  const fail = (name: string, file: string, reason: string) => {
    const error = new BridleError("FILE_INVALID", { file, reason });
    broken.push(brokenRun("wandb", experiment, name, error));
  };
  for (const file of files) {
    const kind = await wandbTableIn(file);
    if (kind === undefined) throw await notOurs(file);
    const wrong: Told = (name, reason) => fail(name, file, reason);
    try {
      if (kind === "chart") await readChart(file, curves, wrong);
      else rows.push(...(await readTable(file, wrong)));
    } catch (thrown) {
      // What is wrong with one file keeps none of the others away.
      broken.push(brokenRun("wandb", experiment, path.basename(file), thrown));
    }
  }
  const runs: ForeignRun[] = [];
  const counts = new Map<string, number>();
  for (const { name } of rows) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const run of rows) {
    const isAlone = counts.get(run.name) === 1;
    const own = isAlone ? "" : `/${run.tags["wandb.run_id"] ?? (run.created || run.line)}`;
    const points = isAlone ? curves.get(run.name)?.points : undefined;
    runs.push(foreignRun(experiment, `${run.name}${own}`, run, points));
  }
  for (const [name, { points, at, file }] of curves) {
    const count = counts.get(name) ?? 0;
    if (count === 0) runs.push(chartRun(experiment, name, points, at));
    else if (count > 1) {
      const reason = `${count} runs of the table are called ${name}, and it does not say whose points it has`;
      fail(name, file, reason);
    }
  }
  return [...runs, ...broken];
}

async function notOurs(file: string): Promise<BridleError> {
  let columns: readonly string[] = [];
  for await (const found of (await openRows(file, { format: "csv" })).rows) {
    columns = Object.keys(found.read());
    break;
  }
  const reason =
    columns.length === 0
      ? "it holds no rows"
      : `its columns are ${columns.slice(0, 6).join(", ")}: neither a table of runs (Name, State, …) nor a chart (Step, RUN - METRIC, …)`;
  return new BridleError(
    "FILE_INVALID",
    { file, reason },
    {
      hint: "Export the table of runs or a chart as CSV on W&B's page, or put a run's history into a folder of its own as history.csv.",
    },
  );
}

/** What charts say of a run. */
interface Curve {
  readonly points: MetricPoint[];
  readonly at: number;
  /** The first that says something. */
  readonly file: string;
}

type Told = (name: string, reason: string) => void;

async function readTable(file: string, wrong: Told): Promise<readonly TableRun[]> {
  const fallback = Math.round((await stat(file)).mtimeMs);
  const runs: TableRun[] = [];
  for await (const found of (await openRows(file, { format: "csv" })).rows) {
    const cells = Object.entries(found.read() as Readonly<Record<string, string>>);
    const own = new Map(cells.map(([column, text]) => [column.toLowerCase(), text.trim()]));
    const cell = (column: string) => own.get(column) ?? "";
    const { line } = found.place;
    const name = cell("name");
    const status = states[cell("state").toLowerCase()];
    const created = cell("created");
    const startedAt = created === "" ? fallback : Date.parse(inUtc(created));
    if (name === "") wrong(`line ${line}`, `line ${line} has no Name`);
    else if (status === undefined) {
      const known = Object.keys(states).join(", ");
      const reason = `line ${line} has the State ${JSON.stringify(cell("state"))}, which is none of ${known}`;
      wrong(name, reason);
    } else if (Number.isNaN(startedAt)) {
      wrong(name, `line ${line} has Created ${JSON.stringify(created)}, which is no time`);
    } else {
      const seconds = Number(cell("runtime") || Number.NaN);
      const lasted = seconds >= 0 && seconds * 1000 <= latestMs ? Math.round(seconds * 1000) : 0;
      const tags = Object.entries(tagOf).flatMap(([column, tag]) =>
        cell(column) === "" ? [] : [[tag, cell(column)] as const],
      );
      const params = cells.filter(
        ([column, text]) =>
          text !== "" && !ownColumns.has(column.toLowerCase()) && !(column.toLowerCase() in tagOf),
      );
      runs.push({
        ...{ line, name, status, created, startedAt, endedAt: startedAt + lasted },
        host: cell("hostname"),
        ...{ params: Object.fromEntries(params), tags: Object.fromEntries(tags) },
      });
    }
  }
  return runs;
}

/** Rows that cannot be read are left out, and told of together. */
async function readChart(file: string, curves: Map<string, Curve>, wrong: Told): Promise<void> {
  const at = Math.round((await stat(file)).mtimeMs);
  const bad: { readonly line: number; readonly reason: string }[] = [];
  for await (const found of (await openRows(file, { format: "csv" })).rows) {
    const { line } = found.place;
    const [first = ["", ""], ...cells] = Object.entries(
      found.read() as Readonly<Record<string, string>>,
    ).filter(([column]) => column !== "");
    const [column, told] = first;
    if (!stepColumn.test(column)) {
      const reason = `its first column is ${column}, and points are kept by step`;
      const hint = "Set the chart's x axis to Step on W&B's page and export it again.";
      throw new BridleError("FILE_INVALID", { file, reason }, { hint });
    }
    const step = told.trim() === "" ? Number.NaN : Number(told);
    if (!Number.isSafeInteger(step) || step < 0) {
      bad.push({ line, reason: `has ${column} ${JSON.stringify(told)}, which is no step` });
      continue;
    }
    for (const [name, text] of cells) {
      const [, run = "", key = "", isBound] = chartColumn.exec(name) ?? [];
      if (isBound !== undefined || text.trim() === "") continue;
      const value = metricNumber(text);
      if (value === undefined) {
        bad.push({ line, reason: `has ${JSON.stringify(text.slice(0, 80))} as ${name}` });
        continue;
      }
      const curve = curves.get(run) ?? { points: [], at, file };
      curves.set(run, curve);
      curve.points.push({ key, step, epoch: null, at, value });
    }
  }
  if (bad.length === 0) return;
  const named = bad.slice(0, mostNamed).map(({ line, reason }) => `line ${line} ${reason}`);
  const more = bad.length > mostNamed ? `; and so on, ${bad.length} in all` : "";
  wrong(path.basename(file), `${named.join("; ")}${more}; the rest of it is imported`);
}

function foreignRun(
  experiment: string,
  id: string,
  run: TableRun,
  points: readonly MetricPoint[] = [],
): ForeignRun {
  const { name, startedAt, endedAt, host, params, tags, status } = run;
  return {
    source: "wandb",
    foreignId: `${experiment}/${id}`,
    known: { experiment, name, startedAt, host },
    async *events(identity) {
      yield [
        { type: "start", run: identity, fromStep: Number.MAX_SAFE_INTEGER },
        { type: "params", values: params },
        { type: "tags", values: tags },
      ];
      // W&B's charts do not say when a point was told.
      yield* pointEvents(points, startedAt);
      yield [{ type: "end", status, at: endedAt, error: "" }];
    },
  };
}

/** A run of which a chart alone tells: it says neither when it was nor how it ended. */
function chartRun(
  experiment: string,
  name: string,
  points: readonly MetricPoint[],
  at: number,
): ForeignRun {
  return {
    ...{ source: "wandb", foreignId: `${experiment}/${name}`, isEndKnown: false },
    known: { experiment, name, startedAt: at },
    async *events(run) {
      yield [{ type: "start", run, fromStep: Number.MAX_SAFE_INTEGER }];
      yield* pointEvents(points, at);
      yield [{ type: "end", status: "finished", at, error: "" }];
    },
  };
}

function* pointEvents(points: readonly MetricPoint[], at: number): Generator<readonly RunEvent[]> {
  for (let first = 0; first < points.length; first += atOnce) {
    const some = points.slice(first, first + atOnce).map((point) => ({ ...point, at }));
    yield [{ type: "points", points: some }];
  }
}
