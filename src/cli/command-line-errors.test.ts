// Errors about options in the words of the command line, also where the library that finds them has other names.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { makeTinyPegasus } from "../../test/support/tiny-pegasus.js";
import { runProgram } from "./program.js";

const folder = mkdtempSync(path.join(tmpdir(), "bridle-flags-"));
const at = (name: string) => path.join(folder, name);
beforeAll(async () => {
  await makeTinyPegasus(at("tiny"));
  writeFileSync(at("a.txt"), "The harbour silted up. The ships left.");
  writeFileSync(at("a.jsonl"), '{"document": "The harbour silted up.", "summary": "Silt."}\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

const takes = "`bridle summarize --help` tells what it takes.";
it.each([
  [
    "summarize a.txt --sentences 2 --ratio 0.1",
    "--ratio is 0.1; it must be left out where --sentences is given.",
    `Correct --ratio: ${takes}`,
  ],
  [
    "summarize a.txt --max-length 9",
    "--max-length does not apply to the model extractive.",
    "Leave it out; this model takes --sentences, --ratio, --max-words.",
  ],
  [
    "summarize a.txt --model tiny --sentences 2",
    "--sentences does not apply to the model tiny.",
    /^Leave it out; this model takes --max-length, .*--num-beam-groups, [^A-Z]*--truncation/,
  ],
  [
    "summarize a.txt --model tiny --num-beams 4 --num-beam-groups 3",
    "--num-beam-groups is 3; it must be a divisor of --num-beams, 4.",
    `Correct --num-beam-groups: ${takes}`,
  ],
  [
    "evaluate a.jsonl --baselines leadd",
    /^--baselines is leadd; it must be one or more of lead1, /,
    /^Correct --baselines: `bridle evaluate --help`/,
  ],
])("%s", async (line, message, hint) => {
  const words = line.split(" ").map((word) => (/^(a\.|tiny)/.test(word) ? at(word) : word));
  const error = await runProgram(words, createMemoryTerminal()).catch((thrown) => thrown);
  const told = (text: string) => text.replaceAll(at("tiny"), "tiny");
  expect(told(error.message)).toEqual(match(message));
  expect(told(error.hint)).toEqual(match(hint));
});

const match = (text: string | RegExp) =>
  typeof text === "string" ? text : expect.stringMatching(text);
