// A lock that a process holds beside what it works on: who has it, by machine, process and when that process began.
import { createHash, randomUUID } from "node:crypto";
import { link, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { systemCode } from "../errors/file-errors.js";
import { isSameRunning, pidNamespace, processStart } from "./living-process.js";

export interface LockHolder {
  readonly token: string;
  readonly pid: number;
  /** Empty where the lock cannot be read. */
  readonly host: string;
  /** When the process began, as `processStart` tells it; absent where the system does not tell. */
  readonly start?: string | undefined;
  /** Among whose process ids its id is one; absent where the system does not tell. */
  readonly namespace?: string | undefined;
}

export interface ProcessLock {
  /** A sign of life, for whoever cannot ask for this process; at most one in a few seconds is given. */
  touch(): Promise<void>;
  /** Gives the lock up, unless somebody else has it by now. */
  release(): Promise<void>;
}

export interface LockOptions {
  /**
   * A holder whose process cannot be asked for, of another machine or container, has ended where so much time passes here
   * without a sign of it, in ms.
   */
  readonly silentMs: number;
}

type Taken = { readonly lock: ProcessLock } | { readonly holder: LockHolder };

const signEveryMs = 5000;
/** How often a lock is looked at that others free and take. */
const mostTries = 100;
const pauseMs = 20;

/**
 * Takes a lock that is free, or whose holder has ended. Whether a holder elsewhere has ended is told by two calls: the first
 * notes its last sign beside the lock, and one that comes later than the silence takes it if that was the last.
 * @returns the holder where somebody else has it
 * @throws what the file system throws
 */
export async function takeProcessLock(file: string, options: LockOptions): Promise<Taken> {
  const me: LockHolder = {
    ...{ token: randomUUID(), pid: process.pid, host: hostname() },
    ...{ start: processStart(process.pid), namespace: pidNamespace() },
  };
  // It appears under its name with its content in it, so that nobody reads half a lock.
  const own = `${file}.${me.token}`;
  try {
    await writeFile(own, JSON.stringify(me), { flush: true });
    for (let tries = 1; ; tries++) {
      if (await placeWhole(own, file)) return { lock: hold(file, me.token) };
      const holder = await read(file);
      if (holder !== undefined && !(await hasEnded(file, holder, options))) return { holder };
      const isFree = holder === undefined || (await takeAway(file, holder.token, options));
      if (tries === mostTries) return { holder: holder ?? unreadable("") };
      if (!isFree) await sleep(pauseMs);
    }
  } finally {
    await rm(own, { force: true });
  }
}

/**
 * Works while no other process holds the lock, and waits for it a while.
 * @param refuse makes the error for a lock that is not free in that time
 */
export async function withProcessLock<Result>(
  file: string,
  { waitMs, ...options }: LockOptions & { readonly waitMs: number },
  work: () => Promise<Result>,
  refuse: (holder: LockHolder) => Error,
): Promise<Result> {
  const began = performance.now();
  for (;;) {
    const taken = await takeProcessLock(file, options);
    if ("lock" in taken) return await work().finally(() => taken.lock.release());
    if (performance.now() - began >= waitMs) throw refuse(taken.holder);
    await sleep(pauseMs);
  }
}

/** Whether a holder is of this machine and shares its process ids. */
export function isHere({ host, namespace }: LockHolder): boolean {
  const ours = pidNamespace();
  return host === hostname() && (namespace ?? ours) === (ours ?? namespace);
}

function hold(file: string, token: string): ProcessLock {
  let touchedAt = performance.now();
  const touch = async () => {
    if (performance.now() - touchedAt < signEveryMs) return;
    touchedAt = performance.now();
    const now = new Date();
    // Gone where somebody emptied the folder: whoever works there finds that out when it writes.
    await utimes(file, now, now).catch(() => {});
  };
  const timer = setInterval(() => void touch(), signEveryMs).unref();
  return {
    touch,
    async release() {
      clearInterval(timer);
      const holder = await read(file).catch(() => undefined);
      if (holder?.token !== token) return;
      await rm(noteOf(file), { force: true });
      await rm(file, { force: true });
    },
  };
}

/**
 * Gives a file that is written already another name, under which it appears with its content.
 * @returns false where something has that name
 * @throws what the file system throws
 */
export async function placeWhole(own: string, file: string): Promise<boolean> {
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
  const text = await readIfThere(file);
  return text === undefined ? undefined : parse(text);
}

async function readIfThere(file: string): Promise<string | undefined> {
  return await readFile(file, "utf8").catch((thrown) => {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw thrown;
  });
}

function parse(text: string): LockHolder {
  // Earlier versions wrote the process id alone, or it and the machine.
  if (/^\d+$/.test(text)) return { ...unreadable(text), pid: Number(text), host: hostname() };
  try {
    const holder = JSON.parse(text) as Partial<LockHolder>;
    const { token = unreadable(text).token, pid, host, start, namespace } = holder;
    const isText = (value: unknown) => value === undefined || typeof value === "string";
    const isWhole = typeof token === "string" && typeof host === "string" && isText(start);
    if (isWhole && isText(namespace) && Number.isSafeInteger(pid)) {
      return { token, host, pid: Number(pid), start, namespace };
    }
  } catch {
    // Told below.
  }
  return unreadable(text);
}

const withoutToken = "without token ";

function unreadable(text: string): LockHolder {
  return { token: withoutToken + digest(text), pid: 0, host: "" };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Whoever wrote what cannot be read did not live to finish, or is about to: it counts as one of another machine. */
async function hasEnded(file: string, holder: LockHolder, options: LockOptions): Promise<boolean> {
  const { token, pid, start } = holder;
  if (!isHere(holder)) return await isSilent(file, holder, options);
  // Of an earlier version, and so not of this process: a container that was restarted hands out the same ids again.
  if (pid === process.pid && token.startsWith(withoutToken)) return true;
  return !isSameRunning(pid, start);
}

/** The last sign of a holder elsewhere, and since when it is known to be the last, in ms by each clock that was looked at. */
interface Note {
  readonly token: string;
  /** By the holder's clock, in ms: a name for the sign, compared with no clock of ours. */
  readonly signMs: number;
  readonly since: Readonly<Record<string, number>>;
}

function noteOf(file: string): string {
  return `${file}.seen`;
}

async function isSilent(
  file: string,
  { token, start }: LockHolder,
  { silentMs }: LockOptions,
): Promise<boolean> {
  const signMs = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
  if (signMs === undefined) return false;
  const now = Date.now();
  const boot = bootOf(processStart(process.pid));
  // Another container of one machine has its clock.
  if (boot !== undefined && boot === bootOf(start)) return now - signMs > silentMs;
  const note = await readNote(noteOf(file));
  const isLast = note?.token === token && note.signMs === signMs;
  const clock = boot ?? hostname();
  const since = isLast ? note.since[clock] : undefined;
  if (since !== undefined && since <= now) return now - since > silentMs;
  const seen: Note = { token, signMs, since: { ...(isLast && note.since), [clock]: now } };
  await writeFile(noteOf(file), JSON.stringify(seen));
  return false;
}

/** Since when a machine runs, of a process of it. */
function bootOf(start: string | undefined): string | undefined {
  return start?.split("/")[0];
}

async function readNote(file: string): Promise<Note | undefined> {
  const text = await readIfThere(file);
  try {
    const note = JSON.parse(text ?? "") as Note;
    return typeof note?.since === "object" && note.since !== null ? note : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Removes the lock of a holder that has ended. Of several who find it only one may at a time, who holds a lock named for it: a
 * lock that another has placed meanwhile has another token, and stays.
 * @returns false while another is doing so
 */
async function takeAway(file: string, token: string, options: LockOptions): Promise<boolean> {
  const guard = await takeProcessLock(`${file}.${digest(token)}`, options);
  if ("holder" in guard) return false;
  try {
    if ((await read(file))?.token === token) {
      await rm(noteOf(file), { force: true });
      await rm(file, { force: true });
    }
  } finally {
    await guard.lock.release();
  }
  return true;
}
