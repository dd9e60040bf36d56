// `bridle data gc`: deletes data that no version that must stay needs.
import type { Command } from "commander";
import type { ObjectRef } from "../data/dvc/object-hash.js";
import type { DataRoots } from "../loop/data-roots.js";
import { addVersionFlags, type VersionFlags, versionsOf } from "./data-remote-flags.js";
import { sizeText, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption, wholeNumber } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Flags extends VersionFlags {
  readonly db?: readonly string[];
  readonly allowUnasked?: boolean;
  readonly workspace?: boolean;
  readonly dryRun?: boolean;
  readonly cloud?: boolean;
  readonly remote?: string;
  readonly allowMissing?: boolean;
  readonly grace?: number;
  readonly json?: boolean;
}

export function addDataGcCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("gc")
    .summary("delete data that no version needs")
    .description(
      "Deletes from the cache all that none of the named versions needs. At least one must be named. What a version " +
        "needs is never deleted, nor what a registered model was trained on: every registry is asked that the environment " +
        "names, that lies in a .bridle folder above or below, or that this repository's models are known to be in. Where one " +
        "cannot be asked, nothing is deleted.",
    )
    .option(
      "-w, --workspace",
      "keep what the working folder's .dvc and dvc.lock files name, as is done beside all other versions too",
    )
    .option("--dry-run", "tell what would go, and delete nothing")
    .option("-c, --cloud", "delete from the remote too")
    .option(
      "-r, --remote <name>",
      "with --cloud: a remote of .dvc/config (default: the one it names)",
    )
    .option(
      "--allow-missing",
      "go on where the list of a tracked folder is nowhere to be had, whose files cannot be kept then",
    )
    .option(
      "--db <url>",
      "a registry of models to ask beside $BRIDLE_DB and those that are found: a path or postgres://; may be repeated",
      (url: string, before: readonly string[] = []) => [...before, url],
    )
    .option(
      "--allow-unasked",
      "go on where a registry cannot be asked, whose models' data cannot be kept then",
    )
    .option(
      "--grace <minutes>",
      "leave what came into the cache within so many minutes (default: 0; 10 where dvc cannot be kept from adding meanwhile)",
      wholeNumber("--grace", 0),
    );
  addJsonOption(addVersionFlags(command));
  addExamples(command, [
    ["bridle data gc --workspace --dry-run", "how much only older versions need"],
    ["bridle data gc --all-branches --all-tags", "keep what branches and tags need"],
    [
      "bridle data gc --workspace --db postgres://user@host/bridle",
      "and what models of a team's registry were trained on",
    ],
  ]).action((flags: Flags) => run(flags, terminal));
}

async function run(flags: Flags, terminal: Terminal): Promise<void> {
  const [{ collectGarbage }, { findDataRoots }, { openBlobStore, openDatabase }] =
    await Promise.all([
      import("../data/dvc/gc.js"),
      import("../loop/data-roots.js"),
      import("../compose.js"),
    ]);
  const { workspace, dryRun, cloud, remote, allowMissing, allowUnasked, grace, db } = flags;
  const { asked, unasked, ...done } = await withRepository(terminal, async (open) => {
    const { repository, folder, steps, env } = open;
    let roots: DataRoots | undefined;
    /**
     * What registered versions were trained on stays, so that they can be reproduced. It is asked for once the repository is
     * ours: what is registered while another process is waited for counts.
     */
    const rootsOfModels = async function* (): AsyncGenerator<ObjectRef> {
      roots = await findDataRoots(repository.root, {
        ...{ from: folder, named: db, env, allowUnasked },
        openDatabase,
      });
      for (const id of roots.ids) {
        // Text that DVC 2 hashed has the same digits where its lines end in \n.
        for (const hashName of ["md5", "md5-dos2unix"] as const) {
          const ref = { id, hashName };
          if (cloud || (await repository.cache.has(ref))) yield ref;
        }
      }
    };
    const collected = await collectGarbage(
      repository,
      openBlobStore,
      { ...versionsOf(flags), workspace: workspace ?? false },
      {
        ...steps,
        ...{ extraRoots: rootsOfModels(), dryRun, allowMissing, env },
        cloud: cloud ? (remote ?? true) : undefined,
        graceMs: grace === undefined ? undefined : grace * 60_000,
      },
    );
    return { ...collected, asked: roots?.asked ?? [], unasked: roots?.unasked ?? [] };
  });
  for (const reason of unasked) {
    terminal.stderr.write(`note: ${reason}; what its models were trained on was not kept\n`);
  }
  if (flags.json) {
    await printJson(terminal, { ...done, dryRun: dryRun ?? false, registries: asked });
    return;
  }
  const verb = dryRun ? "would be deleted" : "deleted";
  await printLine(
    terminal,
    `${done.deleted} object${done.deleted === 1 ? "" : "s"} ${verb} from the cache, ${sizeText(done.freedBytes)}; ${done.kept} kept.`,
  );
  if (done.young > 0) {
    await printLine(
      terminal,
      `${done.young} more that no version needs came only just, and stay; --grace 0 deletes them too.`,
    );
  }
  if (cloud) await printLine(terminal, `${done.deletedInRemote} ${verb} from the remote.`);
  if (asked.length === 0) {
    terminal.stderr.write(
      "note: no registry of models was found here; --db names one, so that what its models were trained on is kept\n",
    );
  }
}
