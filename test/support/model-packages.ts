// Model folders and packages for tests: small, real, and different where a test asks for it.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { makeTinyPegasus, tinyWeights } from "./tiny-pegasus.js";

/** A folder for one test file's models. */
export async function scratchFolder(
  name: string,
): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), `bridle-${name}-`));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A model that answers; another seed gives other weights. */
export async function makeModel(folder: string, seed = 1): Promise<string> {
  return await makeTinyPegasus(folder, { weights: tinyWeights(seed) });
}

export const toyRecord = {
  version: 1,
  bridle: "0.1.0",
  config: {
    model: { name: "google/pegasus-xsum" },
    data: { train: "train.jsonl", validation: "valid.jsonl" },
    train: { seed: 7 },
  },
  runHash: "1".repeat(64),
  data: [
    { file: "train.jsonl", sha256: "2".repeat(64) },
    { file: "valid.jsonl", sha256: "3".repeat(64) },
  ],
  seed: 7,
  lockfileSha256: "4".repeat(64),
  commit: "5".repeat(40),
  platform: { node: "v20.19.0", arch: "x64", threads: 1 },
  step: 20,
  evaluation: { step: 20, epoch: 1, loss: 2.5, rouge: { rouge1: 0.4 }, isBest: true },
  createdAt: "2026-01-02T03:04:05.000Z",
};

/** As `bridle train` leaves it: a model with a record of how it came to be. */
export async function makeTrainedModel(
  folder: string,
  seed = 1,
  record: object = {},
): Promise<string> {
  await makeModel(folder, seed);
  await writeFile(path.join(folder, "bridle.json"), JSON.stringify({ ...toyRecord, ...record }));
  return folder;
}

const means = (mean: number) => ({
  precision: mean,
  recall: mean,
  fmeasure: { mean, low: mean - 0.02, high: mean + 0.02 },
});
const everyScore = <T>(value: T) => ({
  rouge1: value,
  rouge2: value,
  rougeL: value,
  rougeLsum: value,
});

export interface ToyRival {
  readonly model: string;
  readonly version: string;
  readonly digest?: string;
  /** Low end and high end of the difference, in shares. */
  readonly difference?: readonly [number, number];
}

/** An evaluation as `bridle evaluate --json` prints it. */
export function toyEvaluation(
  scored: { readonly model: string; readonly version: string; readonly digest?: string },
  {
    mean = 0.4,
    rows = 50,
    failed = 0,
    rivals = [] as readonly ToyRival[],
    data = "test.jsonl",
  } = {},
) {
  return {
    data,
    dataSha256: "6".repeat(64),
    ...scored,
    rows: { read: rows, scored: rows, empty: 0, failed, emptySummaries: failed },
    scores: everyScore(means(mean)),
    rivals: rivals.map(({ difference: [low, high] = [-0.001, 0.02], ...rival }) => ({
      ...rival,
      failed: 0,
      scores: everyScore(means(mean - (low + high) / 2)),
      difference: everyScore({ mean: (low + high) / 2, low, high }),
    })),
    scoring: { confidence: 0.95, samples: 1000, seed: 0 },
  };
}

/** Every file of a folder with the hash of its bytes, sorted. */
export function hashesOf(folder: string): [string, string][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry): [string, string] => {
      const file = path.join(entry.parentPath, entry.name);
      const hash = createHash("sha256").update(readFileSync(file)).digest("hex");
      return [path.relative(folder, file), hash];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
