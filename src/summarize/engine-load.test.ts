// Loads added up, and what is left of those that are gone.
import { expect, it } from "vitest";
import type { EngineLoad } from "../generate/scheduler.js";
import { addLoads, leftOfLoad } from "./engine-load.js";

const load: EngineLoad = {
  ...{ waiting: 1, running: 2, rows: 8, cacheBytes: 100 },
  ...{ steps: 10, stepRows: 40, tokens: 30, encodeMs: 5, stepMs: 7 },
};

it("loads add up, and nothing is nothing", () => {
  expect(addLoads(undefined, undefined)).toBeUndefined();
  expect(addLoads(load, undefined)).toEqual(load);
  expect(addLoads(undefined, load)).toEqual(load);
  const twice = Object.fromEntries(Object.entries(load).map(([name, value]) => [name, 2 * value]));
  expect(addLoads(load, load)).toEqual(twice);
});

it("what an engine has done is left of it, and nothing that it was at", () => {
  expect(leftOfLoad(undefined)).toBeUndefined();
  expect(leftOfLoad(load)).toEqual({
    ...{ waiting: 0, running: 0, rows: 0, cacheBytes: 0 },
    ...{ steps: 10, stepRows: 40, tokens: 30, encodeMs: 5, stepMs: 7 },
  });
});
