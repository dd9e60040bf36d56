// `bridle evaluate`: scores a model on files of documents with reference summaries, next to simple systems.
import { type Command, Option } from "commander";
import type { ModelDType } from "../config/model-dtypes.js";
import { BridleError } from "../errors/error.js";
import type { LogitsCompared } from "../evaluate/compare-dtypes.js";
import type { EvaluateOptions } from "../evaluate/evaluate.js";
import type { EvaluatedRow, Evaluation } from "../evaluate/evaluation.js";
import type { Summarizer } from "../summarize/summarizer.js";
import { addDataFlags, type DataFlags, dataFlagsOf } from "./data-flags.js";
import { addDeviceFlag, addGenerateFlags, generateOptionsOf } from "./generate-flags.js";
import { addExamples, addJsonOption, oneOf, share, wholeNumber } from "./options.js";
import { checkFree, checkNotInput } from "./output-file.js";
import { showPreparation } from "./preparation-progress.js";
import { openProgress } from "./progress.js";
import { addRegistryFlags, type RegistryFlags, sourcesOf } from "./registry-flags.js";
import { printJson, printLine, type Terminal, write } from "./terminal.js";

interface Options extends DataFlags, RegistryFlags {
  readonly model?: string;
  readonly device?: "auto" | "cpu" | "webgpu" | "cuda";
  readonly dtype?: ModelDType;
  readonly sentences?: number | "reference";
  readonly ratio?: number;
  readonly maxWords?: number;
  readonly baselines?: readonly string[];
  readonly against?: readonly string[];
  readonly compareDtype?: "int8" | "int4";
  readonly outputs?: string;
  readonly overwrite?: boolean;
  readonly show?: number;
  readonly language?: string;
  readonly limit?: number;
  readonly every?: number;
  readonly documentColumn?: string;
  readonly summaryColumn?: string;
  readonly samples?: number;
  readonly seed?: number;
  readonly concurrency?: number;
  readonly markdown?: boolean;
}

/** One file's figures. */
export interface DataEvaluation extends Evaluation {
  /** Of the file's bytes, or of a folder's files, as they were before the first row was read. */
  readonly dataSha256: string;
  readonly data: string;
  /** What rounding does to scores, where that was asked for. */
  readonly logits?: LogitsCompared;
}

export function addEvaluateCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("evaluate")
    .summary("score a model on documents with reference summaries")
    .description(
      "Summarizes every row of files and scores the summaries against the references: ROUGE with bootstrap " +
        "intervals, lengths, novelty. Each file is scored on its own: JSON Lines, JSON, CSV, TSV or Parquet, plain, " +
        ".gz or .zst, or a folder of texts. Rows hold a document (column document, text, content, article or " +
        "dialogue) and one or several references (column references, summary, highlights or target).",
    )
    .argument("<data...>", "files of rows, or folders of texts")
    .option(
      "--model <name>",
      "extractive (default), a folder with a model, a registered version (news:3, news@champion), or an id on the Hugging Face hub",
    )
    .option(
      "--sentences <n>",
      "sentences of a summary, or reference: as many as the row's reference has",
      (value) => (value === "reference" ? value : wholeNumber("--sentences")(value)),
    )
    .option("--ratio <r>", "or: share of the document's sentences", share("--ratio"))
    .option("--max-words <n>", "at most so many words", wholeNumber("--max-words"))
    .option(
      "--baselines <list>",
      "simple systems to score too: lead1, lead3, leadK, textrankK, oracle3",
      words,
    )
    .option(
      "--against <name>",
      "another model to put beside it, extractive among them; repeat it for several",
      (name: string, before: readonly string[] = []) => [...before, name],
    )
    .addOption(
      new Option(
        "--compare-dtype <name>",
        "put the same model with int8 or int4 weights beside it, and tell how far its scores are off",
      ).argParser(oneOf("--compare-dtype", ["int8", "int4"])),
    )
    .option(
      "--outputs <file>",
      "write each row's document, references and summaries to a JSON Lines file",
    )
    .option("--overwrite", "replace a file of --outputs that is there")
    .option(
      "--show <n>",
      "print the first n rows of each file with what was written",
      wholeNumber("--show"),
    )
    .option("--language <code>", "language of the data, such as en (default: detected)")
    .option("--limit <n>", "at most so many rows of each file", wholeNumber("--limit"))
    .option("--every <n>", "every n-th row, from the first", wholeNumber("--every"))
    .option("--document-column <name>", "column of the documents")
    .option("--summary-column <name>", "column of the references")
    .option("--samples <n>", "bootstrap resamples (default: 1000)", wholeNumber("--samples"))
    .option("--seed <n>", "seed of the resamples (default: 0)", wholeNumber("--seed", 0))
    .option(
      "--concurrency <n>",
      "documents in work at once (default: one per processor; for a neural model 64 over the beams)",
      wholeNumber("--concurrency"),
    )
    .option("--markdown", "print the table as Markdown");
  addGenerateFlags(addDeviceFlag(addDataFlags(command)), ["seed"]);
  addJsonOption(addRegistryFlags(command));
  addExamples(command, [
    [
      "bridle evaluate test.jsonl.gz --sentences reference",
      "with as many sentences as the references have",
    ],
    [
      "bridle evaluate *.jsonl --baselines lead3,textrankK --markdown",
      "several files, as a table for a report",
    ],
    [
      "bridle evaluate test.jsonl --model ./new --against ./old --outputs rows.jsonl",
      "whether one model is better than another, and what both wrote",
    ],
    [
      "bridle evaluate test.jsonl --model ./new --compare-dtype int8",
      "what int8 weights would cost",
    ],
    ["bridle evaluate test.jsonl --limit 100 --json", "every figure, for a program"],
    ["bridle evaluate test.csv --summary-column title", "a table, with its titles as references"],
  ]).action((data: readonly string[], options: Options) => run(data, options, terminal));
}

