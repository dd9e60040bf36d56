// `bridle summarize`: one document from a file or standard input, or a whole file of documents.
import type { Command } from "commander";
import type { ModelDType } from "../config/model-dtypes.js";
import { BridleError } from "../errors/error.js";
import type { BatchReport } from "../summarize/batch.js";
import type { Summarizer, SummaryParameters } from "../summarize/summarizer.js";
import { addDataFlags, type DataFlags, dataFlagsOf } from "./data-flags.js";
import { addDeviceFlag, addGenerateFlags, generateOptionsOf } from "./generate-flags.js";
import { addExamples, addJsonOption, addLengthOptions, wholeNumber } from "./options.js";
import { checkNotInput } from "./output-file.js";
import { showPreparation } from "./preparation-progress.js";
import { formatDuration, openProgress } from "./progress.js";
import { readDocument, refuseUrl } from "./read-document.js";
import { addRegistryFlags, type RegistryFlags, sourcesOf } from "./registry-flags.js";
import { markTold, printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends DataFlags, RegistryFlags {
  readonly model?: string;
  readonly device?: "auto" | "cpu" | "webgpu" | "cuda";
  readonly dtype?: ModelDType;
  readonly sentences?: number;
  readonly ratio?: number;
  readonly maxWords?: number;
  readonly input?: string;
  readonly output?: string;
  readonly column?: string;
  readonly concurrency?: number;
  readonly overwrite?: boolean;
  readonly strict?: boolean;
}

/** Options that only a batch takes. */
const batchOnly = [
  "column",
  "format",
  "encoding",
  "delimiter",
  "concurrency",
  "overwrite",
  "strict",
] as const;

export function addSummarizeCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("summarize")
    .summary("summarize a document, or a file of them")
    .description(
      "Summarizes a document (txt, md, html, pdf, docx) from FILE or, with - or no FILE, from standard input. " +
        "With --input and --output, summarizes every row of a file (JSON Lines, JSON, CSV, TSV, Parquet, plain or " +
        "packed): results come in the order of the rows, and the same command takes up a batch that was stopped " +
        "where it stopped.",
    )
    .argument("[file]", "the document; - for standard input")
    .option(
      "--model <name>",
      "extractive (default), a folder with a model, a registered version (news:3, news@champion), or an id on the Hugging Face hub",
    );
  addLengthOptions(command)
    .option(
      "--output <file>",
      "write there instead of to standard output; with --json that is the whole result, and standard output tells where it is",
    )
    .option("--input <file>", "batch: a file with one document a row")
    .option(
      "--column <name>",
      "batch: column of the text (default: document, text, content, article or dialogue)",
    )
    .option(
      "--concurrency <n>",
      "batch: documents in work at once (default: one per processor; for a neural model 64 over the beams)",
      wholeNumber("--concurrency"),
    )
    .option("--overwrite", "batch: begin anew, losing what the output holds")
    .option("--strict", "batch: exit code 6 if any row has an error in place of a summary");
  addGenerateFlags(addDeviceFlag(addDataFlags(command)));
  addJsonOption(addRegistryFlags(command));
  addExamples(command, [
    ["bridle summarize report.pdf --sentences 3", "three sentences of a PDF"],
    ["cat notes.txt | bridle summarize --ratio 20%", "a fifth of the sentences of standard input"],
    [
      "bridle summarize report.pdf --model google/pegasus-xsum",
      "by a neural model of the Hugging Face hub, downloaded once",
    ],
    ["bridle summarize page.html --json", "with the spans it came from and how much was read"],
    ["bridle summarize --input news.jsonl.gz --output summaries.jsonl", "a whole file, resumable"],
  ]).action((file: string | undefined, options: Options) => run(file, options, terminal));
}

