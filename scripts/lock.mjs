// A lock that one process of a checkout holds while it installs or builds; a killed holder never blocks the next one.
// @ts-check
import { randomUUID } from "node:crypto";
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A holder that has not touched its lock for so long is taken for dead, even where its process cannot be looked up. */
const silentMs = 60_000;
const heartbeatMs = 5_000;
const pollMs = 200;

/**
 * @typedef {{token: string, host: string, pids: number[]}} Holder
 * @typedef {{addProcess: (pid: number) => void, release: () => void}} Lock
 */

/**
 * Waits until this process holds the lock.
 * @param {string} file
 * @param {() => void} onWait called once when another process holds it
 * @returns {Promise<Lock>}
 */
export async function acquireLock(file, onWait) {
  mkdirSync(path.dirname(file), { recursive: true });
  /** @type {Holder} */
  const holder = { token: randomUUID(), host: hostname(), pids: [process.pid] };
  let waited = false;
  while (!tryCreate(file, holder)) {
    if (takeAway(file)) continue;
    if (!waited) onWait();
    waited = true;
    await sleep(pollMs);
  }
  const heartbeat = setInterval(() => touch(file), heartbeatMs);
  heartbeat.unref();
  const release = () => {
    clearInterval(heartbeat);
    process.off("exit", release);
    if (read(file)?.token === holder.token) rmSync(file, { force: true });
  };
  process.on("exit", release);
  return {
    // A child outlives a holder that is killed outright, and goes on writing: the lock is held while either lives.
    addProcess: (pid) => {
      holder.pids.push(pid);
      const written = `${file}.${holder.token}`;
      writeFileSync(written, JSON.stringify(holder));
      renameSync(written, file);
    },
    release,
  };
}

/** @param {string} file @param {Holder} holder */
function tryCreate(file, holder) {
  try {
    writeFileSync(file, JSON.stringify(holder), { flag: "wx" });
    return true;
  } catch (thrown) {
    // Windows answers EPERM or EBUSY while the file is being deleted.
    if (["EEXIST", "EPERM", "EBUSY"].includes(errorCode(thrown))) return false;
    throw thrown;
  }
}

/**
 * Removes a dead holder's lock. Moving it away first makes sure that of several waiters only one removes it.
 * @param {string} file
 */
function takeAway(file) {
  const dead = read(file);
  if (dead === undefined) return !exists(file) || (isSilent(file) && remove(file));
  const alive = dead.host === hostname() ? dead.pids.some(isAlive) : true;
  if (alive && !isSilent(file)) return false;
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return false;
  }
  const moved = read(aside);
  if (moved !== undefined && moved.token !== dead.token) {
    // Another waiter had taken over in between: give its lock back.
    renameSync(aside, file);
    return false;
  }
  rmSync(aside, { force: true });
  return true;
}

/** @param {string} file @returns {Holder | undefined} */
function read(file) {
  try {
    const holder = JSON.parse(readFileSync(file, "utf8"));
    return Array.isArray(holder.pids) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} file */
function exists(file) {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** @param {string} file */
function isSilent(file) {
  const found = statSync(file, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > silentMs;
}

/** @param {string} file */
function remove(file) {
  rmSync(file, { force: true });
  return true;
}

/** @param {string} file */
function touch(file) {
  try {
    utimesSync(file, new Date(), new Date());
  } catch (thrown) {
    if (errorCode(thrown) !== "ENOENT") throw thrown;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (thrown) {
    return errorCode(thrown) === "EPERM";
  }
}

/**
 * Linux keeps an ended process in its table until its parent takes notice, which the first process of many
 * containers never does.
 * @param {number} pid
 */
function isZombie(pid) {
  if (process.platform !== "linux") return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch {
    return true;
  }
}

/** @param {unknown} thrown @returns {string} */
function errorCode(thrown) {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}
