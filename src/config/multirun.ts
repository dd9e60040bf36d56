// Turns words with several values, such as train.seed=0,1, into the words of one run for each combination.
import { BridleError } from "../errors/error.js";

/** Most runs of one command; more are a slip, such as a list of files that was meant as one value. */
const mostRuns = 1000;

function invalid(problem: string): BridleError {
  return new BridleError("MULTIRUN_INVALID", { problem });
}

/** The values of a word: what stands between commas outside of quotes and brackets. @throws MULTIRUN_INVALID */
function valuesIn(text: string, word: string): string[] {
  const values: string[] = [];
  let from = 0;
  let depth = 0;
  let quote: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
    } else if (character === '"' || character === "'") quote = character;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    else if (character === "," && depth === 0) {
      values.push(text.slice(from, at));
      from = at + 1;
    }
  }
  values.push(text.slice(from));
  if (values.length > 1 && values.some((value) => value.trim() === "")) {
    throw invalid(`${word} has a comma with no value beside it`);
  }
  return values;
}

/**
 * The words of each run: every combination of the values, the last word's turning fastest.
 * @throws MULTIRUN_INVALID where there is nothing to combine, too much of it, or train.output among it
 */
export function expandRuns(words: readonly string[]): {
  readonly runs: readonly (readonly string[])[];
  /** For each run, the words that tell it from the others. */
  readonly differing: readonly (readonly string[])[];
} {
  const choices = words.map((word) => {
    const at = word.indexOf("=");
    if (at < 0 || word.startsWith("~")) return [word];
    const values = valuesIn(word.slice(at + 1), word);
    return values.map((value) => `${word.slice(0, at + 1)}${value.trim()}`);
  });
  const varied = choices.filter((each) => each.length > 1);
  if (varied.length === 0) throw invalid("no word has more than one value");
  const output = varied.flat().find((word) => /^\+*train\.output=/.test(word));
  if (output !== undefined) {
    throw invalid(
      "train.output is the folder of all of them; each gets one of its own inside of it",
    );
  }
  const count = choices.reduce((product, each) => product * each.length, 1);
  if (count > mostRuns)
    throw invalid(`there are ${count} combinations, and ${mostRuns} are allowed`);
  let runs: string[][] = [[]];
  for (const each of choices) runs = runs.flatMap((run) => each.map((word) => [...run, word]));
  const isVaried = choices.map((each) => each.length > 1);
  return { runs, differing: runs.map((run) => run.filter((_, at) => isVaried[at])) };
}
