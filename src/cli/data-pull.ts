// `bridle data pull`: gets data from a remote and puts it into the working folder.
import type { Command } from "commander";
import { addCheckoutFlags, type CheckoutFlags, printCheckedOut } from "./data-checkout.js";
import { addRemoteFlags, type RemoteFlags } from "./data-remote-flags.js";
import { targetsOf, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, type Terminal } from "./terminal.js";

type Flags = RemoteFlags & CheckoutFlags;

export function addDataPullCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("pull")
    .summary("get data from a remote into the folder")
    .description(
      "Gets from a remote what the cache has not got of the data that the .dvc and dvc.lock files name, checks every " +
        "object against its hash, and puts the data into the working folder.",
    )
    .argument("[targets...]", "paths, .dvc files or stages (default: all)");
  addJsonOption(addCheckoutFlags(addRemoteFlags(command)));
  addExamples(command, [
    ["bridle data pull", "after git clone or git pull"],
    ["bridle data pull data/test.jsonl", "one file alone"],
  ]).action((targets: readonly string[], flags: Flags) => run(targets, flags, terminal));
}

async function run(typed: readonly string[], flags: Flags, terminal: Terminal): Promise<void> {
  const [{ pull }, { openBlobStore }] = await Promise.all([
    import("../data/dvc/pull.js"),
    import("../compose.js"),
  ]);
  const { json, ...options } = flags;
  const done = await withRepository(terminal, (open) =>
    pull(
      open.repository,
      openBlobStore,
      { targets: targetsOf(open, typed) },
      { ...open.steps, ...options, env: open.env },
    ),
  );
  if (json) await printJson(terminal, done);
  else await printCheckedOut(done, { fetched: done.fetched }, terminal);
}
