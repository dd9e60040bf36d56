// `bridle models add` and `import`: a trained model, or a package from elsewhere, becomes a model's next version.
import type { Command } from "commander";
import { type BridleError, toBridleError } from "../errors/error.js";
import type { AddedModel } from "../loop/add-model.js";
import type { EvaluationRecord } from "../package/evaluation-record.js";
import type { Moved } from "../registry/promote.js";
import { sizeText } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import {
  addRegistryFlags,
  type RegistryFlags,
  showPackageWork,
  sourcesOf,
  whoIs,
  withRegistry,
} from "./registry-flags.js";
import { withRuns } from "./run-flags.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends RegistryFlags {
  readonly name: string;
  readonly card?: string;
  readonly licence?: string;
  readonly description?: string;
  readonly intendedUse?: string;
  readonly limitations?: string;
  readonly language?: readonly string[];
  readonly evaluation?: readonly string[];
  readonly run?: string;
  readonly note?: string;
  readonly alias?: string;
  readonly by?: string;
}

/** What came of it: the alias points at the new version, or may not. */
interface Added {
  readonly added: AddedModel;
  readonly moved?: Moved;
  readonly refused?: BridleError;
}

const several = (value: string, before: readonly string[] = []) => [...before, value];

/** Flags that say what a person knows of a model. */
function addCardFlags(command: Command): Command {
  return command
    .option("--card <file>", "YAML with description, intendedUse, limitations, licence, languages")
    .option("--licence <name>", "licence of the weights, such as apache-2.0")
    .option("--description <text>", "what the model is, for its card")
    .option("--intended-use <text>", "what it is for")
    .option("--limitations <text>", "what it is not good at")
    .option(
      "--language <code>",
      "a language of its documents, such as en; may be repeated",
      several,
    )
    .option(
      "--evaluation <file>",
      "what `bridle evaluate --json` printed; may be repeated",
      several,
    )
    .option("--note <text>", "a note for the list of versions")
    .option("--alias <name>", "points this alias at the new version, if its gates pass")
    .option("--by <name>", "who adds it (default: user@machine)");
}

export function addModelsAddCommands(models: Command, terminal: Terminal): void {
  const add = models
    .command("add")
    .summary("add a model to the registry")
    .description(
      "Packs a model folder (weights, tokenizer, config, the record of its training, a card, a signature) and adds it as the " +
        "next version of a registered model. A version never changes. Until the command is done nothing of it can be seen.",
    )
    .argument(
      "<model>",
      "a folder with a model, as `bridle train` wrote it, or an id on the Hugging Face hub",
    )
    .requiredOption("--name <name>", "the registered model it is a version of")
    .option(
      "--run <id>",
      "the tracked run that trained it (default: the one that kept the folder's very bridle.json)",
    );
  addJsonOption(addRegistryFlags(addCardFlags(add)));
  addExamples(add, [
    ["bridle models add ./model --name news --licence apache-2.0", "news:1, news:2, …"],
    [
      "bridle models add ./model --name news --evaluation e.json --alias candidate",
      "with its evaluation, as news@candidate",
    ],
    ["bridle models add ./model --name news --run k3m9", "trained by this run, whatever is found"],
  ]).action((model: string, options: Options) => run(model, options, "add", terminal));

  const take = models
    .command("import")
    .summary("add a package from a file or a folder")
    .description(
      "Adds what `bridle models export` wrote, each file held against its hash, as a model's next version. A Hugging Face " +
        "folder without a manifest is packed first.",
    )
    .argument("<source>", "a .tar file or a folder")
    .requiredOption("--name <name>", "the registered model it is a version of");
  addJsonOption(addRegistryFlags(addCardFlags(take)));
  addExamples(take, [
    ["bridle models import news-3.tar --name news", "a package from another machine"],
  ]).action((source: string, options: Options) => run(source, options, "import", terminal));
}

