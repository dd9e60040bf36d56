// `bridle data status`: what of the tracked data and of the stages has changed.
import type { Command } from "commander";
import type { StageStatus } from "../data/dvc/status.js";
import { targetsOf, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options {
  readonly data?: boolean;
  readonly granular?: boolean;
  readonly unchanged?: boolean;
  readonly json?: boolean;
}

export function addDataStatusCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("status")
    .summary("tell what has changed")
    .description(
      "Compares the working folder with what the .dvc, dvc.yaml and dvc.lock files say. With --json the answer is that " +
        "of `dvc status --json`; with --data that of `dvc data status --json`, which tells of files rather than stages.",
    )
    .argument("[targets...]", "paths, .dvc files or stages (default: all)")
    .option(
      "--data",
      "tell of tracked data, between the last commit, the .dvc files and the folder",
    )
    .option("--granular", "with --data: of each file of a tracked folder")
    .option("--unchanged", "with --data: also what has not changed");
  addJsonOption(command);
  addExamples(command, [
    ["bridle data status", "stages and .dvc files that are not as they were"],
    ["bridle data status --data --granular", "each changed file, and what the cache has not got"],
  ]).action((targets: readonly string[], options: Options) => run(targets, options, terminal));
}

async function run(typed: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  if (options.data || options.granular || options.unchanged) {
    await runData(typed, options, terminal);
    return;
  }
  const { status } = await import("../data/dvc/status.js");
  const stages = await withRepository(terminal, (open) =>
    status(open.repository, { targets: targetsOf(open, typed) }, open.steps),
  );
  if (options.json) {
    await printJson(terminal, stages);
    return;
  }
  if (Object.keys(stages).length === 0) await printLine(terminal, "Everything is as it was.");
  for (const [address, told] of Object.entries(stages)) {
    await printLine(terminal, `${address}:`);
    for (const line of linesOf(told)) await printLine(terminal, `  ${line}`);
  }
}

/** What is told of a stage, a line each. */
export function linesOf(told: StageStatus): string[] {
  return told.flatMap((each) => {
    if (typeof each === "string") return [each];
    return Object.entries(each).flatMap(([what, changes]) => [
      `${what}:`,
      ...Object.entries(changes).map(([path, how]) => {
        const shown =
          typeof how === "string"
            ? how
            : Object.entries(how)
                .map(([name, change]) => `${name} ${change}`)
                .join(", ");
        return `  ${path}: ${shown}`;
      }),
    ]);
  });
}

async function runData(
  typed: readonly string[],
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const { dataStatus, dataStatusJson } = await import("../data/dvc/data-status.js");
  const { granular, unchanged = false, json } = options;
  const status = await withRepository(terminal, (open) =>
    dataStatus(open.repository, { ...open.steps, granular, paths: targetsOf(open, typed) }),
  );
  const answer = dataStatusJson(status, unchanged);
  if (json) {
    await printJson(terminal, answer);
    return;
  }
  if (Object.keys(answer).length === 0) await printLine(terminal, "No changes.");
  for (const [section, value] of Object.entries(answer)) {
    await printLine(terminal, `${section.replaceAll("_", " ")}:`);
    const entries: [string, readonly unknown[]][] = Array.isArray(value)
      ? [["", value]]
      : Object.entries(value as Record<string, readonly unknown[]>);
    for (const [change, paths] of entries) {
      for (const path of paths) {
        const shown = typeof path === "string" ? path : Object.values(path as object).join(" -> ");
        await printLine(terminal, `  ${change === "" ? "" : `${change}: `}${shown}`);
      }
    }
  }
}
