// Runs out of MLflow's file store, the folder `mlruns`.
// Source: mlflow/store/tracking/file_store.py of MLflow 3.
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { readYamlFile } from "../../config/yaml-file.js";
import { BridleError } from "../../errors/error.js";
import type { ForeignRun, MetricPoint, RunEvent } from "../../ports/event-sink.js";
import { brokenRun, latestMs, metricNumber } from "./foreign-run.js";
import {
  artifactEvents,
  filesBelow,
  isInStore,
  leftOutError,
  type StoreReach,
  statusOf,
} from "./mlflow-run.js";

/** Folders of `mlruns` that are no experiments. */
const notExperiments = new Set([".trash", "models", "prompts"]);
const atOnce = 5000;

/**
 * The runs of a file store; one that cannot be read throws when it is imported.
 * @param wanted the experiment's name; all of them where left out
 * @param options `followFiles`: files are copied from wherever runs say; else those in the folder
 * @throws IMPORT_EMPTY where the folder has no runs, FILE_NOT_FOUND
 */
export async function readMlflowFiles(
  folder: string,
  wanted?: string,
  { followFiles = false }: { readonly followFiles?: boolean } = {},
): Promise<readonly ForeignRun[]> {
  const reach: StoreReach = { roots: [folder], followFiles };
  const runs: ForeignRun[] = [];
  for (const experiment of await foldersIn(folder)) {
    if (notExperiments.has(experiment)) continue;
    const home = path.join(folder, experiment);
    let meta: Meta;
    try {
      meta = await metaOf(home);
    } catch (thrown) {
      // What is wrong with one of them keeps none of the others away.
      if (wanted === undefined) runs.push(brokenRun("mlflow", experiment, experiment, thrown));
      continue;
    }
    const name = String(meta?.name ?? experiment);
    if (meta === undefined || (wanted !== undefined && name !== wanted)) continue;
    for (const id of await foldersIn(home)) {
      try {
        const run = await runOf(path.join(home, id), name, reach);
        if (run !== undefined) runs.push(run);
      } catch (thrown) {
        runs.push(brokenRun("mlflow", name, id, thrown));
      }
    }
  }
  if (runs.length === 0) {
    const expected =
      "EXPERIMENT/RUN/meta.yaml, as MLflow's file store has it, or mlflow.db, which MLflow 3 writes beside its mlruns";
    throw new BridleError("IMPORT_EMPTY", { place: folder, expected });
  }
  return runs;
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      throw new BridleError("FILE_NOT_FOUND", { file: folder }, { cause });
    }
    throw new BridleError(
      "FILE_INVALID",
      { file: folder, reason: (cause as Error).message },
      { cause },
    );
  }
}

type Meta = Readonly<Record<string, unknown>> | undefined;

async function metaOf(folder: string): Promise<Meta> {
  const file = path.join(folder, "meta.yaml");
  const isThere = await stat(file).then(
    () => true,
    () => false,
  );
  return isThere ? (await readYamlFile(file)).content : undefined;
}

