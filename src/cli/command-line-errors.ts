// Turns what the argument parser objects to into rows of the error table, with the nearest name as a suggestion.
import type { CommanderError } from "commander";
import { BridleError } from "../errors/error.js";

/**
 * The BridleError for a parse failure, or undefined where the parser only stopped after printing help or the version.
 * @param typed the command as typed so far, for the hint: `bridle summarize`
 */
export function fromCommanderError(error: CommanderError, typed: string): BridleError | undefined {
  if (error.exitCode === 0) return undefined;
  const [first = "", ...rest] = error.message.split("\n");
  const problem = first.replace(/^error: /, "");
  const nearest = /Did you mean (?:one of )?(.+?)\?/.exec(rest.join(" "))?.[1];
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

/** An error about an option, with a hint at the help of the command that was typed; anything else as it is. */
export function withHelpOf(typed: string, thrown: unknown): unknown {
  if (!(thrown instanceof BridleError) || thrown.code !== "INVALID_PARAMETER") return thrown;
  const { parameter } = thrown.details;
  if (!String(parameter).startsWith("-")) return thrown;
  const hint = `Correct ${parameter}: \`${typed} --help\` tells what it takes.`;
  return new BridleError("INVALID_PARAMETER", thrown.details, { cause: thrown, hint });
}
