// Tests what each of several processes is told of the machine.
import { expect, it } from "vitest";
import { resolveServeConfig } from "../../config/serve-config.js";
import { processConfig } from "./open-processes.js";

it("is told the share of its own place: threads as well as processors", () => {
  const config = {
    ...resolveServeConfig({ workers: 2, models: ["./news"] }, {}),
    threads: 2,
    shares: [
      { threads: 2, cpus: [0, 1] },
      { threads: 4, cpus: [2, 3, 4, 5] },
    ],
  };
  const told = [0, 1].map((place) => processConfig(config, place));
  expect(told.map(({ threads, cpus }) => ({ threads, cpus }))).toEqual(config.shares);
  const { maxCacheBytes } = config;
  expect(told[1]).toMatchObject({ models: ["./news"], maxCacheBytes, sharesWeights: true });
  expect(processConfig({ ...config, workers: 1 }, 0).sharesWeights).toBe(false);
});
