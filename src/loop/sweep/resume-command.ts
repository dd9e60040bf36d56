// The command that goes on with a sweep, to be typed in the folder it was begun in.
import { shellWord } from "../../config/shell-words.js";
import type { SweepPlan } from "./plan.js";

/** Its file and its words as they were said: with any others it would be another sweep. FILE where the file was not kept. */
export function resumeCommand({
  file,
  name,
  words,
}: Pick<SweepPlan, "file" | "name" | "words">): string {
  return [
    "bridle sweep",
    shellWord(file ?? "FILE"),
    ...words.map(shellWord),
    ...["--name", shellWord(name), "--resume"],
  ].join(" ");
}
