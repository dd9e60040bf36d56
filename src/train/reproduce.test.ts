// A version trained again: the same weights without the old ones there, and what is told where something differs.
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeToyRun, toyRows } from "../../test/support/train-toy.js";
import { checkRunConfig } from "../config/load.js";
import { chooseDevice } from "../runtime/session.js";
import { train } from "./loop.js";
import { type Fact, type ReproduceOptions, reproduce } from "./reproduce.js";
import type { RunRecord } from "./trained-model.js";

let root: string;
/** As it was trained, to be copied. */
let trained: string;
let version: string;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-reproduce-"));
  const { train: options, ...config } = await makeToyRun(root, { maxSteps: 4 });
  const { threads: _, ...rest } = options!;
  const lora = { rank: 2 };
  const input = { ...config, model: { ...config.model, lora }, train: rest };
  // Threads are those of the machine, or as here of whoever trains; they are recorded and no part of the configuration.
  ({ folder: trained } = await train(checkRunConfig(input), { threads: 1 }));
});
beforeEach(async () => {
  version = join(root, `version-${++count}`);
  await cp(trained, version, { recursive: true });
});
afterAll(() => rm(root, { recursive: true }));

const recordIn = async (folder: string): Promise<RunRecord> =>
  JSON.parse(await readFile(join(folder, "bridle.json"), "utf8"));
const change = async (edit: (record: RunRecord) => object) =>
  writeFile(join(version, "bridle.json"), JSON.stringify(edit(await recordIn(version))));
const again = (options: ReproduceOptions = {}) => reproduce(version, options);

