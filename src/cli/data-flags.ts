// The options that say how files of rows are to be read, the same for every command that reads them.
import { type Command, Option } from "commander";
import type { DataFormat } from "../data/rows.js";
import { oneOf } from "./options.js";

/** As `dataFormats`, which is not imported so that `--help` loads no reader. */
const formats = ["jsonl", "json", "csv", "tsv", "parquet", "text"] as const satisfies DataFormat[];

export interface DataFlags {
  readonly format?: DataFormat;
  readonly encoding?: string;
  readonly delimiter?: string;
}

export function addDataFlags(command: Command): Command {
  const format = new Option(
    "--format <name>",
    `format of the rows: ${formats.join(", ")} (default: told by content and name)`,
  );
  return command
    .addOption(format.argParser(oneOf("--format", formats)))
    .option("--encoding <name>", "encoding of files that are not UTF-8, such as windows-1252")
    .option("--delimiter <character>", "what stands between the fields of CSV files");
}

/** What was said of these. A tab may be written as \t, which shells do not make one. */
export function dataFlagsOf({ format, encoding, delimiter }: DataFlags): DataFlags {
  return {
    ...(format === undefined ? {} : { format }),
    ...(encoding === undefined ? {} : { encoding }),
    ...(delimiter === undefined ? {} : { delimiter: delimiter === "\\t" ? "\t" : delimiter }),
  };
}
