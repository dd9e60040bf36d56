// One process at a time changes a repository; who was killed while doing so is not waited for.
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { abortError } from "../../errors/abort-error.js";
import { BridleError } from "../../errors/error.js";
import { folderError, readError, systemCode, writeError } from "../../errors/file-errors.js";
import { isRunning } from "../../runtime/living-process.js";
import { placeWhole } from "../../runtime/process-lock.js";

interface Holder {
  readonly token: string;
  readonly pid: number;
  readonly host: string;
  readonly sinceMs: number;
  readonly command: string;
}

export interface LockOptions {
  /** How long another's work is waited for. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const pollMs = 50;

/**
 * Runs work while nobody else holds the lock.
 * @throws DVC_REPO_BUSY, FILE_NOT_WRITABLE, CANCELLED, and what the work throws
 */
export async function withRepoLock<Result>(
  file: string,
  command: string,
  work: () => Promise<Result>,
  { waitMs = 5000, signal }: LockOptions = {},
): Promise<Result> {
  const token = await acquire(file, command, waitMs, signal);
  try {
    return await work();
  } finally {
    const holder = await read(file);
    if (holder?.token === token) await rm(file, { force: true });
  }
}

async function acquire(
  file: string,
  command: string,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const started = performance.now();
  const token = randomBytes(8).toString("hex");
  const me: Holder = { token, pid: process.pid, host: hostname(), sinceMs: Date.now(), command };
  // It appears under its name with its content in it, so that nobody reads half a lock.
  const own = `${file}.${token}`;
  try {
    await mkdir(path.dirname(file), { recursive: true }).catch((thrown) => {
      throw folderError(thrown, path.dirname(file));
    });
    const isNoted = await note(own, JSON.stringify(me));
    for (;;) {
      if (signal?.aborted) throw abortError(signal, started);
      if (isNoted ? await placeWhole(own, file) : await placeShort(me, file)) return token;
      const holder = await read(file);
      if (holder === undefined) continue;
      if (hasEnded(holder)) await takeAway(file, holder, command, { waitMs, signal });
      else if (performance.now() - started >= waitMs) {
        const { pid, host, command: theirs } = holder;
        throw new BridleError("DVC_REPO_BUSY", { pid, host, command: theirs, file });
      } else await sleep(pollMs);
    }
  } catch (thrown) {
    throw writeError(thrown, file);
  } finally {
    await rm(own, { force: true }).catch(() => {});
  }
}

/** Writes text to a new file. @returns whether the disk had room for it */
async function note(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text);
    return true;
  } catch (thrown) {
    if (!["ENOSPC", "EDQUOT"].includes(systemCode(thrown))) throw thrown;
    await rm(file, { force: true });
    return false;
  }
}

/**
 * A lock for a full disk: the target of a link that leads nowhere. File systems keep a short one where they keep the name and
 * times of a file, for which there is room when there is none for content; ext4 up to 59 bytes.
 */
const shortBytes = 59;
const commandStart = "bridle data ";

function shortText({ token, pid, host, sinceMs, command }: Holder): string {
  const words = [token, pid, sinceMs.toString(36), shortHost(host), command.split(commandStart)[1]];
  return words.join(":").slice(0, shortBytes);
}

function shortHost(host: string): string {
  return createHash("md5").update(host).digest("hex").slice(0, 8);
}

function holderOfShort(text: string): Holder {
  const [token = "", pid, since = "", host, command = ""] = text.split(":");
  const isHere = host === shortHost(hostname());
  return {
    token,
    pid: Number(pid),
    host: isHere ? hostname() : "another machine",
    sinceMs: Number.parseInt(since, 36),
    command: commandStart + command,
  };
}

/** Makes the lock, with its content, in one step. */
async function placeShort(me: Holder, file: string): Promise<boolean> {
  try {
    await symlink(shortText(me), file);
    return true;
  } catch (thrown) {
    if (systemCode(thrown) === "EEXIST") return false;
    throw thrown;
  }
}

async function read(file: string): Promise<Holder | undefined> {
  try {
    const short = await readlink(file).catch((thrown) => {
      // Most locks are plain files.
      if (["EINVAL", "UNKNOWN"].includes(systemCode(thrown))) return undefined;
      throw thrown;
    });
    const holder =
      short === undefined ? JSON.parse(await readFile(file, "utf8")) : holderOfShort(short);
    return typeof holder?.token === "string" && Number.isSafeInteger(holder.pid) ? holder : gone;
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return undefined;
    if (thrown instanceof SyntaxError) return gone;
    throw readError(thrown, file);
  }
}

/** What an unreadable lock counts as: whoever wrote it did not live to finish. */
const gone: Holder = { token: "", pid: 0, host: "", sinceMs: 0, command: "" };

/** Whether a process of this machine is over. A restarted container may hand out the same process id again. */
function hasEnded(holder: Holder): boolean {
  if (holder === gone) return true;
  if (holder.host !== hostname()) return false;
  if (holder.pid !== process.pid) return !isRunning(holder.pid);
  return holder.sinceMs < Date.now() - process.uptime() * 1000 - 1000;
}

/**
 * Takes away a lock whose holder is gone. Of several who wait only one may, who holds a lock named for the one that is gone:
 * a lock that another has placed meanwhile has another token, and is never touched. Should that one die too, its lock is
 * taken away in the same manner.
 */
async function takeAway(
  file: string,
  { token }: Holder,
  command: string,
  options: LockOptions,
): Promise<void> {
  const right = `${file}.${token || "unread"}.gone`;
  const take = async () => {
    if ((await read(file))?.token === token) await rm(file, { force: true });
  };
  await withRepoLock(right, command, take, options);
}
