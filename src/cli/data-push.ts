// `bridle data push`: sends what versions consist of to a remote.
import type { Command } from "commander";
import {
  addRemoteFlags,
  addVersionFlags,
  type RemoteFlags,
  type VersionFlags,
  versionsOf,
} from "./data-remote-flags.js";
import { countText, targetsOf, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

type Flags = RemoteFlags & VersionFlags & { readonly json?: boolean };

export function addDataPushCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("push")
    .summary("send data to a remote")
    .description(
      "Sends to a remote what it has not got of the data that the .dvc and dvc.lock files name. A push that was cut " +
        "off goes on where it was.",
    )
    .argument("[targets...]", "paths, .dvc files or stages (default: all)");
  addJsonOption(addVersionFlags(addRemoteFlags(command)));
  addExamples(command, [
    ["bridle data push", "the current version, to the default remote"],
    ["bridle data push --all-tags --remote backup", "every tagged version, to another one"],
  ]).action((targets: readonly string[], flags: Flags) => run(targets, flags, terminal));
}

async function run(typed: readonly string[], flags: Flags, terminal: Terminal): Promise<void> {
  const [{ push }, { openBlobStore }] = await Promise.all([
    import("../data/dvc/push.js"),
    import("../compose.js"),
  ]);
  const { remote, jobs } = flags;
  const done = await withRepository(terminal, (open) => {
    const scope = { ...versionsOf(flags), targets: targetsOf(open, typed) };
    return push(open.repository, openBlobStore, scope, {
      ...open.steps,
      remote,
      jobs,
      env: open.env,
    });
  });
  if (flags.json) await printJson(terminal, done);
  else
    await printLine(
      terminal,
      done.pushed === 0 ? "Everything is up to date." : `${countText({ ...done })}.`,
    );
}
