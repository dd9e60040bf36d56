// A model that is copied or replaced where the disk is full: an error, and nothing half-written in its way.
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canMount, mountSmallDisk, type SmallDisk } from "../../test/support/small-disk.js";
import { float32 } from "../runtime/tensor.js";
import type { StartingPoint } from "./start.js";
import {
  copyTrainedModel,
  hasWeights,
  type RunRecord,
  replaceTrainedModel,
} from "./trained-model.js";

const megabyte = 2 ** 20;
const record = { version: 1, config: { model: { name: "m" }, generate: {} } } as RunRecord;

let from: string;
beforeEach(async () => {
  from = await mkdtemp(join(tmpdir(), "bridle-trained-"));
  return () => rm(from, { recursive: true });
});

describe.skipIf(!canMount)("on a disk of a megabyte", () => {
  let disk: SmallDisk;
  beforeEach(() => {
    disk = mountSmallDisk(1) as SmallDisk;
  });
  afterEach(() => disk.unmount());

  it("a model that does not fit is not copied in part", async () => {
    await writeFile(join(from, "bridle.json"), "{}");
    await mkdir(join(from, "adapter"));
    for (const name of ["a", "b"]) {
      await writeFile(join(from, "adapter", name), Buffer.alloc(0.7 * megabyte));
    }
    await expect(copyTrainedModel(from, disk.folder)).rejects.toMatchObject({
      code: "WRITE_FAILED",
    });
    expect(await readdir(disk.folder)).toEqual([]);
  });

  it("a model whose record does not fit leaves neither its weights nor takes the place of another", async () => {
    const best = join(disk.folder, "best");
    await mkdir(best);
    const start = { json: {}, folder: from } as StartingPoint;
    const weights = new Map([["w", float32(new Float32Array(megabyte / 8), [megabyte / 8])]]);
    const long = { ...record, commit: "c".repeat(megabyte) };
    await expect(replaceTrainedModel(best, start, weights, long)).rejects.toMatchObject({
      code: "WRITE_FAILED",
    });
    expect(await readdir(disk.folder)).toEqual(["best"]);
    expect(await readdir(best)).toEqual([]);
    await replaceTrainedModel(best, start, weights, record);
    expect((await readdir(best)).sort()).toEqual([
      "bridle.json",
      "config.json",
      "model.safetensors",
    ]);
  });
});

it("tells by their headers whether the weights of a record are there", async () => {
  const start = { json: {}, folder: from } as StartingPoint;
  const best = join(from, "best");
  const named: RunRecord = {
    ...record,
    weights: [{ file: "model.safetensors", sha256: "0".repeat(64) }],
  };
  expect(await hasWeights(best, named)).toBe(false);
  await replaceTrainedModel(
    best,
    start,
    new Map([["w", float32(Float32Array.of(1, 2), [2])]]),
    record,
  );
  expect(await hasWeights(best, named)).toBe(true);
  await writeFile(join(best, "model.safetensors"), "");
  expect(await hasWeights(best, named)).toBe(false);
  // Earlier versions named none.
  expect(await hasWeights(best, record)).toBe(true);
});