async function runOf(
  folder: string,
  experiment: string,
  reach: StoreReach,
): Promise<ForeignRun | undefined> {
  const meta = await metaOf(folder);
  if (meta === undefined || meta.lifecycle_stage === "deleted") return undefined;
  const foreignId = String(meta.run_id ?? meta.run_uuid ?? path.basename(folder));
  const tags = await valuesIn(path.join(folder, "tags"), reach);
  const name = tags["mlflow.runName"] ?? meta.run_name ?? foreignId;
  const startedAt = timeIn(meta.start_time, folder);
  const endedAt = timeIn(meta.end_time, folder) || startedAt;
  const uri = typeof meta.artifact_uri === "string" ? meta.artifact_uri : "";
  return {
    source: "mlflow",
    foreignId,
    known: {
      ...{ experiment, name: String(name), startedAt },
      commit: tags["mlflow.source.git.commit"] ?? "",
    },
    async *events(run, keep) {
      yield [
        { type: "start", run, fromStep: Number.MAX_SAFE_INTEGER },
        { type: "params", values: await valuesIn(path.join(folder, "params"), reach) },
        { type: "tags", values: { ...tags, "mlflow.run_id": foreignId } },
      ];
      const leftOut: string[] = [];
      for (const key of await ownFilesBelow(path.join(folder, "metrics"), reach)) {
        yield* metricEvents(path.join(folder, "metrics", key), key, leftOut);
      }
      const place = folder.split(path.sep).slice(-2).join("/");
      const places = { uri, folders: [path.join(folder, "artifacts")], run: place, ...reach };
      yield* artifactEvents(places, endedAt, keep);
      yield [{ type: "end", status: statusOf(meta.status), at: endedAt, error: "" }];
      if (leftOut.length > 0) throw leftOutError(path.join(folder, "metrics"), leftOut);
    },
  };
}

/** A time as meta.yaml has it; 0 where there is none. @throws FILE_INVALID */
function timeIn(value: unknown, folder: string): number {
  const time = Math.round(Number(value ?? 0));
  if (Math.abs(time) <= latestMs) return time;
  const reason = `${JSON.stringify(value)} is no time in milliseconds`;
  throw new BridleError("FILE_INVALID", { file: path.join(folder, "meta.yaml"), reason });
}

/** @throws FILE_INVALID where the folder is a link to another that is not of the store */
async function ownFilesBelow(
  folder: string,
  { roots, followFiles }: StoreReach,
): Promise<readonly string[]> {
  if (followFiles || (await isInStore(folder, roots)) !== false) return await filesBelow(folder);
  const reason = "it leads out of the folder that is imported; --follow-files reads it";
  throw new BridleError("FILE_INVALID", { file: folder, reason });
}

/** A file for each key, with its value in it; a key with slashes is a path. */
async function valuesIn(folder: string, reach: StoreReach): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const key of await ownFilesBelow(folder, reach)) {
    values[key] = await readFile(path.join(folder, key), "utf8");
  }
  return values;
}

/**
 * Lines `time value step`, as they were told; where all were told without a step, the next line is the next one. Points
 * before step 0 are left out.
 */
async function* metricEvents(
  file: string,
  key: string,
  leftOut: string[],
): AsyncGenerator<readonly RunEvent[]> {
  let hasSteps = false;
  let count = 0;
  for await (const { step } of metricLines(file)) {
    hasSteps ||= step !== 0;
    count += 1;
  }
  const isStepless = !hasSteps && count > 1;
  let points: MetricPoint[] = [];
  let number = 0;
  let before = 0;
  for await (const { at, value, step } of metricLines(file)) {
    if (step < 0) {
      before += 1;
      continue;
    }
    points.push({ key, step: isStepless ? number : step, epoch: null, at, value });
    number += 1;
    if (points.length < atOnce) continue;
    yield [{ type: "points", points }];
    points = [];
  }
  if (points.length > 0) yield [{ type: "points", points }];
  if (before > 0) leftOut.push(`${key} has ${before}`);
}

async function* metricLines(file: string) {
  let number = 0;
  const input = createReadStream(file, "utf8");
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (line.trim() === "") continue;
    const [at = "", value = "", step = "0"] = line.trim().split(/\s+/);
    const [time, place, told] = [Number(at), Number(step), metricNumber(value)];
    const isRight = Number.isSafeInteger(Math.trunc(place)) && Math.abs(time) <= latestMs;
    if (!isRight || told === undefined) {
      const reason = `line ${number} is not TIME VALUE STEP: ${JSON.stringify(line.slice(0, 80))}`;
      throw new BridleError("FILE_INVALID", { file, reason });
    }
    yield { at: Math.round(time), value: told, step: Math.trunc(place) };
  }
}
