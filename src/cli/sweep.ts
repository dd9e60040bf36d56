// `bridle sweep`: searches a space of configurations over several workers, and says which was best and why.
import { createHash } from "node:crypto";
import path from "node:path";
import type { Command } from "commander";
import { overrideWord, shellWord } from "../config/shell-words.js";
import { type BridleError, toBridleError } from "../errors/error.js";
import { withoutPasswords } from "../errors/without-passwords.js";
import type { AddedModel } from "../loop/add-model.js";
import type { SweepPlan } from "../loop/sweep/plan.js";
import type { SweepResult } from "../loop/sweep/run-sweep.js";
import type { StoredTrial } from "../loop/sweep/sweep-store.js";
import { addExamples, addJsonOption, wholeNumber } from "./options.js";
import { addRegistryFlags, type RegistryFlags, whoIs } from "./registry-flags.js";
import { addSinkFlag } from "./run-flags.js";
import { openSweepDisplay } from "./sweep-display.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends RegistryFlags {
  readonly workers: number;
  readonly resume?: boolean;
  readonly name?: string;
  readonly trials?: number;
  readonly output?: string;
  readonly track?: boolean;
  readonly experiment?: string;
  readonly sink?: readonly string[];
  /** A registered model's name; false for none. */
  readonly register?: string | false;
}

export function addSweepCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("sweep")
    .summary("search for the best configuration")
    .description(
      "Trains once for each of many configurations, drawn from the space that a file names, and ranks them. The file is in " +
        "Bridle's words or W&B's. A trial that fails, hangs or diverges is recorded, and the sweep goes on. Killed, it is " +
        "taken up again by --resume. Where database and folder are shared, --resume on another machine helps: the trials " +
        "that each trains at once are added up.",
    )
    .argument("<file>", "the sweep's YAML file")
    .argument("[words...]", "key=value words that go before params.yaml, in every trial")
    .option("--workers <n>", "trials trained at once", wholeNumber("--workers"), 1)
    .option("--resume", "go on with the sweep of this name, or help where it is running")
    .option("--name <name>", "what the sweep is called (default: the file says, or is called so)")
    .option(
      "--trials <n>",
      "trials in all, in place of what the file says; with --resume for everybody who works on it",
      wholeNumber("--trials"),
    )
    .option(
      "--output <folder>",
      "where trials keep what they trained (default: .bridle/sweeps/NAME)",
    )
    .option(
      "--experiment <name>",
      "the experiment that trials are recorded in (default: the sweep's name)",
    )
    .option("--no-track", "keep no record of the trials as runs")
    .option(
      "--register <model>",
      "registered model that the best becomes a version of (default: the sweep's name)",
    )
    .option("--no-register", "leave the best model in its folder alone");
  addSinkFlag(command);
  addRegistryFlags(command);
  addJsonOption(command);
  addExamples(command, [
    ["bridle sweep sweep.yaml", "as the file says, one trial after the other"],
    ["bridle sweep sweep.yaml --workers 2 --trials 40", "two at once, forty in all"],
    ["bridle sweep sweep.yaml --resume", "goes on where it was interrupted"],
    ["bridle sweep sweep.yaml train.maxSteps=50 --name quick", "with other values of params.yaml"],
    [
      "bridle sweep sweep.yaml --sink mlflow=http://localhost:5000",
      "each trial told to MLflow too",
    ],
    ["bridle sweep sweep.yaml --json", "every trial, for a program"],
  ]);
  command.action((file: string, words: readonly string[], options: Options) =>
    run(file, words, options, terminal),
  );
}

async function run(
  file: string,
  words: readonly string[],
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const [
    { availableParallelism },
    { openSweep },
    { runSweep },
    { databaseUrl, stateFolder },
    { startTrialProcess },
    compose,
  ] = await Promise.all([
    import("node:os"),
    import("../loop/sweep/plan.js"),
    import("../loop/sweep/run-sweep.js"),
    import("../config/state.js"),
    import("./sweep-trial.js"),
    import("../compose.js"),
  ]);
  const { workers, trials, name, resume, json, db, store, sink: sinks } = options;
  // Else every trial would fail of it.
  await compose.checkSinks(sinks, { store, env: terminal.env });
  const sweep = await openSweep(file, words, {
    ...(trials !== undefined && { trials }),
    ...(name !== undefined && { name }),
  });
  const { plan } = sweep;
  // Hours of training are not to end with a name that no model can have.
  const model = await modelOf(plan, options);
  for (const note of sweep.notes) terminal.stderr.write(`note: ${note}\n`);
  const folder = path.resolve(
    options.output ?? path.join(stateFolder(terminal.env), "sweeps", plan.name),
  );
  const database = await compose.openDatabase(databaseUrl(db, terminal.env));
  let result: SweepResult;
  const queue = compose.openQueue(database);
  const display = await openSweepDisplay(terminal, plan);
  try {
    result = await runSweep(sweep, {
      ...{ database, queue, folder, workers },
      startProcess: startTrialProcess,
      places: { db, store, sinks },
      ...(options.track !== false && { experiment: options.experiment ?? plan.name }),
      onWarning: display.warn,
      threads: Math.max(1, Math.floor(availableParallelism() / workers)),
      ...(resume && { resume }),
      signal: terminal.signal,
      onChange: display.change,
      onProgress: display.progress,
    });
  } finally {
    display.close();
    await queue.close();
    await database.close();
  }
  // What was found out is told first: it is there, whether the registry takes it or not.
  if (!json) await tell(result, options, terminal);
  let registered: Registered | undefined;
  try {
    registered = await register(result, model, options, terminal);
  } catch (thrown) {
    terminal.stderr.write(`${addLater(result, model, options)}\n`);
    if (!json) throw thrown;
    const failure = toBridleError(thrown);
    await printJson(terminal, toJson(result, undefined, failure));
    throw markTold(failure);
  }
  if (json) await printJson(terminal, toJson(result, registered));
  else if (registered !== undefined) await tellRegistered(registered, terminal);
}

