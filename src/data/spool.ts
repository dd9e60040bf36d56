// A file on disk that only this process sees: written once from front to back, then read anywhere.
import { randomUUID } from "node:crypto";
import { type FileHandle, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { readError, writeError } from "../errors/file-errors.js";

/** Bytes that can be read anywhere. */
export interface RandomAccess {
  readonly sizeBytes: number;
  /** Fewer bytes where it ends before them. @throws FILE_NOT_READABLE */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface Spool extends RandomAccess {
  /** What has been appended so far, in bytes. */
  readonly sizeBytes: number;
  /** @throws FILE_NOT_WRITABLE, such as for a full disk */
  append(bytes: Uint8Array): Promise<void>;
  /** Ends it; what it held is gone. */
  close(): Promise<void>;
}

const bufferBytes = 1024 * 1024;
const spoolName = /^bridle-[0-9a-f-]{36}\.spool$/;

/**
 * Opens an empty spool. It has no name wherever the system allows that, so that a killed process leaves nothing. Appends are made one after the other; reads may come at any time, several at once.
 * @param folder where it lies. Default: the system's folder for temporary files.
 * @throws FILE_NOT_WRITABLE
 */
export async function openSpool(folder: string = tmpdir()): Promise<Spool> {
  const file = path.join(folder, `bridle-${randomUUID()}.spool`);
  let handle: FileHandle;
  try {
    handle = await open(file, "wx+", 0o600);
  } catch (thrown) {
    throw writeError(thrown, file);
  }
  const remove = () => rm(file, { force: true }).catch(() => {});
  await remove();
  let written = 0;
  let parts: Uint8Array[] = [];
  let held = 0;
  /** The last write that was begun: several readers at once all wait for it. */
  let flushed: Promise<void> = Promise.resolve();
  const flush = () => {
    flushed = write();
    return flushed;
  };
  const write = async () => {
    const bytes = Buffer.concat(parts, held);
    parts = [];
    held = 0;
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, written);
        done += bytesWritten;
        written += bytesWritten;
      }
    } catch (thrown) {
      throw writeError(thrown, file);
    }
  };
  return {
    get sizeBytes() {
      return written + held;
    },
    async append(bytes) {
      parts.push(bytes);
      held += bytes.length;
      if (held >= bufferBytes) await flush();
    },
    async read(offset, length) {
      if (held > 0) flush();
      await flushed;
      return await readAt(handle, file, offset, length);
    },
    async close() {
      await handle.close();
      // Where a name is only gone with the last handle, it may be there still.
      await remove();
    },
  };
}

/**
 * Removes the spools of processes that are gone: one that was killed leaves its own where it needed a name.
 * @param folder in which no living process has one
 */
export async function removeSpools(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) => spoolName.test(name));
  for (const name of left) await rm(path.join(folder, name), { force: true });
}

/** Bytes of an open file; fewer where it ends before them. @throws FILE_NOT_READABLE */
export async function readAt(
  handle: FileHandle,
  file: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  try {
    while (done < length) {
      const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
  } catch (thrown) {
    throw readError(thrown, file);
  }
  return bytes.subarray(0, done);
}

/** Opens a file for reading it anywhere. @throws FILE_NOT_FOUND, FILE_NOT_READABLE */
export async function openRandomAccess(
  file: string,
): Promise<RandomAccess & { close(): Promise<void> }> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file);
    const opened = handle;
    return {
      sizeBytes: (await handle.stat()).size,
      read: (offset, length) => readAt(opened, file, offset, length),
      close: () => opened.close(),
    };
  } catch (thrown) {
    await handle?.close();
    throw readError(thrown, file);
  }
}
