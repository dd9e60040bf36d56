// `bridle quantize`: a copy of a model with whole-number weights, each layer measured, as a folder of its own.
import { type Command, Option } from "commander";
import { BridleError } from "../errors/error.js";
import { addDataFlags, type DataFlags, dataFlagsOf } from "./data-flags.js";
import { addExamples, addJsonOption, oneOf, wholeNumber } from "./options.js";
import { showPreparation } from "./preparation-progress.js";
import { addRegistryFlags, type RegistryFlags, sourcesOf } from "./registry-flags.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

const dtypes = ["int8", "int4"] as const;

interface Options extends DataFlags, RegistryFlags {
  readonly dtype?: (typeof dtypes)[number];
  readonly output: string;
  readonly calibration?: string;
  readonly limit?: number;
  readonly overwrite?: boolean;
}

/** Documents that are enough to measure layers on. */
const defaultDocuments = 16;

export function addQuantizeCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("quantize")
    .summary("make an int8 or int4 copy of a model")
    .description(
      "Writes a copy of a model whose weights are whole numbers: a quarter or an eighth of the bytes, and quicker on a " +
        "CPU. Every layer is measured on documents first; one whose output would be off by more than a tenth (int8) or " +
        "a fifth (int4) stays float32, and so do the keys and values of documents where attention would be off by more " +
        "than a tenth. `--dtype int8` of other commands makes such a copy by itself and keeps it.",
    )
    .argument(
      "<model>",
      "a folder with a model, a registered version (news:3, news@champion), or an id on the Hugging Face hub",
    )
    .requiredOption("--output <folder>", "folder to write, which is made if need be")
    .addOption(
      new Option("--dtype <name>", `int8 or int4 (default: int8)`).argParser(
        oneOf("--dtype", dtypes),
      ),
    )
    .option(
      "--calibration <file>",
      "rows or texts to measure layers on, such as your own documents",
    )
    .option(
      "--limit <n>",
      `at most so many of its documents (default: ${defaultDocuments})`,
      wholeNumber("--limit"),
    )
    .option("--overwrite", "replace a copy that is in the folder");
  addJsonOption(addRegistryFlags(addDataFlags(command)));
  addExamples(command, [
    ["bridle quantize google/pegasus-xsum --output xsum-int8", "a copy to serve"],
    [
      "bridle quantize ./news --output news-int8 --calibration train.jsonl.gz",
      "measured on your own documents",
    ],
    ["bridle serve --model xsum-int8", "serves it"],
  ]).action((model: string, options: Options) => run(model, options, terminal));
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

async function run(model: string, options: Options, terminal: Terminal): Promise<void> {
  const { quantizeModel } = await import("../compose.js");
  const { dtype = "int8", output, calibration, limit = defaultDocuments, overwrite } = options;
  const sources = await sourcesOf(options, terminal);
  const documents =
    calibration === undefined ? undefined : await readDocuments(calibration, limit, options);
  const saved = await showPreparation(terminal, ({ onRounding, ...downloading }) =>
    quantizeModel(
      model,
      output,
      {
        ...{ dtype, onRounding, signal: terminal.signal },
        ...(documents && { documents }),
        ...(overwrite && { overwrite }),
      },
      { sources, ...downloading },
    ),
  );
  if (options.json) return await printJson(terminal, { model, output, dtype, ...saved });
  const errors = Object.values(saved.errors)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  const middle = errors[errors.length >> 1] ?? 0;
  await printLine(
    terminal,
    `${saved.file}: ${megabytes(saved.sizeBytes)}, as float32 ${megabytes(saved.floatBytes)}`,
  );
  await printLine(
    terminal,
    `${saved.layers} layers and attentions; what they answer is off by ${percent(middle)} in the middle and ${percent(errors.at(-1) ?? 0)} at most.`,
  );
  for (const name of saved.kept) {
    const error = saved.errors[name] ?? Number.NaN;
    const why = Number.isFinite(error)
      ? `what it answers would be off by ${percent(error)}`
      : "what it answers is no number, so that it cannot be measured";
    const what = name.endsWith(".weight") ? `${name} stays` : `Keys and values of ${name} stay`;
    await printLine(terminal, `${what} float32: ${why}.`);
  }
  await printLine(
    terminal,
    `What that does to summaries: bridle evaluate DATA --model ${model} --compare-dtype ${dtype}`,
  );
}

async function readDocuments(file: string, limit: number, options: Options): Promise<string[]> {
  const { readTexts } = await import("../data/corpus.js");
  const { format, ...flags } = dataFlagsOf(options);
  const documents: string[] = [];
  for await (const text of readTexts([file], { ...flags, ...(format && { format }) })) {
    documents.push(typeof text === "string" ? text : new TextDecoder().decode(text));
    if (documents.length >= limit) break;
  }
  if (documents.length === 0) {
    throw new BridleError("DATA_EMPTY", {
      files: file,
      reason: "it has no text to measure layers on",
    });
  }
  return documents;
}
