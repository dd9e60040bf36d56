// Runs out of what people take from Weights & Biases: a folder a run with its history, configuration, summary and files, or
// the CSV files of its pages.
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { isRecord, readYamlFile } from "../../config/yaml-file.js";
import { openRows } from "../../data/rows.js";
import { BridleError } from "../../errors/error.js";
import { readError } from "../../errors/file-errors.js";
import type {
  ForeignRun,
  KeepFile,
  LogLine,
  MetricPoint,
  RunEvent,
} from "../../ports/event-sink.js";
import { flattenParams } from "../recorder.js";
import { artifactOf, brokenRun, inUtc, latestMs, metricNumber } from "./foreign-run.js";
import { readWandbTables, wandbTableIn } from "./wandb-tables.js";

/** Names that exports give to each part; those of W&B's own run folders come first. */
const names = {
  history:
    /^(wandb-)?history(\.\w+)*\.(csv|tsv|json|jsonl|ndjson|parquet)(\.(gz|zst))?$|^.*_history\.csv$/i,
  config: /^config\.(yaml|yml|json)$/i,
  summary: /^(wandb-)?summary\.json$/i,
  metadata: /^(wandb-)?metadata\.json$/i,
  output: /^output\.log$/i,
} as const;
type Part = keyof typeof names;
const atOnce = 5000;

interface RunFiles {
  readonly folder: string;
  readonly parts: Readonly<Partial<Record<Part, string>>>;
  readonly others: readonly string[];
}

/**
 * The runs of a folder: it is one itself, or its folders and its CSV files of W&B's pages are. Or those of one such file.
 * @throws IMPORT_EMPTY where there is none, FILE_NOT_FOUND, FILE_INVALID for a file of another kind
 */
export async function readWandbExport(
  place: string,
  named?: string,
): Promise<readonly ForeignRun[]> {
  const found = await stat(place).catch((thrown) => {
    throw readError(thrown, place);
  });
  if (!found.isDirectory()) {
    return await readWandbTables([place], named ?? path.parse(place).name);
  }
  const experiment = named ?? path.basename(path.resolve(place));
  const home = await filesOf(place);
  const tables = await tablesIn(home);
  const isRun = home.parts.history !== undefined && !tables.includes(home.parts.history);
  if (isRun) return [await runOrBroken(home, experiment)];
  const runs: ForeignRun[] = [];
  for (const name of await foldersIn(place)) {
    const files = await filesOf(path.join(place, name));
    // W&B's own run folders hold what belongs to a run in `files`.
    const inner =
      files.parts.history === undefined ? await filesOf(path.join(files.folder, "files")) : files;
    const charts = await tablesIn({ ...inner, others: [] });
    if (charts.length > 0) tables.push(...charts);
    else if (inner.parts.history !== undefined) runs.push(await runOrBroken(inner, experiment));
  }
  if (tables.length > 0) runs.push(...(await readWandbTables(tables, experiment)));
  if (runs.length > 0) return runs;
  throw new BridleError("IMPORT_EMPTY", {
    place,
    expected:
      "history.csv, .json, .jsonl or .parquet, with config.yaml and wandb-summary.json beside it; or CSV files exported from W&B's page, of the table of runs or of charts",
  });
}

/** CSV files that W&B's pages exported. */
async function tablesIn({ parts, others }: RunFiles): Promise<string[]> {
  const files = [...(parts.history === undefined ? [] : [parts.history]), ...others];
  const tables: string[] = [];
  for (const file of files.filter((each) => /\.csv$/i.test(each))) {
    const kind = await wandbTableIn(file).catch(() => undefined);
    if (kind !== undefined) tables.push(file);
  }
  return tables;
}

