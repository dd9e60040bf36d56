// `bridle runs import`: runs of MLflow and Weights & Biases brought into the database here.
import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { Option } from "commander";
import { BridleError } from "../errors/error.js";
import type { ForeignRun } from "../ports/event-sink.js";
import { addExamples, addJsonOption } from "./options.js";
import { plainLine } from "./plain-text.js";
import { openProgress } from "./progress.js";
import { addDatabaseFlag, addStoreFlag, type PlaceFlags } from "./run-flags.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";

const sources = ["mlflow", "wandb"] as const;

interface Options extends PlaceFlags {
  readonly from: (typeof sources)[number];
  readonly experiment?: string;
  readonly followFiles?: boolean;
  readonly json?: boolean;
}

export function addRunsImportCommand(runs: Command, terminal: Terminal): void {
  const command = runs
    .command("import")
    .summary("bring runs of other trackers here")
    .description(
      "Imports runs with parameters, metrics, tags, and files up to 10 MB; larger files and those that cannot be reached, or lie " +
        "outside of what is imported, are named where they lie. From MLflow: a server's address, its folder `mlruns`, or its database `mlflow.db`. From " +
        "Weights & Biases: CSV files that its pages export (the table of runs, charts by step), or a folder for each run " +
        "with history.csv (or .json, .jsonl, .parquet), and config.yaml, wandb-summary.json and wandb-metadata.json where " +
        "there are any. Imported again, a run is there once. What is wrong with one run is told and keeps none of the " +
        "others away; the command then ends with the code 2.",
    )
    .argument("<place>", "a folder, a file, or an MLflow server's address")
    .addOption(
      new Option("--from <tracker>", "whose runs they are").choices(sources).makeOptionMandatory(),
    )
    .option(
      "--experiment <name>",
      "mlflow: of this experiment alone; wandb: the experiment they get (default: the folder's or file's name)",
    );
  command.option(
    "--follow-files",
    "mlflow: copy files also from other folders of this machine that runs name; for runs that you trust",
  );
  addDatabaseFlag(command);
  addStoreFlag(command);
  addJsonOption(command);
  addExamples(command, [
    ["bridle runs import mlruns --from mlflow", "all runs of a file store"],
    ["bridle runs import http://localhost:5000 --from mlflow --experiment news", "of a server"],
    [
      "bridle runs import mlflow.db --from mlflow",
      "of the database that MLflow 3 writes by itself",
    ],
    ["bridle runs import exported --from wandb --experiment news", "a folder a run"],
    [
      "bridle runs import wandb_export.csv --from wandb --experiment news",
      "what W&B's page exports",
    ],
  ]).action((place: string, options: Options) => run(place, options, terminal));
}

async function run(place: string, options: Options, terminal: Terminal): Promise<void> {
  const { db, store, from } = options;
  const [{ openArtifacts, openRuns }, { importRun, isFaultOfRun }] = await Promise.all([
    import("../compose.js"),
    import("../track/import/import-runs.js"),
  ]);
  const { runs: foreign, close } = await findRuns(place, options, terminal);
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
        if (!isFaultOfRun(thrown)) throw thrown;
        failed.push({ name: note, error: thrown });
      }
    }
  } finally {
    progress.stop();
    await database.close();
    await artifacts.close();
    await close();
  }
  const told = imported.map(({ run: { id, experiment, name }, points, files, named }) => ({
    ...{ id, experiment, name, points, files, named },
  }));
  if (options.json) {
    await printJson(terminal, {
      ...{ from, imported: told },
      failed: failed.map(({ name, error: { code, message } }) => ({ name, code, message })),
    });
  } else {
    for (const { id, experiment, name, points, files, named } of told) {
      const where = named === 0 ? "" : `, ${named} of them named where they lie`;
      const count = `${points} points, ${files} files${where}`;
      await printLine(terminal, plainLine(`${id}  ${experiment}  ${name}  ${count}`));
    }
  }
  const [first] = failed;
  if (first === undefined) return;
  for (const { name, error } of failed.slice(1)) {
    const warning = `warning: ${name} is not imported whole: ${error.message}`;
    terminal.stderr.write(`${plainLine(warning)}\n`);
  }
  const incomplete = new BridleError("IMPORT_INCOMPLETE", {
    ...{ failed: failed.length, runs: foreign.length },
    ...{ name: first.name, reason: first.error.message.replace(/\.$/, "") },
  });
  throw options.json ? markTold(incomplete) : incomplete;
}

interface FoundRuns {
  readonly runs: readonly ForeignRun[];
  /** Lets go of what they are read from. */
  close(): Promise<void>;
}

/** @throws FILE_NOT_FOUND, FILE_INVALID, IMPORT_EMPTY, and what asking a server throws */
async function findRuns(
  place: string,
  { from, experiment, followFiles = false }: Options,
  terminal: Terminal,
): Promise<FoundRuns> {
  const close = async () => {};
  if (from === "wandb") {
    const { readWandbExport } = await import("../track/import/wandb-export.js");
    return { runs: await readWandbExport(place, experiment), close };
  }
  const found = await stat(place).catch(() => undefined);
  if (found === undefined && /^https?:\/\//i.test(place)) {
    const { listForeignRuns } = await import("../compose.js");
    return { runs: await listForeignRuns(place, experiment, terminal.env), close };
  }
  const { findMlflowDatabase, readMlflowDatabase } = await import(
    "../track/import/mlflow-database.js"
  );
  const file = await findMlflowDatabase(place);
  if (file === undefined) {
    const { readMlflowFiles } = await import("../track/import/mlflow-files.js");
    return { runs: await readMlflowFiles(place, experiment, { followFiles }), close };
  }
  const { openForeignDatabase } = await import("../compose.js");
  const database = await openForeignDatabase(file);
  try {
    return {
      runs: await readMlflowDatabase(database, experiment, { followFiles }),
      close: () => database.close(),
    };
  } catch (thrown) {
    await database.close();
    throw thrown;
  }
}
