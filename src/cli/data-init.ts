// `bridle data init`: makes a folder into a DVC repository.
import process from "node:process";
import type { Command } from "commander";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

export function addDataInitCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("init")
    .summary("start versioning data in a folder")
    .description("Makes a folder into a DVC repository, with the files that `dvc init` makes.")
    .argument("[folder]", "the project's folder (default: the current one)");
  addJsonOption(command);
  addExamples(command, [["bridle data init", "in the folder you are in, beside its .git"]]).action(
    async (folder: string | undefined, { json }: { json?: boolean }) => {
      const { initRepository } = await import("../data/dvc/repository.js");
      const root = await initRepository(folder ?? process.cwd());
      if (json) await printJson(terminal, { root });
      else
        await printLine(terminal, `${root} versions data now. Add some with bridle data add PATH.`);
    },
  );
}
