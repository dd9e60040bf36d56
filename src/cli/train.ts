// `bridle train`: from params.yaml to a trained model, with progress, taken up again where it was interrupted.
import path from "node:path";
import type { Command } from "commander";
import type { RunConfig } from "../config/run-config.js";
import type { TrackingParts, TrainingRecord } from "../loop/record-training.js";
import type { TrainEvent } from "../train/events.js";
import type { TrainResult } from "../train/loop.js";
import { addExamples, addJsonOption } from "./options.js";
import { showPreparation } from "./preparation-progress.js";
import { sourcesOf } from "./registry-flags.js";
import {
  addDatabaseFlag,
  addSinkFlag,
  addStoreFlag,
  type PlaceFlags,
  withTracking,
} from "./run-flags.js";
import { splitWords } from "./run-words.js";
import { printJson, printLine, type Terminal } from "./terminal.js";
import { describeEvaluation, drawCurves, openDisplay } from "./train-display.js";

interface Options extends PlaceFlags {
  readonly multirun?: boolean;
  readonly track?: boolean;
  readonly experiment?: string;
  readonly runName?: string;
  readonly json?: boolean;
}

/** @param isAsked whether the command is typed; only then is the schema loaded that its help lists keys from */
export async function addTrainCommand(
  program: Command,
  terminal: Terminal,
  isAsked: boolean,
): Promise<void> {
  const command = program
    .command("train")
    .summary("fine-tune a model, or train one from nothing")
    .description(
      "Trains as params.yaml says: model, data, train, evaluate, generate. Words such as train.seed=3 go before the " +
        "file. A run that was interrupted goes on from its last checkpoint, to the same weights. The trained model is " +
        "a Hugging Face folder with bridle.json in it. What the run tells is recorded in .bridle/ and looked at with " +
        "`bridle runs`; training never waits for that.",
    )
    .argument("[words...]", "a YAML file and key=value words, in any order")
    .option("-m, --multirun", "one run for each combination of values with commas: train.seed=0,1");
  command
    .option("--experiment <name>", "the experiment its record belongs to", "default")
    .option("--run-name <name>", "what the run is called (default: the output folder's name)")
    .option("--no-track", "keep no record of the run beside its folder");
  addDatabaseFlag(command);
  addStoreFlag(command);
  addSinkFlag(command);
  addJsonOption(command);
  addExamples(command, [
    ["bridle train params.yaml", "as the file says"],
    ["bridle train params.yaml --experiment headlines", "recorded there; see bridle runs list"],
    ["bridle train params.yaml --sink mlflow=http://localhost:5000", "told to MLflow as well"],
    ["bridle train params.yaml --sink wandb=ENTITY/PROJECT", "to Weights & Biases; WANDB_API_KEY"],
    ["bridle train params.yaml train.learningRate=1e-4 train.output=run2", "with other values"],
    [
      "bridle train model.name=./pegasus data.train=train.jsonl train.maxSteps=100",
      "without a file",
    ],
    ["bridle train params.yaml model=pegasus-xsum +recipe=lora", "with presets of configs/"],
    [
      "bridle train -m params.yaml train.seed=0,1 train.learningRate=1e-4,3e-4",
      "four runs, each in a folder of its own",
    ],
    ["bridle train params.yaml --json", "what came of it, for a program"],
  ]);
  command.addHelpText("after", isAsked ? (await keysText()) + keysHint : keysHint);
  command.action((words: readonly string[], options: Options) => run(words, options, terminal));
}

/** Every key that a word can set, with its default and what it does. */
async function keysText(): Promise<string> {
  const { describeKeys } = await import("../config/schema-keys.js");
  const rows = describeKeys().map(({ key, type, default: standard, description }) => {
    const word = standard === undefined ? key : `${key}=${JSON.stringify(standard)}`;
    return `  ${word.padEnd(keyWidth)}  ${description === "" ? type : description}`.trimEnd();
  });
  return `\nKeys:\n${rows.join("\n")}\n`;
}

const keyWidth = 46;

const keysHint =
  "\nTypes of keys are told by `bridle config keys`, every preset by `bridle config groups`; `bridle config show` tells what\n" +
  "a file and words come to.";

