// `bridle models sync`: another registry is told of the models here, their versions and where aliases point.
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import type { RunIdentity } from "../ports/event-sink.js";
import { addExamples, addJsonOption } from "./options.js";
import { openProgress } from "./progress.js";
import { addRegistryFlags, type RegistryFlags, withRegistry } from "./registry-flags.js";
import { addSinkFlag, withRuns } from "./run-flags.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends RegistryFlags {
  readonly sink?: readonly string[];
  readonly weights?: boolean;
}

/** Tokenizers are smaller than this, as a rule, and weights are not. */
const smallFileBytes = 10_000_000;

export function addModelsSyncCommand(models: Command, terminal: Terminal): void {
  const command = models
    .command("sync")
    .summary("tell another registry of the models here")
    .description(
      "Tells MLflow's registry of models: versions that it does not have, with cards, configuration and tokenizers, and " +
        "where aliases point. Promotion and its gates stay here; run it again after a promotion.",
    )
    .argument("[models...]", "names; all of them unless said")
    .option("--weights", "with files of any size");
  addSinkFlag(command);
  addJsonOption(addRegistryFlags(command));
  addExamples(command, [
    ["bridle models sync --sink mlflow=http://localhost:5000", "all models"],
    ["bridle models sync news --weights", "one, with its weights, to what BRIDLE_SINKS names"],
  ]).action((names: readonly string[], options: Options) => run(names, options, terminal));
}

async function run(typed: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const [{ openModelSinks }, { tellModels }, { getRuns }, { readModelName }] = await Promise.all([
    import("../compose.js"),
    import("../loop/tell-models.js"),
    import("../track/read.js"),
    import("../registry/version-name.js"),
  ]);
  const next = (model: string) =>
    `A model is told of with all its versions and aliases: \`bridle models sync ${model}\`.`;
  const names = typed.map((name) => readModelName(name, { ofVersion: next, ofAlias: next }).model);
  const sinks = openModelSinks(options.sink, terminal.env);
  if (sinks.length === 0) throw new BridleError("SINK_NONE");
  const findRun = async (id: string): Promise<Pick<RunIdentity, "id" | "experiment"> | undefined> =>
    (await withRuns(options, terminal, (database) => getRuns(database, [id])))[0];
  const told = await withRegistry(options, terminal, async (registry) => {
    const progress = await openProgress(terminal, "models");
    const total = (names.length || (await registry.listModels()).length) * sinks.length;
    let done = -1;
    const onModel = (name: string) => {
      done += 1;
      progress.update({ done, total, items: done, itemsInAll: done, note: name });
    };
    try {
      const all = [];
      for (const sink of sinks) {
        const mostFileBytes = options.weights ? Number.POSITIVE_INFINITY : smallFileBytes;
        all.push(...(await tellModels(registry, sink, names, { mostFileBytes, findRun, onModel })));
      }
      return all;
    } finally {
      progress.stop();
      for (const sink of sinks) await sink.close();
    }
  });
  if (options.json) return await printJson(terminal, { told });
  for (const { sink, model, made, moved } of told) {
    const news = [
      ...(made.length > 0 ? [`versions ${made.join(", ")}`] : []),
      ...(moved.length > 0 ? [`aliases ${moved.join(", ")}`] : []),
    ];
    await printLine(
      terminal,
      news.length === 0
        ? `${sink} has all of ${model} already.`
        : `${sink} was told of ${model}: ${news.join("; ")}.`,
    );
  }
}