async function run(
  source: string,
  options: Options,
  verb: "add" | "import",
  terminal: Terminal,
): Promise<void> {
  const [
    { addModel, importModel },
    { readEvaluationFile },
    { checkCardFacts, readCardFacts },
    { checkAliasName },
    state,
  ] = await Promise.all([
    import("../loop/add-model.js"),
    import("../package/evaluation-record.js"),
    import("../package/card.js"),
    import("../registry/version-name.js"),
    import("../config/state.js"),
  ]);
  const file = options.card === undefined ? {} : await readCardFacts(options.card);
  const said = {
    ...(options.licence !== undefined && { licence: options.licence }),
    ...(options.description !== undefined && { description: options.description }),
    ...(options.intendedUse !== undefined && { intendedUse: options.intendedUse }),
    ...(options.limitations !== undefined && { limitations: options.limitations }),
    ...(options.language !== undefined && { languages: options.language }),
  };
  const facts = checkCardFacts({ ...file, ...said });
  const evaluations: EvaluationRecord[] = [];
  for (const each of options.evaluation ?? [])
    evaluations.push(...(await readEvaluationFile(each)));
  const by = whoIs(options.by);
  const { name, note, alias } = options;
  if (alias !== undefined) checkAliasName(alias);
  const result: Added = await withRegistry(options, terminal, async (registry) => {
    const found = await showPackageWork(terminal, async (steps) => {
      const work = { ...steps, by, note, facts, evaluations };
      if (verb === "add") {
        const folder = await folderOf(source, options, terminal);
        const runId = options.run ?? (await runOf(folder, options, terminal));
        return await addModel(registry, name, folder, { ...work, runId });
      }
      return await importModel(registry, name, source, state.scratchFolder(terminal.env), work);
    });
    if (alias === undefined) return { added: found };
    // The version is there whether or not the alias may point at it: that is told in any case.
    return await registry.promote(name, found.version, { alias, by }).then(
      (moved) => ({ added: found, moved }),
      (thrown: unknown) => ({ added: found, refused: toBridleError(thrown) }),
    );
  });
  const { added, moved, refused } = result;
  for (const missing of verb === "add" ? added.unkeptData : []) {
    terminal.stderr.write(
      `note: ${missing} is not what was trained on any more; data gc cannot keep it\n`,
    );
  }
  if (verb === "import" && added.unkeptData.length > 0) {
    terminal.stderr.write(
      `note: ${added.unkeptData.join(", ")}: not here as trained on; data gc cannot keep it\n`,
    );
  }
  if (options.json) {
    await printJson(terminal, {
      ...added,
      ...(moved && { aliases: [...new Set([...added.aliases, moved.alias])] }),
      ...(refused && { error: errorOf(refused) }),
    });
    if (refused !== undefined) throw markTold(refused);
    return;
  }
  const what = `${name}:${added.version}`;
  const told = added.isNew
    ? `Added ${what}, ${sizeText(added.sizeBytes)}, package ${added.digest.slice(0, 12)}.`
    : `${what} is this very package already; nothing was added.`;
  await printLine(terminal, told);
  const { runId } = added.card.lineage;
  if (runId !== null) await printLine(terminal, `It was trained by the run ${runId}.`);
  if (added.card.licence.id === null) {
    terminal.stderr.write("note: no licence is stated; say one with --licence\n");
  }
  if (moved) await printLine(terminal, `${name}@${moved.alias} is version ${moved.version} now.`);
  if (refused !== undefined) throw refused;
}

const errorOf = ({ code, kind, message, hint }: BridleError) => ({ code, kind, message, hint });

/** The tracked run that trained the model in a folder, where the database has it. */
async function runOf(
  folder: string,
  flags: RegistryFlags,
  terminal: Terminal,
): Promise<string | undefined> {
  const { findTrainingRun } = await import("../loop/find-training-run.js");
  return await withRuns(flags, terminal, (database) => findTrainingRun(database, folder));
}

/** A folder as typed, or the one of a model on the hub. */
async function folderOf(model: string, flags: RegistryFlags, terminal: Terminal): Promise<string> {
  const [{ resolveModel }, { showPreparation }] = await Promise.all([
    import("../compose.js"),
    import("./preparation-progress.js"),
  ]);
  const sources = await sourcesOf(flags, terminal);
  return await showPreparation(terminal, (downloading) =>
    resolveModel(model, { needs: ["model", "tokenizer"], sources, ...downloading }),
  );
}
