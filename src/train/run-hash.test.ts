// What makes another run of a configuration, and what a checkpoint of another one is refused with.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { tensorsOf } from "../../test/support/trained-tensors.js";
import { RunConfig, type RunConfigInput } from "../config/run-config.js";
import { Checkpoints } from "./checkpoints.js";
import { hashRun } from "./run-hash.js";

const circumstances = {
  device: "cpu",
  ...{ threads: 2, startSha256: "1".repeat(64) },
  dataHashes: ["2".repeat(64)],
} as const;

function hashOf(
  train: Partial<RunConfigInput["train"]>,
  other: Partial<Parameters<typeof hashRun>[1]> = {},
): string {
  const config = { model: { name: "m" }, data: { train: "t.jsonl" } };
  const input = { ...config, train: { output: "out", ...train } };
  return hashRun(RunConfig.parse(input), { ...circumstances, ...other });
}

it("a run is known by what decides its weights, the device that it found included", () => {
  const [auto, cpu] = [hashOf({ device: "auto" }), hashOf({ device: "cpu" })];
  expect(hashOf({})).toBe(auto);
  expect(hashOf({ output: "elsewhere", logEvery: 7, keepCheckpoints: 9, threads: 5 })).toBe(auto);
  const others = [
    ...[auto, cpu, hashOf({ device: "auto" }, { device: "cuda" })],
    ...[hashOf({ device: "auto" }, { device: "webgpu" }), hashOf({ seed: 1 })],
    ...[hashOf({}, { threads: 3 }), hashOf({}, { startSha256: "3".repeat(64) })],
    hashOf({}, { dataHashes: [] }),
  ];
  expect(new Set(others).size).toBe(others.length);
});

it("a checkpoint that was made on another device is refused, naming both", async () => {
  const folder = await mkdtemp(join(tmpdir(), "bridle-run-hash-"));
  try {
    const { weight } = tensorsOf({ w: [2] }, ["weight"]);
    const state = { weight };
    const { threads, startSha256 } = circumstances;
    const of = (device?: "cpu" | "cuda") => {
      const runHash = hashOf({}, device && { device });
      return new Checkpoints(
        folder,
        { runHash, threads, startSha256, ...(device && { device }) },
        1,
      );
    };
    const progress = { step: 3, sinceBest: 0, best: null, last: null };
    await of("cuda").save(state, progress);
    await expect(of("cpu").restore(state)).rejects.toMatchObject({
      code: "CHECKPOINT_MISMATCH",
      message: expect.stringContaining("made on cuda, and this is cpu"),
    });
    // As earlier versions left them, which named no device.
    await of().save(state, progress);
    expect(await of("cpu").restore(state)).toEqual(progress);
  } finally {
    await rm(folder, { recursive: true });
  }
});
