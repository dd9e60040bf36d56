// `bridle rouge`: scores predictions against targets, from text files or from columns of a file of rows.
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import type { AggregateScore } from "../text/rouge/aggregate.js";
import type { RougeOptions, RougeType } from "../text/rouge/rouge.js";
import type { RougeScore } from "../text/rouge/score.js";
import type { RougeMode } from "../text/rouge/tokenize.js";
import { addDataFlags, type DataFlags, dataFlagsOf } from "./data-flags.js";
import { addExamples, addJsonOption, oneOf, wholeNumber } from "./options.js";
import { openProgress } from "./progress.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends DataFlags {
  readonly target?: readonly string[];
  readonly prediction?: string;
  readonly input?: string;
  readonly targetColumn: string;
  readonly predictionColumn: string;
  readonly lines?: boolean;
  readonly types?: readonly RougeType[];
  readonly stemmer?: boolean;
  readonly mode: RougeMode;
  readonly splitSummaries?: boolean;
  readonly aggregate?: boolean;
  readonly samples: number;
  readonly seed: number;
  readonly json?: boolean;
}

type Scores = Record<RougeType, RougeScore>;

export function addRougeCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("rouge")
    .summary("score summaries against references")
    .description(
      "Scores predictions against targets with ROUGE. A pair of files is one text each; with --lines, each " +
        "line is a text; with --input, each row of a file (JSON Lines, CSV, …) holds both. Several targets of one " +
        "prediction: the best one counts, by F-measure.",
    )
    .option(
      "--target <file>",
      "reference text; repeat it for several references",
      append,
      undefined,
    )
    .option("--prediction <file>", "text to score")
    .option("--lines", "take each line of the files as a text of its own")
    .option("--input <file>", "a file whose rows hold both texts")
    .option("--target-column <name>", "its column of targets, a text or a list", "summary")
    .option("--prediction-column <name>", "its column of predictions", "prediction")
    .option(
      "--types <list>",
      "what to compute (default: rouge1,rouge2,rougeL,rougeLsum)",
      readTypes,
    )
    .option("--stemmer", "stem English words, as most papers do")
    .option(
      "--mode <mode>",
      "google: a–z and 0–9 only; unicode: words of every script",
      oneOf("--mode", ["google", "unicode"]),
      "google",
    )
    .option("--split-summaries", "find sentences for rougeLsum; else each line is one")
    .option("--aggregate", "means with bootstrap intervals, in place of a score per text")
    .option("--samples <n>", "how many resamples --aggregate draws", wholeNumber("--samples"), 1000)
    .option("--seed <n>", "seed of these draws", wholeNumber("--seed", 0), 0);
  addJsonOption(addDataFlags(command));
  addExamples(command, [
    ["bridle rouge --target reference.txt --prediction summary.txt --stemmer", "one pair of texts"],
    ["bridle rouge --input scored.jsonl --types rouge1,rougeL --aggregate", "a file of pairs"],
    ["bridle rouge --target de.txt --prediction de.out.txt --mode unicode --lines", "line by line"],
  ]).action((options: Options) => run(options, terminal));
}

