// `bridle runs import`: runs of MLflow and Weights & Biases brought into the database here.
import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { Option } from "commander";
import { BridleError } from "../errors/error.js";
import type { ForeignRun } from "../ports/event-sink.js";
import { addExamples, addJsonOption } from "./options.js";
import { openProgress } from "./progress.js";
import { addDatabaseFlag, addStoreFlag, type PlaceFlags } from "./run-flags.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";

const sources = ["mlflow", "wandb"] as const;

interface Options extends PlaceFlags {
  readonly from: (typeof sources)[number];
  readonly experiment?: string;
  readonly json?: boolean;
}

export function addRunsImportCommand(runs: Command, terminal: Terminal): void {
  const command = runs
    .command("import")
    .summary("bring runs of other trackers here")
    .description(
      "Imports runs with parameters, metrics, tags, and files up to 10 MB; larger files are named where they lie. From " +
        "MLflow: a server's address, or its folder `mlruns`. From Weights & Biases: a folder for each run with " +
        "history.csv (or .json, .jsonl, .parquet), and config.yaml, wandb-summary.json and wandb-metadata.json where there " +
        "are any. Imported again, a run is there once.",
    )
    .argument("<place>", "a folder, or an MLflow server's address")
    .addOption(
      new Option("--from <tracker>", "whose runs they are").choices(sources).makeOptionMandatory(),
    )
    .option(
      "--experiment <name>",
      "mlflow server: of this experiment alone; wandb: the experiment they get (default: the folder's name)",
    );
  addDatabaseFlag(command);
  addStoreFlag(command);
  addJsonOption(command);
  addExamples(command, [
    ["bridle runs import mlruns --from mlflow", "all runs of a file store"],
    ["bridle runs import http://localhost:5000 --from mlflow --experiment news", "of a server"],
    ["bridle runs import exported --from wandb --experiment news", "a folder a run"],
  ]).action((place: string, options: Options) => run(place, options, terminal));
}

async function run(place: string, options: Options, terminal: Terminal): Promise<void> {
  const { db, store, from } = options;
  const [{ openArtifacts, openRuns }, { importRun }] = await Promise.all([
    import("../compose.js"),
    import("../track/import/import-runs.js"),
  ]);
  const foreign = await findRuns(place, options, terminal);
  const database = await openRuns(db, terminal.env);
  const artifacts = await openArtifacts(store, terminal.env);
  const progress = await openProgress(terminal, "runs");
  const imported = [];
  const failed: { readonly name: string; readonly error: BridleError }[] = [];
  try {
    for (const each of foreign) {
      terminal.signal.throwIfAborted();
      const done = imported.length + failed.length;
      const note = each.known.name;
      progress.update({ done, total: foreign.length, items: done, itemsInAll: done, note });
      try {
        imported.push(await importRun(database, artifacts, each));
      } catch (thrown) {
        // What is wrong with one run keeps none of the others away.
        if (!(thrown instanceof BridleError) || thrown.code !== "FILE_INVALID") throw thrown;
        failed.push({ name: note, error: thrown });
      }
    }
  } finally {
    progress.stop();
    await database.close();
    await artifacts.close();
  }
  const told = imported.map(({ run: { id, experiment, name }, points, files }) => ({
    ...{ id, experiment, name, points, files },
  }));
  if (options.json) {
    await printJson(terminal, {
      ...{ from, imported: told },
      failed: failed.map(({ name, error: { code, message } }) => ({ name, code, message })),
    });
  } else {
    for (const { id, experiment, name, points, files } of told) {
      await printLine(terminal, `${id}  ${experiment}  ${name}  ${points} points, ${files} files`);
    }
  }
  for (const { name, error } of failed.slice(1)) {
    terminal.stderr.write(`warning: ${name} is not imported whole: ${error.message}\n`);
  }
  const first = failed[0]?.error;
  if (first !== undefined) throw options.json ? markTold(first) : first;
}

/** @throws FILE_NOT_FOUND, FILE_INVALID, IMPORT_EMPTY, and what asking a server throws */
async function findRuns(
  place: string,
  { from, experiment }: Options,
  terminal: Terminal,
): Promise<readonly ForeignRun[]> {
  if (from === "wandb") {
    const { readWandbExport } = await import("../track/import/wandb-export.js");
    return await readWandbExport(place, experiment);
  }
  const isFolder = await stat(place).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder && /^https?:\/\//i.test(place)) {
    const { listForeignRuns } = await import("../compose.js");
    return await listForeignRuns(place, experiment, terminal.env);
  }
  const { readMlflowFiles } = await import("../track/import/mlflow-files.js");
  return await readMlflowFiles(place, experiment);
}
