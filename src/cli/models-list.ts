// `bridle models list`, `show`, `history`: what is registered, what a version is, and what was in production when.
import type { Command } from "commander";
import type { Registry } from "../registry/registry.js";
import type { ModelVersion } from "../registry/versions.js";
import { sizeText } from "./data-repository.js";
import { addExamples, addJsonOption } from "./options.js";
import { plainLine } from "./plain-text.js";
import { addRegistryFlags, type RegistryFlags, withRegistry } from "./registry-flags.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface HistoryOptions extends RegistryFlags {
  readonly alias?: string;
}

export function addModelsListCommands(models: Command, terminal: Terminal): void {
  const list = models
    .command("list")
    .summary("list the registered models")
    .description(
      "Lists the registered models, how many versions each has and where its aliases point.",
    );
  addJsonOption(addRegistryFlags(list));
  addExamples(list, [["bridle models list --json", "the same for a program"]]).action(
    (options: RegistryFlags) => runList(options, terminal),
  );

  const show = models
    .command("show")
    .summary("show a model's versions, or a version's card")
    .description(
      "Of a model (news): its versions and gates. Of a version (news:3, news@champion): its card, what is recorded of how good " +
        "it is, and its lineage.",
    )
    .argument("<name>", "news, news:3 or news@champion");
  addJsonOption(addRegistryFlags(show));
  addExamples(show, [
    ["bridle models show news", "all versions"],
    ["bridle models show news@champion", "the card of what is in production"],
  ]).action((name: string, options: RegistryFlags) => runShow(name, options, terminal));

  const history = models
    .command("history")
    .summary("tell what an alias pointed at when, and who moved it")
    .description(
      "Lists every move of a model's aliases, the newest first, with its gates and reason.",
    )
    .argument("<model>", "name of a registered model, or news@champion for one alias")
    .option("--alias <name>", "of this alias alone");
  addJsonOption(addRegistryFlags(history));
  addExamples(history, [["bridle models history news", "what was in production when"]]).action(
    (name: string, options: HistoryOptions) => runHistory(name, options, terminal),
  );
}

const dayOf = (iso: string) => iso.slice(0, 16).replace("T", " ");

/** Columns as wide as their widest cell, without control characters. */
function columns(texts: readonly (readonly string[])[]): string[] {
  const rows = texts.map((row) => row.map(plainLine));
  const widths = rows.reduce<number[]>(
    (most, row) => row.map((cell, i) => Math.max(most[i] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

async function runList(options: RegistryFlags, terminal: Terminal): Promise<void> {
  const models = await withRegistry(options, terminal, (registry) => registry.listModels());
  if (options.json) return await printJson(terminal, { models });
  if (models.length === 0) {
    return await printLine(
      terminal,
      "No model is registered. Add one: bridle models add FOLDER --name NAME",
    );
  }
  const rows = models.map(({ name, lastVersion, aliases }) => [
    name,
    `${lastVersion} version${lastVersion === 1 ? "" : "s"}`,
    aliases.map(({ alias, version }) => `@${alias} ${version}`).join(", "),
  ]);
  for (const line of columns(rows)) await printLine(terminal, line);
}

function versionRow({
  version,
  aliases,
  card,
  createdAt,
  createdBy,
  sizeBytes,
  collectedAt,
  note,
}: ModelVersion) {
  const [evaluation] = card.evaluations;
  return [
    String(version),
    aliases.map((alias) => `@${alias}`).join(" "),
    dayOf(createdAt),
    createdBy,
    collectedAt === null ? sizeText(sizeBytes) : "files deleted",
    evaluation === undefined ? "" : `ROUGE-1 ${(100 * evaluation.scores.rouge1.mean).toFixed(2)}`,
    note ?? "",
  ];
}

async function runShow(name: string, options: RegistryFlags, terminal: Terminal): Promise<void> {
  const { readVersionName } = await import("../registry/version-name.js");
  const parsed = readVersionName(name);
  if (!/[:@]/.test(name)) {
    const model = await withRegistry(options, terminal, (registry) => registry.getModel(name));
    if (options.json) return await printJson(terminal, model);
    await printLine(
      terminal,
      plainLine(`${model.name}, since ${dayOf(model.createdAt)} by ${model.createdBy}`),
    );
    for (const line of columns(model.versions.map(versionRow)))
      await printLine(terminal, `  ${line}`);
    return;
  }
  const found = await withRegistry(options, terminal, async (registry) => {
    const version = await registry.getVersion(parsed);
    const { model, version: number } = version;
    const evaluations = await registry.evaluations(model, number);
    const lineage = await registry.lineage(version);
    const signature =
      version.collectedAt === null ? await readSignature(registry, version) : undefined;
    return { version, evaluations, lineage, signature };
  });
  const { version, evaluations, lineage, signature } = found;
  if (options.json)
    return await printJson(terminal, {
      ...version,
      evaluations,
      lineage,
      signature: signature ?? null,
    });
  const { formatCard } = await import("./model-card-text.js");
  await printLine(terminal, formatCard(found, terminal.stdout));
}

async function readSignature({ packages }: Registry, { digest }: ModelVersion) {
  const { readPackageSignature } = await import("../package/pack-model.js");
  return await readPackageSignature(await packages.read(digest));
}

async function runHistory(
  name: string,
  options: HistoryOptions,
  terminal: Terminal,
): Promise<void> {
  const { readModelName } = await import("../registry/version-name.js");
  const { model, alias } = readModelName(
    name,
    {
      ofVersion: (named, version) =>
        `\`bridle models history ${named}\` lists every move; \`bridle models show ${named}:${version}\` tells of the version.`,
    },
    options.alias,
  );
  const moves = await withRegistry(options, terminal, (registry) => registry.history(model, alias));
  if (options.json) return await printJson(terminal, { model, moves });
  if (moves.length === 0) return await printLine(terminal, `No alias of ${model} was ever set.`);
  const rows = moves.map(
    ({ alias, version, previous, action, forced, reason, movedAt, movedBy }) => [
      dayOf(movedAt),
      `@${alias}`,
      `${previous ?? "–"} → ${version}`,
      forced ? `${action}, forced` : action,
      movedBy,
      reason ?? "",
    ],
  );
  for (const line of columns(rows)) await printLine(terminal, line);
}
