// What worker threads do with files: hash them, keep them in a cache, put them back, copy them and check what arrived.
import { hash as hashOf } from "node:crypto";
import fs from "node:fs";
import nodePath from "node:path";
import { BridleError } from "../../errors/error.js";
import { folderError, readError, systemCode, writeError } from "../../errors/file-errors.js";
import {
  checkedBytes,
  copyAndHash,
  copyAndHashFast,
  digestOf,
  type FileMark,
  type HashedFile,
  Meter,
  openForReading,
  readSmall,
  smallBytes,
  tryClone,
  tryLink,
  type WorkCounters,
  writeWhole,
} from "./file-pieces.js";
import { type HashName, type ObjectId, type ObjectRef, objectKey } from "./object-hash.js";
import { scratchName } from "./scratch.js";

/** How a cached file may stand in the working folder, best first. */
export type LinkType = "reflink" | "hardlink" | "symlink" | "copy";

export type WorkTask = WorkCounters & {
  /** Folder for files that are not yet whole, on the disk of where they go. */
  readonly scratch: string;
} & (
    | {
        readonly kind: "hash";
        readonly files: readonly string[];
        readonly hashName: HashName;
      }
    | {
        readonly kind: "store";
        readonly files: readonly string[];
        readonly cache: string;
        readonly byHardlink: boolean;
      }
    | {
        readonly kind: "place";
        readonly files: readonly PlacedFile[];
        readonly links: readonly LinkType[];
      }
    | { readonly kind: "copy"; readonly files: readonly CopiedFile[] }
  );

export interface PlacedFile {
  readonly object: string;
  readonly id: ObjectId;
  readonly hashName: HashName;
  readonly target: string;
  readonly isExecutable: boolean;
  /** Whether the object is remembered to be what its name says, so that a large one need not be read for that. */
  readonly isKnown: boolean;
}

export interface CopiedFile {
  readonly from: string;
  readonly to: string;
  readonly id: ObjectId;
  readonly hashName: HashName;
  readonly mode: number;
  /** Whether the file is known to be what its name says, so that it need not be read for that. */
  readonly isKnown: boolean;
}

export type WorkResult =
  | { readonly kind: "hash" | "store" | "place"; readonly files: readonly HashedFile[] }
  | { readonly kind: "copy"; readonly problems: readonly CopyProblem[] };

/** Why a file was not copied; the others were. */
export interface CopyProblem {
  readonly index: number;
  readonly reason: "missing" | "corrupt";
  readonly actual: string;
}

const protectedMode = 0o444;

export async function runTask(task: WorkTask): Promise<WorkResult> {
  const meter = new Meter(task);
  if (task.kind === "copy") return { kind: "copy", problems: await copyAll(task, meter) };
  const files: HashedFile[] = [];
  if (task.kind === "hash") {
    for (const file of task.files) files.push(hashFile(file, task.hashName, meter));
  } else if (task.kind === "store") {
    for (const file of task.files) files.push(await storeFile(file, task, meter));
  } else {
    for (const file of task.files) files.push(placeFile(file, task, meter));
  }
  return { kind: task.kind, files };
}

function markOf(stats: fs.Stats): FileMark {
  return { mtimeMs: stats.mtimeMs, inode: stats.ino, sizeBytes: stats.size };
}

function isExecutable(stats: fs.Stats): boolean {
  return (stats.mode & 0o111) !== 0;
}

function hashedFile(
  file: string,
  fd: number,
  before: fs.Stats,
  md5: string,
  startedMs: number,
): HashedFile {
  const after = fs.fstatSync(fd);
  if (after.mtimeMs !== before.mtimeMs || after.size !== before.size) {
    throw new BridleError("DVC_FILE_CHANGED", { path: file });
  }
  return { ...markOf(after), md5, isExecutable: isExecutable(before), hashedAtMs: startedMs };
}

function hashFile(file: string, hashName: HashName, meter: Meter): HashedFile {
  const startedMs = Date.now();
  const fd = openForReading(file);
  try {
    const before = fs.fstatSync(fd);
    const md5 = digestOf(file, fd, before.size, hashName, meter);
    meter.addFile();
    return hashedFile(file, fd, before, md5, startedMs);
  } finally {
    fs.closeSync(fd);
  }
}

