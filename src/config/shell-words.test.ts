// Commands that are printed are taken by a shell, and by the command, as what they stand for.
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { overrideWord, shellWord } from "./shell-words.js";

/** The words a shell makes of a line. */
const wordsOf = (line: string): string[] =>
  execFileSync("sh", ["-c", `printf '%s\\0' ${line}`], { encoding: "utf8" })
    .split("\0")
    .slice(0, -1);

describe("a word for a shell", () => {
  it.each(["plain", "a b", "it's", '"quoted"', "$HOME", "a*b", "x;y", "über", "", "-", "a\nb"])(
    "%j comes back as it was",
    (word) => {
      expect(wordsOf(shellWord(word))).toEqual([word]);
    },
  );

  it("has no quotes where none are needed", () => {
    expect(shellWord("train.learningRate=1e-4")).toBe("train.learningRate=1e-4");
    expect(overrideWord("train.optimizer.name", "adafactor")).toBe(
      "train.optimizer.name=adafactor",
    );
  });
});

describe("a value on the command line", () => {
  it.each([
    ["adamw"],
    ["true"],
    ["null"],
    ["1e-3"],
    ["summarize: "],
    ["off"],
    [""],
    [0.5],
    [true],
    [null],
    [[1, "b c"]],
    [{ name: "sgd", momentum: 0.9 }],
  ])("%j is read as it was", (value) => {
    const [word] = wordsOf(overrideWord("data.prefix", value)) as [string];
    expect(word.startsWith("data.prefix=")).toBe(true);
    // As src/config/load.ts reads what stands behind the sign.
    expect(parse(word.slice("data.prefix=".length))).toEqual(value);
  });
});
