// Turns what the argument parser objects to into rows of the error table, with the nearest name as a suggestion.
import type { CommanderError } from "commander";
import { nearestName } from "../config/nearest-name.js";
import { BridleError } from "../errors/error.js";

/** A command line as far as it names a command. */
export interface Typed {
  /** The command: `bridle summarize`. */
  readonly typed: string;
  /** Names of the commands below it; none where it does something itself. */
  readonly commands: readonly string[];
  /** The words after it. */
  readonly rest: readonly string[];
  readonly flags: Flags;
}

/** The BridleError for a parse failure, or undefined where the parser only stopped after printing help or the version. */
export function fromCommanderError(
  error: CommanderError,
  { typed, commands, rest }: Typed,
): BridleError | undefined {
  if (error.exitCode === 0) return undefined;
  const words = rest.filter((word) => word !== "--json");
  if (commands.length > 0 && words.length === 0) {
    const problem = `${typed} needs one of its commands: ${commands.join(", ")}.`;
    return new BridleError("COMMAND_LINE_INVALID", { problem, typed });
  }
  if (error.code === "commander.help") return unknownHelp(words, commands, typed);
  const [first = "", ...more] = error.message.split("\n");
  const problem = first.replace(/^error: /, "");
  const nearest = /Did you mean (?:one of )?(.+?)\?/.exec(more.join(" "))?.[1];
  const suggestion = nearest === undefined ? "" : `Did you mean ${nearest}? `;
  const name = /'([^']*)'/.exec(problem)?.[1] ?? problem;
  switch (error.code) {
    case "commander.unknownCommand":
      return new BridleError("UNKNOWN_COMMAND", { name, suggestion, typed });
    case "commander.unknownOption":
      return new BridleError("UNKNOWN_OPTION", { name, suggestion, typed });
    default:
      return new BridleError("COMMAND_LINE_INVALID", {
        problem: `${problem}.`.replace(/\.\.$/, "."),
        typed,
      });
  }
}

/** `bridle help frob`. */
function unknownHelp(
  [, name = ""]: readonly string[],
  commands: readonly string[],
  typed: string,
): BridleError {
  const nearest = nearestName(name, commands);
  const suggestion = nearest === undefined ? "" : `Did you mean ${nearest}? `;
  return new BridleError("UNKNOWN_COMMAND", { name, suggestion, typed });
}

/** Flags of a command by the names that the library has for them: `--max-words` by `maxWords`. */
export type Flags = ReadonlyMap<string, string>;

/**
 * An error about an option, in the words of the command line: flags as they are typed, and a hint at the help of the
 * command; anything else as it is.
 */
export function asTyped({ typed, flags }: Typed, thrown: unknown): unknown {
  if (!(thrown instanceof BridleError)) return thrown;
  const { code, details } = thrown;
  const name = String(details.parameter);
  const parameter = flags.get(name) ?? name;
  if (!parameter.startsWith("-")) return thrown;
  if (code === "INVALID_PARAMETER") {
    const hint = `Correct ${parameter}: \`${typed} --help\` tells what it takes.`;
    const expected = withFlags(String(details.expected), flags);
    return new BridleError(code, { ...details, parameter, expected }, { cause: thrown, hint });
  }
  if (code !== "PARAMETER_NOT_SUPPORTED") return thrown;
  const names = String(details.supported).split(", ");
  const supported = names.flatMap((each) => flags.get(each) ?? []).join(", ");
  return new BridleError(code, { ...details, parameter, supported }, { cause: thrown });
}

/** What must be, with other options that it names: those that can be no other word, and `where sentences is given`. */
function withFlags(text: string, flags: Flags): string {
  return text.replaceAll(
    /\b[a-z]+[A-Z][A-Za-z]*\b|(?<=\bwhere )[a-z]+(?= is given)/g,
    (name) => flags.get(name) ?? name,
  );
}
