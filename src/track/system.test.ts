// Readings of the machine, and what nvidia-smi prints as numbers.
import { expect, it } from "vitest";
import { createSystemReader, parseCards } from "./system.js";

it("reads the processor, memory and disk", async () => {
  const reading = await createSystemReader(".")();
  for (const name of [
    "process_cpu_cores",
    "cpu_percent",
    "rss_bytes",
    "memory_free_bytes",
    "disk_free_bytes",
  ]) {
    expect(reading[`system/${name}`], name).toBeGreaterThanOrEqual(0);
  }
  expect(reading["system/cpu_percent"]).toBeLessThanOrEqual(100);
});

it("reads cards and leaves out what they do not tell", () => {
  expect(
    parseCards(
      "0, 37, 1024, 61, 212.50\n1, 0, [N/A], 40, [Not Supported]\nNo devices were found\n",
    ),
  ).toEqual({
    "system/gpu0_percent": 37,
    "system/gpu0_memory_bytes": 2 ** 30,
    "system/gpu0_celsius": 61,
    "system/gpu0_watts": 212.5,
    "system/gpu1_percent": 0,
    "system/gpu1_celsius": 40,
  });
});
