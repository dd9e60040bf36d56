// `bridle models promote`, `rollback`, `gates`: what is in production, changed through gates and back in one command.
import type { Command } from "commander";
import type { EvaluationRecord } from "../package/evaluation-record.js";
import type { Moved, Sighting } from "../registry/promote.js";
import type { Registry } from "../registry/registry.js";
import { addExamples, addJsonOption, wholeNumber } from "./options.js";
import { plainLine } from "./plain-text.js";
import { openProgress } from "./progress.js";
import { addRegistryFlags, type RegistryFlags, whoIs, withRegistry } from "./registry-flags.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface MoveFlags extends RegistryFlags {
  readonly alias?: string | undefined;
  readonly expect?: number;
  readonly reason?: string;
  readonly by?: string;
}

interface PromoteFlags extends MoveFlags {
  readonly evaluation?: readonly string[];
  readonly data?: string;
  readonly limit?: number;
  readonly force?: boolean;
}

interface GatesFlags extends RegistryFlags {
  readonly set?: string;
  readonly by?: string;
}

const several = (value: string, before: readonly string[] = []) => [...before, value];

function addMoveFlags(command: Command): Command {
  return command
    .option("--alias <name>", "the alias to move (default: champion)")
    .option(
      "--expect <n>",
      "refuse where the alias is not at this version; 0 for none",
      wholeNumber("--expect", 0),
    )
    .option("--reason <text>", "why, for the history")
    .option("--by <name>", "who moves it (default: user@machine)");
}

export function addModelsMoveCommands(models: Command, terminal: Terminal): void {
  const promote = models
    .command("promote")
    .summary("put a version into production")
    .description(
      "Points an alias, champion unless said, at a version whose gates pass: an evaluation of it on enough rows, and a paired " +
        "bootstrap interval beside the version that the alias points at. Of two who promote at once one wins, and the other is " +
        "told who did. Servers of the alias change over without losing a request.",
    )
    .argument("<version>", "news:4, or news@candidate")
    .option(
      "--evaluation <file>",
      "records what `bridle evaluate --json` printed first; may be repeated",
      several,
    )
    .option("--data <file>", "evaluates it now on these rows, beside the current version")
    .option("--limit <n>", "with --data: at most so many rows", wholeNumber("--limit"))
    .option("--force", "passes over gates that fail; needs --reason, and is kept in the history");
  addJsonOption(addRegistryFlags(addMoveFlags(promote)));
  addExamples(promote, [
    [
      "bridle models promote news:4 --data test.jsonl",
      "evaluates news:4 and the champion, then decides",
    ],
    ["bridle models promote news:4 --alias candidate", "an alias without gates"],
    [
      "bridle models promote news:3 --force --reason 'version 4 is down'",
      "past the gates, on the record",
    ],
  ]).action((name: string, options: PromoteFlags) => runPromote(name, options, terminal));

  const rollback = models
    .command("rollback")
    .summary("go back to the version before")
    .description(
      "Points an alias back at what it pointed at before; again, at what was there before that.",
    )
    .argument(
      "<model>",
      "name of a registered model, or news@candidate for another alias than champion",
    );
  addJsonOption(addRegistryFlags(addMoveFlags(rollback)));
  addExamples(rollback, [
    [
      "bridle models rollback news --reason 'repeats itself'",
      "in production again: what was before",
    ],
  ]).action((name: string, options: MoveFlags) => runRollback(name, options, terminal));

  const gates = models
    .command("gates")
    .summary("show or set what a version must show to be promoted")
    .description("Shows a model's gates, or sets them from a YAML file.")
    .argument("<model>", "name of a registered model")
    .option(
      "--set <file>",
      "YAML with minimumRows, mostFailed, minimum, againstCurrent, dataSha256, aliases",
    )
    .option("--by <name>", "who sets them (default: user@machine)");
  addJsonOption(addRegistryFlags(gates));
  addExamples(gates, [["bridle models gates news --set gates.yaml", "from now on"]]).action(
    (name: string, options: GatesFlags) => runGates(name, options, terminal),
  );
}

function movingOf({ alias, expect, reason, by }: MoveFlags) {
  return {
    ...(alias !== undefined && { alias }),
    ...(expect !== undefined && { expected: expect === 0 ? null : expect }),
    ...(reason !== undefined && { reason }),
    by: whoIs(by),
  };
}