async function run(words: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const { file, overrides } = await splitWords(words, "bridle train");
  if (options.multirun) return await runSeveral(file, overrides, options, terminal);
  const { json } = options;
  const { loadRunConfig } = await import("../config/load.js");
  const { trainIn } = await import("../train/loop.js");
  const { openRunFolder } = await import("../train/run-folder.js");
  const sources = await sourcesOf(options, terminal);
  const config = await loadRunConfig(file, overrides);
  // Taken before anything is recorded: a run that another trainer is at is not told as one of its own.
  const held = await openRunFolder(config.train.output);
  const { run: tracked, result } = await withTracking(options, terminal, async (parts) => {
    const record = parts && (await openRecord(config, parts, options));
    const display = await openDisplay(terminal, record?.line);
    const onEvent = (event: TrainEvent) => {
      display.show(event);
      record?.onEvent(event);
    };
    const result = await settle(
      record,
      showPreparation(terminal, (downloading) =>
        trainIn(held, config, {
          ...downloading,
          sources,
          onEvent,
          beforeCheckpoint: record?.keep,
        }),
      ).finally(display.close),
    );
    return { run: record?.run?.id, result };
  }).finally(held.release);
  const { folder, record } = result;
  const curves = await drawCurves(folder);
  if (json) return await printJson(terminal, { folder, curves, run: tracked ?? null, ...record });
  await printLine(terminal, `The model of step ${record.step} is in ${folder}.`);
  await printLine(terminal, `Its curves are in ${curves}.`);
  await printLine(terminal, `Serve it with: bridle serve --model ${folder}`);
}

async function openRecord(
  config: RunConfig,
  parts: TrackingParts,
  { experiment, runName }: Options,
  parent?: string,
): Promise<TrainingRecord> {
  const { recordTraining } = await import("../loop/record-training.js");
  return recordTraining(config, parts, {
    ...(experiment !== undefined && { experiment }),
    ...(runName !== undefined && { name: runName }),
    ...(parent !== undefined && { parent }),
  });
}

/** Tells the record how a training ended. @throws what the training throws */
async function settle(
  record: TrainingRecord | undefined,
  training: Promise<TrainResult>,
): Promise<TrainResult> {
  let result: TrainResult;
  try {
    result = await training;
  } catch (thrown) {
    await record?.fail(thrown);
    throw thrown;
  }
  await record?.finish(result);
  return result;
}

/** Trains every combination of values; each run's lines stand under its number and words. */
async function runSeveral(
  file: string | undefined,
  words: readonly string[],
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const { trainSeveral } = await import("../train/multirun.js");
  const sources = await sourcesOf(options, terminal);
  let display: Awaited<ReturnType<typeof openDisplay>> | undefined;
  let tracked: TrainingRecord | undefined;
  const record = await withTracking(options, terminal, (parts) =>
    showPreparation(terminal, (downloading) =>
      trainSeveral(file, words, {
        ...downloading,
        sources,
        onRun: async ({ number, words: own, status, error, config }, result) => {
          display?.close();
          display = undefined;
          if (status === "running") {
            terminal.stderr.write(`Run ${number}: ${own.join(" ")}\n`);
            const parent = path.resolve(config.train.output, "..");
            const named = {
              ...options,
              runName: `${options.runName ?? path.basename(parent)}-${number}`,
            };
            tracked = parts && (await openRecord(config, parts, named, parent));
            display = await openDisplay(terminal, tracked?.line);
            return;
          }
          if (error !== null) {
            terminal.stderr.write(`Run ${number} failed: ${error.message}\n`);
            await tracked?.fail(Object.assign(new Error(error.message), { code: error.code }));
          }
          if (result !== undefined) {
            await tracked?.finish(result);
            await drawCurves(result.folder);
          }
          tracked = undefined;
        },
        onEvent: (event) => {
          display?.show(event);
          tracked?.onEvent(event);
        },
        beforeCheckpoint: async () => await tracked?.keep(),
      }),
    ).catch(async (thrown) => {
      await tracked?.fail(thrown);
      throw thrown;
    }),
  ).finally(() => display?.close());
  if (options.json) return await printJson(terminal, record);
  for (const { number, folder, words: own, step, evaluation } of record.runs) {
    const told = evaluation === null ? `step ${step}` : describeEvaluation(evaluation);
    await printLine(terminal, `${number}  ${own.join(" ")}  ${told}  ${folder}`);
  }
}
