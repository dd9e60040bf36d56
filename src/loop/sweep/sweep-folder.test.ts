// Tests that a sweep deletes in no folder but its own.
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { claimSweepFolder } from "./sweep-folder.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "bridle-sweep-folder-"));
});
afterEach(() => rm(root, { recursive: true }));

const a = { sweep: "a", planSha256: "1" };
const taken = expect.objectContaining({ code: "SWEEP_FOLDER_TAKEN" });

it("is made where there is none, stays a sweep's own, and is no other's", async () => {
  const folder = join(root, "out");
  await claimSweepFolder(folder, a, true);
  expect(await readdir(folder)).toEqual(["sweep.json"]);
  // Killed before its first trial.
  await claimSweepFolder(folder, a, true);
  await mkdir(join(folder, "0"));
  await claimSweepFolder(folder, a, false);
  // The same file of sweeps beside another database.
  await expect(claimSweepFolder(folder, a, true)).rejects.toEqual(taken);
  for (const other of [
    { ...a, sweep: "b" },
    { ...a, planSha256: "2" },
  ])
    for (const isNew of [true, false])
      await expect(claimSweepFolder(folder, other, isNew)).rejects.toEqual(taken);
});

it("is not one that holds anything else", async () => {
  await mkdir(join(root, "0"));
  await writeFile(join(root, "0", "mine"), "x");
  for (const isNew of [true, false])
    await expect(claimSweepFolder(root, a, isNew)).rejects.toEqual(taken);
  expect(await readdir(root)).toEqual(["0"]);
});

it("goes to one of two who come at once", async () => {
  const folder = join(root, "out");
  const came = await Promise.allSettled(
    ["a", "b", "c"].map((sweep) => claimSweepFolder(folder, { ...a, sweep }, true)),
  );
  expect(came.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect(await readdir(folder)).toEqual(["sweep.json"]);
});