/** What is wrong with one run's files keeps none of the others away. */
async function runOrBroken(files: RunFiles, experiment: string): Promise<ForeignRun> {
  try {
    return await runOf(files, experiment);
  } catch (thrown) {
    const { folder } = files;
    const home = path.basename(folder) === "files" ? path.dirname(folder) : folder;
    return brokenRun("wandb", experiment, path.basename(path.resolve(home)), thrown);
  }
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

async function filesOf(folder: string): Promise<RunFiles> {
  const parts: Partial<Record<Part, string>> = {};
  const others: string[] = [];
  let entries: readonly { readonly name: string; isFile(): boolean }[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    if (path.basename(folder) === "files") return { folder, parts, others };
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      throw new BridleError("FILE_NOT_FOUND", { file: folder }, { cause });
    }
    throw new BridleError(
      "FILE_INVALID",
      { file: folder, reason: (cause as Error).message },
      { cause },
    );
  }
  for (const entry of [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isFile()) continue;
    const file = path.join(folder, entry.name);
    const part = (Object.keys(names) as Part[]).find((each) => names[each].test(entry.name));
    if (part === undefined || parts[part] !== undefined) others.push(file);
    else parts[part] = file;
  }
  return { folder, parts, others };
}

async function contentOf(file: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  return file === undefined ? {} : (await readYamlFile(file)).content;
}

/** A folder's own config.yaml has `{value, desc}` for each key; what its program exports is plain. */
function plainConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config)
      .filter(([key]) => !["_wandb", "wandb_version"].includes(key))
      .map(([key, inner]) => [key, isRecord(inner) && "value" in inner ? inner.value : inner]),
  );
}

async function runOf({ folder, parts, others }: RunFiles, experiment: string): Promise<ForeignRun> {
  const [config, summary, metadata] = await Promise.all([
    contentOf(parts.config),
    contentOf(parts.summary),
    contentOf(parts.metadata),
  ]);
  const home = path.basename(folder) === "files" ? path.dirname(folder) : folder;
  const label = path.basename(path.resolve(home));
  const history = parts.history as string;
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const git = isRecord(metadata.git) ? metadata.git : {};
  // `run-20240131_101112-abcd1234` is W&B's own name of a run's folder.
  const foreignId = text(metadata.id) || (/-([a-z0-9]{8})$/.exec(label)?.[1] ?? label);
  // What W&B draws is nobody else's; a name that somebody gave, such as that of a folder, may be another project's too.
  const isDrawn = /^run-\d{8}_\d{6}-[a-z0-9]{8}$/.test(label) && label.endsWith(foreignId);
  const identity = isDrawn ? foreignId : `${foreignId} ${await beginningOf(history)}`;
  const startedAt =
    Date.parse(inUtc(text(metadata.startedAt))) || Math.round((await stat(history)).mtimeMs);
  return {
    source: "wandb",
    foreignId: `${experiment}/${identity}`,
    known: {
      ...{ experiment, startedAt },
      name: text(metadata.displayName) || text(metadata.name) || label,
      host: text(metadata.host),
      commit: text(git.commit),
    },
    async *events(run, keep) {
      yield [
        { type: "start", run, fromStep: Number.MAX_SAFE_INTEGER },
        { type: "params", values: flattenParams(plainConfig(config)) },
        { type: "tags", values: { "wandb.run_id": foreignId, ...summaryTags(summary) } },
      ];
      let last = startedAt;
      for await (const points of historyPoints(history, startedAt)) {
        last = points.reduce((latest, { at }) => Math.max(latest, at), last);
        yield [{ type: "points", points }];
      }
      if (parts.output !== undefined) {
        yield [{ type: "lines", lines: await linesOf(parts.output, startedAt) }];
      }
      yield* fileEvents([...others, ...Object.values(parts)], keep);
      const exit = summary._wandb_exit_code ?? metadata.exitCode;
      const hasFailed = typeof exit === "number" && exit !== 0;
      yield [{ type: "end", status: hasFailed ? "failed" : "finished", at: last, error: "" }];
    },
  };
}

