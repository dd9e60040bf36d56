// `bridle runs export`: runs with every point they told, as JSON lines, as one JSON value or as a table.
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import type { Database } from "../ports/database.js";
import type { RunArtifact } from "../ports/event-sink.js";
import type { ExportedPoint } from "../track/export.js";
import type { KeptLine, TrackedRun } from "../track/read.js";
import { addExamples, addJsonOption, oneOf } from "./options.js";
import { openProgress } from "./progress.js";
import { addDatabaseFlag, type PlaceFlags, withRuns } from "./run-flags.js";
import { addQueryFlags, noteMissingKeys, queryOf } from "./runs-list.js";
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
        "as CSV of points, or as CSV of runs with their parameters and last values. With --json and no --output, as one " +
        'JSON value {"runs": [{…, "points", "lines", "artifacts"}]}; with both, the file is in its format, and how much is in ' +
        "it is told.",
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
    ["bridle runs export k3m9 --json", "one value with all of a run"],
  ]).action((names: readonly string[], options: Options) => run(names, options, terminal));
}

type Put = (text: string) => Promise<void>;

interface Counts {
  readonly runs: number;
  readonly points: number;
}

async function run(names: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const { output, json, format } = options;
  if (json && output === undefined && format !== "jsonl") {
    const problem = `--json prints one JSON value, and --format ${format} is none; --output FILE takes it.`;
    throw new BridleError("COMMAND_LINE_INVALID", { problem, typed: "bridle runs export" });
  }
  const exportTo = (put: Put) =>
    withRuns(options, terminal, (database) => exportRuns(database, names, options, put, terminal));
  if (output === undefined) {
    await exportTo((text) => write(terminal.stdout, text));
    return;
  }
  const { writeOutput } = await import("../text/files/write-output.js");
  let counts: Counts | undefined;
  await writeOutput(output, async (handle) => {
    counts = await exportTo((text) => handle.writeFile(text));
  });
  if (json) await printJson(terminal, { output, ...counts });
}

async function exportRuns(
  database: Database,
  names: readonly string[],
  options: Options,
  put: Put,
  terminal: Terminal,
): Promise<Counts> {
  const { getRun, getRuns, listRunIds, usualPage } = await import("../track/read.js");
  const named: string[] = [];
  for (const name of names) named.push((await getRun(database, name)).id);
  // All of them at once: pages would shift where a run begins meanwhile.
  const ids = names.length === 0 ? await listRunIds(database, queryOf(options)) : named;
  if (ids.length === 0) await noteMissingKeys(database, options, terminal);
  const writer = await openWriter(database, options, put);
  const progress = await openProgress(terminal, "runs");
  let runs = 0;
  try {
    for (let first = 0; first < ids.length; first += usualPage) {
      for (const each of await getRuns(database, ids.slice(first, first + usualPage))) {
        await writer.add(each);
        runs += 1;
        progress.update({ done: runs, total: ids.length, items: runs, itemsInAll: runs });
      }
    }
  } finally {
    progress.stop();
  }
  return { runs, points: await writer.end() };
}

interface RunWriter {
  add(run: TrackedRun): Promise<void>;
  /** @returns how many points were written, as far as that is told */
  end(): Promise<number>;
}

async function openWriter(
  database: Database,
  { format, json, output, metrics }: Options,
  put: Put,
): Promise<RunWriter> {
  const [{ listArtifacts, readLines }, { readPoints }] = await Promise.all([
    import("../track/read.js"),
    import("../track/export.js"),
  ]);
  const keys = metrics?.split(",").map((key) => key.trim());
  const source: Source = {
    points: (id) => readPoints(database, id, keys),
    async *lines(id) {
      for (let after = -1; ; ) {
        const lines = await readLines(database, id, { after });
        if (lines.length === 0) return;
        yield lines;
        after = lines.at(-1)?.number ?? after;
      }
    },
    artifacts: (id) => listArtifacts(database, id),
  };
  if (format === "runs-csv") return tableWriter(put);
  if (format === "csv") return await pointsWriter(source, put);
  return json && output === undefined ? await valueWriter(source, put) : linesWriter(source, put);
}

/** What runs told, some of it at a time. */
interface Source {
  points(id: string): AsyncIterable<readonly ExportedPoint[]>;
  lines(id: string): AsyncIterable<readonly KeptLine[]>;
  artifacts(id: string): Promise<readonly RunArtifact[]>;
}

function linesWriter(source: Source, put: Put): RunWriter {
  let count = 0;
  const line = (value: object) => put(`${JSON.stringify(value)}\n`);
  return {
    async add({ metrics: _, ...run }) {
      await line({ type: "run", run });
      for await (const points of source.points(run.id)) {
        count += points.length;
        await line({ type: "points", run: run.id, points });
      }
      for await (const lines of source.lines(run.id)) {
        await line({ type: "lines", run: run.id, lines });
      }
      for (const artifact of await source.artifacts(run.id)) {
        await line({ type: "artifact", run: run.id, artifact });
      }
    },
    end: async () => count,
  };
}

/** One JSON value, written as it comes: all points of a run are never held. */
async function valueWriter(source: Source, put: Put): Promise<RunWriter> {
  let separator = "";
  await put('{"runs":[');
  const list = async (key: string, items: AsyncIterable<readonly object[]>) => {
    await put(`,"${key}":[`);
    let before = "";
    for await (const some of items) {
      await put(before + some.map((item) => JSON.stringify(item)).join());
      before = ",";
    }
    await put("]");
  };
  return {
    async add({ metrics: _, ...run }) {
      await put(separator + JSON.stringify(run).slice(0, -1));
      separator = ",";
      await list("points", source.points(run.id));
      await list("lines", source.lines(run.id));
      await put(`,"artifacts":${JSON.stringify(await source.artifacts(run.id))}}`);
    },
    async end() {
      await put("]}\n");
      return 0;
    },
  };
}

async function pointsWriter(source: Source, put: Put): Promise<RunWriter> {
  let count = 0;
  await put("run,name,key,step,epoch,at,value\n");
  return {
    async add({ id, name }) {
      for await (const points of source.points(id)) {
        count += points.length;
        const rows = points.map(({ key, step, epoch, at, value }) =>
          csvRow([id, name, key, step, epoch, new Date(at).toISOString(), value]),
        );
        await put(rows.join(""));
      }
    },
    end: async () => count,
  };
}

/** Its columns are those that any run has, so that all runs are held. */
function tableWriter(put: Put): RunWriter {
  const runs: TrackedRun[] = [];
  return {
    async add(run) {
      runs.push(run);
    },
    async end() {
      await put(runsTable(runs));
      return 0;
    },
  };
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
