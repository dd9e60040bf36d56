// `bridle data commit`: records the stages of dvc.yaml as they are in the working folder.
import type { Command } from "commander";
import { withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

export function addDataCommitCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("commit")
    .summary("record the results of stages")
    .description(
      "Keeps the outputs of the stages of dvc.yaml in the cache and writes dvc.lock, as if the stages had just run. " +
        "Running them is left to dvc or to you.",
    );
  addJsonOption(command);
  addExamples(command, [
    ["bridle train params.yaml && bridle data commit", "after a stage's command was run by hand"],
  ]).action(async ({ json }: { json?: boolean }) => {
    const { commitStages } = await import("../data/dvc/commit.js");
    const done = await withRepository(terminal, ({ repository, steps }) =>
      commitStages(repository, steps),
    );
    if (json) await printJson(terminal, done);
    else if (done.stages.length === 0) await printLine(terminal, "Everything is up to date.");
    else
      await printLine(terminal, `Recorded ${done.stages.join(", ")} in ${done.files.join(", ")}.`);
  });
}