describe("a trained version", () => {
  it("names its weights, its start and its machine", async () => {
    const record = await recordIn(version);
    expect(record.weights?.map(({ file }) => file)).toEqual([
      "model.safetensors",
      "adapter/adapter_model.safetensors",
    ]);
    const text = await readFile(join(root, "train.jsonl"));
    expect(record.data[0]!.md5).toBe(createHash("md5").update(text).digest("hex"));
    expect(record.startSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(record.platform).toMatchObject({ os: process.platform, device: "cpu", threads: 1 });
  });

  it("is reproduced bit for bit with its weights gone", async () => {
    const weights = await readFile(join(version, "model.safetensors"));
    for (const name of ["model.safetensors", "adapter", "checkpoints", "best"]) {
      await rm(join(version, name), { recursive: true });
    }
    const result = await again();
    expect(result).toMatchObject({ same: true, output: `${version}-reproduced`, differences: [] });
    expect(result.weights.map(({ same }) => same)).toEqual([true, true]);
    expect(result.facts.filter(({ same }) => !same)).toEqual([]);
    expect((await readFile(join(result.output, "model.safetensors"))).equals(weights)).toBe(true);
    expect((await recordIn(result.output)).runHash).toBe((await recordIn(version)).runHash);
    await expect(again()).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    expect((await again({ overwrite: true })).same).toBe(true);
  });

  it("is reproduced on the device that was found then, or not at all", async () => {
    const refusal = await chooseDevice("cuda").catch((thrown) => thrown);
    await change(({ config, platform, ...record }) => ({
      ...record,
      config: { ...config, train: { ...config.train, device: "auto" } },
      platform: { ...platform, device: "cuda" },
    }));
    const facts: Fact[] = [];
    const outcome = await again({ onFacts: (told) => facts.push(...told) }).catch(
      (thrown) => thrown,
    );
    // With a CUDA device the weights are another's; without one nothing is trained on what is here instead.
    expect(outcome.code).toBe(refusal.code);
    expect(facts).toContainEqual({ name: "device", recorded: "cuda", now: "cuda", same: true });
  });

  it("is reproduced where nothing was evaluated", async () => {
    const { data, ...config } = await makeToyRun(root, { maxSteps: 1 });
    const { validation: _, ...rest } = data;
    const input = { ...config, data: rest, train: { ...config.train, output: version } };
    await rm(version, { recursive: true });
    await train(checkRunConfig(input));
    expect(await again()).toMatchObject({ same: true, step: 1 });
  });

  it("that comes out otherwise is told by file, tensor and fact", async () => {
    // Recorded under another seed than it says: what comes out must differ.
    await change((record) => ({
      ...record,
      commit: "0".repeat(40),
      config: { ...record.config, train: { ...record.config.train, seed: 99 } },
    }));
    const { same, weights, facts, differences } = await again();
    expect(same).toBe(false);
    expect(weights[0]).toMatchObject({ file: "model.safetensors", same: false });
    expect(facts.filter((fact) => !fact.same)).toMatchObject([
      { name: "commit", recorded: "0".repeat(40) },
    ]);
    expect(differences.length).toBeGreaterThan(0);
    for (const { elements, of, largest } of differences) {
      expect(elements).toBeGreaterThan(0);
      expect(elements).toBeLessThanOrEqual(of!);
      expect(largest).toBeGreaterThan(0);
    }
  });

  it("is not trained again on other data, or from another model", async () => {
    const data = join(root, "train.jsonl");
    const before = await readFile(data, "utf8");
    await writeFile(data, toyRows(39));
    await expect(again()).rejects.toMatchObject({
      code: "REPRODUCE_INPUT_CHANGED",
      kind: "conflict",
      details: { what: data },
    });
    await rm(data);
    await expect(again()).rejects.toMatchObject({
      code: "REPRODUCE_INPUT_MISSING",
      kind: "missing",
    });
    const asked: string[] = [];
    const fetchRecorded: ReproduceOptions["fetchRecorded"] = async ({ file, sha256 }) => {
      asked.push(file, sha256);
      await writeFile(file, before);
      return { place: file };
    };
    expect((await again({ fetchRecorded })).same).toBe(true);
    expect(asked).toEqual([data, (await recordIn(version)).data[0]!.sha256]);
    const config = join(root, "tiny", "config.json");
    const text = await readFile(config, "utf8");
    await writeFile(config, text.replace("{", "{ "));
    await expect(again({ overwrite: true })).rejects.toMatchObject({
      code: "REPRODUCE_INPUT_CHANGED",
      details: { what: join(root, "tiny") },
    });
    await writeFile(config, text);
  });

  it("is trained on the version of data that is recorded, wherever that lies, and leaves the newer one alone", async () => {
    const data = join(root, "train.jsonl");
    const before = await readFile(data, "utf8");
    const newer = toyRows(39);
    const dvc = { path: "train.jsonl", md5: "0".repeat(32) };
    const place = join(root, "apart", "train.jsonl");
    await mkdir(join(root, "apart"));
    await writeFile(place, before);
    await writeFile(data, newer);
    // A file that is another, with nothing recorded that could name a version of it, is nobody's to look for.
    const asked: unknown[] = [];
    const fetchRecorded: ReproduceOptions["fetchRecorded"] = async (recorded) => {
      asked.push(recorded.dvc);
      return { place, dvc };
    };
    await change(
      ({ data: [{ md5: _, ...first } = { file: "", sha256: "" }, ...rest], ...record }) => ({
        ...record,
        data: [first, ...rest],
      }),
    );
    await expect(again({ fetchRecorded })).rejects.toMatchObject({
      code: "REPRODUCE_INPUT_CHANGED",
      hint: expect.stringContaining("git log --oneline -- "),
    });
    expect(asked).toEqual([]);
    await change(({ data: [first, ...rest], ...record }) => ({
      ...record,
      data: [{ ...first, dvc }, ...rest],
    }));
    const { output, same } = await again({ fetchRecorded });
    expect(same).toBe(true);
    expect(asked).toEqual([dvc]);
    expect(await readFile(data, "utf8")).toBe(newer);
    const [recorded, made] = [await recordIn(version), await recordIn(output)];
    expect([made.data, made.runHash]).toEqual([recorded.data, recorded.runHash]);
    // What is brought must be what is recorded.
    await writeFile(place, newer);
    await expect(again({ fetchRecorded, overwrite: true })).rejects.toMatchObject({
      code: "REPRODUCE_INPUT_CHANGED",
    });
    await writeFile(data, before);
  });

  it("asks for a folder of which some files are gone, also without a recorded version", async () => {
    const data = join(root, "some");
    await mkdir(data);
    await change(({ data: [first, ...rest], ...record }) => ({
      ...record,
      data: [{ ...first, file: data }, ...rest],
    }));
    const place = join(root, "train.jsonl");
    const asked: string[] = [];
    const fetchRecorded: ReproduceOptions["fetchRecorded"] = async ({ file }) => {
      asked.push(file);
      return { place };
    };
    expect((await again({ fetchRecorded })).same).toBe(true);
    expect(asked).toEqual([data]);
  });

  it("needs a record that can be read, and something to compare with", async () => {
    await change(({ weights: _, ...record }) => record);
    expect((await again()).same).toBe(true);
    await rm(join(version, "model.safetensors"));
    await rm(join(version, "adapter"), { recursive: true });
    await expect(again()).rejects.toMatchObject({ code: "REPRODUCE_NOTHING_RECORDED" });
    await change((record) => ({ ...record, data: [{ file: "x", sha256: "short" }] }));
    await expect(again()).rejects.toMatchObject({
      code: "FILE_INVALID",
      message: expect.stringContaining("data.0.sha256"),
    });
    await rm(join(version, "bridle.json"));
    await expect(again()).rejects.toMatchObject({ code: "VERSION_NOT_FOUND", kind: "missing" });
  });
});
