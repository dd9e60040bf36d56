// The guess from the words of a command line whether a model's thread will be needed.
import { expect, it } from "vitest";
import { beginModelEarly } from "./early-thread.js";

it.each<[string, boolean | undefined]>([
  ["serve --model ./news", false],
  ["serve --model ./news --dtype int8", true],
  ["serve --dtype=int4 --port 9000 --model=./news", true],
  ["serve --model ./news --dtype fp32", false],
  ["serve --model ./news --workers 1", false],
  ["serve --model ./news --workers 4", undefined],
  ["serve --workers=2 --model ./news", undefined],
  ["serve --model ./news --help", undefined],
  ["serve -h --model ./news", undefined],
  ["serve", undefined],
  ["serve --model", undefined],
  ["serve --model extractive", undefined],
  ["summarize --model ./news", undefined],
  ["", undefined],
])("of `bridle %s`", (line, encoderApart) => {
  const begun: (boolean | undefined)[] = [];
  const found = beginModelEarly(line.split(" "), (apart) => void begun.push(apart));
  expect(found).toBe(encoderApart !== undefined);
  expect(begun).toEqual(encoderApart === undefined ? [] : [encoderApart]);
});