/** A hash of a history's first row, which stays the same while more come after it; of none where there is no row. */
async function beginningOf(history: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const found of (await openRows(history)).rows) {
    const row = found.read() as Readonly<Record<string, unknown>>;
    // A table gets more columns as metrics come that were not told at first.
    const told = Object.entries(row).filter(([, value]) => value !== null && value !== "");
    hash.update(
      JSON.stringify(told, (_, value) => (typeof value === "bigint" ? String(value) : value)),
    );
    break;
  }
  return hash.digest("hex").slice(0, 16);
}

/** What a summary says in words; its numbers are the last of the history. */
function summaryTags(summary: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(summary).flatMap(([key, value]) =>
      typeof value === "string" && !key.startsWith("_") ? [[`summary.${key}`, value]] : [],
    ),
  );
}

/** The columns that say where a row stands. */
const stepColumns = ["_step", "Step", "step", "global_step"];

/** A row of a history is a step, a column a metric; what is empty was not told there. */
async function* historyPoints(
  file: string,
  startedAt: number,
): AsyncGenerator<readonly MetricPoint[]> {
  let points: MetricPoint[] = [];
  for await (const found of (await openRows(file)).rows) {
    const row = found.read() as Readonly<Record<string, unknown>>;
    // A cell that is empty in CSV is "".
    const told = (name: string) => (row[name] === null || row[name] === "" ? undefined : row[name]);
    const stepColumn =
      stepColumns.find((name) => told(name) !== undefined) ??
      stepColumns.find((name) => name in row);
    const step = stepColumn === undefined ? found.index : Number(told(stepColumn) ?? Number.NaN);
    if (!Number.isSafeInteger(step) || step < 0) {
      const reason = `row ${found.index + 1} has ${stepColumn} ${JSON.stringify(row[stepColumn ?? ""])}, which is no step`;
      throw new BridleError("FILE_INVALID", { file, reason });
    }
    const seconds = Number(told("_timestamp") ?? told("Timestamp") ?? Number.NaN);
    if (Math.abs(seconds) * 1000 > latestMs) {
      const reason = `row ${found.index + 1} has the time ${seconds}, which is none in seconds`;
      throw new BridleError("FILE_INVALID", { file, reason });
    }
    const at = Number.isFinite(seconds) ? Math.round(seconds * 1000) : startedAt;
    const epoch = Number(told("epoch") ?? told("train/epoch") ?? Number.NaN);
    for (const [key, value] of Object.entries(flattenRow(row))) {
      // A column without a name is an index that was written along.
      if (key === "" || key.startsWith("_") || key === stepColumn) continue;
      points.push({ key, step, epoch: Number.isFinite(epoch) ? epoch : null, at, value });
    }
    if (points.length < atOnce) continue;
    yield points;
    points = [];
  }
  if (points.length > 0) yield points;
}

/** The numbers of a row; pictures, tables and texts are left out. */
function flattenRow(row: Readonly<Record<string, unknown>>, prefix = ""): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(row)) {
    const key = `${prefix}${name}`;
    if (typeof value === "number") numbers[key] = value;
    else if (typeof value === "bigint") numbers[key] = Number(value);
    else if (typeof value === "string" && value.trim() !== "") {
      const number = metricNumber(value);
      if (number !== undefined) numbers[key] = number;
    } else if (isRecord(value) && !("_type" in value)) {
      Object.assign(numbers, flattenRow(value, `${key}.`));
    }
  }
  return numbers;
}

async function linesOf(file: string, at: number): Promise<readonly LogLine[]> {
  const text = await readFile(file, "utf8");
  return text
    .split(/\r?\n/)
    .filter((line) => line !== "")
    .map((line, number) => ({ number, at, level: "info", text: line.slice(0, 10_000) }));
}

async function* fileEvents(
  files: readonly string[],
  keep: KeepFile,
): AsyncGenerator<readonly RunEvent[]> {
  for (const file of files) {
    const artifact = await artifactOf(file, path.basename(file), keep);
    yield [{ type: "artifact", artifact }];
  }
}
