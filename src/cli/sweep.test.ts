// What a sweep prints at its end can be typed.
import { join } from "node:path";
import { expect, it } from "vitest";
import { trainCommand } from "./sweep.js";

it("names the command that trains a trial by itself, with the sweep's own words, for a shell", () => {
  const config = { objective: { metric: "rougeL", goal: "maximize" } } as never;
  const parameters = {
    "train.learningRate": 0.0012,
    "train.optimizer.name": "adafactor",
    "data.prefix": "summarize: it's ",
    "train.maxGradNorm": null,
  };
  const plan = { run: join(process.cwd(), "my runs", "params.yaml"), config };
  expect(
    trainCommand({ ...plan, words: ["model=tiny", "data.train=[a, b]"] }, { parameters }),
  ).toBe(
    "bridle train 'my runs/params.yaml' model=tiny 'data.train=[a, b]' evaluate.metric=rougeL train.learningRate=0.0012 " +
      "train.optimizer.name=adafactor 'data.prefix=\"summarize: it'\\''s \"' train.maxGradNorm=null",
  );
  expect(trainCommand({ ...plan, run: null, words: [] }, { parameters: {} })).toBe(
    "bridle train evaluate.metric=rougeL",
  );
});
