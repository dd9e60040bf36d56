// Folders for files that are not yet whole: names that nobody else gives, and what killed processes left is dropped.
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import nodePath from "node:path";
import { threadId } from "node:worker_threads";
import { folderError, writeError } from "../../errors/file-errors.js";
import { isRunning } from "../../runtime/living-process.js";

/** A folder may lie on a disk that several machines share, where a process id says nothing without the machine. */
export const host = createHash("md5").update(hostname()).digest("hex").slice(0, 8);
const prefix = `${host}.${process.pid}-${randomBytes(6).toString("hex")}-${threadId}-`;
export const staleMs = 24 * 3600 * 1000;
let counter = 0;

/** A file's name that no thread, process or machine gives again. */
export function scratchName(folder: string): string {
  counter++;
  return folder + nodePath.sep + prefix + counter;
}

/** Makes the folder, and drops what processes that are gone left in it. @throws FILE_NOT_WRITABLE */
export async function makeScratch(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true }).catch((thrown) => {
      throw folderError(thrown, folder);
    });
    for (const name of await readdir(folder)) {
      const file = nodePath.join(folder, name);
      if (await isLeft(name, file)) await rm(file, { recursive: true, force: true });
    }
  } catch (thrown) {
    throw writeError(thrown, folder);
  }
}

async function isLeft(name: string, file: string): Promise<boolean> {
  const [, machine, pid] = /^(?:([0-9a-f]{8})\.)?(\d+)-/.exec(name) ?? [];
  if (pid === undefined) return false;
  if (machine === host) return Number(pid) !== process.pid && !isRunning(Number(pid));
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && found.mtimeMs < Date.now() - staleMs;
}
