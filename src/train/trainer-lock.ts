// The lock of a run's folder: who trains there, by machine, process and when that process began.
import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { systemCode } from "../errors/file-errors.js";
import { isSameRunning, processStart } from "../runtime/living-process.js";

export interface LockHolder {
  /** Empty where the lock cannot be read. */
  readonly token: string;
  readonly pid: number;
  readonly host: string;
  /** When the process began, as `processStart` tells it; absent where the system does not tell. */
  readonly start?: string | undefined;
}

export interface TrainerLock {
  /** A sign of life, for other machines that share the folder; at most one in a few seconds is given. */
  touch(): Promise<void>;
  /** Gives the lock up, unless somebody else has it by now. */
  release(): Promise<void>;
}

const signEveryMs = 5000;
/** A trainer of another machine, whose process cannot be asked for, is gone after so long without a sign. */
export const silentMs = 300_000;

/**
 * Takes a lock that is free, or whose holder has ended.
 * @returns the holder where somebody else has it
 * @throws what the file system throws
 */
export async function takeTrainerLock(
  file: string,
): Promise<{ readonly lock: TrainerLock } | { readonly holder: LockHolder }> {
  const me: LockHolder = {
    ...{ token: randomUUID(), pid: process.pid, host: hostname() },
    start: processStart(process.pid),
  };
  // It appears under its name with its content in it, so that nobody reads half a lock.
  const own = `${file}.${me.token}`;
  await writeFile(own, JSON.stringify(me), { flush: true });
  try {
    for (;;) {
      if (await place(own, file)) return { lock: hold(file, me.token) };
      const holder = await read(file);
      if (holder === undefined) continue;
      if (!(await hasEnded(file, holder))) return { holder };
      await takeAway(file, holder.token);
    }
  } finally {
    await rm(own, { force: true });
  }
}

function hold(file: string, token: string): TrainerLock {
  let touchedAt = performance.now();
  const touch = async () => {
    if (performance.now() - touchedAt < signEveryMs) return;
    touchedAt = performance.now();
    const now = new Date();
    // Gone where somebody emptied the folder: training finds that out when it writes.
    await utimes(file, now, now).catch(() => {});
  };
  const timer = setInterval(() => void touch(), signEveryMs).unref();
  return {
    touch,
    async release() {
      clearInterval(timer);
      const holder = await read(file).catch(() => undefined);
      if (holder?.token === token) await rm(file, { force: true });
    },
  };
}

async function place(own: string, file: string): Promise<boolean> {
  try {
    await link(own, file);
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === "EEXIST") return false;
    // A file system without links: made in one go where it is not there yet.
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(systemCode(thrown))) throw thrown;
    return await writeFile(file, await readFile(own), { flag: "wx", flush: true }).then(
      () => true,
      (again) => {
        if (systemCode(again) === "EEXIST") return false;
        throw again;
      },
    );
  }
}

/** Undefined where there is no lock. */
async function read(file: string): Promise<LockHolder | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
  // Earlier versions wrote the process id alone.
  if (/^\d+$/.test(text)) return { token: text, pid: Number(text), host: hostname() };
  try {
    const holder = JSON.parse(text) as LockHolder;
    if (typeof holder.token === "string" && Number.isSafeInteger(holder.pid)) return holder;
  } catch {
    // Told below.
  }
  return { token: "", pid: 0, host: "" };
}

/** Whoever wrote what cannot be read did not live to finish, or is about to: it gets the time of one of another machine. */
async function hasEnded(file: string, { pid, host, start }: LockHolder): Promise<boolean> {
  if (host === hostname()) return !isSameRunning(pid, start);
  const touchedAt = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  );
  return Date.now() - touchedAt > silentMs;
}

/** Moves a lock away before deleting it, so that of several who find it only one does. */
async function takeAway(file: string, token: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return;
    throw thrown;
  }
  const moved = await read(aside);
  // Another had taken over in between: it gets its lock back.
  if (moved !== undefined && moved.token !== token) await place(aside, file);
  await rm(aside, { force: true });
}
