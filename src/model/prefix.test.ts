// What stands before every document: the task's word counts before the model's, as in transformers' pipeline.
import { expect, it } from "vitest";
import { readPrefix, withPrefix } from "./prefix.js";

const ofTask = (prefix: unknown) => ({ task_specific_params: { summarization: { prefix } } });

it.each([
  [{}, ""],
  [{ prefix: null }, ""],
  [{ prefix: " " }, " "],
  [{ prefix: " ", task_specific_params: { summarization: { num_beams: 4 } } }, " "],
  [{ prefix: "a: ", ...ofTask("summarize: ") }, "summarize: "],
  [{ prefix: "a: ", ...ofTask("") }, ""],
  [withPrefix({ prefix: "a: " }, ""), ""],
])("of %j is %j", (json, prefix) => {
  expect(readPrefix(json)).toBe(prefix);
});

it.each([
  [{ prefix: 3 }, "prefix"],
  [ofTask(3), "task_specific_params.summarization.prefix"],
])("of %j is refused by name", (json, key) => {
  expect(() => readPrefix(json)).toThrow(key);
});
