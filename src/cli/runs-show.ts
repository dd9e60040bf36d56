// `bridle runs show`: one run with its curves, parameters, files and lines.
import type { Command } from "commander";
import type { Chart } from "../track/charts.js";
import type { TrackedRun } from "../track/read.js";
import { layOut, shortNumber, shortTime, sparkline } from "./columns.js";
import { addExamples, addJsonOption, wholeNumber } from "./options.js";
import { addDatabaseFlag, type PlaceFlags, withRuns } from "./run-flags.js";
import { duration } from "./runs-list.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends PlaceFlags {
  readonly logs?: boolean;
  readonly params?: boolean;
  readonly points: number;
  readonly json?: boolean;
}

/** Letters of a curve in a line. */
const curveWidth = 40;

export function addRunsShowCommand(runs: Command, terminal: Terminal): void {
  const command = runs
    .command("show")
    .summary("show one run")
    .description(
      "Shows a run: how it went, its curves, its files, and where its code and model are.",
    )
    .argument("<run>", "its id, the beginning of it, or its name")
    .option("--params", "with every parameter")
    .option("--logs", "with its lines")
    .option("--points <n>", "with --json: points of a curve at most", wholeNumber("--points"), 100);
  addDatabaseFlag(command);
  addJsonOption(command);
  addExamples(command, [
    ["bridle runs show k3m9", "the run whose id begins so"],
    ["bridle runs show k3m9 --params --logs", "with all it told"],
    ["bridle runs show k3m9 --json --points 1000", "with its curves, for a program"],
  ]).action((name: string, options: Options) => run(name, options, terminal));
}

async function run(name: string, options: Options, terminal: Terminal): Promise<void> {
  const [{ getRun, listArtifacts, readLines }, { readCharts }] = await Promise.all([
    import("../track/read.js"),
    import("../track/charts.js"),
  ]);
  const points = options.json ? options.points : curveWidth;
  const found = await withRuns(options, terminal, async (database) => {
    const tracked = await getRun(database, name);
    const charts = await readCharts(database, { runIds: [tracked.id], points });
    const artifacts = await listArtifacts(database, tracked.id);
    const lines = options.logs ? await readLines(database, tracked.id, { limit: 100_000 }) : [];
    return { tracked, charts, artifacts, lines };
  });
  const { tracked, charts, artifacts, lines } = found;
  if (options.json) {
    const curves = charts.map(({ key, isExact, points: own }) => ({ key, isExact, points: own }));
    const told = { ...tracked, curves, artifacts, ...(options.logs && { lines }) };
    return await printJson(terminal, told);
  }
  const print = async (rows: readonly (readonly string[])[]) => {
    for (const line of layOut(rows)) await printLine(terminal, line);
  };
  await print(facts(tracked));
  if (charts.length > 0) {
    await printLine(terminal, "");
    await print([
      ["metric", "last", "least", "most", "steps", ""],
      ...charts.map((chart) => curveRow(tracked, chart)),
    ]);
  }
  const section = async (title: string, rows: readonly (readonly string[])[]) => {
    if (rows.length === 0) return;
    await printLine(terminal, `\n${title}`);
    await print(rows.map((row) => ["", ...row]));
  };
  await section("tags", Object.entries(tracked.tags));
  if (options.params) await section("parameters", Object.entries(tracked.params));
  await section(
    "files",
    artifacts.map(({ name: file, sizeBytes, uri, sha256 }) => [
      file,
      `${sizeBytes} bytes`,
      uri || `sha256 ${sha256.slice(0, 12)}…`,
    ]),
  );
  await section(
    "lines",
    lines.map(({ at, text }) => [shortTime(at), text]),
  );
}

function facts(run: TrackedRun): readonly (readonly string[])[] {
  return [
    ["run", `${run.id}  ${run.name}`],
    ["experiment", run.experiment],
    ["status", run.error === "" ? run.status : `${run.status}: ${run.error}`],
    ["started", `${shortTime(run.startedAt)}, ${duration(run)}`],
    ["on", `${run.host}, process ${run.pid}`],
    ...(run.commit === ""
      ? []
      : [["code", run.commit.replace(/\+$/, ", with changes (git.diff)")]]),
    ...(run.output === "" ? [] : [["folder", run.output]]),
    ...(run.parent === "" ? [] : [["part of", run.parent]]),
  ];
}

function curveRow(run: TrackedRun, { key, points }: Chart): readonly string[] {
  const metric = run.metrics[key];
  return [
    key,
    shortNumber(metric?.last),
    shortNumber(metric?.min),
    shortNumber(metric?.max),
    String(metric?.lastStep ?? ""),
    sparkline(points.map(({ mean }) => mean)),
  ];
}
