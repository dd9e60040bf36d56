// `bridle data add`: puts files and folders under version.
import type { Command } from "commander";
import { sizeText, withRepository } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

export function addDataAddCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("add")
    .summary("put files and folders under version")
    .description(
      "Keeps the content of files and folders in the cache, and writes for each a small .dvc file that goes to Git in " +
        "its place, with an entry in .gitignore. A path that was added before is added anew.",
    )
    .argument("<paths...>", "files and folders in the repository");
  addJsonOption(command);
  addExamples(command, [
    [
      "bridle data add data/train.jsonl",
      "one file; commit data/train.jsonl.dvc and data/.gitignore",
    ],
    ["bridle data add data/images models/best", "two folders, each as a whole"],
  ]).action((paths: readonly string[], options: { json?: boolean }) =>
    run(paths, options, terminal),
  );
}

async function run(
  typed: readonly string[],
  { json }: { json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const { addPaths } = await import("../data/dvc/add.js");
  const added = await withRepository(terminal, async ({ repository, folder, steps }) =>
    addPaths(
      repository,
      typed.map((each) => repository.pathOf(each, folder)),
      steps,
    ),
  );
  if (json) {
    await printJson(terminal, { added });
    return;
  }
  for (const { path, fileCount, sizeBytes, isChanged } of added) {
    const files = `${fileCount} file${fileCount === 1 ? "" : "s"}`;
    await printLine(
      terminal,
      `${path}: ${files}, ${sizeText(sizeBytes)}${isChanged ? "" : " (unchanged)"}`,
    );
  }
  const forGit = new Set(added.flatMap(({ file, gitignore }) => [file, gitignore ?? file]));
  await printLine(terminal, `For Git: git add ${[...forGit].map(quoted).join(" ")}`);
}

function quoted(file: string): string {
  return /^[\w@%+=:,./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
}
