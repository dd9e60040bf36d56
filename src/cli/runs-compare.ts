// `bridle runs compare`: what tells several runs apart, and what came of each.
import type { Command } from "commander";
import { layOut, shortNumber, sparkline } from "./columns.js";
import { addExamples, addJsonOption } from "./options.js";
import { addDatabaseFlag, type PlaceFlags, withRuns } from "./run-flags.js";
import { duration } from "./runs-list.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends PlaceFlags {
  readonly metrics?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

const curveWidth = 16;

export function addRunsCompareCommand(runs: Command, terminal: Terminal): void {
  const command = runs
    .command("compare")
    .summary("compare runs")
    .description(
      "Shows the parameters in which runs differ, and the last values and curves of their metrics, side by side.",
    )
    .argument("<runs...>", "two or more: ids, beginnings of ids, or names")
    .option("--metrics <keys>", "these metrics alone, joined by commas")
    .option("--all", "the machine's readings too");
  addDatabaseFlag(command);
  addJsonOption(command);
  addExamples(command, [
    ["bridle runs compare k3m9 b7qx", "two runs"],
    ["bridle runs compare k3m9 b7qx --metrics eval/loss,eval/rougeL", "by these metrics"],
  ]).action((names: readonly string[], options: Options) => run(names, options, terminal));
}

async function run(names: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const [{ getRun, differingParams }, { readCharts }] = await Promise.all([
    import("../track/read.js"),
    import("../track/charts.js"),
  ]);
  const keys = options.metrics?.split(",").map((key) => key.trim());
  const { runs, charts } = await withRuns(options, terminal, async (database) => {
    const found = [];
    for (const name of names) found.push(await getRun(database, name));
    const request = {
      runIds: found.map(({ id }) => id),
      points: curveWidth,
      ...(keys && { keys }),
    };
    return { runs: found, charts: await readCharts(database, request) };
  });
  const params = differingParams(runs);
  const metrics = [...new Set(charts.map(({ key }) => key))]
    .filter((key) => options.all || keys !== undefined || !key.startsWith("system/"))
    .sort();
  if (options.json) {
    const summaries = metrics.map((key) => ({
      key,
      values: runs.map((each) => each.metrics[key] ?? null),
    }));
    const who = runs.map(({ id, name, experiment, status, startedAt, endedAt }) => ({
      id,
      name,
      experiment,
      status,
      startedAt,
      endedAt,
    }));
    return await printJson(terminal, { runs: who, params, metrics: summaries });
  }
  const curve = (id: string, key: string) =>
    sparkline(
      charts
        .find((chart) => chart.runId === id && chart.key === key)
        ?.points.map(({ mean }) => mean) ?? [],
    );
  const rows = [
    ["", ...runs.map(({ id }) => id)],
    ["name", ...runs.map(({ name }) => name)],
    ["status", ...runs.map(({ status }) => status)],
    ["took", ...runs.map(duration)],
    ...params.map(({ key, values }) => [key, ...values.map((value) => value ?? "–")]),
    ...metrics.map((key) => [
      key,
      ...runs.map((each) =>
        `${shortNumber(each.metrics[key]?.last)} ${curve(each.id, key)}`.trim(),
      ),
    ]),
  ];
  for (const line of layOut(rows)) await printLine(terminal, line);
}
