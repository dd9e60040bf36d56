// `bridle runs list`: a table of runs, those that conditions hold for, in an order.
import type { Command } from "commander";
import type { Database } from "../ports/database.js";
import type { RunQuery, TrackedRun } from "../track/read.js";
import { layOut, shortNumber, shortTime } from "./columns.js";
import { addExamples, addJsonOption, wholeNumber } from "./options.js";
import { plainLine } from "./plain-text.js";
import { formatDuration } from "./progress.js";
import { addDatabaseFlag, type PlaceFlags, withRuns } from "./run-flags.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends PlaceFlags {
  readonly filter: readonly string[];
  readonly experiment?: string;
  readonly status?: string;
  readonly sort?: string;
  readonly limit: number;
  readonly offset: number;
  readonly metrics?: string;
  readonly params?: string;
  readonly json?: boolean;
}

/** Shown where nobody says which, if a run on the page has them. */
const usualMetrics = ["eval/rougeL", "eval/loss", "train/loss"];
const wanted = (list: string | undefined) => list?.split(",").map((key) => key.trim());

/** Options of commands that pick runs. */
export function addQueryFlags(command: Command): Command {
  const collect = (value: string, before: readonly string[]) => [...before, value];
  return command
    .option(
      "--filter <condition>",
      "FIELD OPERATOR VALUE, such as 'metrics.eval/loss < 2'; may be repeated, and all must hold",
      collect,
      [] as readonly string[],
    )
    .option("--experiment <name>", "of this experiment alone")
    .option("--status <status>", "running, finished, failed, stopped or interrupted")
    .option(
      "--sort <field>",
      "a field, with - before it from the greatest down (default: -started)",
    )
    .addHelpText(
      "after",
      "\nFields: id, name, experiment, status, source, commit, output, parent, started, ended, duration (ms), params.KEY,\n" +
        "tags.KEY, metrics.KEY (the last value), min.KEY, max.KEY. Operators: = != < <= > >= and ~, which looks for a part.",
    );
}

export function queryOf(
  options: Pick<Options, "filter" | "experiment" | "status" | "sort">,
): Pick<RunQuery, "filters" | "sort"> {
  const { filter, experiment, status, sort } = options;
  return {
    filters: [
      ...filter,
      ...(experiment === undefined ? [] : [`experiment = "${experiment}"`]),
      ...(status === undefined ? [] : [`status = "${status}"`]),
    ],
    ...(sort !== undefined && { sort }),
  };
}

/** Says of conditions that found nothing what they name and no run has. */
export async function noteMissingKeys(
  database: Database,
  { filter }: Pick<Options, "filter">,
  terminal: Terminal,
): Promise<void> {
  const { findMissingKeys } = await import("../track/missing-keys.js");
  for (const { field, nearest } of await findMissingKeys(database, filter)) {
    const meant = nearest === undefined ? "." : `; did you mean ${nearest}?`;
    terminal.stderr.write(`note: no run has ${plainLine(field + meant)}\n`);
  }
}

export function addRunsListCommand(runs: Command, terminal: Terminal): void {
  const command = runs
    .command("list")
    .summary("list runs")
    .description(
      "Lists runs, the latest first, with how they ended and the last values of their metrics.",
    );
  addQueryFlags(command)
    .option("--limit <n>", "at most so many", wholeNumber("--limit"), 50)
    .option("--offset <n>", "after so many", wholeNumber("--offset", 0), 0)
    .option("--metrics <keys>", "columns of metrics, joined by commas")
    .option("--params <keys>", "columns of parameters, joined by commas");
  addDatabaseFlag(command);
  addJsonOption(command);
  addExamples(command, [
    ["bridle runs list", "the latest fifty"],
    ["bridle runs list --sort metrics.eval/loss --limit 5", "the five of least loss"],
    [
      "bridle runs list --filter 'params.train.learningRate < 1e-4' --status finished",
      "some of them",
    ],
    ["bridle runs list --params train.seed --metrics eval/rouge2", "with these columns"],
  ]).action((options: Options) => run(options, terminal));
}

async function run(options: Options, terminal: Terminal): Promise<void> {
  const { listRuns } = await import("../track/read.js");
  const { limit, offset } = options;
  const query = { ...queryOf(options), limit, offset };
  const page = await withRuns(options, terminal, async (database) => {
    const found = await listRuns(database, query);
    if (found.total === 0) await noteMissingKeys(database, options, terminal);
    return found;
  });
  if (options.json) return await printJson(terminal, page);
  if (page.runs.length === 0) {
    const told =
      page.total > 0 ? `There are ${page.total} runs, and none after ${offset}.` : "No runs.";
    return await printLine(terminal, told);
  }
  const metrics =
    wanted(options.metrics) ??
    usualMetrics.filter((key) => page.runs.some((each) => each.metrics[key] !== undefined));
  const params = wanted(options.params) ?? [];
  const rows = [
    ["id", "name", "experiment", "status", "started", "took", ...params, ...metrics],
    ...page.runs.map((each) => [
      each.id,
      each.name,
      each.experiment,
      each.status,
      shortTime(each.startedAt),
      duration(each),
      ...params.map((key) => each.params[key] ?? "–"),
      ...metrics.map((key) => shortNumber(each.metrics[key]?.last)),
    ]),
  ];
  for (const line of layOut(rows)) await printLine(terminal, line);
  const shown = offset + page.runs.length;
  if (shown < page.total)
    await printLine(terminal, `${page.total - shown} more: --offset ${shown}`);
}

export function duration({ startedAt, endedAt, aliveAt }: TrackedRun): string {
  return formatDuration(((endedAt ?? aliveAt) - startedAt) / 1000);
}
