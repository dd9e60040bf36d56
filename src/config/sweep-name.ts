// What a sweep may be called: its name is part of a folder, of a queue and of commands, where W&B's is any text.

const longest = 100;
const plainName = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._ -]*$/u;

/** Whether a text can be a sweep's name as it is: up to 100 letters, digits, blanks and . _ -, a letter or digit first. */
export function isSweepName(text: string): boolean {
  return plainName.test(text) && [...text].length <= longest;
}

/**
 * The name that a text comes to: itself where it can be one, else with a hyphen for what a name cannot hold, so that
 * `bert-lr (v2)` becomes `bert-lr-v2`. Undefined where nothing is left of it.
 */
export function toSweepName(text: string): string | undefined {
  if (isSweepName(text)) return text;
  const plain = text
    .normalize("NFC")
    .replaceAll(/\s*[^\p{L}\p{M}\p{N}._ -]+\s*/gu, "-")
    .replaceAll(/-{2,}/g, "-")
    .replace(/^[^\p{L}\p{N}]+/u, "");
  const short = [...plain]
    .slice(0, longest)
    .join("")
    .replace(/[ -]+$/, "");
  return short === "" ? undefined : short;
}
