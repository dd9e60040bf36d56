// `bridle train`: from params.yaml to a trained model, with progress, taken up again where it was interrupted.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import type {
  DataReport,
  EvaluationReport,
  LeakageReport,
  PreparationEvent,
  TrainEvent,
} from "../train/events.js";
import { showDownloads } from "./download-progress.js";
import { addExamples, addJsonOption } from "./options.js";
import { openProgress, type Progress } from "./progress.js";
import { splitWords } from "./run-words.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options {
  readonly multirun?: boolean;
  readonly json?: boolean;
}

export function addTrainCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("train")
    .summary("fine-tune a model, or train one from nothing")
    .description(
      "Trains as params.yaml says: model, data, train, evaluate, generate. Words such as train.seed=3 go before the " +
        "file. A run that was interrupted goes on from its last checkpoint, to the same weights. The trained model is " +
        "a Hugging Face folder with bridle.json in it.",
    )
    .argument("[words...]", "a YAML file and key=value words, in any order")
    .option("-m, --multirun", "one run for each combination of values with commas: train.seed=0,1");
  addJsonOption(command);
  addExamples(command, [
    ["bridle train params.yaml", "as the file says"],
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
  command.addHelpText("after", keysHint);
  command.action((words: readonly string[], options: Options) => run(words, options, terminal));
}

const keysHint =
  "\nEvery key is listed by `bridle config keys`, every preset by `bridle config groups`; `bridle config show` tells what\n" +
  "a file and words come to.";
async function run(words: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const { file, overrides } = await splitWords(words, "bridle train");
  if (options.multirun) return await runSeveral(file, overrides, options, terminal);
  const { json } = options;
  const { loadRunConfig } = await import("../config/load.js");
  const { train } = await import("../train/loop.js");
  const config = await loadRunConfig(file, overrides);
  const display = await openDisplay(terminal);
  const { folder, record } = await showDownloads(terminal, (downloading) =>
    train(config, { ...downloading, onEvent: display.show }),
  ).finally(display.close);
  const curves = await drawCurves(folder);
  if (json) return await printJson(terminal, { folder, curves, ...record });
  await printLine(terminal, `The model of step ${record.step} is in ${folder}.`);
  await printLine(terminal, `Its curves are in ${curves}.`);
  await printLine(terminal, `Serve it with: bridle serve --model ${folder}`);
}

/** Trains every combination of values; each run's lines stand under its number and words. */
async function runSeveral(
  file: string | undefined,
  words: readonly string[],
  { json }: Options,
  terminal: Terminal,
): Promise<void> {
  const { trainSeveral } = await import("../train/multirun.js");
  let display: Awaited<ReturnType<typeof openDisplay>> | undefined;
  const record = await showDownloads(terminal, (downloading) =>
    trainSeveral(file, words, {
      ...downloading,
      onRun: async ({ number, words: own, status, error }, result) => {
        display?.close();
        display = undefined;
        if (status === "running") {
          terminal.stderr.write(`Run ${number}: ${own.join(" ")}\n`);
          display = await openDisplay(terminal);
        } else if (error !== null)
          terminal.stderr.write(`Run ${number} failed: ${error.message}\n`);
        if (result !== undefined) await drawCurves(result.folder);
      },
      onEvent: (event) => display?.show(event),
    }),
  ).finally(() => display?.close());
  if (json) return await printJson(terminal, record);
  for (const { number, folder, words: own, step, evaluation } of record.runs) {
    const told = evaluation === null ? `step ${step}` : describeEvaluation(evaluation);
    await printLine(terminal, `${number}  ${own.join(" ")}  ${told}  ${folder}`);
  }
}

/** Draws what a run's events tell. @returns the picture's path @throws WRITE_FAILED */
async function drawCurves(folder: string): Promise<string> {
  const [{ drawTrainingCurves }, { writeAtomically }] = await Promise.all([
    import("../report/training-curves.js"),
    import("../text/files/write-atomically.js"),
  ]);
  const picture = join(folder, "curves.svg");
  const lines = (await readFile(join(folder, "events.jsonl"), "utf8")).trimEnd().split("\n");
  const svg = drawTrainingCurves(lines.map((event) => JSON.parse(event)));
  await writeAtomically(picture, (handle) => handle.writeFile(svg));
  return picture;
}

const percent = (value: number) => (100 * value).toFixed(2);

function describeEvaluation({ step, loss, rouge, genLen, isBest }: EvaluationReport): string {
  const parts = [`step ${step}: validation loss ${loss.toFixed(4)}`];
  if (rouge) {
    const { rouge1, rouge2, rougeL } = rouge;
    parts.push(`ROUGE-1/2/L ${percent(rouge1)}/${percent(rouge2)}/${percent(rougeL)}`);
  }
  if (genLen !== undefined) parts.push(`${genLen.toFixed(1)} tokens written`);
  return `${parts.join(", ")}${isBest ? " (best so far)" : ""}`;
}

function describeData({ split, rows, emptyRows, ...cut }: DataReport): string {
  const parts = [`${split}: ${rows} rows`];
  if (emptyRows > 0) parts.push(`${emptyRows} empty ones left out`);
  const { truncatedDocuments, truncatedSummaries, lostTokens } = cut;
  if (truncatedDocuments + truncatedSummaries > 0) {
    parts.push(
      `${truncatedDocuments} documents and ${truncatedSummaries} summaries are longer than what is read ` +
        `(${lostTokens} tokens left out)`,
    );
  }
  const { repeatedDocuments, repeatedPairs, repeats } = cut;
  if (repeatedDocuments > 0) {
    const same = repeatedPairs === 0 ? "" : `, ${repeatedPairs} with the same summary`;
    parts.push(`${repeatedDocuments} documents stand in it before${same} (${examples(repeats)})`);
  }
  return parts.join(", ");
}

/** The first two of several places. */
function examples(places: readonly string[]): string {
  return places.slice(0, 2).join("; ") + (places.length > 2 ? "; …" : "");
}

function describeLeakage({ documents, pairs, places }: LeakageReport): string {
  const same = pairs === 0 ? "" : `, ${pairs} with the same summary`;
  return (
    `warning: ${documents} documents of the validation rows are learned from too${same}, so that validation ` +
    `looks better than it is (${examples(places)})`
  );
}

/** A bar of the steps on standard error, and a line for whatever else is told. */
async function openDisplay(terminal: Terminal) {
  const progress = await openProgress(terminal, "steps");
  const line = (text: string) => terminal.stderr.write(`${text}\n`);
  /** The bar of what is prepared now; it may still be opening. */
  let preparing: { readonly of: string; bar?: Progress } | undefined;
  const prepared = () => {
    preparing?.bar?.stop();
    preparing = undefined;
  };
  const prepare = ({ split, phase, rows, done, total }: PreparationEvent) => {
    const of = `${split}: ${phase}`;
    if (preparing?.of !== of) {
      prepared();
      const opening: { of: string; bar?: Progress } = { of };
      preparing = opening;
      void openProgress(terminal, "rows").then((bar) => {
        if (preparing === opening) opening.bar = bar;
      });
    }
    preparing?.bar?.update({ done, total, items: rows, itemsInAll: rows, note: of });
  };
  let total = 0;
  let first = 0;
  const show = (event: TrainEvent): void => {
    switch (event.type) {
      case "preparation":
        prepare(event);
        break;
      case "data":
        prepared();
        line(describeData(event.report));
        break;
      case "leakage":
        line(describeLeakage(event.report));
        break;
      case "start":
        total = event.totalSteps;
        first = event.step;
        if (first > 0) line(`Going on from step ${first}.`);
        line(
          `${event.learnedParameters} of ${event.parameters} parameters are learned in ${total} steps.`,
        );
        break;
      case "step": {
        const { step, loss, tokensPerSecond } = event;
        const note = `loss ${loss.toFixed(4)}, ${Math.round(tokensPerSecond)} tokens/s`;
        progress.update({ done: step, total, items: step - first, itemsInAll: step, note });
        break;
      }
      case "evaluation":
        line(describeEvaluation(event.report));
        break;
      case "stopped":
        line(`Stopped at step ${event.step}: no evaluation was better for train.patience of them.`);
        break;
      default:
        break;
    }
  };
  const close = () => {
    prepared();
    progress.stop();
  };
  return { show, close };
}