function words(value: string): readonly string[] {
  return value.split(",").map((word) => word.trim());
}

async function run(data: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  if (options.outputs !== undefined) {
    const named = { flag: "--outputs", output: options.outputs };
    await checkNotInput(named, data);
    if (!options.overwrite) await checkFree(named);
  }
  const shown: EvaluatedRow[] = [];
  const keepFirst = (row: EvaluatedRow) => {
    const { show = 0 } = options;
    if (shown.filter(({ file }) => file === row.file).length < show) shown.push(row);
  };
  const evaluations =
    options.outputs === undefined
      ? await evaluateAll(data, options, terminal, keepFirst)
      : await evaluateInto(options.outputs, (onRow) =>
          evaluateAll(data, options, terminal, (row) => {
            keepFirst(row);
            onRow(row);
          }),
        );
  if (options.json) return await printJson(terminal, { evaluations });
  const { formatTable, toRows } = await import("./evaluation-table.js");
  const table = formatTable(evaluations.flatMap(toRows), options.markdown === true);
  await write(terminal.stdout, table);
  for (const { data: file, notes, rows, logits } of evaluations) {
    if (logits !== undefined) await printLine(terminal, `${file}: ${told(logits, options)}`);
    if (rows.failed > 0)
      await printLine(terminal, `${file}: the model failed on ${rows.failed} rows.`);
    if (rows.empty > 0)
      await printLine(terminal, `${file}: ${rows.empty} rows have no text and are left out.`);
    for (const note of notes) await printLine(terminal, `${file}: ${note}`);
  }
  for (const row of shown) await showRow(row, evaluations[0]?.model ?? "", terminal);
}

function told(
  { tokens, relativeError, sameLikeliest, loss, roundedLoss }: LogitsCompared,
  { compareDtype }: Options,
): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return (
    `over ${tokens} tokens of references ${compareDtype} logits are off by ${percent(relativeError)} (root mean ` +
    `square), the likeliest token is the same at ${percent(sameLikeliest)}, and the loss is ${roundedLoss.toFixed(4)} ` +
    `instead of ${loss.toFixed(4)}.`
  );
}

/** Characters of a document that are enough to know it by. */
const shownDocument = 300;

async function showRow(row: EvaluatedRow, model: string, terminal: Terminal): Promise<void> {
  const inOneLine = (text: string) => text.replaceAll(/\s+/g, " ").trim();
  const document = inOneLine(row.document);
  const beginning =
    document.length > shownDocument ? `${document.slice(0, shownDocument)} …` : document;
  const written = [
    ...row.references.map((reference) => ["reference", reference] as const),
    [model, row.summary] as const,
    ...row.rivals.map((rival) => [rival.model, rival.summary] as const),
  ];
  await printLine(terminal, `\n${row.file}, line ${row.line}: ${beginning}`);
  for (const [name, text] of written) await printLine(terminal, `  ${name}: ${inOneLine(text)}`);
}

type OnRow = (row: EvaluatedRow) => void;

/** Writes a file of rows that is there once all of them are. @throws WRITE_FAILED */
async function evaluateInto<T>(file: string, work: (onRow: OnRow) => Promise<T>): Promise<T> {
  const { writeOutput } = await import("../text/files/write-output.js");
  let result: T | undefined;
  await writeOutput(file, async (handle) => {
    let writing: Promise<unknown> = Promise.resolve();
    result = await work((row) => {
      writing = writing.then(() => handle.writeFile(`${JSON.stringify(row)}\n`));
      // A full disk is told where the rows are waited for.
      writing.catch(() => {});
    });
    await writing;
  });
  return result as T;
}

