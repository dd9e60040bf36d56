// `bridle data split`: puts rows into train, validation and test files so that none of them leaks into another.
import type { Command } from "commander";
import { BridleError } from "../errors/error.js";
import { addDataFlags, type DataFlags, dataFlagsOf } from "./data-flags.js";
import { addExamples, addJsonOption, share, wholeNumber } from "./options.js";
import { checkNotInput } from "./output-file.js";
import { openProgress } from "./progress.js";
import { printJson, printLine, type Terminal } from "./terminal.js";

interface Options extends DataFlags {
  readonly output: string;
  readonly shares?: Readonly<Record<string, number>>;
  readonly seed?: number;
  readonly groupBy?: string;
  readonly timeColumn?: string;
  readonly cutOffs?: Readonly<Record<string, string>>;
  readonly similarity?: number;
  readonly exact?: boolean;
  readonly documentColumn?: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

export function addDataSplitCommand(data: Command, terminal: Terminal): void {
  const command = data
    .command("split")
    .summary("split rows into train, validation and test without leakage")
    .description(
      "Writes a folder with a file for each split and split.json. Documents that are equal or much alike go to one split, " +
        "and so do rows with the same value in --group-by. Where a row goes is decided by a hash, so that the same seed " +
        "gives the same files and added rows leave the others where they are. JSON Lines, CSV and TSV keep each row's " +
        "bytes; other formats become JSON Lines.",
    )
    .argument("<data...>", "files of rows, or folders of texts")
    .option("--output <folder>", "folder of the splits", "splits")
    .option(
      "--shares <list>",
      "names and shares (default: train=0.8,validation=0.1,test=0.1)",
      readShares,
    )
    .option("--seed <n>", "another seed, another split (default: 0)", wholeNumber("--seed", 0))
    .option("--group-by <column>", "keep rows with the same value in this column together")
    .option(
      "--time-column <column>",
      "the earliest rows to the first split, the latest to the last",
    )
    .option(
      "--cut-offs <list>",
      "with --time-column, in place of shares: later splits with the times they begin at, such as test=2024-07-01",
      readCutOffs,
    )
    .option(
      "--similarity <share>",
      "share of their word triples from which on documents stay together (default: 0.8)",
      share("--similarity"),
    )
    .option("--exact", "keep only equal documents together")
    .option("--document-column <name>", "column of the documents")
    .option("--overwrite", "replace a folder that an earlier split wrote");
  addJsonOption(addDataFlags(command));
  addExamples(command, [
    [
      "bridle data split rows.jsonl --output data",
      "data/train.jsonl, data/validation.jsonl, data/test.jsonl",
    ],
    [
      "bridle data split rows.csv --shares train=9,test=1 --group-by source",
      "a source on one side only",
    ],
    ["bridle data split news.jsonl --time-column date", "tested on what is newer"],
    [
      "bridle data split news.jsonl --time-column date --cut-offs validation=2024-01-01,test=2024-07-01",
      "learns from what is older than 2024",
    ],
  ]).action((files: readonly string[], options: Options) => run(files, options, terminal));
}

function readShares(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split(",").map((word) => {
      const [name = "", value = ""] = word.split("=").map((part) => part.trim());
      const number = /^\d+(\.\d+)?%$/.test(value)
        ? Number(value.slice(0, -1)) / 100
        : Number(value);
      if (name === "" || value === "" || !Number.isFinite(number)) {
        const expected = "names with shares, such as train=0.9,test=0.1";
        throw new BridleError("INVALID_PARAMETER", {
          parameter: "--shares",
          value: text,
          expected,
        });
      }
      return [name, number];
    }),
  );
}

function readCutOffs(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((word) => {
      const [, name = "", time = ""] = /^\s*([^=]+?)\s*=\s*(.+?)\s*$/.exec(word) ?? [];
      if (name === "") {
        const expected = "names with times, such as validation=2024-01-01,test=2024-07-01";
        throw new BridleError("INVALID_PARAMETER", {
          parameter: "--cut-offs",
          value: text,
          expected,
        });
      }
      return [name, time];
    }),
  );
}

async function run(files: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const { splitData } = await import("../data/checks/split.js");
  const { output, shares, seed, groupBy, timeColumn, documentColumn, overwrite = false } = options;
  if (options.exact && options.similarity !== undefined) {
    throw new BridleError("COMMAND_LINE_INVALID", {
      problem: "--exact and --similarity contradict each other.",
      typed: "bridle data split",
    });
  }
  await checkNotInput({ flag: "--output", output }, files);
  const similarity = options.exact ? null : options.similarity;
  const progress = await openProgress(terminal, "rows");
  const record = await splitData(files, output, {
    ...dataFlagsOf(options),
    ...(shares && { shares }),
    ...(seed !== undefined && { seed }),
    ...(groupBy !== undefined && { groupBy }),
    ...(timeColumn !== undefined && { timeColumn }),
    ...(options.cutOffs && { cutOffs: options.cutOffs }),
    ...(documentColumn !== undefined && { documentColumn }),
    ...(similarity !== undefined && { similarity }),
    overwrite,
    signal: terminal.signal,
    onRead: ({ phase, readBytes, sizeBytes, rows }) =>
      progress.update({
        done: readBytes + (phase === "writing" ? sizeBytes : 0),
        total: 2 * sizeBytes,
        items: rows,
        itemsInAll: rows,
        note: phase,
      }),
  }).finally(progress.stop);
  if (options.json) return await printJson(terminal, { output, ...record });
  for (const [name, { file, rows }] of Object.entries(record.splits)) {
    const of = ((100 * rows) / record.rows).toFixed(1);
    await printLine(terminal, `${name}: ${rows} rows (${of} %) in ${output}/${file}`);
  }
  const together = record.rows - record.groups;
  if (together > 0) {
    await printLine(
      terminal,
      `${record.groups} groups were kept together, the largest of ${record.largestGroup} rows.`,
    );
  }
}
