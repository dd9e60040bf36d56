// `bridle data fetch`: gets what versions consist of into the cache, and leaves the working folder alone.
import type { Command } from "commander";
import {
  addRemoteFlags,
  addVersionFlags,
  type RemoteFlags,
  type VersionFlags,
  versionsOf,
} from "./data-remote-flags.js";
import { targetsOf, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

type Flags = RemoteFlags &
  VersionFlags & { readonly allowMissing?: boolean; readonly json?: boolean };

export function addDataFetchCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("fetch")
    .summary("get data from a remote into the cache")
    .description(
      "Gets into the cache what it has not got of the data that the .dvc and dvc.lock files name; every object is " +
        "checked against its hash. `bridle data pull` does this and puts the data into the working folder.",
    )
    .argument("[targets...]", "paths, .dvc files or stages (default: all)")
    .option("--allow-missing", "leave out what the remote has not got, in place of failing");
  addJsonOption(addVersionFlags(addRemoteFlags(command)));
  addExamples(command, [
    ["bridle data fetch --all-branches", "to work offline on any branch later"],
  ]).action((targets: readonly string[], flags: Flags) => run(targets, flags, terminal));
}

async function run(typed: readonly string[], flags: Flags, terminal: Terminal): Promise<void> {
  const [{ fetch }, { openBlobStore }] = await Promise.all([
    import("../data/dvc/fetch.js"),
    import("../compose.js"),
  ]);
  const { remote, jobs, allowMissing } = flags;
  const done = await withRepository(terminal, (open) => {
    const scope = { ...versionsOf(flags), targets: targetsOf(open, typed) };
    const options = { ...open.steps, remote, jobs, allowMissing, env: open.env };
    return fetch(open.repository, openBlobStore, scope, options);
  });
  if (flags.json) {
    await printJson(terminal, done);
    return;
  }
  for (const path of done.missing) await printLine(terminal, `-  ${path} (not to be had)`);
  const files = `${done.fetched} file${done.fetched === 1 ? "" : "s"} fetched.`;
  await printLine(terminal, done.fetched === 0 ? "Everything is up to date." : files);
}
