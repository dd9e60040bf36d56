// Reading, hashing and writing files piece by piece, for worker threads: what holds a piece holds nothing else.
import { createHash } from "node:crypto";
import fs from "node:fs";
import nodePath from "node:path";
import { BridleError } from "../../errors/error.js";
import { readError, systemCode, writeError } from "../../errors/file-errors.js";
import type { HashName } from "./object-hash.js";

/** What tells that a file is still the one that was hashed. */
export interface FileMark {
  readonly mtimeMs: number;
  readonly inode: number;
  readonly sizeBytes: number;
}

export interface HashedFile extends FileMark {
  readonly md5: string;
  readonly isExecutable: boolean;
  /** When hashing began, in ms since 1970. */
  readonly hashedAtMs: number;
}

/** Counters that the starting thread reads while the work goes on. */
export interface WorkCounters {
  /** Bytes and files done; a third place is set to 1 to stop the work. */
  readonly shared: SharedArrayBuffer;
}

/** Files up to this are read whole. */
export const smallBytes = 1 << 20;
/** Objects up to this are checked against their name whenever they are put in place. */
export const checkedBytes = 64 << 20;
const chunkBytes = 4 << 20;
let buffer: Buffer | undefined;
const zeros = Buffer.alloc(1 << 16);
export function sharedBuffer(): Buffer {
  buffer ??= Buffer.allocUnsafeSlow(chunkBytes);
  return buffer;
}

export class Meter {
  private readonly counts: BigInt64Array;

  constructor({ shared }: WorkCounters) {
    this.counts = new BigInt64Array(shared);
  }

  addBytes(count: number): void {
    Atomics.add(this.counts, 0, BigInt(count));
    // A task that is to stop does so between two pieces, so that it can clean up after itself.
    if (Atomics.load(this.counts, 2) === 1n) throw new BridleError("CANCELLED");
  }

  addFile(): void {
    Atomics.add(this.counts, 1, 1n);
    if (Atomics.load(this.counts, 2) === 1n) throw new BridleError("CANCELLED");
  }
}

export function openForReading(file: string): number {
  try {
    return fs.openSync(file, "r");
  } catch (thrown) {
    throw readError(thrown, file);
  }
}

/** @param write gets every piece that was read */
export function digestOf(
  file: string,
  fd: number,
  sizeBytes: number,
  hashName: HashName,
  meter: Meter,
  write?: (piece: Buffer, offset: number) => void,
): string {
  const room = sharedBuffer();
  const hash = createHash("md5");
  let offset = 0;
  let isText: boolean | undefined;
  for (;;) {
    // DVC 2 tells text from the rest anew in every piece of a mebibyte.
    const length = hashName === "md5" ? room.length : smallBytes;
    const count = readSome(file, fd, room, length, offset);
    if (count === 0) break;
    const piece = room.subarray(0, count);
    if (hashName === "md5") hash.update(piece);
    else {
      isText = looksLikeText(piece.subarray(0, 512));
      hash.update(isText ? withUnixLineEnds(piece) : piece);
    }
    write?.(piece, offset);
    offset += count;
    meter.addBytes(count);
    // What is small is done; an end that was read is not asked for again.
    if (offset >= sizeBytes && count < length) break;
  }
  return hash.digest("hex");
}

export function readSome(
  file: string,
  fd: number,
  room: Buffer,
  length: number,
  offset: number,
): number {
  try {
    let count = 0;
    while (count < length) {
      const read = fs.readSync(fd, room, count, length - count, offset + count);
      if (read === 0) break;
      count += read;
    }
    return count;
  } catch (thrown) {
    throw readError(thrown, file);
  }
}

/** All bytes of a small file, to be used before the next is read. */
export function readSmall(file: string, fd: number, sizeBytes: number): Buffer {
  const room = sharedBuffer();
  let count = 0;
  try {
    // A file gives all it has at once, most often; what it has grown by is seen by whoever asks for its size again.
    while (count < sizeBytes || count === 0) {
      const read = fs.readSync(fd, room, count, smallBytes - count, count);
      if (read === 0) break;
      count += read;
    }
  } catch (thrown) {
    throw readError(thrown, file);
  }
  return room.subarray(0, count);
}

/** As DVC 2 decides it: no NUL, and less than 30 % of bytes that no text has. */
function looksLikeText(block: Buffer): boolean {
  if (block.length === 0) return true;
  if (block.includes(0)) return false;
  let odd = 0;
  for (const byte of block) {
    if (!((byte >= 32 && byte < 127) || [10, 13, 9, 12, 8].includes(byte))) odd++;
  }
  return odd / block.length <= 0.3;
}

