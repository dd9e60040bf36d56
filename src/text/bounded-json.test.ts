// JSON within its bounds, and what is told of JSON beyond them.
import { expect, it } from "vitest";
import { parseBoundedJson } from "./bounded-json.js";

const parse = (text: string, limits = { depth: 3, values: 12 }) =>
  parseBoundedJson(Buffer.from(text), limits);

it.each([
  ['{"a": [1, {"b": 2}]}', { a: [1, { b: 2 }] }],
  ['"[[[[[[[,,,,,,,,,,,,,,:::::"', "[[[[[[[,,,,,,,,,,,,,,:::::"],
  ['["\\"[[[[", "\\\\", "]"]', ['"[[[[', "\\", "]"]],
  ["7", 7],
])("%s is read", (text, value) => expect(parse(text)).toEqual({ value }));

it.each([
  ["[[[[1]]]]", /deeper than 3 levels/],
  ['{"a":{"a":{"a":{}}}}', /deeper than 3 levels/],
  [`[${"1,".repeat(20)}1]`, /more than 12 values/],
  ["[1", /no JSON/],
  ['["\\', /no JSON/],
  ["", /no JSON/],
])("%s is told", (text, problem) =>
  expect(parse(text)).toEqual({ problem: expect.stringMatching(problem) }),
);

it("is refused before it is parsed when it is nested a million deep", () => {
  expect(parse("[".repeat(1_000_000))).toEqual({ problem: expect.stringMatching(/deeper/) });
});

it("must be UTF-8", () => {
  expect(parseBoundedJson(Uint8Array.of(0x22, 0xff, 0x22), { depth: 1, values: 1 })).toEqual({
    problem: expect.stringMatching(/no JSON/),
  });
});
