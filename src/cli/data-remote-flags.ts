// Options of the commands that talk to a remote: which one, how much at once, which versions.
import type { Command } from "commander";
import type { VersionScope } from "../data/dvc/used-objects.js";
import { wholeNumber } from "./options.js";

export interface RemoteFlags {
  readonly remote?: string;
  readonly jobs?: number;
}

export interface VersionFlags {
  readonly allBranches?: boolean;
  readonly allTags?: boolean;
  readonly allCommits?: boolean;
  readonly revision?: readonly string[];
}

const another = (value: string, before: readonly string[] | undefined) => [
  ...(before ?? []),
  value,
];

export function addRemoteFlags(command: Command): Command {
  return command
    .option("-r, --remote <name>", "a remote of .dvc/config (default: the one it names)")
    .option("-j, --jobs <n>", "transfers at once (default: 32)", wholeNumber("--jobs"));
}

export function addVersionFlags(command: Command): Command {
  return command
    .option("-a, --all-branches", "also what every branch needs")
    .option("-T, --all-tags", "also what every tag needs")
    .option("-A, --all-commits", "also what every commit needs")
    .option(
      "--revision <name>",
      "also what a branch, tag or commit needs; repeat it for several",
      another,
    );
}

export function versionsOf({
  allBranches,
  allTags,
  allCommits,
  revision,
}: VersionFlags): VersionScope {
  return { allBranches, allTags, allCommits, revisions: revision };
}
