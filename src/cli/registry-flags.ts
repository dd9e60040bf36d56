// Opens the registry a command works on, and says who works on it; the flags are the same for every command.
import type { Command } from "commander";
import { userOfMachine } from "../config/who.js";
import type { PackageProgress } from "../package/model-package.js";
import type { Registry } from "../registry/registry.js";
import { openProgress, type Progress } from "./progress.js";
import type { Terminal } from "./terminal.js";

export interface RegistryFlags {
  readonly db?: string;
  readonly store?: string;
  readonly json?: boolean;
}

export function addRegistryFlags(command: Command): Command {
  return command
    .option(
      "--db <url>",
      "database of the registry: a path or postgres:// (default: $BRIDLE_DB, else .bridle/bridle.db)",
    )
    .option(
      "--store <url>",
      "store of the models' files: a folder, s3://, gs:// or azure:// (default: $BRIDLE_STORE, else .bridle/store)",
    );
}

/** Where names of models lead for a command: to the registry that its flags name, before folders of the hub. */
export async function sourcesOf(
  { db, store }: RegistryFlags,
  terminal: Terminal,
): Promise<ReturnType<typeof import("../compose.js")["modelSources"]>> {
  const { modelSources } = await import("../compose.js");
  return modelSources({ db, store, env: terminal.env });
}

/** Who a command's change is written down for: what `--by` says, else the user of this machine. */
export function whoIs(by: string | undefined): string {
  if (by !== undefined && by.trim() !== "") return by.trim().slice(0, 200);
  return userOfMachine();
}

/** Opens the registry for as long as the work takes. @throws what openRegistry and the work throw */
export async function withRegistry<Result>(
  { db, store }: RegistryFlags,
  terminal: Terminal,
  work: (registry: Registry) => Promise<Result>,
): Promise<Result> {
  const { openRegistry } = await import("../compose.js");
  const registry = await openRegistry({ db, store, env: terminal.env });
  try {
    return await work(registry);
  } finally {
    await registry.close();
  }
}

/** Below this much work on files is over before anybody reads of it. */
const shownBytes = 50_000_000;

/** Shows how far work on a package's files is. */
export async function showPackageWork<Result>(
  terminal: Terminal,
  work: (steps: {
    readonly signal: AbortSignal;
    readonly onProgress: (progress: PackageProgress) => void;
  }) => Promise<Result>,
): Promise<Result> {
  let open: Progress | undefined;
  let shown = Promise.resolve();
  const show = async ({ doneBytes, totalBytes, file }: PackageProgress) => {
    if (totalBytes < shownBytes) return;
    open ??= await openProgress(terminal, "MB");
    const items = Math.round(doneBytes / 1e6);
    open.update({ done: doneBytes, total: totalBytes, items, itemsInAll: items, note: file });
  };
  try {
    return await work({
      signal: terminal.signal,
      onProgress: (state) => {
        shown = shown.then(() => show(state));
      },
    });
  } finally {
    await shown;
    open?.stop();
  }
}
