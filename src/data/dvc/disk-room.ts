// Whether a disk has room for what a step is about to write, asked before anything is written.
import fs from "node:fs";
import { lstat, mkdir, rm, stat, statfs } from "node:fs/promises";
import { BridleError } from "../../errors/error.js";
import { megabytes } from "./disk-errors.js";
import { scratchName } from "./scratch.js";

export interface RoomNeeded {
  /** Folder on the disk, for files that are not yet whole; made where it is not there. */
  readonly scratch: string;
  /** The folder that a message names. */
  readonly folder: string;
  /** What it is for, as in "keeping 3 files". */
  readonly what: string;
  /** About so many bytes; of what comes from elsewhere only what is known for sure. */
  readonly sizeBytes: number;
  /** Files of this machine that are copied, which may have holes or be cloned; none for what comes from elsewhere. */
  readonly sources: readonly string[];
  /** Files that are removed or replaced, and give their room back. */
  readonly freed?: readonly string[];
  /** Whether sources of one size may be one content, which is kept once. */
  readonly mayRepeat?: boolean;
}

/** Refuses only what cannot fit: no more than what is sure to be written counts. @throws DVC_DISK_FULL */
export async function checkRoom(needed: RoomNeeded): Promise<void> {
  const { scratch, folder, what, sizeBytes, sources, freed = [], mayRepeat = false } = needed;
  if (sizeBytes === 0) return;
  await mkdir(scratch, { recursive: true }).catch(() => {});
  const disk = await statfs(scratch).catch(() => undefined);
  if (disk === undefined) return;
  const freeBytes = disk.bavail * disk.bsize;
  if (sizeBytes <= freeBytes) return;
  const [first] = sources;
  // A clone takes no room, a hole neither.
  if (first !== undefined && (await canClone(first, scratch))) return;
  const wanted = sources.length === 0 ? sizeBytes : await writtenFrom(sources, mayRepeat);
  if (wanted - (await givenBack(freed)) <= freeBytes) return;
  const details = { folder, what, free: megabytes(freeBytes), needed: megabytes(wanted) };
  throw new BridleError("DVC_DISK_FULL", details);
}

/** The least that copies of files take: holes are kept. */
async function writtenFrom(files: readonly string[], mayRepeat: boolean): Promise<number> {
  const seen = new Set<number>();
  let bytes = 0;
  for (const file of files) {
    const found = await stat(file).catch(() => undefined);
    if (found === undefined || (mayRepeat && seen.has(found.size))) continue;
    seen.add(found.size);
    bytes += Math.min(found.size, found.blocks * 512);
  }
  return bytes;
}

/** What removing files gives back; of a file with other names, such as the cache's, its share. */
async function givenBack(files: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const file of files) {
    const found = await lstat(file).catch(() => undefined);
    if (found !== undefined) bytes += (found.blocks * 512) / found.nlink;
  }
  return bytes;
}

async function canClone(file: string, scratch: string): Promise<boolean> {
  const clone = scratchName(scratch);
  try {
    fs.copyFileSync(file, clone, fs.constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  } finally {
    await rm(clone, { force: true });
  }
}
