// A hint is heard by whoever shows what it names.
import { expect, it } from "vitest";
import { concerns, type Subject } from "./changes.js";

it.each<[Parameters<typeof concerns>[0], readonly Subject[], boolean]>([
  ["anything", ["sweeps/rates"], true],
  [{ sweeps: ["rates"] }, ["sweeps/rates"], true],
  [{ sweeps: ["a/b c"] }, ["sweeps/a/b c"], true],
  [{ sweeps: ["rates"] }, ["sweeps/rate"], false],
  [{ sweeps: ["rates"] }, ["sweeps"], true],
  [{ models: ["news"] }, ["sweeps", "models/sport"], false],
  [{ models: ["news"], runs: ["k3"] }, ["sweeps/rates", "models"], true],
  [{ data: true }, ["data"], true],
  [{ served: true }, ["data", "models"], false],
  [{}, ["data"], false],
])("%j concerns %j: %s", (changes, subjects, is) => {
  expect(concerns(changes, subjects)).toBe(is);
});