async function tell(moved: Moved, options: RegistryFlags, terminal: Terminal): Promise<void> {
  if (options.json) return await printJson(terminal, moved);
  const { model, alias, version, previous, changed, forced, gates } = moved;
  if (!changed) {
    return await printLine(terminal, `${model}@${alias} is at version ${version} already.`);
  }
  for (const { gate, passed, told } of gates) {
    await printLine(terminal, plainLine(`${passed ? "pass" : "FAIL"}  ${gate}: ${told}`));
  }
  const from = previous === null ? "" : ` (was ${previous})`;
  const how = forced ? ", though gates failed" : "";
  await printLine(terminal, `${model}@${alias} is version ${version} now${from}${how}.`);
}

async function runPromote(name: string, options: PromoteFlags, terminal: Terminal): Promise<void> {
  const [{ readVersionName }, { readEvaluationFile }] = await Promise.all([
    import("../registry/version-name.js"),
    import("../package/evaluation-record.js"),
  ]);
  const records: EvaluationRecord[] = [];
  for (const file of options.evaluation ?? []) records.push(...(await readEvaluationFile(file)));
  const moving = { ...movingOf(options), force: options.force };
  const moved = await withRegistry(options, terminal, async (registry) => {
    const { model, version } = await registry.getVersion(readVersionName(name));
    await registry.recordEvaluations(model, version, records, moving.by);
    const { data } = options;
    if (data !== undefined) {
      const sighting = await registry.sight(model, version, moving);
      // Where it is there already nothing is decided, and nothing need be known for it.
      const isThere = sighting.current?.version === version;
      if (!isThere) await evaluateNow(registry, sighting, data, options, terminal);
      // What was compared with must still be what is replaced.
      const expected = sighting.current?.version ?? null;
      return await registry.promote(model, version, { ...moving, expected });
    }
    return await registry.promote(model, version, moving);
  });
  await tell(moved, options, terminal);
}

async function evaluateNow(
  registry: Registry,
  sighting: Sighting,
  data: string,
  { limit, db, store, by }: PromoteFlags,
  terminal: Terminal,
): Promise<void> {
  const [{ evaluateVersion }, { createSummarizer, modelSources }] = await Promise.all([
    import("../loop/evaluate-version.js"),
    import("../compose.js"),
  ]);
  const sources = modelSources({ db, store, env: terminal.env });
  const progress = await openProgress(terminal, "rows");
  let read = { readBytes: 0, sizeBytes: 0 };
  try {
    await evaluateVersion(registry, sighting, data, {
      open: (model) => createSummarizer({ model, sources }),
      read: {
        ...(limit !== undefined && { limit }),
        onRead: (now) => {
          read = now;
        },
      },
      by: whoIs(by),
      signal: terminal.signal,
      onProgress: ({ scored }) =>
        progress.update({
          done: read.readBytes,
          total: read.sizeBytes,
          items: scored,
          itemsInAll: scored,
        }),
    });
  } finally {
    progress.stop();
  }
}

async function runRollback(name: string, options: MoveFlags, terminal: Terminal): Promise<void> {
  const { readModelName } = await import("../registry/version-name.js");
  const { model, alias } = readModelName(
    name,
    {
      ofVersion: (named, version) =>
        `A rollback goes to what was before; to go to this one: \`bridle models promote ${named}:${version}\`.`,
    },
    options.alias,
  );
  const moved = await withRegistry(options, terminal, (registry) =>
    registry.rollback(model, movingOf({ ...options, alias })),
  );
  await tell(moved, options, terminal);
}

async function runGates(name: string, options: GatesFlags, terminal: Terminal): Promise<void> {
  const [{ readGatesFile }, { readModelName }] = await Promise.all([
    import("../registry/gates.js"),
    import("../registry/version-name.js"),
  ]);
  const next = (named: string) =>
    `Gates are a model's, \`bridle models gates ${named}\`; \`aliases\` in them says which aliases they guard.`;
  const { model } = readModelName(name, { ofVersion: next, ofAlias: next });
  const asked = options.set === undefined ? undefined : await readGatesFile(options.set);
  const gates = await withRegistry(options, terminal, async (registry) => {
    if (asked !== undefined) await registry.setGates(model, asked, whoIs(options.by));
    return (await registry.getModel(model)).gates;
  });
  if (options.json) return await printJson(terminal, { model, gates });
  const { stringify } = await import("yaml");
  await printLine(terminal, stringify(gates).trimEnd());
}
