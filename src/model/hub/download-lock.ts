// Keeps two processes from downloading the same blob at once, and hands on what a killed one had downloaded.
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { abortError } from "../../errors/abort-error.js";
import { systemCode, writeError } from "../../errors/file-errors.js";
import { isRunning } from "../../runtime/living-process.js";

/*
 * The lock saves a second download; no content depends on it. Whoever holds one writes to a file named by the lock's
 * own token, and takes over another's file only where its writer is certainly gone.
 */

export interface DownloadLock {
  /** Eight hex digits nobody else has. */
  readonly token: string;
  /** Token of an earlier holder that is gone, and whose part of the file may be there. */
  readonly inherited: string | undefined;
  /** Gives the lock up; what is not `done` can be inherited. */
  release(done: boolean): Promise<void>;
}

interface Holder {
  readonly token: string;
  readonly pid: number;
  readonly host: string;
  /** When the lock was taken, in ms since 1970. */
  readonly since: number;
  readonly released?: boolean;
}

const heartbeatMs = 5_000;
/** A holder that has not touched its lock for so long is not waited for. */
const silentMs = 60_000;
const pollMs = 200;

/**
 * Waits until this call holds the lock, or until what it is for is there.
 * @param isDone whether another has finished the work
 * @param onWait called while another works at it, with that one's token
 * @returns undefined where the work is done
 * @throws FILE_NOT_WRITABLE, CANCELLED
 */
export async function acquireDownloadLock(
  file: string,
  isDone: () => Promise<boolean>,
  onWait: (token: string) => Promise<void>,
  signal?: AbortSignal,
): Promise<DownloadLock | undefined> {
  const started = performance.now();
  const token = randomBytes(4).toString("hex");
  const me: Holder = { token, pid: process.pid, host: hostname(), since: Date.now() };
  try {
    await mkdir(dirname(file), { recursive: true });
    let inherited: string | undefined;
    for (;;) {
      if (signal?.aborted) throw abortError(signal, started);
      if (await isDone()) return undefined;
      if (await create(file, me)) return hold(file, me, inherited);
      const holder = await look(file);
      if (holder === undefined) continue;
      if (holder.state !== "alive") {
        const taken = await takeAway(file, holder.token);
        if (taken) inherited = holder.state === "gone" ? holder.token : undefined;
        continue;
      }
      await onWait(holder.token);
      await sleep(pollMs);
    }
  } catch (thrown) {
    throw writeError(thrown, file);
  }
}

function hold(file: string, me: Holder, inherited: string | undefined): DownloadLock {
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {
      // Somebody emptied the cache; the download goes on and is placed at its end.
    });
  }, heartbeatMs);
  heartbeat.unref();
  return {
    token: me.token,
    inherited,
    async release(done) {
      clearInterval(heartbeat);
      const holder = await look(file).catch(() => undefined);
      if (holder?.token !== me.token) return;
      if (done) await rm(file, { force: true }).catch(() => {});
      else await writeFile(file, JSON.stringify({ ...me, released: true })).catch(() => {});
    },
  };
}

async function create(file: string, me: Holder): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    await handle.writeFile(JSON.stringify(me));
    await handle.close();
    return true;
  } catch (thrown) {
    // Windows answers EPERM or EBUSY while the file is being deleted.
    const busy = process.platform === "win32" ? ["EPERM", "EBUSY"] : [];
    if (["EEXIST", ...busy].includes(systemCode(thrown))) return false;
    throw thrown;
  }
}

interface Seen {
  readonly token: string;
  /** `gone`: certainly ended. `silent`: perhaps stopped, perhaps out of reach. */
  readonly state: "alive" | "silent" | "gone";
}

/** The lock's holder; undefined where there is no lock. */
async function look(file: string): Promise<Seen | undefined> {
  let text: string;
  let touchedMs: number;
  try {
    touchedMs = (await stat(file)).mtimeMs;
    text = await readFile(file, "utf8");
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
  const isFresh = Date.now() - touchedMs < silentMs;
  const holder = parse(text);
  // It may have been made this instant, and be written the next.
  if (holder === undefined) return { token: "", state: isFresh ? "alive" : "silent" };
  if (holder.released === true || hasEnded(holder)) return { token: holder.token, state: "gone" };
  return { token: holder.token, state: isFresh ? "alive" : "silent" };
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text);
    return /^[0-9a-f]{8}$/.test(holder?.token) && Number.isSafeInteger(holder.pid)
      ? holder
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process of this machine is over. A restarted container may hand out the same process id again. */
function hasEnded({ pid, host, since }: Holder): boolean {
  if (host !== hostname()) return false;
  if (pid !== process.pid) return !isRunning(pid);
  return since < Date.now() - process.uptime() * 1000 - 1000;
}

/** Moves a lock away before deleting it, so that of several who wait only one does. */
async function takeAway(file: string, token: string): Promise<boolean> {
  const aside = `${file}.${randomBytes(4).toString("hex")}`;
  try {
    await rename(file, aside);
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return false;
    throw thrown;
  }
  const moved = await look(aside);
  if (moved !== undefined && moved.token !== token) {
    // Another had taken over in between: it gets its lock back.
    await rename(aside, file);
    return false;
  }
  await rm(aside, { force: true });
  return true;
}
