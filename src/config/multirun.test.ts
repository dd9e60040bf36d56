// Words with several values: the runs they come to, and what each mistake is told.
import { describe, expect, it } from "vitest";
import { expandRuns } from "./multirun.js";

describe("several runs", () => {
  it("are every combination, the last word's values turning fastest", () => {
    const { runs, differing } = expandRuns(["train.seed=0,1", "train.epochs=2", "model=a,b"]);
    expect(runs).toEqual([
      ["train.seed=0", "train.epochs=2", "model=a"],
      ["train.seed=0", "train.epochs=2", "model=b"],
      ["train.seed=1", "train.epochs=2", "model=a"],
      ["train.seed=1", "train.epochs=2", "model=b"],
    ]);
    expect(differing[3]).toEqual(["train.seed=1", "model=b"]);
  });

  it("take lists, mappings and quoted texts as one value each", () => {
    const { runs } = expandRuns([
      'data.train=[a, b],"c,d"',
      "model.lora={rank: 4, alpha: 8}, null",
      "~train.epochs",
    ]);
    expect(runs.map(([train, lora]) => [train, lora])).toEqual([
      ["data.train=[a, b]", "model.lora={rank: 4, alpha: 8}"],
      ["data.train=[a, b]", "model.lora=null"],
      ['data.train="c,d"', "model.lora={rank: 4, alpha: 8}"],
      ['data.train="c,d"', "model.lora=null"],
    ]);
  });

  it.each([
    [["train.seed=1"], /no word has more than one value/],
    [["train.seed=1,,2"], /comma with no value/],
    [["train.seed=1,"], /comma with no value/],
    [["train.output=a,b"], /train\.output is the folder of all/],
    [
      ["a=1,2,3,4,5,6,7,8,9,10", "b=1,2,3,4,5,6,7,8,9,10", "c=1,2,3,4,5,6,7,8,9,10,11"],
      /1100 combinations/,
    ],
  ])("%j cannot be made", (words, message) => {
    expect(() => expandRuns(words)).toThrow(message);
  });
});
