// `bridle data diff`: tracked files, metrics or parameters of two revisions compared.
import type { Command } from "commander";
import type { DataDiff } from "../data/dvc/diff.js";
import type { FilesDiff } from "../data/dvc/metrics.js";
import type { DvcRepository } from "../data/dvc/repository.js";
import { targetsOf, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options {
  readonly metrics?: boolean;
  readonly params?: boolean;
  readonly all?: boolean;
  readonly showHash?: boolean;
  readonly targets?: readonly string[];
  readonly json?: boolean;
}

export function addDataDiffCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("diff")
    .summary("compare two versions")
    .description(
      "Compares tracked data of two revisions of Git, or of one with the working folder: files, or with --metrics or " +
        "--params the values that stages and dvc.yaml name. With --json the answers are those of `dvc diff`, " +
        "`dvc metrics diff` and `dvc params diff`.",
    )
    .argument("[old]", "branch, tag or commit (default: HEAD)")
    .argument("[new]", "another one (default: the working folder)")
    .option("--metrics", "compare metrics")
    .option("--params", "compare parameters")
    .option("--all", "with --metrics or --params: also what is the same")
    .option("--show-hash", "tell the hashes of files too")
    .option("--targets <paths...>", "only these paths");
  addJsonOption(command);
  addExamples(command, [
    ["bridle data diff", "what changed since the last commit"],
    ["bridle data diff v1 v2 --json", "two tags, for a program"],
    ["bridle data diff main --metrics", "how the metrics differ from those of main"],
  ]).action((before: string | undefined, after: string | undefined, options: Options) =>
    run(before ?? "HEAD", after, options, terminal),
  );
}

async function run(
  before: string,
  after: string | undefined,
  options: Options,
  terminal: Terminal,
): Promise<void> {
  if (options.metrics || options.params) {
    const diff = await withRepository(terminal, (open) =>
      diffFiles(open.repository, before, after, options, targetsOf(open, options.targets ?? [])),
    );
    await printValues(diff, options.json ?? false, terminal);
    return;
  }
  const { diffJson, diffTrees } = await import("../data/dvc/diff.js");
  const diff = await withRepository(terminal, async (open) => {
    const { repository, steps } = open;
    const [old, fresh] = [await repository.treeAt(before), await repository.treeAt(after)];
    return diffTrees(repository, old, fresh, {
      ...steps,
      paths: targetsOf(open, options.targets ?? []),
    });
  });
  if (options.json) {
    await printJson(terminal, diffJson(diff, options.showHash ?? false, after === undefined));
    return;
  }
  await printDiff(diff, options.showHash ?? false, terminal);
}

async function diffFiles(
  repository: DvcRepository,
  before: string,
  after: string | undefined,
  { metrics, all = false }: Options,
  paths: readonly string[],
): Promise<FilesDiff> {
  const { diffValues, metricsOf, paramsOf } = await import("../data/dvc/metrics.js");
  const [old, fresh] = [await repository.treeAt(before), await repository.treeAt(after)];
  if (metrics) {
    return diffValues(
      await metricsOf(repository, old, paths),
      await metricsOf(repository, fresh, paths),
      all,
    );
  }
  return diffValues(
    await paramsOf(repository, old, { paths }),
    await paramsOf(repository, fresh, { paths }),
    all,
  );
}

async function printValues(diff: FilesDiff, json: boolean, terminal: Terminal): Promise<void> {
  const { jsonText, plainValue, pythonString } = await import("../data/dvc/python-text.js");
  if (json) {
    // Numbers as dvc writes them: 1.0 stays 1.0.
    await printLine(terminal, jsonText(diff));
    return;
  }
  if (Object.keys(diff).length === 0) await printLine(terminal, "Nothing differs.");
  for (const [file, values] of Object.entries(diff)) {
    await printLine(terminal, `${file}:`);
    for (const [name, { old, new: fresh, diff: by }] of Object.entries(values)) {
      const number = by === undefined ? undefined : Number(plainValue(by));
      const sign = number !== undefined && number > 0 ? "+" : "";
      const shown = number === undefined ? "" : ` (${sign}${Number(number.toPrecision(5))})`;
      await printLine(
        terminal,
        `  ${name}: ${pythonString(old)} -> ${pythonString(fresh)}${shown}`,
      );
    }
  }
}

async function printDiff(diff: DataDiff, withHash: boolean, terminal: Terminal): Promise<void> {
  const counts: string[] = [];
  for (const [what, entries] of Object.entries(diff)) {
    if (entries.length === 0) continue;
    await printLine(terminal, `${what}:`);
    for (const { path, hash } of entries) {
      const name = typeof path === "string" ? path : `${path.old} -> ${path.new}`;
      const digest =
        typeof hash === "string"
          ? hash.slice(0, 8)
          : hash === null
            ? ""
            : `${hash.old?.slice(0, 8)}..${hash.new?.slice(0, 8)}`;
      await printLine(terminal, `  ${withHash ? `${digest}  ` : ""}${name}`);
    }
    const files = entries.filter(
      ({ path }: { path: unknown }) => typeof path !== "string" || !path.endsWith("/"),
    );
    if (files.length > 0) counts.push(`${files.length} ${what}`);
  }
  await printLine(
    terminal,
    counts.length === 0 ? "Nothing differs." : `Files: ${counts.join(", ")}.`,
  );
}
