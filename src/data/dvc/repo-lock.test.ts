// The lock of a repository when its holder was killed: of many who find it dead, one goes on at a time.
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withRepoLock } from "./repo-lock.js";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "bridle-repo-lock-"));
  file = path.join(folder, "lock");
});
afterEach(() => rm(folder, { recursive: true }));

/** A process id that was one, and is none any more. */
const deadPid = () => spawnSync(process.execPath, ["--version"]).pid;

async function leaveDead(name: string, token: string, pid: number): Promise<void> {
  const holder = { token, pid, host: hostname(), sinceMs: Date.now(), command: "bridle data add" };
  await writeFile(name, JSON.stringify(holder));
}

/** Many at once; @returns how many were at work together at most */
async function contend(count: number): Promise<number> {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    inside--;
  };
  await Promise.all(
    Array.from({ length: count }, () => withRepoLock(file, "test", work, { waitMs: 60_000 })),
  );
  return most;
}

it("lets one at a time to work after a holder was killed, and leaves no file", async () => {
  const pid = deadPid();
  for (let round = 0; round < 20; round++) {
    await leaveDead(file, `dead${round}`, pid);
    expect(await contend(6)).toBe(1);
  }
  expect(await readdir(folder)).toEqual([]);
});

it("goes on where who was taking a dead lock away was killed too", async () => {
  const pid = deadPid();
  await leaveDead(file, "first", pid);
  await leaveDead(`${file}.first.gone`, "second", pid);
  await leaveDead(`${file}.first.gone.second.gone`, "third", pid);
  expect(await contend(4)).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

it("takes away one that cannot be read", async () => {
  await writeFile(file, "{");
  expect(await contend(4)).toBe(1);
});
