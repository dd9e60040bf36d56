// `bridle data remote add|list|remove`: where data is pushed to and pulled from.
import type { Command } from "commander";
import { withoutPasswords } from "../errors/without-passwords.js";
import { withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface AddFlags {
  readonly default?: boolean;
  readonly force?: boolean;
  readonly local?: boolean;
  readonly json?: boolean;
}

export function addDataRemoteCommand(data: Command, terminal: Terminal): void {
  const remote = data
    .command("remote")
    .summary("tell where data is kept for others")
    .description("Adds, lists and removes the remotes of .dvc/config, which dvc uses too.");
  const add = remote
    .command("add")
    .summary("add a remote")
    .description(
      "Adds a remote to .dvc/config. A folder's path is kept relative to that file; secrets are no part of a URL but " +
        "come from the environment.",
    )
    .argument("<name>", "what it is called")
    .argument("<url>", "s3://BUCKET/PATH, gs://…, azure://CONTAINER/PATH, https://… or a folder")
    .option("-d, --default", "use it where no remote is named")
    .option("-f, --force", "replace one of that name")
    .option("--local", "write to .dvc/config.local, which Git does not see");
  addJsonOption(add);
  addExamples(add, [
    ["bridle data remote add --default store s3://my-bucket/news", "a bucket"],
    ["bridle data remote add share /mnt/share/news", "a folder that all can reach"],
  ]).action((name: string, url: string, flags: AddFlags) => runAdd(name, url, flags, terminal));
  const list = remote
    .command("list")
    .summary("list the remotes")
    .description("Lists the remotes; the default one is marked with a star.");
  addJsonOption(list);
  addExamples(list, [["bridle data remote list", ""]]).action((flags: { json?: boolean }) =>
    runList(flags, terminal),
  );
  const remove = remote
    .command("remove")
    .summary("remove a remote")
    .description("Removes a remote from .dvc/config; what is at the remote stays.")
    .argument("<name>", "the remote");
  addJsonOption(remove);
  addExamples(remove, [["bridle data remote remove share", ""]]).action(
    (name: string, flags: { json?: boolean }) => runRemove(name, flags, terminal),
  );
}

async function runAdd(
  name: string,
  url: string,
  flags: AddFlags,
  terminal: Terminal,
): Promise<void> {
  const { addRemote } = await import("../data/dvc/remote.js");
  const { default: isDefault = false, force = false, local = false, json } = flags;
  await withRepository(terminal, ({ repository, folder }) =>
    addRemote(repository, name, url, folder, { isDefault, force, local }),
  );
  const shown = withoutPasswords(url);
  if (shown !== url && !local) {
    terminal.stderr.write(
      "warning: the URL holds a secret, which .dvc/config gives to Git: keep it in .dvc/config.local, " +
        `\`bridle data remote add --force --local ${name} URL\`, or set user and password there.\n`,
    );
  }
  if (json) await printJson(terminal, { name, url: shown, isDefault });
  else
    await printLine(terminal, `${name} is ${isDefault ? "the default remote" : "a remote"} now.`);
}

async function runList({ json }: { json?: boolean }, terminal: Terminal): Promise<void> {
  const { listRemotes } = await import("../data/dvc/remote.js");
  const remotes = await withRepository(terminal, async ({ repository }) =>
    listRemotes(repository.config).map((each) => ({ ...each, url: withoutPasswords(each.url) })),
  );
  if (json) {
    await printJson(terminal, { remotes });
    return;
  }
  if (remotes.length === 0) await printLine(terminal, "There are none.");
  for (const { name, url, isDefault } of remotes) {
    await printLine(terminal, `${isDefault ? "*" : " "} ${name}  ${url}`);
  }
}

async function runRemove(
  name: string,
  { json }: { json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const { removeRemote } = await import("../data/dvc/remote.js");
  await withRepository(terminal, ({ repository }) => removeRemote(repository, name));
  if (json) await printJson(terminal, { removed: name });
  else await printLine(terminal, `${name} is no remote any more.`);
}
