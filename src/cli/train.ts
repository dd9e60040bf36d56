// `bridle train`: from params.yaml to a trained model, with progress, taken up again where it was interrupted.
import type { Command } from "commander";
import { showDownloads } from "./download-progress.js";
import { addExamples, addJsonOption } from "./options.js";
import { splitWords } from "./run-words.js";
import { printJson, printLine, type Terminal } from "./terminal.js";
import { describeEvaluation, drawCurves, openDisplay } from "./train-display.js";

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
  const { modelSources } = await import("../compose.js");
  const places = { env: terminal.env };
  const config = await loadRunConfig(file, overrides);
  const display = await openDisplay(terminal);
  const { folder, record } = await showDownloads(terminal, (downloading) =>
    train(config, { ...downloading, sources: modelSources(places), onEvent: display.show }),
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
  const { modelSources } = await import("../compose.js");
  let display: Awaited<ReturnType<typeof openDisplay>> | undefined;
  const record = await showDownloads(terminal, (downloading) =>
    trainSeveral(file, words, {
      ...downloading,
      sources: modelSources({ env: terminal.env }),
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