/** Keeps a file's content in the cache under its hash, and tells the hash. */
async function storeFile(
  file: string,
  task: Extract<WorkTask, { kind: "store" }>,
  meter: Meter,
): Promise<HashedFile> {
  const startedMs = Date.now();
  const fd = openForReading(file);
  try {
    const before = fs.fstatSync(fd);
    const small = before.size < smallBytes;
    if (small && !task.byHardlink) {
      const piece = readSmall(file, fd, before.size);
      const md5 = hashOf("md5", piece, "hex");
      const target = objectPath(task.cache, { id: md5, hashName: "md5" });
      keepBytes(target, piece, task.scratch, protectedMode);
      meter.addBytes(piece.length);
      meter.addFile();
      return hashedFile(file, fd, before, md5, startedMs);
    }
    const temporary = scratchName(task.scratch);
    let md5: string;
    try {
      md5 = await takeIn(file, fd, before, temporary, task.byHardlink, meter);
      const target = objectPath(task.cache, { id: md5, hashName: "md5" });
      keep(target, before.size, temporary);
    } finally {
      fs.rmSync(temporary, { force: true });
    }
    meter.addFile();
    return hashedFile(file, fd, before, md5, startedMs);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes a second name or copy of a file's content at `temporary` and hashes it. */
async function takeIn(
  file: string,
  fd: number,
  before: fs.Stats,
  temporary: string,
  byHardlink: boolean,
  meter: Meter,
): Promise<string> {
  if (byHardlink && before.size > 0 && tryLink(() => fs.linkSync(file, temporary))) {
    fs.chmodSync(temporary, protectedMode);
    return digestOf(file, fd, before.size, "md5", meter);
  }
  if (tryClone(file, before, temporary)) {
    fs.chmodSync(temporary, protectedMode);
    const copy = fs.openSync(temporary, "r");
    try {
      return digestOf(temporary, copy, before.size, "md5", meter);
    } finally {
      fs.closeSync(copy);
    }
  }
  return await copyAndHashFast(file, fd, before, temporary, protectedMode, "md5", meter);
}

/** Whether an object is at its place in its full size. */
function isKept(target: string, sizeBytes: number): boolean {
  const present = fs.statSync(target, { throwIfNoEntry: false });
  return present?.isFile() === true && present.size === sizeBytes;
}

/** Keeps bytes as an object, unless it is there. */
function keepBytes(target: string, bytes: Buffer, scratch: string, mode: number): void {
  if (isKept(target, bytes.length)) return;
  const temporary = scratchName(scratch);
  writeWhole(temporary, bytes, mode);
  moveToKeep(temporary, target);
}

/** Moves a file to an object's place; drops it where the object is there. */
function keep(target: string, sizeBytes: number, temporary: string): void {
  if (isKept(target, sizeBytes)) fs.rmSync(temporary, { force: true });
  else moveToKeep(temporary, target);
}

function moveToKeep(temporary: string, target: string): void {
  try {
    renameInto(temporary, target);
  } catch (thrown) {
    fs.rmSync(temporary, { force: true });
    throw writeError(thrown, target);
  }
}

/** Renames; the target's folder is made where it is not there yet. */
function renameInto(
  temporary: string,
  target: string,
  rename: (from: string, to: string) => void = fs.renameSync,
): void {
  try {
    rename(temporary, target);
  } catch (thrown) {
    if (systemCode(thrown) !== "ENOENT") throw thrown;
    const folder = nodePath.dirname(target);
    try {
      fs.mkdirSync(folder, { recursive: true });
    } catch (again) {
      throw folderError(again, folder);
    }
    rename(temporary, target);
  }
}

/** Puts a cached file into the working folder, whole at once. */
function placeFile(
  file: PlacedFile,
  task: Extract<WorkTask, { kind: "place" }>,
  meter: Meter,
): HashedFile {
  const { object, target, id } = file;
  const startedMs = Date.now();
  const fd = openObject(object, target, id);
  const temporary = scratchName(task.scratch);
  let isPlaced = false;
  try {
    const stats = fs.fstatSync(fd);
    const bytes = stats.size < smallBytes ? readSmall(object, fd, stats.size) : undefined;
    if (bytes !== undefined && file.hashName === "md5") {
      mustBe(file, hashOf("md5", bytes, "hex"));
      meter.addBytes(bytes.length);
    } else if (stats.size <= checkedBytes || (stats.mode & 0o222) !== 0 || !file.isKnown)
      check(file, fd, stats, meter);
    else meter.addBytes(stats.size);
    if (!task.links.some((type) => makeLink(type, file, fd, stats, bytes, temporary))) {
      throw new BridleError("DVC_LINK_FAILED", {
        path: target,
        types: task.links.join(", "),
        cache: nodePath.dirname(object),
      });
    }
    moveInto(temporary, target);
    isPlaced = true;
    meter.addFile();
    const placed = fs.statSync(target);
    return {
      ...markOf(placed),
      md5: id,
      isExecutable: isExecutable(placed),
      hashedAtMs: startedMs,
    };
  } finally {
    if (!isPlaced) fs.rmSync(temporary, { force: true });
    fs.closeSync(fd);
  }
}

function openObject(object: string, path: string, id: ObjectId): number {
  try {
    return fs.openSync(object, "r");
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") {
      throw new BridleError("DVC_OBJECT_MISSING", { count: 1, path, id }, { cause: thrown });
    }
    throw readError(thrown, object);
  }
}

function check(
  { object, id, hashName }: PlacedFile,
  fd: number,
  stats: fs.Stats,
  meter: Meter,
): void {
  mustBe({ object, id }, digestOf(object, fd, stats.size, hashName, meter));
}

function mustBe({ object, id }: Pick<PlacedFile, "object" | "id">, actual: string): void {
  if (actual !== id) throw new BridleError("DVC_OBJECT_CORRUPT", { place: object, id, actual });
}

function makeLink(
  type: LinkType,
  file: PlacedFile,
  fd: number,
  stats: fs.Stats,
  bytes: Buffer | undefined,
  temporary: string,
): boolean {
  const { object } = file;
  // Many names of one empty file meet the file system's limit on names.
  if (type !== "symlink" && stats.size === 0) {
    writeWhole(temporary, Buffer.alloc(0), modeOf(file));
    return true;
  }
  try {
    switch (type) {
      case "reflink":
        if (!tryClone(object, stats, temporary)) return false;
        fs.chmodSync(temporary, modeOf(file));
        return true;
      case "hardlink":
        if ((stats.mode & 0o222) !== 0) fs.chmodSync(object, protectedMode);
        return tryLink(() => fs.linkSync(object, temporary));
      case "symlink":
        if ((stats.mode & 0o222) !== 0) fs.chmodSync(object, protectedMode);
        return tryLink(() => fs.symlinkSync(nodePath.resolve(object), temporary));
      case "copy":
        if (bytes !== undefined) writeWhole(temporary, bytes, modeOf(file));
        else copyObject(fd, stats, file, temporary);
        return true;
    }
  } catch (thrown) {
    throw writeError(thrown, file.target);
  }
}

/** Umask is left to the system, as for any new file. */
function modeOf({ isExecutable }: PlacedFile): number {
  return (isExecutable ? 0o777 : 0o666) & ~umask;
}

const umask = readUmask();

/** Worker threads may not ask for it, so it is read off a file that is made. */
function readUmask(): number {
  try {
    return process.umask();
  } catch {
    return 0o022;
  }
}

function copyObject(fd: number, stats: fs.Stats, file: PlacedFile, temporary: string): void {
  if (stats.blocks * 512 >= stats.size)
    fs.copyFileSync(file.object, temporary, fs.constants.COPYFILE_EXCL);
  else {
    const counters = { shared: new SharedArrayBuffer(24) };
    copyAndHash(file.object, fd, stats.size, temporary, 0o600, file.hashName, new Meter(counters));
  }
  fs.chmodSync(temporary, modeOf(file));
}

function moveInto(temporary: string, target: string): void {
  try {
    renameInto(temporary, target, renameOrMove);
  } catch (thrown) {
    throw writeError(thrown, target);
  }
}

function renameOrMove(temporary: string, target: string): void {
  try {
    fs.renameSync(temporary, target);
  } catch (thrown) {
    if (systemCode(thrown) !== "EXDEV") throw thrown;
    // Another disk: the last step must be a rename on that one.
    const beside = `${target}.${nodePath.basename(temporary)}.tmp`;
    try {
      if (fs.lstatSync(temporary).isSymbolicLink())
        fs.symlinkSync(fs.readlinkSync(temporary), beside);
      else fs.copyFileSync(temporary, beside, fs.constants.COPYFILE_EXCL);
      fs.renameSync(beside, target);
    } finally {
      fs.rmSync(beside, { force: true });
    }
  }
}

async function copyAll(
  task: Extract<WorkTask, { kind: "copy" }>,
  meter: Meter,
): Promise<CopyProblem[]> {
  const problems: CopyProblem[] = [];
  for (const [index, file] of task.files.entries()) {
    const actual = await copyOne(file, task.scratch, meter);
    if (actual !== undefined) {
      problems.push({ index, reason: actual === "" ? "missing" : "corrupt", actual });
    }
    meter.addFile();
  }
  return problems;
}

/** Copies and checks; the hash of what was there instead, empty for nothing, undefined where all is well. */
async function copyOne(
  file: CopiedFile,
  scratch: string,
  meter: Meter,
): Promise<string | undefined> {
  const { from, to, id, hashName, mode } = file;
  const wanted = id.replace(/\.dir$/, "");
  let fd: number;
  try {
    fd = fs.openSync(from, "r");
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return "";
    throw readError(thrown, from);
  }
  try {
    const stats = fs.fstatSync(fd);
    if (stats.size < smallBytes && hashName === "md5") {
      const bytes = readSmall(from, fd, stats.size);
      const actual = hashOf("md5", bytes, "hex");
      if (actual !== wanted) return actual;
      keepBytes(to, bytes, scratch, mode);
      meter.addBytes(bytes.length);
      return undefined;
    }
    const temporary = scratchName(scratch);
    try {
      const actual = await copyObjectFile(file, fd, stats, temporary, meter);
      if (actual !== wanted) return actual;
      keep(to, stats.size, temporary);
      return undefined;
    } finally {
      fs.rmSync(temporary, { force: true });
    }
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * An object at `temporary`: a clone where the file system makes one, else a copy. Never another name of the same file:
 * what spoils a cache must not reach its remote.
 * @returns its hash
 */
async function copyObjectFile(
  { from, id, hashName, mode, isKnown }: CopiedFile,
  fd: number,
  stats: fs.Stats,
  temporary: string,
  meter: Meter,
): Promise<string> {
  // A folder's list is hashed as it is, whatever the hash of the files.
  const name = id.endsWith(".dir") ? "md5" : hashName;
  const isProtected = (stats.mode & 0o777) === mode && (mode & 0o222) === 0;
  const isShared = stats.size > 0 && tryClone(from, stats, temporary);
  if (isShared || isKnown) {
    if (!isShared) await fs.promises.copyFile(from, temporary, fs.constants.COPYFILE_EXCL);
    if (!(isShared && isProtected)) fs.chmodSync(temporary, mode);
    if (isKnown) meter.addBytes(stats.size);
    return isKnown ? id.replace(/\.dir$/, "") : digestOf(from, fd, stats.size, name, meter);
  }
  return await copyAndHashFast(from, fd, stats, temporary, mode, name, meter);
}

/** Where an object lies under a cache's folder. */
export function objectPath(cache: string, ref: ObjectRef): string {
  const key = objectKey(ref);
  // As path.join, of which a hundred thousand take a second.
  return cache + nodePath.sep + (nodePath.sep === "/" ? key : key.replaceAll("/", nodePath.sep));
}