function withUnixLineEnds(piece: Buffer): Buffer {
  return Buffer.from(piece.toString("latin1").replaceAll("\r\n", "\n"), "latin1");
}

/** One pass over the file: what is read is hashed and written. Runs of zeros become holes. */
export function copyAndHash(
  file: string,
  fd: number,
  sizeBytes: number,
  temporary: string,
  mode: number,
  hashName: HashName,
  meter: Meter,
): string {
  try {
    const copy = fs.openSync(temporary, "wx", mode);
    try {
      let end = 0;
      const md5 = digestOf(file, fd, sizeBytes, hashName, meter, (piece, offset) => {
        end = offset + piece.length;
        if (!isZero(piece)) writeFully(copy, piece, offset);
      });
      fs.ftruncateSync(copy, end);
      return md5;
    } finally {
      fs.closeSync(copy);
    }
  } catch (thrown) {
    fs.rmSync(temporary, { force: true });
    throw writeError(thrown, temporary);
  }
}

function isZero(piece: Buffer): boolean {
  if (piece.length < zeros.length || piece[0] !== 0) return false;
  for (let at = 0; at < piece.length; at += zeros.length) {
    const part = piece.subarray(at, at + zeros.length);
    if (part.compare(zeros, 0, part.length) !== 0) return false;
  }
  return true;
}

function writeFully(fd: number, piece: Buffer, offset: number): void {
  for (let done = 0; done < piece.length; ) {
    done += fs.writeSync(fd, piece, done, piece.length - done, offset + done);
  }
}

export function writeWhole(file: string, bytes: Buffer, mode: number): void {
  try {
    const fd = fs.openSync(file, "wx", mode);
    try {
      writeFully(fd, bytes, 0);
    } finally {
      fs.closeSync(fd);
    }
  } catch (thrown) {
    fs.rmSync(file, { force: true });
    throw writeError(thrown, file);
  }
}

export function tryLink(link: () => void): boolean {
  try {
    link();
    return true;
  } catch (thrown) {
    const code = systemCode(thrown);
    const unable = [
      "EXDEV",
      "ENOTSUP",
      "EOPNOTSUPP",
      "ENOSYS",
      "EINVAL",
      "EPERM",
      "EACCES",
      "EMLINK",
      "ENOTTY",
    ];
    if (unable.includes(code)) return false;
    throw thrown;
  }
}

/** Where a clone failed, none is tried again: a failed one costs as much as a file. */
const withoutClones = new Set<string>();

/** A copy that shares its blocks with the file, where the file system has such. */
export function tryClone(file: string, { dev }: fs.Stats, temporary: string): boolean {
  const key = `${dev} ${nodePath.dirname(temporary)}`;
  if (withoutClones.has(key)) return false;
  const { COPYFILE_FICLONE_FORCE: force } = fs.constants;
  const isCloned = tryLink(() => fs.copyFileSync(file, temporary, force));
  if (!isCloned) withoutClones.add(key);
  return isCloned;
}

/** As copyAndHash; of a large file without holes the system makes the copy while this thread hashes. */
export async function copyAndHashFast(
  file: string,
  fd: number,
  stats: fs.Stats,
  temporary: string,
  mode: number,
  hashName: HashName,
  meter: Meter,
): Promise<string> {
  const isDense = stats.blocks * 512 >= stats.size;
  if (stats.size < checkedBytes || !isDense) {
    return copyAndHash(file, fd, stats.size, temporary, mode, hashName, meter);
  }
  const copying = fs.promises.copyFile(file, temporary, fs.constants.COPYFILE_EXCL).then(
    () => undefined,
    (thrown: unknown) => writeError(thrown, temporary),
  );
  const digesting = new Promise<string>((resolve) => {
    resolve(digestOf(file, fd, stats.size, hashName, meter));
  });
  // The copy cannot be stopped; nobody may delete the file before it is done.
  const [md5, failure] = await Promise.all([digesting, copying]).catch(async (thrown) => {
    await copying;
    throw thrown;
  });
  if (failure !== undefined) throw failure;
  const after = fs.fstatSync(fd);
  if (after.mtimeMs !== stats.mtimeMs || fs.statSync(temporary).size !== stats.size) {
    throw new BridleError("DVC_FILE_CHANGED", { path: file });
  }
  fs.chmodSync(temporary, mode);
  return md5;
}
