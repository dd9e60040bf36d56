// `bridle data show`: metrics or parameters of the working folder, or of revisions.
import type { Command } from "commander";
import type { FilesData } from "../data/dvc/metrics.js";
import { BridleError } from "../errors/error.js";
import { targetsOf, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printLine, type Terminal } from "./terminal.js";

interface Options {
  readonly metrics?: boolean;
  readonly params?: boolean;
  readonly targets?: readonly string[];
  readonly json?: boolean;
}

/** Values by revision; the working folder's under "", as dvc has them. */
type Shown = Readonly<Record<string, { readonly data: FilesData }>>;

export function addDataShowCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("show")
    .summary("show metrics or parameters")
    .description(
      "Shows the values of the files that stages and dvc.yaml name as metrics, or as parameters, in the working folder or " +
        "at revisions of Git. With --json metrics are answered as `dvc metrics show` does, and parameters in the same form.",
    )
    .argument("[revisions...]", "branches, tags or commits (default: the working folder)")
    .option("--metrics", "show metrics")
    .option("--params", "show parameters")
    .option("--targets <paths...>", "only these files");
  addJsonOption(command);
  addExamples(command, [
    ["bridle data show --metrics", "what the last run measured"],
    ["bridle data show v1 v2 --params --json", "the parameters of two tags, for a program"],
  ]).action((revisions: readonly string[], options: Options) => run(revisions, options, terminal));
}

async function run(
  revisions: readonly string[],
  options: Options,
  terminal: Terminal,
): Promise<void> {
  if ((options.metrics ?? false) === (options.params ?? false)) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "what to show",
      value: options.metrics ? "--metrics --params" : "nothing",
      expected: "either --metrics or --params",
    });
  }
  const { metricsOf, paramsOf } = await import("../data/dvc/metrics.js");
  const { jsonText } = await import("../data/dvc/python-text.js");
  const shown: Shown = await withRepository(terminal, async (open) => {
    const { repository } = open;
    const paths = targetsOf(open, options.targets ?? []);
    const found: Record<string, { data: FilesData }> = {};
    for (const revision of revisions.length > 0 ? revisions : [""]) {
      const tree = revision === "" ? repository.tree : await repository.treeAt(revision);
      const read = options.metrics
        ? await metricsOf(repository, tree, paths)
        : await paramsOf(repository, tree, { paths });
      found[revision] = { data: read };
    }
    return found;
  });
  // Numbers as dvc writes them: 1.0 stays 1.0.
  if (options.json) await printLine(terminal, jsonText(shown));
  else await printShown(shown, options.metrics ? "metrics" : "parameters", terminal);
}

async function printShown(shown: Shown, what: string, terminal: Terminal): Promise<void> {
  const { flatten } = await import("../data/dvc/params-file.js");
  const { isRecord, pythonString } = await import("../data/dvc/python-text.js");
  for (const [revision, { data }] of Object.entries(shown)) {
    const indent = revision === "" ? "" : "  ";
    if (revision !== "") await printLine(terminal, `${revision}:`);
    if (Object.keys(data).length === 0) await printLine(terminal, `${indent}There are no ${what}.`);
    for (const [file, read] of Object.entries(data)) {
      await printLine(terminal, `${indent}${file}:`);
      if ("error" in read) {
        await printLine(terminal, `${indent}  not read: ${read.error.msg}`);
        continue;
      }
      const values = isRecord(read.data) ? flatten(read.data) : new Map([["", read.data]]);
      for (const [name, value] of values) {
        const label = name === "" ? "" : `${name}: `;
        await printLine(terminal, `${indent}  ${label}${pythonString(value)}`);
      }
    }
  }
}
