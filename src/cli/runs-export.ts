// `bridle runs export`: runs with every point they told, as JSON lines or as a table.
import { open } from "node:fs/promises";
import type { Command } from "commander";
import { writeError } from "../errors/file-errors.js";
import type { Database } from "../ports/database.js";
import type { TrackedRun } from "../track/read.js";
import { addExamples, addJsonOption, oneOf } from "./options.js";
import { openProgress } from "./progress.js";
import { addDatabaseFlag, type PlaceFlags, withRuns } from "./run-flags.js";
import { addQueryFlags, queryOf } from "./runs-list.js";
import { printJson, type Terminal, write } from "./terminal.js";

interface Options extends PlaceFlags {
  readonly filter: readonly string[];
  readonly experiment?: string;
  readonly status?: string;
  readonly sort?: string;
  readonly format: "jsonl" | "csv" | "runs-csv";
  readonly metrics?: string;
  readonly output?: string;
  readonly json?: boolean;
}

const formats = ["jsonl", "csv", "runs-csv"] as const;

export function addRunsExportCommand(runs: Command, terminal: Terminal): void {
  const command = runs
    .command("export")
    .summary("export runs")
    .description(
      "Writes runs with all they told: as JSON lines (a line for each run, then its points, lines and files), " +
        "as CSV of points, or as CSV of runs with their parameters and last values.",
    )
    .argument(
      "[runs...]",
      "ids, beginnings of ids, or names (default: all that the conditions hold for)",
    );
  addQueryFlags(command)
    .option("--format <format>", formats.join(", "), oneOf("--format", formats), "jsonl")
    .option("--metrics <keys>", "points of these metrics alone, joined by commas")
    .option("--output <file>", "a file in place of standard output");
  addDatabaseFlag(command);
  addJsonOption(command);
  addExamples(command, [
    ["bridle runs export > runs.jsonl", "everything"],
    ["bridle runs export k3m9 --format csv --metrics eval/loss", "a curve as a table"],
    ["bridle runs export --experiment news --format runs-csv --output news.csv", "a row a run"],
  ]).action((names: readonly string[], options: Options) => run(names, options, terminal));
}

async function run(names: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const { output } = options;
  const file =
    output === undefined
      ? undefined
      : await open(`${output}.part`, "w").catch((thrown) => {
          throw writeError(thrown, output);
        });
  const put = file
    ? async (text: string) => void (await file.write(text))
    : (text: string) => write(terminal.stdout, text);
  try {
    const counts = await withRuns(options, terminal, (database) =>
      exportRuns(database, names, options, put, terminal),
    );
    if (file !== undefined && output !== undefined) {
      await file.sync();
      await file.close();
      const { rename } = await import("node:fs/promises");
      await rename(`${output}.part`, output);
      if (options.json) await printJson(terminal, { output, ...counts });
    }
  } catch (thrown) {
    if (file !== undefined && output !== undefined) {
      await file.close().catch(() => {});
      const { rm } = await import("node:fs/promises");
      await rm(`${output}.part`, { force: true });
    }
    throw thrown;
  }
}

async function exportRuns(
  database: Database,
  names: readonly string[],
  options: Options,
  put: (text: string) => Promise<void>,
  terminal: Terminal,
): Promise<{ readonly runs: number; readonly points: number }> {
  const [{ getRun, listArtifacts, listRuns, readLines }, { readPoints }] = await Promise.all([
    import("../track/read.js"),
    import("../track/export.js"),
  ]);
  const all: TrackedRun[] = [];
  for (const name of names) all.push(await getRun(database, name));
  if (names.length === 0) {
    for (;;) {
      const page = await listRuns(database, {
        ...queryOf(options),
        limit: 500,
        offset: all.length,
      });
      all.push(...page.runs);
      if (page.runs.length === 0) break;
    }
  }
  const keys = options.metrics?.split(",").map((key) => key.trim());
  const { format } = options;
  if (format === "runs-csv") await put(runsTable(all));
  if (format === "csv") await put("run,name,key,step,epoch,at,value\n");
  let points = 0;
  const progress = await openProgress(terminal, "runs");
  for (const [done, each] of all.entries()) {
    if (format === "runs-csv") break;
    if (format === "jsonl") {
      const { metrics: _, ...facts } = each;
      await put(`${JSON.stringify({ type: "run", run: facts })}\n`);
    }
    for await (const some of readPoints(database, each.id, keys)) {
      points += some.length;
      await put(
        format === "jsonl"
          ? `${JSON.stringify({ type: "points", run: each.id, points: some })}\n`
          : some
              .map((one) =>
                csvRow([
                  each.id,
                  each.name,
                  one.key,
                  one.step,
                  one.epoch,
                  new Date(one.at).toISOString(),
                  one.value,
                ]),
              )
              .join(""),
      );
    }
    if (format === "jsonl") {
      for (let after = -1; ; ) {
        const lines = await readLines(database, each.id, { after });
        if (lines.length === 0) break;
        await put(`${JSON.stringify({ type: "lines", run: each.id, lines })}\n`);
        after = lines.at(-1)?.number ?? after;
      }
      for (const artifact of await listArtifacts(database, each.id)) {
        await put(`${JSON.stringify({ type: "artifact", run: each.id, artifact })}\n`);
      }
    }
    progress.update({ done: done + 1, total: all.length, items: done + 1, itemsInAll: done + 1 });
  }
  progress.stop();
  return { runs: all.length, points };
}

type Cell = string | number | null | undefined;

function csvRow(cells: readonly Cell[]): string {
  return `${cells
    .map((cell) => {
      const text = cell === null || cell === undefined ? "" : String(cell);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    })
    .join(",")}\n`;
}

function runsTable(runs: readonly TrackedRun[]): string {
  const params = [...new Set(runs.flatMap((run) => Object.keys(run.params)))].sort();
  const metrics = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))].sort();
  const time = (at: number | null) => (at === null ? "" : new Date(at).toISOString());
  const rows: Cell[][] = [
    [
      ...["id", "name", "experiment", "status", "started", "ended", "commit", "output"],
      ...params.map((key) => `params.${key}`),
      ...metrics.map((key) => `metrics.${key}`),
    ],
    ...runs.map((run) => [
      ...[run.id, run.name, run.experiment, run.status, time(run.startedAt), time(run.endedAt)],
      ...[run.commit, run.output],
      ...params.map((key) => run.params[key]),
      ...metrics.map((key) => run.metrics[key]?.last),
    ]),
  ];
  return rows.map(csvRow).join("");
}
