// `bridle runs sync`: tells other trackers what they could not be told while runs went on, or a run from its beginning.
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import { addExamples, addJsonOption } from "./options.js";
import { plainLine } from "./plain-text.js";
import { openProgress } from "./progress.js";
import { addDatabaseFlag, addSinkFlag, addStoreFlag, type PlaceFlags } from "./run-flags.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends PlaceFlags {
  readonly json?: boolean;
}

export function addRunsSyncCommand(runs: Command, terminal: Terminal): void {
  const command = runs
    .command("sync")
    .summary("tell other trackers what they missed")
    .description(
      "Delivers what a tracker did not take while runs went on, because it was away or refused who asked: that waits in " +
        ".bridle/spool. With runs named, tells a tracker of these from their beginning, whether or not it knows them; " +
        "what it knows already stays once.",
    )
    .argument("[runs...]", "ids, beginnings of them, or names");
  addSinkFlag(command);
  addDatabaseFlag(command);
  addStoreFlag(command);
  addJsonOption(command);
  addExamples(command, [
    ["bridle runs sync --sink mlflow=http://localhost:5000", "what waits for MLflow"],
    ["BRIDLE_SINKS=mlflow bridle runs sync", "at the address in MLFLOW_TRACKING_URI"],
    ["bridle runs sync k3m9 --sink mlflow=http://localhost:5000", "a run that it never heard of"],
    ["bridle runs sync --sink wandb=ENTITY/PROJECT", "what waits for Weights & Biases"],
  ]).action((names: readonly string[], options: Options) => run(names, options, terminal));
}

interface Told {
  readonly sink: string;
  readonly run: string;
  readonly name: string;
}

async function run(names: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const { deliverLeft, listWaiting } = await import("../compose.js");
  const { db, store, sink: sinks } = options;
  const onWarning = (message: string) => void terminal.stderr.write(`warning: ${message}\n`);
  const left = await deliverLeft({ db, store, sinks, env: terminal.env, onWarning });
  const told: Told[] = left
    .filter(({ error }) => error === undefined)
    .map(({ sink, run: { id, name } }) => ({ sink, run: id, name }));
  const waiting = left.filter(({ error }) => error !== undefined);
  if (waiting.length === 0 && names.length > 0)
    told.push(...(await tellWhole(names, options, terminal)));
  // For other places, or of runs that go on.
  const elsewhere = (await listWaiting(terminal.env)).waiting.filter(
    ({ file }) => !waiting.some((each) => each.file === file),
  );
  if (options.json) {
    await printJson(terminal, {
      told,
      elsewhere: elsewhere.map(({ sink, destination, run: { id, name }, file, isHeld }) => ({
        ...{ sink, destination, run: id, name, file, isHeld },
      })),
      waiting: waiting.map(({ sink, run: { id, name }, file, error }) => ({
        ...{ sink, run: id, name, file, error: error?.message },
      })),
    });
  } else {
    for (const { sink, run: id, name } of told) {
      await printLine(terminal, plainLine(`${sink} was told of run ${id} ${name}.`));
    }
    for (const { sink, destination, run, isHeld } of elsewhere) {
      const how = sink === "track" ? "--db" : `--sink ${sink}=${destination}`;
      const next = isHeld ? "its process sends it" : `send it with ${how}`;
      const waits = `Run ${run.id} ${run.name} waits for ${destination}: ${next}.`;
      await printLine(terminal, plainLine(waits));
    }
    if (told.length + waiting.length + elsewhere.length === 0) {
      await printLine(terminal, "Nothing waits to be told.");
    }
  }
  const [first] = waiting;
  if (first === undefined) return;
  const { spoolFolder } = await import("../config/state.js");
  const error = new BridleError("SINK_BEHIND", {
    count: waiting.length,
    sinks: [...new Set(waiting.map(({ sink }) => sink))].join(", "),
    first: first.error?.message ?? "",
    folder: spoolFolder(terminal.env),
  });
  throw options.json ? markTold(error) : error;
}

/** @throws RUN_NOT_FOUND, RUN_AMBIGUOUS, SINK_NONE and what sinks throw */
async function tellWhole(
  names: readonly string[],
  { db, store, sink: named }: Options,
  terminal: Terminal,
): Promise<readonly Told[]> {
  const [{ openArtifacts, openRuns, openSinks }, { getRun }, { identityOf, replayRun }] =
    await Promise.all([
      import("../compose.js"),
      import("../track/read.js"),
      import("../track/replay.js"),
    ]);
  const artifacts = await openArtifacts(store, terminal.env);
  const sinks = openSinks(named, artifacts, terminal.env);
  if (sinks.length === 0) throw new BridleError("SINK_NONE");
  const database = await openRuns(db, terminal.env);
  const told: Told[] = [];
  try {
    for (const name of names) {
      const tracked = await getRun(database, name);
      const total = Object.values(tracked.metrics).reduce((sum, { count }) => sum + count, 0);
      for (const sink of sinks) {
        const progress = await openProgress(terminal, "points");
        let points = 0;
        try {
          for await (const events of replayRun(database, tracked)) {
            await sink.send(identityOf(tracked), events);
            for (const event of events) {
              if (event.type === "points") points += event.points.length;
            }
            progress.update({ done: points, total, items: points, itemsInAll: points });
          }
        } finally {
          progress.stop();
        }
        told.push({ sink: sink.name, run: tracked.id, name: tracked.name });
      }
    }
    return told;
  } finally {
    for (const sink of sinks) await sink.close();
    await database.close();
    await artifacts.close();
  }
}