async function run(file: string | undefined, options: Options, terminal: Terminal): Promise<void> {
  const batch = options.input !== undefined;
  if (batch && file !== undefined) throw contradiction("FILE and --input exclude each other.");
  if (batch && options.output === undefined) throw contradiction("--input needs --output.");
  const misplaced = batch ? undefined : batchOnly.find((name) => options[name] !== undefined);
  if (misplaced !== undefined) throw contradiction(`--${misplaced} goes with --input.`);
  for (const given of [file, options.input]) refuseUrl(given);
  const { output } = options;
  if (output !== undefined)
    await checkNotInput({ flag: "--output", output }, [file, options.input]);

  const { createSummarizer } = await import("../compose.js");
  const { model, device, dtype } = options;
  const sources = await sourcesOf(options, terminal);
  const summarizer = await showPreparation(terminal, (preparing) =>
    createSummarizer({
      ...(model === undefined ? {} : { model }),
      ...(device === undefined ? {} : { device }),
      ...(dtype === undefined ? {} : { dtype }),
      ...{ sources, ...preparing },
    }),
  );
  try {
    if (batch) await summarizeMany(summarizer, options, terminal);
    else await summarizeOne(summarizer, file, options, terminal);
  } finally {
    await summarizer.close();
  }
}

function contradiction(problem: string): BridleError {
  return new BridleError("COMMAND_LINE_INVALID", { problem, typed: "bridle summarize" });
}

function parametersOf(options: Options): SummaryParameters {
  const { sentences, ratio, maxWords } = options;
  return {
    ...generateOptionsOf(options),
    ...(sentences === undefined ? {} : { sentences }),
    ...(ratio === undefined ? {} : { ratio }),
    ...(maxWords === undefined ? {} : { maxWords }),
  };
}

async function summarizeOne(
  summarizer: Summarizer,
  file: string | undefined,
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const read = await readDocument(file, terminal, "bridle summarize");
  for (const warning of read.warnings) terminal.stderr.write(`note: ${warning}\n`);
  const result = await summarizer.summarize(read.text, {
    parameters: parametersOf(options),
    signal: terminal.signal,
  });
  const { format, encoding, pages, title, warnings } = read;
  const told = options.json
    ? JSON.stringify({ ...result, document: { format, encoding, pages, title, warnings } })
    : result.summary;
  const { output } = options;
  if (output === undefined) return await printLine(terminal, told);
  const [{ writeOutput }, { writeError }] = await Promise.all([
    import("../text/files/write-output.js"),
    import("../errors/file-errors.js"),
  ]);
  await writeOutput(output, (handle) => handle.writeFile(`${told}\n`)).catch((thrown) => {
    throw writeError(thrown.cause ?? thrown, output);
  });
  if (options.json) {
    const { model, version, finishReason, truncated, usage } = result;
    await printJson(terminal, { output, model, version, finishReason, truncated, usage });
  }
  terminal.stderr.write(`Written to ${output}.\n`);
}

async function summarizeMany(
  summarizer: Summarizer,
  options: Options,
  terminal: Terminal,
): Promise<void> {
  const { summarizeFile } = await import("../summarize/batch.js");
  const { column, concurrency } = options;
  const output = options.output!;
  const progress = await openProgress(terminal, "rows");
  let report: BatchReport;
  try {
    report = await summarizeFile(summarizer, {
      input: options.input!,
      output,
      parameters: parametersOf(options),
      ...(column === undefined ? {} : { column }),
      ...dataFlagsOf(options),
      ...(concurrency === undefined ? {} : { concurrency }),
      overwrite: options.overwrite === true,
      signal: terminal.signal,
      onProgress: ({ rows, failed, resumedRows, readBytes, sizeBytes }) =>
        progress.update({
          done: readBytes,
          total: sizeBytes,
          items: rows - resumedRows,
          itemsInAll: rows,
          ...(failed === 0 ? {} : { note: `${failed} failed` }),
        }),
    });
  } catch (thrown) {
    progress.stop();
    if (terminal.signal.aborted) {
      terminal.stderr.write("Stopped. The same command goes on from here.\n");
    }
    throw thrown;
  }
  progress.stop();
  if (options.json) await printJson(terminal, report);
  else await printLine(terminal, describe(report));
  if (options.strict && report.failed > 0) {
    const { failed, rows } = report;
    throw markTold(new BridleError("BATCH_ROWS_FAILED", { failed, rows, file: output }));
  }
}

function describe({ rows, failed, resumedRows, output, seconds }: BatchReport): string {
  const done = rows - resumedRows;
  const earlier = resumedRows === 0 ? "" : `, ${resumedRows} of them by earlier runs`;
  const errors = failed === 0 ? "" : `, ${failed} with an error`;
  const rate = done === 0 || seconds === 0 ? "" : ` (${(done / seconds).toFixed(1)} rows/s)`;
  return `${rows} rows in ${output}${earlier}${errors}; ${formatDuration(seconds)}${rate}`;
}
