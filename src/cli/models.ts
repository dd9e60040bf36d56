// `bridle models`: the registry of models, and models of the hub, each command in a file of its own but for pull.
import type { Command } from "commander";
import { addModelsAddCommands } from "./models-add.js";
import { addModelsFilesCommands } from "./models-files.js";
import { addModelsListCommands } from "./models-list.js";
import { addModelsMoveCommands } from "./models-move.js";
import { addModelsSyncCommand } from "./models-sync.js";
import { addExamples, addJsonOption } from "./options.js";
import { showPreparation } from "./preparation-progress.js";
import { addRegistryFlags, type RegistryFlags, sourcesOf } from "./registry-flags.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

export function addModelsCommand(program: Command, terminal: Terminal): void {
  const models = program
    .command("models")
    .summary("register, promote, export and fetch models")
    .description(
      "Works on the registry of models: versions that never change, aliases such as champion that move through gates, and the " +
        "history of what was in production. `pull` fetches models of the Hugging Face hub.",
    );
  addModelsListCommands(models, terminal);
  addModelsAddCommands(models, terminal);
  addModelsMoveCommands(models, terminal);
  addModelsFilesCommands(models, terminal);
  addModelsSyncCommand(models, terminal);
  const pull = models
    .command("pull")
    .summary("download a model, or bring it up to date")
    .description(
      "Downloads a model of the Hugging Face hub into the cache that other programs use too, and prints its folder. " +
        "What is there already is not downloaded again. Other commands download a model when it is first named, and " +
        "from then on use what they have; this one looks for a newer version.",
    )
    .argument("<model>", "owner/name, or owner/name@revision: a branch, a tag or a commit");
  addJsonOption(addRegistryFlags(pull));
  addExamples(pull, [
    ["bridle models pull google/pegasus-xsum", "the newest version"],
    ["bridle models pull google/pegasus-xsum@refs/pr/1", "that of a branch"],
    ["HF_HOME=/models bridle models pull google/pegasus-xsum", "into a cache elsewhere"],
  ]).action((model: string, options: RegistryFlags) => run(model, options, terminal));
}

async function run(model: string, options: RegistryFlags, terminal: Terminal): Promise<void> {
  const { pullModel } = await import("../compose.js");
  const sources = await sourcesOf(options, terminal);
  const folder = await showPreparation(terminal, (downloading) =>
    pullModel(model, { sources, ...downloading }),
  );
  if (options.json) await printJson(terminal, { model, folder });
  else await printLine(terminal, folder);
}