async function evaluateAll(
  data: readonly string[],
  options: Options,
  terminal: Terminal,
  onRow?: OnRow,
): Promise<DataEvaluation[]> {
  const [{ createSummarizer }, { fingerprintOf }] = await Promise.all([
    import("../compose.js"),
    import("../data/fingerprint.js"),
  ]);
  const { model = "extractive", against = [], device, dtype, compareDtype } = options;
  if (compareDtype !== undefined && dtype !== undefined && dtype !== "fp32") {
    throw new BridleError("INVALID_PARAMETER", {
      ...{ parameter: "--dtype", value: dtype },
      expected: "fp32 or left out beside --compare-dtype, which puts other weights beside those",
    });
  }
  if (compareDtype !== undefined && model === "extractive") {
    throw new BridleError("INVALID_PARAMETER", {
      ...{ parameter: "--compare-dtype", value: compareDtype },
      expected: "left out, or used with --model and a model that has weights",
    });
  }
  const sources = await sourcesOf(options, terminal);
  const opened: Summarizer[] = [];
  try {
    const names = [model, ...against];
    const isAnyNeural = names.some((name) => name !== "extractive");
    for (const name of names) {
      // Beside a neural model they are that one's.
      const own = name === "extractive" && isAnyNeural ? {} : defined({ device, dtype });
      const summarizer = await showPreparation(terminal, (preparing) =>
        createSummarizer({ model: name, sources, ...own, ...preparing }),
      );
      opened.push(summarizer);
    }
    if (compareDtype !== undefined) {
      checkComparable(opened[0] as Summarizer);
      const rounded = await showPreparation(terminal, (preparing) =>
        createSummarizer({ model, sources, dtype: compareDtype, ...preparing }),
      );
      opened.push({ ...rounded, model: `${model} in ${compareDtype}` });
    }
    const [summarizer, ...rivals] = opened as [Summarizer, ...Summarizer[]];
    const evaluations: DataEvaluation[] = [];
    for (const file of data) {
      // A file that changes while models write for hours must not lend its new name to the old rows' figures.
      const { sha256: dataSha256 } = await fingerprintOf(file, terminal.signal);
      const compared = { rivals, ...defined({ onRow }) };
      const evaluation = await evaluateFile(file, summarizer, compared, options, terminal);
      const logits =
        compareDtype && (await compareDtypes(model, compareDtype, file, sources, options));
      evaluations.push({ data: file, dataSha256, ...evaluation, ...(logits && { logits }) });
    }
    return evaluations;
  } finally {
    for (const each of opened) await each.close();
  }
}

/** Rows whose references are scored under both. */
const comparedRows = 32;

async function compareDtypes(
  model: string,
  dtype: "int8" | "int4",
  file: string,
  sources: Awaited<ReturnType<typeof sourcesOf>>,
  options: Options,
): Promise<LogitsCompared> {
  const { compareLogitsOf } = await import("../compose.js");
  const { readPairs } = await import("../data/pairs.js");
  const { documentColumn: document, summaryColumn: summary, every, limit = comparedRows } = options;
  return await compareLogitsOf(
    model,
    dtype,
    readPairs(file, {
      columns: defined({ document, summary }),
      ...dataFlagsOf(options),
      ...defined({ every }),
      limit: Math.min(limit, comparedRows),
    }),
    { sources },
  );
}

async function evaluateFile(
  file: string,
  summarizer: Summarizer,
  compared: Pick<EvaluateOptions, "rivals" | "onRow">,
  options: Options,
  terminal: Terminal,
): Promise<Evaluation> {
  const [{ evaluate }, { readPairs }] = await Promise.all([
    import("../evaluate/evaluate.js"),
    import("../data/pairs.js"),
  ]);
  const { sentences, ratio, maxWords, documentColumn, summaryColumn } = options;
  const progress = await openProgress(terminal, "rows");
  let read = { readBytes: 0, sizeBytes: 0 };
  const rows = readPairs(file, {
    columns: defined({ document: documentColumn, summary: summaryColumn }),
    ...dataFlagsOf(options),
    ...defined({ every: options.every, limit: options.limit }),
    onRead: (now) => {
      read = now;
    },
  });
  const { seed: _, ...rest } = options;
  const parameters = { ...defined({ sentences, ratio, maxWords }), ...generateOptionsOf(rest) };
  try {
    return await evaluate(summarizer, rows, {
      ...compared,
      ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
      ...defined({
        baselines: options.baselines,
        language: options.language,
        samples: options.samples,
        seed: options.seed,
        concurrency: options.concurrency,
      }),
      signal: terminal.signal,
      onProgress: ({ scored, failed }) =>
        progress.update({
          done: read.readBytes,
          total: read.sizeBytes,
          items: scored,
          itemsInAll: scored,
          ...(failed === 0 ? {} : { note: `${failed} failed` }),
        }),
    });
  } finally {
    progress.stop();
  }
}

type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

/** What was said, without what was not: an option left out is not the same as one that is undefined. */
function defined<T extends object>(values: T): Defined<T> {
  const said = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as Defined<T>;
}

/** What rounding does is measured on the weights that are rounded. @throws INVALID_PARAMETER where a model has none of those */
function checkComparable({ model, traits }: Summarizer): void {
  if (traits.dtype === "fp32") return;
  throw new BridleError("INVALID_PARAMETER", {
    ...{ parameter: "--compare-dtype", value: `beside ${model}, which is ${traits.dtype} itself` },
    expected: "used with the model that it was made from",
  });
}
