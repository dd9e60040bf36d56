// Guesses from the words of a command line that a model will be served, before the code that reads them has been loaded.
import { beginThreadEarly } from "../summarize/neural-thread.js";

/** Whether weights of a dtype are whole numbers, whose encoder has a thread of its own. */
export const isWholeNumbers = (dtype: string | undefined): boolean =>
  dtype === "int8" || dtype === "int4";

/** What stands behind an option, as `--option value` or `--option=value`; undefined where it is not there. */
function optionIn(option: string, args: readonly string[]): string | undefined {
  const at = args.findIndex((word) => word === option || word.startsWith(`${option}=`));
  const word = args[at];
  return word === option ? args[at + 1] : word?.slice(option.length + 1);
}

/**
 * Begins the thread of the model that `bridle serve --model …` names: on a machine with a processor to spare it loads its code while
 * this one does. A wrong guess costs that; `serve` ends the thread where it finds out that none is needed.
 * @param args the words after `bridle`
 * @returns whether one was begun
 */
export function beginModelEarly(args: readonly string[], begin = beginThreadEarly): boolean {
  if (args[0] !== "serve" || args.includes("--help") || args.includes("-h")) return false;
  if ((optionIn("--workers", args) ?? "1") !== "1") return false;
  const model = optionIn("--model", args);
  // The model that is built in needs none; it is not worth its module to know its name here.
  if (model === undefined || model === "extractive") return false;
  try {
    begin(isWholeNumbers(optionIn("--dtype", args)));
    return true;
  } catch {
    // Whoever begins it later says why.
    return false;
  }
}
