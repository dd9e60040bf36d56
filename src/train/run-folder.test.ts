// A run's folder says who has it.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { pidNamespace } from "../runtime/living-process.js";
import { openRunFolder } from "./run-folder.js";

const withLock = async (holder: object) => {
  const folder = await mkdtemp(join(tmpdir(), "bridle-run-folder-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, ".trainer.lock"), JSON.stringify({ token: "theirs", ...holder }));
  return folder;
};
const here = hostname();

it.each([
  ["of this machine", { pid: process.ppid, host: here }, ""],
  ["of another machine", { pid: 7, host: "far" }, " on far"],
  ["nobody knows of", {}, " on another machine"],
])("names a holder %s", async (_, holder, where) => {
  const folder = await withLock(holder);
  const details = { folder, pid: "pid" in holder ? holder.pid : 0, where };
  await expect(openRunFolder(folder)).rejects.toMatchObject({ code: "OUTPUT_IN_USE", details });
});

it.runIf(pidNamespace() !== undefined)("names a holder of another container", async () => {
  const folder = await withLock({ pid: 7, host: here, namespace: "pid:[1]" });
  await expect(openRunFolder(folder)).rejects.toMatchObject({
    code: "OUTPUT_IN_USE",
    message: expect.stringContaining("(process 7 in another container)"),
  });
});
