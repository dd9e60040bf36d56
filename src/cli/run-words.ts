// The words that describe a run on the command line: a YAML file, and what goes before it.
import { BridleError } from "../errors/error.js";

/**
 * Sorts the words into the file, if there is one, and what sets or chooses something.
 * @param typed the command, for hints
 * @throws COMMAND_LINE_INVALID for more than one file
 */
export async function splitWords(
  words: readonly string[],
  typed: string,
): Promise<{ readonly file: string | undefined; readonly overrides: string[] }> {
  const { isOverride } = await import("../config/load.js");
  const files = words.filter((word) => !isOverride(word));
  if (files.length > 1) {
    throw new BridleError("COMMAND_LINE_INVALID", {
      problem: `one file of parameters is taken, not ${files.length}: ${files.join(", ")}`,
      typed,
    });
  }
  return { file: files[0], overrides: words.filter(isOverride) };
}