/** The registered model that the best trial becomes a version of. @throws MODEL_NAME_INVALID */
async function modelOf(
  { name }: SweepPlan,
  { register: asked }: Options,
): Promise<string | undefined> {
  if (asked === false) return undefined;
  const { checkModelName } = await import("../registry/version-name.js");
  return checkModelName(asked ?? modelNameOf(name));
}

interface Registered {
  readonly name: string;
  readonly added: AddedModel;
}

/** Adds the best trial's model to the registry. */
async function register(
  { plan, folder, best }: SweepResult,
  model: string | undefined,
  flags: Options,
  terminal: Terminal,
): Promise<Registered | undefined> {
  if (model === undefined || best === undefined) return undefined;
  const [{ addModel }, { withRegistry }] = await Promise.all([
    import("../loop/add-model.js"),
    import("./registry-flags.js"),
  ]);
  const added = await withRegistry(flags, terminal, (registry) =>
    addModel(registry, model, path.join(folder, String(best.number)), {
      by: whoIs(undefined),
      ...(best.run !== null && { runId: best.run }),
      note: `best of ${plan.trials} trials of the sweep ${plan.name}: trial ${best.number}, ${plan.config.objective.metric} ${best.value}`,
      signal: terminal.signal,
    }),
  );
  return { name: model, added };
}

/** How the best model is registered once the registry takes it. Addresses may hold passwords, and are not repeated. */
function addLater(
  { folder, best }: SweepResult,
  model: string | undefined,
  { db, store }: Options,
): string {
  const place = shellWord(path.join(folder, String(best?.number)));
  const also = db === undefined && store === undefined ? "" : ", with the same --db and --store";
  return `The sweep is done, and only its best model is not registered. Register it later: bridle models add ${place} --name ${model}${also}`;
}

const longestModelName = 63;

/**
 * A sweep's name as one of a registered model: lower case, digits and hyphens. What loses letters by that, is too long or
 * means something else gets eight digits of its hash, so that two sweeps do not become versions of one model.
 */
export function modelNameOf(sweep: string): string {
  const letters = sweep.normalize("NFKD").toLowerCase().replaceAll(/\p{M}/gu, "");
  const plain = letters.replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "");
  const isWhole = !/(?![a-z0-9])[\p{L}\p{N}]/u.test(letters);
  if (isWhole && plain !== "extractive" && plain !== "" && plain.length <= longestModelName)
    return plain;
  const digits = createHash("sha256").update(sweep).digest("hex").slice(0, 8);
  const room = longestModelName - digits.length - 1;
  return `${plain.slice(0, room).replace(/-+$/, "") || "sweep"}-${digits}`;
}

const trialJson = ({ reports: _, ...trial }: StoredTrial) => trial;

function toJson(
  { plan, folder, trials, ranked, best, importance, reachedTarget }: SweepResult,
  registered: Registered | undefined,
  failure?: BridleError,
) {
  return {
    name: plan.name,
    objective: plan.config.objective,
    folder,
    planned: plan.trials,
    reachedTarget,
    best:
      best === undefined
        ? null
        : { ...trialJson(best), folder: path.join(folder, String(best.number)) },
    ranked: ranked.map(({ number }) => number),
    importance: importance ?? null,
    registered:
      registered === undefined
        ? null
        : { model: registered.name, version: registered.added.version },
    ...(failure !== undefined && {
      registrationError: { code: failure.code, message: failure.message },
    }),
    trials,
  };
}

async function tell(result: SweepResult, places: RegistryFlags, terminal: Terminal): Promise<void> {
  const { rankedTable, importanceLines } = await import("./sweep-display.js");
  for (const line of rankedTable(result)) await printLine(terminal, line);
  for (const line of importanceLines(result)) await printLine(terminal, line);
  const { plan, folder, best } = result;
  if (best === undefined) return;
  await printLine(
    terminal,
    `The best, trial ${best.number}, is in ${path.join(folder, String(best.number))}.`,
  );
  await printLine(terminal, `Train it by itself: ${trainCommand(plan, best, places)}`);
}

async function tellRegistered({ name, added }: Registered, terminal: Terminal): Promise<void> {
  await printLine(
    terminal,
    `It is registered as ${name}:${added.version}. Serve it with: bridle serve --model ${name}:${added.version}`,
  );
}

/**
 * The command that trains a trial by itself: what every trial starts from, the sweep's own words, and what was tried.
 * @param places where the sweep was told to look names of models up, shown without passwords
 */
export function trainCommand(
  { run, words, config }: Pick<SweepPlan, "run" | "words" | "config">,
  { parameters }: Pick<StoredTrial, "parameters">,
  { db, store }: RegistryFlags = {},
): string {
  return [
    "bridle train",
    ...(run === null ? [] : [shellWord(path.relative(process.cwd(), run) || run)]),
    ...words.map(shellWord),
    overrideWord("evaluate.metric", config.objective.metric),
    ...Object.entries(parameters).map(([key, value]) => overrideWord(key, value)),
    ...(db === undefined ? [] : ["--db", shellWord(withoutPasswords(db))]),
    ...(store === undefined ? [] : ["--store", shellWord(withoutPasswords(store))]),
  ].join(" ");
}
