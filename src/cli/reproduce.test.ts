// `bridle reproduce` of a version whose data have gone on since: the recorded ones are fetched, and the user's are left alone.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DvcProject } from "../../test/support/dvc-project.js";
import { openBlobStore } from "../../test/support/file-store.js";
import { createMemoryTerminal } from "../../test/support/memory-terminal.js";
import { makeToyRun, toyRows } from "../../test/support/train-toy.js";
import { checkRunConfig } from "../config/load.js";
import { addPaths } from "../data/dvc/add.js";
import { push } from "../data/dvc/push.js";
import { addRemote } from "../data/dvc/remote.js";
import { train } from "../train/loop.js";
import type { Reproduction } from "../train/reproduce.js";
import { runProgram } from "./program.js";

let project: DvcProject;
let version: string;
const add = () => project.open((repository) => addPaths(repository, ["train.jsonl"]));

beforeAll(async () => {
  project = await DvcProject.create();
  const { data, ...rest } = await makeToyRun(project.root, { maxSteps: 1 });
  await project.open((repository) =>
    addRemote(repository, "store", "../remote", project.root, { isDefault: true }),
  );
  await add();
  await project.open((repository) => push(repository, openBlobStore));
  const { folder, record } = await train(
    checkRunConfig({ ...rest, data: { train: data.train, maxTargetTokens: 16 } }),
  );
  version = folder;
  expect(record.data).toMatchObject([{ dvc: { path: "train.jsonl" } }]);
  // The data go on to a second version, and the cache forgets the first.
  await project.write("train.jsonl", toyRows(39));
  await add();
  await rm(project.at(".dvc/cache"), { recursive: true });
});
afterAll(() => project.remove());

async function reproduce(...more: string[]): Promise<Reproduction> {
  const terminal = createMemoryTerminal();
  await runProgram(["reproduce", version, "--json", ...more], terminal);
  return JSON.parse(terminal.out());
}

it("gets the first version for it, beside the second", async () => {
  const { same, output, data } = await reproduce();
  expect(same).toBe(true);
  expect(project.read("train.jsonl")).toBe(toyRows(39));
  expect(readdirSync(project.at(".dvc/tmp/bridle/apart"))).toEqual([]);
  const made = JSON.parse(readFileSync(path.join(output, "bridle.json"), "utf8"));
  expect(made.data).toEqual(data);
});

it("finds what was versioned only after the training by its content", async () => {
  const file = path.join(version, "bridle.json");
  const text = readFileSync(file, "utf8");
  const record = JSON.parse(text);
  const [{ dvc, ...data }] = record.data;
  const write = (md5: string) =>
    writeFileSync(file, JSON.stringify({ ...record, data: [{ ...data, md5 }] }));
  write(dvc.md5);
  expect((await reproduce("--overwrite")).same).toBe(true);
  expect(project.read("train.jsonl")).toBe(toyRows(39));
  write("0".repeat(32));
  await expect(reproduce("--overwrite")).rejects.toMatchObject({
    code: "REPRODUCE_INPUT_CHANGED",
  });
  writeFileSync(file, text);
});

it("puts no older version where none lies now, as the .dvc file names another", async () => {
  await rm(project.at("train.jsonl"));
  expect((await reproduce("--overwrite")).same).toBe(true);
  expect(existsSync(project.at("train.jsonl"))).toBe(false);
});
