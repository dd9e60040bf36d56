// Several runs of one command: folders, record, going on, and what happens when one of them fails.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeToyRun } from "../../test/support/train-toy.js";
import { loadRunConfig } from "../config/load.js";
import { type MultirunRecord, trainSeveral } from "./multirun.js";
import { readRunRecord } from "./trained-model.js";

let root: string;
let file: string;
let output: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-several-"));
  const config = await makeToyRun(root, { maxSteps: 2 });
  output = join(root, "several");
  file = join(root, "params.yaml");
  await writeFile(file, JSON.stringify({ ...config, train: { ...config.train, output } }));
});
afterAll(() => rm(root, { recursive: true }));

const recordOf = async (folder: string): Promise<MultirunRecord> =>
  JSON.parse(await readFile(join(folder, "multirun.json"), "utf8"));

describe("several runs", () => {
  it("have a folder and a resolved configuration each, and one record", async () => {
    const words = ["train.seed=0,1", "evaluate.maxRows=1"];
    const told: string[] = [];
    const record = await trainSeveral(file, words, {
      onRun: ({ number, status }) => void told.push(`${number} ${status}`),
    });
    expect(told).toEqual(["0 running", "0 done", "1 running", "1 done"]);
    expect(record).toEqual(await recordOf(output));
    expect(record.words).toEqual(words);
    for (const [number, run] of record.runs.entries()) {
      expect(run).toMatchObject({
        number,
        status: "done",
        step: 2,
        words: [`train.seed=${number}`],
      });
      const config = await loadRunConfig(file, [`train.seed=${number}`, "evaluate.maxRows=1"]);
      expect(run.config).toEqual({
        ...JSON.parse(JSON.stringify(config)),
        train: { ...config.train, output: join(output, String(number)) },
      });
      expect((await readRunRecord(run.folder))?.config).toEqual(run.config);
    }
    const weights = (run: number) => readFile(join(output, String(run), "model.safetensors"));
    expect((await weights(0)).equals(await weights(1))).toBe(false);
    // Done before, so that nothing is trained again.
    const [first] = record.runs;
    const again = await trainSeveral(file, words);
    expect(again.runs[0]).toEqual(first);
    await expect(trainSeveral(file, ["train.seed=0,2"])).rejects.toMatchObject({
      code: "MULTIRUN_CHANGED",
      details: { folder: output },
    });
  });

  it("are checked before the first begins", async () => {
    const words = ["train.epochs=1,many", `train.output=${join(root, "never")}`];
    await expect(trainSeveral(file, words)).rejects.toMatchObject({ code: "RUN_CONFIG_INVALID" });
    await expect(recordOf(join(root, "never"))).rejects.toThrow(/ENOENT/);
  });

  it("go on past one that fails, and say so at the end", async () => {
    const folder = join(root, "failing");
    const words = [`data.train=${join(root, "absent.jsonl")},${join(root, "train.jsonl")}`];
    const done = trainSeveral(file, [...words, `train.output=${folder}`]);
    await expect(done).rejects.toMatchObject({
      code: "MULTIRUN_FAILED",
      details: { failed: 1, runs: 2 },
    });
    const { runs } = await recordOf(folder);
    expect(runs.map(({ status }) => status)).toEqual(["failed", "done"]);
    expect(runs[0]!.error).toMatchObject({ code: "FILE_NOT_FOUND" });
  });
});

it("has its folder for itself", async () => {
  const words = ["train.seed=5,6", `train.output=${output}-alone`];
  const ends = await Promise.allSettled([trainSeveral(file, words), trainSeveral(file, words)]);
  const refused = ends.flatMap((end) => (end.status === "rejected" ? [end.reason.code] : []));
  expect(refused).toEqual(["OUTPUT_IN_USE"]);
  const { runs } = await recordOf(`${output}-alone`);
  expect(runs.map(({ status }) => status)).toEqual(["done", "done"]);
});
