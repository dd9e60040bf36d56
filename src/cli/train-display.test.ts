// The picture of a run's curves, which a file of events that was cut off does not keep from being drawn.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { drawCurves } from "./train-display.js";

it("draws the events that are whole, where a full disk cut one off and others came after it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "bridle-curves-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const step = (n: number) => JSON.stringify({ type: "step", step: n, epoch: n, loss: 1 / n });
  const draw = async (text: string) => {
    await writeFile(join(folder, "events.jsonl"), text);
    return await readFile(await drawCurves(folder), "utf8");
  };
  const whole = await draw(`${step(1)}\n${step(2)}\n`);
  expect(await draw(`${step(1)}\n${step(2)}\n{"type":"done","st`)).toBe(whole);
  expect(await draw(`${step(1)}\n{"type":"do{"type":"data"}\n${step(2)}\n`)).toBe(whole);
});
