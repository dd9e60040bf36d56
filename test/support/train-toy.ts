// A toy run: a tiny model, rows that can be learned, and a configuration over them.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunConfigInput } from "../../src/config/run-config.js";
import { makeTinyPegasus } from "./tiny-pegasus.js";

const places = ["harbour", "ferry", "town", "river", "market", "bridge", "school", "council"];

/** Row i tells of a place and is summed up by it. */
export function toyRows(count: number, first = 0): string {
  return Array.from({ length: count }, (_, i) => {
    const n = first + i;
    const place = places[n % places.length];
    const day = ["Monday", "week", "winter"][n % 3];
    return `${JSON.stringify({
      document: `The ${place} was closed in the ${day}. ${"The people said that the storm was old. ".repeat(n % 4)}`,
      summary: `The ${place} closed.`,
    })}\n`;
  }).join("");
}

/** Makes model and data in a folder; the run's output is `out` in it. */
export async function makeToyRun(
  folder: string,
  train: RunConfigInput["train"] = {},
): Promise<RunConfigInput> {
  await mkdir(folder, { recursive: true });
  await makeTinyPegasus(join(folder, "tiny"));
  await writeFile(join(folder, "train.jsonl"), toyRows(40));
  await writeFile(join(folder, "valid.jsonl"), toyRows(6, 100));
  return {
    model: { name: join(folder, "tiny"), dropout: 0.1, attentionDropout: 0.1 },
    data: {
      train: join(folder, "train.jsonl"),
      validation: join(folder, "valid.jsonl"),
      maxTargetTokens: 16,
    },
    train: {
      output: join(folder, "out"),
      epochs: 2,
      learningRate: 2e-3,
      microBatchTokens: 320,
      accumulate: 2,
      logEvery: 1,
      evaluateEvery: 3,
      checkpointEvery: 2,
      threads: 1,
      device: "cpu",
      ...train,
    },
    evaluate: { maxRows: 3 },
    generate: { numBeams: 2, maxNewTokens: 8 },
  };
}
