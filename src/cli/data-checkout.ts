// `bridle data checkout`: brings the working folder to what the .dvc files say.
import type { Command } from "commander";
import type { CheckedOut } from "../data/dvc/checkout.js";
import { countText, targetsOf, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

export interface CheckoutFlags {
  readonly force?: boolean;
  readonly allowMissing?: boolean;
  readonly relink?: boolean;
  readonly json?: boolean;
}

/** The options of what changes the working folder. */
export function addCheckoutFlags(command: Command): Command {
  return command
    .option("-f, --force", "give up files that no cache holds")
    .option("--allow-missing", "leave out what cannot be had, in place of failing");
}

export function addDataCheckoutCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("checkout")
    .summary("bring the folder to what the .dvc files say")
    .description(
      "Puts the content that the .dvc and dvc.lock files name into the working folder, from the cache. After " +
        "`git checkout` of another version, this is the step for its data.",
    )
    .argument("[targets...]", "paths, .dvc files or stages (default: all)")
    .option(
      "--relink",
      "make copies or links of the kind cache.type asks for, also where nothing changed",
    );
  addJsonOption(addCheckoutFlags(command));
  addExamples(command, [
    ["git checkout v1 && bridle data checkout", "the data of an earlier version"],
    ["bridle data checkout data/train.jsonl --force", "one file, whatever is in its place"],
  ]).action((targets: readonly string[], flags: CheckoutFlags) => run(targets, flags, terminal));
}

async function run(
  typed: readonly string[],
  flags: CheckoutFlags,
  terminal: Terminal,
): Promise<void> {
  const { checkout } = await import("../data/dvc/checkout.js");
  const { json, ...options } = flags;
  const done = await withRepository(terminal, (open) =>
    checkout(open.repository, { targets: targetsOf(open, typed) }, { ...open.steps, ...options }),
  );
  if (json) await printJson(terminal, done);
  else await printCheckedOut(done, {}, terminal);
}

/** A line for each output that changed, then the counts. */
export async function printCheckedOut(
  done: CheckedOut,
  before: Readonly<Record<string, number>>,
  terminal: Terminal,
): Promise<void> {
  for (const [letter, paths] of [
    ["M", done.modified],
    ["A", done.added],
    ["D", done.deleted],
  ] as const) {
    for (const path of paths) await printLine(terminal, `${letter}  ${path}`);
  }
  for (const path of done.missing) await printLine(terminal, `-  ${path} (not to be had)`);
  const text = countText({ ...before, ...done.files });
  await printLine(terminal, text === "" ? "Everything is up to date." : `${text}.`);
}
