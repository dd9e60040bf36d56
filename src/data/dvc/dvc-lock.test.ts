// dvc's own lock: who holds it keeps dvc out, and is kept out by it.
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { takeDvcLock } from "./dvc-lock.js";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-dvc-lock-"));
  file = path.join(folder, "lock");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const hasFlock = spawnSync("flock", ["--version"]).status === 0;
/** Whether somebody else could take it now, as dvc does: flock(2) without waiting. */
const isFree = () => spawnSync("flock", ["-x", "-n", file, "true"]).status === 0;

describe.skipIf(!hasFlock)(`dvc's lock${hasFlock ? "" : " (skipped: no flock program)"}`, () => {
  it("is held until it is released", async () => {
    const lock = await takeDvcLock(file);
    expect(isFree()).toBe(false);
    await expect(takeDvcLock(file, { waitMs: 0 })).rejects.toMatchObject({
      code: "DVC_REPO_BUSY",
      details: { command: "dvc" },
    });
    const waiting = takeDvcLock(file);
    await lock?.release();
    const next = await waiting;
    expect(isFree()).toBe(false);
    await next?.release();
    expect(isFree()).toBe(true);
  });

  it("is waited for no longer than the work may take", async () => {
    const lock = await takeDvcLock(file);
    const stopped = takeDvcLock(file, { signal: AbortSignal.timeout(50) });
    await expect(stopped).rejects.toMatchObject({ kind: "timeout" });
    await lock?.release();
  });

  it("is none where the place cannot hold one", async () => {
    await mkdir(file);
    expect(await takeDvcLock(path.join(folder, "nowhere", "lock"))).toBeUndefined();
  });
});

it("is none where there is no program to take it", async () => {
  vi.stubEnv("PATH", folder);
  expect(await takeDvcLock(file)).toBeUndefined();
});
