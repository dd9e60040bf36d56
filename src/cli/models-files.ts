// `bridle models export` and `gc`: a version's files taken elsewhere, and those that nothing needs taken away.
import type { Command } from "commander";
import { sizeText } from "./data-repository.js";
import { addExamples, addJsonOption, wholeNumber } from "./options.js";
import {
  addRegistryFlags,
  type RegistryFlags,
  showPackageWork,
  withRegistry,
} from "./registry-flags.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface ExportOptions extends RegistryFlags {
  readonly overwrite?: boolean;
}

interface GcOptions extends RegistryFlags {
  readonly keep?: number;
  readonly dryRun?: boolean;
}

export function addModelsFilesCommands(models: Command, terminal: Terminal): void {
  const out = models
    .command("export")
    .summary("write a version as a folder or one file")
    .description(
      "Writes a version's package, each file held against its hash on its way: as a Hugging Face folder, or as one file where " +
        "the target ends in .tar. The same version gives the same bytes.",
    )
    .argument("<version>", "news:3 or news@champion")
    .argument("<target>", "a folder, or a file that ends in .tar")
    .option(
      "--overwrite",
      "replace a file, or a folder that holds a model and nothing else of yours",
    );
  addJsonOption(addRegistryFlags(out));
  addExamples(out, [
    [
      "bridle models export news@champion news.tar",
      "one file, for `bridle models import` elsewhere",
    ],
    ["bridle models export news:3 ./news-3", "a folder that transformers opens"],
  ]).action((name: string, target: string, options: ExportOptions) =>
    runExport(name, target, options, terminal),
  );

  const gc = models
    .command("gc")
    .summary("delete the files of versions that nothing needs")
    .description(
      "Deletes the files of versions that no alias points at, that no alias can be rolled back to, and that are not among the " +
        "newest of their model. Their cards and history stay. What additions left that were cut off goes, too.",
    )
    .option(
      "--keep <n>",
      "how many versions stay for rollbacks of each alias, and newest of each model (default: 3)",
      wholeNumber("--keep"),
    )
    .option("--dry-run", "tell what would go, and delete nothing");
  addJsonOption(addRegistryFlags(gc));
  addExamples(gc, [["bridle models gc --dry-run", "how much would go"]]).action(
    (options: GcOptions) => runGc(options, terminal),
  );
}

async function runExport(
  name: string,
  target: string,
  options: ExportOptions,
  terminal: Terminal,
): Promise<void> {
  const [{ readVersionName }, { writeArchive }, { writePackage }, { checkThere }] =
    await Promise.all([
      import("../registry/version-name.js"),
      import("../package/archive.js"),
      import("../package/write-package.js"),
      import("../registry/promote.js"),
    ]);
  const { overwrite } = options;
  const isFile = /\.tar$/i.test(target);
  const version = await withRegistry(options, terminal, async (registry) => {
    const found = await registry.getVersion(readVersionName(name));
    checkThere(found);
    const from = await registry.packages.read(found.digest, terminal.signal);
    await showPackageWork(terminal, (work) =>
      (isFile ? writeArchive : writePackage)(from, target, { ...work, overwrite }),
    );
    return found;
  });
  const { model, version: number, digest, sizeBytes } = version;
  if (options.json)
    return await printJson(terminal, { model, version: number, digest, sizeBytes, target });
  await printLine(terminal, `${model}:${number} is in ${target}, ${sizeText(sizeBytes)}.`);
}

async function runGc({ keep, dryRun, ...options }: GcOptions, terminal: Terminal): Promise<void> {
  const done = await withRegistry(options, terminal, (registry) =>
    registry.collectGarbage({ keep, dryRun, signal: terminal.signal }),
  );
  if (options.json) return await printJson(terminal, { ...done, dryRun: dryRun ?? false });
  const verb = dryRun ? "would be deleted" : "deleted";
  for (const { model, version } of done.versions) {
    await printLine(terminal, `${model}:${version}: files ${verb}`);
  }
  const packages = `${done.packages} package${done.packages === 1 ? "" : "s"}`;
  await printLine(
    terminal,
    `${packages} ${verb}, ${sizeText(done.freedBytes)}; ${done.kept} versions kept.`,
  );
}
