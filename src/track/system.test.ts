// Readings of the machine, and what nvidia-smi prints as numbers.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
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

/** A program in nvidia-smi's place that does what the script's lines say, one a call, and then the last of them again. */
function scriptedCards(...lines: readonly string[]) {
  const folder = mkdtempSync(path.join(tmpdir(), "bridle-smi-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const calls = path.join(folder, "calls");
  appendFileSync(calls, "");
  const program = path.join(folder, "nvidia-smi");
  const cases = lines.map((line, at) => `${at === lines.length - 1 ? "*" : at}) ${line};;`);
  writeFileSync(
    program,
    `#!/bin/sh\nn=$(wc -l < '${calls}')\necho "$@" >> '${calls}'\ncase $((n)) in\n${cases.join("\n")}\nesac\n`,
    { mode: 0o755 },
  );
  const read = createSystemReader(".", { program, timeoutMs: 2000 });
  const percents = async (count: number) => {
    const told: (number | undefined)[] = [];
    for (let i = 0; i < count; i++) told.push((await read())["system/gpu0_percent"]);
    return told;
  };
  return { percents, calls: () => readFileSync(calls, "utf8").trim().split("\n") };
}

describe.skipIf(process.platform === "win32")("a program in nvidia-smi's place", () => {
  const card = (percent: number) => `echo '0, ${percent}, 1024, 61, 212.50'`;

  it("that hangs or fails once is asked again", async () => {
    const { percents, calls } = scriptedCards(
      card(10),
      "exec sleep 600",
      "echo 'Unable to determine the device handle' >&2; exit 15",
      card(40),
    );
    expect(await percents(5)).toEqual([10, undefined, undefined, 40, 40]);
    expect(calls()[0]).toBe(
      "--query-gpu=index,utilization.gpu,memory.used,temperature.gpu,power.draw --format=csv,noheader,nounits",
    );
  });

  it("that fails from the start is asked three times, and one that is not there once", async () => {
    const failing = scriptedCards("exit 9");
    expect(await failing.percents(5)).toEqual(Array(5).fill(undefined));
    expect(failing.calls()).toHaveLength(3);
    const late = scriptedCards("exit 9", "exit 9", card(7));
    expect(await late.percents(4)).toEqual([undefined, undefined, 7, 7]);
    const read = createSystemReader(".", { program: "/nowhere/nvidia-smi" });
    expect(Object.keys(await read()).some((key) => key.includes("gpu"))).toBe(false);
  });

  it("that told of a card is asked for ever, however often it fails", async () => {
    const { percents, calls } = scriptedCards(card(1), "exit 9");
    expect(await percents(6)).toEqual([1, ...Array(5).fill(undefined)]);
    expect(calls()).toHaveLength(6);
  });
});
