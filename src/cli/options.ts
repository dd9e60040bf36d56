// Readers of option values, shared by the commands: each turns a word of the command line into a checked value.
import { type Command, Option } from "commander";
import { BridleError } from "../errors/error.js";

function invalid(parameter: string, value: string, expected: string): BridleError {
  return new BridleError("INVALID_PARAMETER", {
    parameter,
    value: JSON.stringify(value),
    expected,
  });
}

/** Reads a whole number of at least `least` and at most `most`. @throws INVALID_PARAMETER */
export function wholeNumber(
  parameter: string,
  least = 1,
  most = Number.MAX_SAFE_INTEGER,
): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) {
      const range =
        most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
      throw invalid(parameter, value, `a whole number ${range}`);
    }
    return number;
  };
}

/** Reads a share, above 0 and at most 1; `25%` means 0.25. @throws INVALID_PARAMETER */
export function share(parameter: string): (value: string) => number {
  return (value) => {
    const percent = /^\d+(\.\d+)?%$/.test(value);
    const number = percent ? Number(value.slice(0, -1)) / 100 : Number(value);
    if (!(percent || /^\d*\.?\d+$/.test(value)) || !(number > 0 && number <= 1)) {
      throw invalid(parameter, value, "above 0 and at most 1, such as 0.2 or 20%");
    }
    return number;
  };
}

/** Reads one of a few words. @throws INVALID_PARAMETER */
export function oneOf<const T extends string>(
  parameter: string,
  allowed: readonly T[],
): (value: string) => T {
  return (value) => {
    const found = allowed.find((word) => word === value);
    if (found === undefined) throw invalid(parameter, value, `one of ${allowed.join(", ")}`);
    return found;
  };
}

/** Reads a list of words joined by commas. @throws INVALID_PARAMETER */
export function listOf<const T extends string>(
  parameter: string,
  allowed: readonly T[],
): (value: string) => readonly T[] {
  const one = oneOf(parameter, allowed);
  return (value) => value.split(",").map((word) => one(word.trim()));
}

/** The option every command has. */
export function addJsonOption(command: Command): Command {
  return command.addOption(
    new Option("--json", 'print one JSON value, for errors too ({"error": …})'),
  );
}

/** The length options, named alike everywhere. */
export function addLengthOptions(command: Command): Command {
  return command
    .option("--sentences <n>", "how many sentences the summary has", wholeNumber("--sentences"))
    .option(
      "--ratio <r>",
      "or: what share of the document's sentences (0.2 or 20%)",
      share("--ratio"),
    )
    .option(
      "--max-words <n>",
      "at most so many words; whole sentences are kept",
      wholeNumber("--max-words"),
    );
}

/** Appends examples to a command's help; each is a line to type and what it does. */
export function addExamples(
  command: Command,
  examples: readonly (readonly [string, string])[],
): Command {
  const lines = examples.flatMap(([line, does]) => [`  $ ${line}`, `      ${does}`]);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
