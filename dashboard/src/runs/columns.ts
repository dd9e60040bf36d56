// What a table of runs can show of each: facts of the run, parameters, metrics and tags, each by a name that the server sorts by.
import type { MetricSummary, Run } from "../api/runs.js";
import { ago, span, value } from "../shell/format.js";

export interface Column {
  /** As filters and the order name it: `started`, `params.train.seed`, `metrics.eval/loss`. */
  readonly field: string;
  readonly label: string;
  readonly group: "run" | "metrics" | "params" | "tags";
  readonly isNumber: boolean;
  readonly widthPx: number;
  readonly text: (run: Run, now: number) => string;
}

const own: readonly Column[] = [
  column("status", "Status", 118, (run) => run.status),
  column("experiment", "Experiment", 150, (run) => run.experiment),
  column("started", "Started", 118, (run, now) => ago(run.startedAt, now)),
  column("duration", "Duration", 116, (run, now) => span(lengthOf(run, now))),
  column("source", "Made by", 100, (run) => run.source),
  column("commit", "Commit", 110, (run) => shortCommit(run.commit)),
  column("output", "Folder", 220, (run) => run.output),
  column("id", "Id", 104, (run) => run.id),
];

function column(field: string, label: string, widthPx: number, text: Column["text"]): Column {
  const isNumber = field === "duration";
  return { field, label, group: "run", isNumber, widthPx, text };
}

/** How long a run took, or has been going on; one that was cut off ended when it last told something. */
export function lengthOf(run: Run, now: number): number {
  const end = run.endedAt ?? (run.status === "running" ? now : run.aliveAt);
  return Math.max(0, end - run.startedAt);
}

/** Seven digits of a commit, and `+` where files differed. */
export function shortCommit(commit: string): string {
  return commit === "" ? "" : `${commit.slice(0, 7)}${commit.endsWith("+") ? "+" : ""}`;
}

const summaries = { metrics: "last", min: "min", max: "max" } as const;

/** The column of a field, whether or not a run has it; undefined for what is no field. */
export function columnOf(field: string): Column | undefined {
  const found = own.find((each) => each.field === field);
  if (found !== undefined) return found;
  const dot = field.indexOf(".");
  const kind = field.slice(0, dot);
  const key = field.slice(dot + 1);
  if (dot < 0 || key === "") return undefined;
  if (kind === "params" || kind === "tags") {
    const read = (run: Run) => run[kind][key] ?? "";
    return {
      field,
      label: key,
      group: kind,
      isNumber: kind === "params",
      widthPx: widthFor(key),
      text: (run) => paramText(read(run)),
    };
  }
  if (kind !== "metrics" && kind !== "min" && kind !== "max") return undefined;
  const part: keyof MetricSummary = summaries[kind];
  return {
    field,
    label: kind === "metrics" ? key : `${key} (${kind})`,
    group: "metrics",
    isNumber: true,
    widthPx: widthFor(kind === "metrics" ? key : `${key} (${kind})`),
    text: (run) => {
      const number = run.metrics[key]?.[part];
      return number === undefined || number === null ? "" : value(number);
    },
  };
}

function widthFor(label: string): number {
  return Math.min(240, Math.max(96, Math.round(label.length * 7.4) + 44));
}

/** A parameter as it is written, with numbers kept short. */
export function paramText(text: string): string {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(number) && text.length > 8 ? value(number) : text;
}

/** Every column that some of the runs have something in, grouped in the order of the table. */
export function columnsOf(runs: readonly Run[]): readonly Column[] {
  const names = (read: (run: Run) => object) => [
    ...new Set(runs.flatMap((run) => Object.keys(read(run)))),
  ];
  const fields = [
    ...names((run) => run.metrics)
      .sort(bySystemLast)
      .flatMap((key) => [`metrics.${key}`, `min.${key}`, `max.${key}`]),
    ...names((run) => run.params)
      .sort()
      .map((key) => `params.${key}`),
    ...names((run) => run.tags)
      .sort()
      .map((key) => `tags.${key}`),
  ];
  return [...own, ...fields.flatMap((field) => columnOf(field) ?? [])];
}

function bySystemLast(a: string, b: string): number {
  return Number(isSystem(a)) - Number(isSystem(b)) || a.localeCompare(b);
}

export function isSystem(key: string): boolean {
  return key.startsWith("system/");
}

/** Metrics somebody looks at first, the most telling first. */
const telling = [/(^|\/)(val|eval|validation).*loss/i, /rouge-?l$/i, /rouge-?1$/i, /(^|\/)loss$/i];

/** What is shown unless something was chosen: when and how long, the metrics that tell most, the parameters that differ. */
export function usualColumns(runs: readonly Run[]): readonly string[] {
  const metrics = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))].filter(
    (key) => !isSystem(key),
  );
  const rank = (key: string) => {
    const place = telling.findIndex((pattern) => pattern.test(key));
    return place < 0 ? telling.length : place;
  };
  const first = metrics.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b)).slice(0, 4);
  const params = differingKeys(runs.map((run) => run.params)).filter(
    (key) => !/output|(^|\.)name$/.test(key),
  );
  const experiments = new Set(runs.map((run) => run.experiment)).size;
  return [
    "status",
    ...(experiments > 1 ? ["experiment"] : []),
    "started",
    "duration",
    ...first.map((key) => `metrics.${key}`),
    ...params.slice(0, 4).map((key) => `params.${key}`),
  ];
}

/** Keys whose values are not the same everywhere, where a missing one is a value of its own; in their order. */
export function differingKeys(all: readonly Readonly<Record<string, string>>[]): readonly string[] {
  const keys = [...new Set(all.flatMap((each) => Object.keys(each)))].sort();
  return keys.filter((key) => new Set(all.map((each) => each[key])).size > 1);
}
