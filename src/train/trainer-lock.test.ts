// The lock of a run's folder: one trainer at a time, on one machine or several, and none that waits for the dead.
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { processStart } from "../runtime/living-process.js";
import { openRunFolder } from "./run-folder.js";
import { silentMs, takeTrainerLock } from "./trainer-lock.js";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bridle-trainer-lock-"));
  file = join(folder, ".trainer.lock");
});
afterEach(() => rm(folder, { recursive: true }));

const taken = async () => {
  const found = await takeTrainerLock(file);
  return "lock" in found ? found.lock : undefined;
};
const lockOf = (holder: object) => writeFile(file, JSON.stringify({ token: "theirs", ...holder }));
const here = hostname();

it("is one trainer's at a time, and leaves nothing behind", async () => {
  const several = await Promise.all(Array.from({ length: 8 }, taken));
  const held = several.filter((lock) => lock !== undefined);
  expect(held).toHaveLength(1);
  expect(await taken()).toBeUndefined();
  await held[0]!.release();
  expect(await readdir(folder)).toEqual([]);
  await (await taken())?.release();
  expect(await readdir(folder)).toEqual([]);
});

it.each([
  ["a process that is not there", { pid: 2 ** 30, host: here }],
  ["another process of the same id", { pid: process.ppid, host: here, start: "earlier/1" }],
])("is taken from %s", async (what, holder) => {
  await lockOf(holder);
  const isTold = process.platform === "linux" || !what.startsWith("another");
  expect((await taken()) !== undefined).toBe(isTold);
});

it("is not taken from a process that runs, of this version or an earlier one", async () => {
  await lockOf({ pid: process.ppid, host: here, start: processStart(process.ppid) });
  expect(await taken()).toBeUndefined();
  await lockOf({ pid: process.ppid, host: here });
  expect(await taken()).toBeUndefined();
  await writeFile(file, String(process.ppid));
  expect(await taken()).toBeUndefined();
  await expect(openRunFolder(folder)).rejects.toMatchObject({
    code: "OUTPUT_IN_USE",
    details: { pid: process.ppid, where: "" },
  });
});

it.each([
  ["of another machine", JSON.stringify({ token: "theirs", pid: process.pid, host: "far" })],
  ["that is empty", ""],
  ["that is no lock", "{"],
])("%s is somebody's until nothing is heard for minutes", async (_, text) => {
  await writeFile(file, text);
  expect(await taken()).toBeUndefined();
  const long = new Date(Date.now() - silentMs - 1000);
  await utimes(file, long, long);
  const lock = await taken();
  expect(lock).toBeDefined();
  await lock!.release();
  expect(await readdir(folder)).toEqual([]);
});

it("names the machine that has it", async () => {
  await lockOf({ pid: 7, host: "far" });
  await expect(openRunFolder(folder)).rejects.toMatchObject({
    code: "OUTPUT_IN_USE",
    message: expect.stringContaining("(process 7 on far)"),
  });
});

it("is not let go of by whoever has lost it", async () => {
  const lock = await taken();
  await lockOf({ pid: process.ppid, host: here });
  await lock!.release();
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ token: "theirs" });
});
