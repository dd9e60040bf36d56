// What is checked of a named output before any work: that it is none of the inputs, and that nothing is lost unasked.
import { BridleError } from "../errors/error.js";

/** A flag that names an output, and what was said there. */
export interface NamedOutput {
  /** As typed: `--outputs`. */
  readonly flag: string;
  readonly output: string;
}

/**
 * Data that is read is not replaced by what comes of it, whatever it is called there.
 * @param inputs files or folders; standard input and what is not there are passed over
 * @throws INVALID_PARAMETER
 */
export async function checkNotInput(
  { flag, output }: NamedOutput,
  inputs: readonly (string | undefined)[],
): Promise<void> {
  const [{ realpath }, path] = await Promise.all([import("node:fs/promises"), import("node:path")]);
  const placeOf = (name: string) => realpath(name).catch(() => undefined);
  const isBelow = (place: string, folder: string) => place.startsWith(`${folder}${path.sep}`);
  const to = await placeOf(output);
  if (to === undefined) return;
  for (const input of inputs) {
    const from = input === undefined || input === "-" ? undefined : await placeOf(input);
    if (from === undefined) continue;
    const isApart = from !== to && !isBelow(from, to) && !isBelow(to, from);
    if (isApart) continue;
    const expected = from === to ? "another file than the input" : `apart from the input, ${input}`;
    throw new BridleError("INVALID_PARAMETER", { parameter: flag, value: output, expected });
  }
}

/** @throws OUTPUT_EXISTS for a file that is there; devices, pipes and folders are left to who writes */
export async function checkFree({ flag, output }: NamedOutput): Promise<void> {
  const { findOutput } = await import("../text/files/write-output.js");
  // What cannot be looked at is told by who writes.
  const place = await findOutput(output).catch(() => undefined);
  if (place?.isStream !== false || !place.found?.isFile()) return;
  const hint = `Name another ${flag}, or add --overwrite to replace it.`;
  throw new BridleError("OUTPUT_EXISTS", { file: output }, { hint });
}