function append(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function readTypes(value: string): readonly RougeType[] {
  const types = value.split(",").map((type) => type.trim());
  const wrong = types.find((type) => !/^rouge(?:[1-9]\d{0,3}|L|Lsum)$/.test(type));
  if (wrong !== undefined) {
    throw new BridleError("INVALID_PARAMETER", {
      parameter: "--types",
      value: JSON.stringify(wrong),
      expected: "rouge1, rouge2, … or rougeL or rougeLsum, joined by commas",
    });
  }
  return types as RougeType[];
}

interface Pair {
  readonly targets: readonly string[];
  readonly prediction: string;
  /** How much of the file has been read, of how much, in bytes. */
  readonly read?: { readonly done: number; readonly total: number };
}

async function run(options: Options, terminal: Terminal): Promise<void> {
  const [{ rouge }, { aggregateRouge }] = await Promise.all([
    import("../text/rouge/rouge.js"),
    import("../text/rouge/aggregate.js"),
  ]);
  const scoring: RougeOptions = {
    ...(options.types === undefined ? {} : { types: options.types }),
    stemmer: options.stemmer === true,
    mode: options.mode,
    splitSummaries: options.splitSummaries === true,
  };
  const scores: Scores[] = [];
  const many = options.input !== undefined || options.lines === true;
  const printsEach = many && options.aggregate !== true && options.json !== true;
  // Where each score is printed as it comes, that is the progress.
  const progress = printsEach ? undefined : await openProgress(terminal, "texts");
  try {
    for await (const { targets, prediction, read } of readPairs(options, terminal)) {
      if (terminal.signal.aborted) throw new BridleError("CANCELLED");
      const score: Scores = rouge(targets, prediction, scoring);
      if (printsEach) await printLine(terminal, oneLine(scores.length, score));
      scores.push(score);
      const items = scores.length;
      if (read !== undefined) progress?.update({ ...read, items, itemsInAll: items });
    }
  } finally {
    progress?.stop();
  }
  if (scores.length === 0)
    throw new BridleError("EMPTY_TEXT", { where: options.input ?? "the files" });
  if (options.aggregate === true) {
    const { samples, seed } = options;
    const aggregated = aggregateRouge(scores, { samples, seed });
    if (options.json)
      return await printJson(terminal, { count: scores.length, scores: aggregated });
    return await printAggregate(terminal, scores.length, aggregated);
  }
  if (options.json) return await printJson(terminal, many ? scores : scores[0]);
  if (!many) await printScores(terminal, scores[0]!);
}

async function* readPairs(options: Options, terminal: Terminal): AsyncGenerator<Pair> {
  const { input, target, prediction } = options;
  const misplaced = Object.keys(dataFlagsOf(options))[0];
  if (input === undefined && misplaced !== undefined) {
    throw contradiction(`--${misplaced} goes with --input.`);
  }
  if (input !== undefined) {
    if (target !== undefined || prediction !== undefined || options.lines === true) {
      throw contradiction(
        "--input holds both texts; leave out --target, --prediction and --lines.",
      );
    }
    yield* readRows(input, options);
    return;
  }
  if (target === undefined || prediction === undefined) {
    throw contradiction("it needs --target and --prediction, or --input.");
  }
  if ([...target, prediction].filter((file) => file === "-").length > 1) {
    throw contradiction("standard input (-) can be only one of the files.");
  }
  const texts = await Promise.all([prediction, ...target].map((file) => readText(file, terminal)));
  if (options.lines !== true) {
    yield { prediction: texts[0]!, targets: texts.slice(1) };
    return;
  }
  const [predicted = [], ...references] = texts.map(linesOf);
  for (const [at, lines] of references.entries()) {
    if (lines.length !== predicted.length) {
      throw contradiction(
        `${prediction} has ${predicted.length} lines and ${target[at]} has ${lines.length}.`,
      );
    }
  }
  for (const [at, line] of predicted.entries()) {
    yield { prediction: line, targets: references.map((lines) => lines[at]!) };
  }
}

function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function contradiction(problem: string): BridleError {
  return new BridleError("COMMAND_LINE_INVALID", { problem, typed: "bridle rouge" });
}

async function* readRows(input: string, options: Options): AsyncGenerator<Pair> {
  const [{ openRows }, { textColumn, textsColumn }] = await Promise.all([
    import("../data/rows.js"),
    import("../data/row.js"),
  ]);
  const { rows, readBytes, sizeBytes } = await openRows(input, dataFlagsOf(options));
  for await (const { place, read } of rows) {
    const row = read();
    yield {
      prediction: textColumn(row, options.predictionColumn, place),
      targets: textsColumn(row, options.targetColumn, place),
      read: { done: readBytes(), total: sizeBytes },
    };
  }
}

async function readText(file: string, terminal: Terminal): Promise<string> {
  const [{ readFile }, { readError }, { buffer }] = await Promise.all([
    import("node:fs/promises"),
    import("../errors/file-errors.js"),
    import("node:stream/consumers"),
  ]);
  let bytes: Uint8Array;
  try {
    bytes = file === "-" ? await buffer(terminal.stdin) : await readFile(file);
  } catch (thrown) {
    throw readError(thrown, file);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new BridleError("FILE_NOT_READABLE", { file, reason: "it is not UTF-8 text" }, { cause });
  }
}

const percent = (share: number) => (share * 100).toFixed(2).padStart(6);

function oneLine(index: number, score: Scores): string {
  const parts = Object.entries(score).map(([type, { fmeasure }]) => `${type} ${percent(fmeasure)}`);
  return `${String(index + 1).padStart(6)}  ${parts.join("  ")}`;
}

async function printScores(terminal: Terminal, score: Scores): Promise<void> {
  await printLine(terminal, `${"".padEnd(10)} precision  recall  F-measure`);
  for (const [type, { precision, recall, fmeasure }] of Object.entries(score)) {
    await printLine(
      terminal,
      `${type.padEnd(10)}    ${percent(precision)}  ${percent(recall)}     ${percent(fmeasure)}`,
    );
  }
}

async function printAggregate(
  terminal: Terminal,
  count: number,
  aggregated: Record<string, AggregateScore>,
): Promise<void> {
  await printLine(terminal, `F-measure over ${count} texts, with 95 % bootstrap intervals`);
  for (const [type, { mean, low, high }] of Object.entries(aggregated)) {
    const interval = `${percent(low.fmeasure).trim()} – ${percent(high.fmeasure).trim()}`;
    await printLine(terminal, `${type.padEnd(10)} ${percent(mean.fmeasure)}   ${interval}`);
  }
}
