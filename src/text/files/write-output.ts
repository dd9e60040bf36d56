// Writes a file that a user named: what a link leads to rather than the link, and devices and pipes straight.
import type { Stats } from "node:fs";
import {
  access,
  constants,
  type FileHandle,
  lstat,
  open,
  readlink,
  realpath,
} from "node:fs/promises";
import path from "node:path";
import { BridleError } from "../../errors/error.js";
import { systemCode } from "../../errors/file-errors.js";
import { writeAtomically, writeFailed } from "./write-atomically.js";

export interface OutputPlace {
  /** Where links lead in the end; there may be nothing yet. */
  readonly file: string;
  /** A device, a pipe, a socket or a stream of this process: nothing that another file may take the place of. */
  readonly isStream: boolean;
  /** What is there now. */
  readonly found?: Stats | undefined;
}

/** Names of what this process has open. Where they lead to a file, the file is not ours to replace. */
const openStreams = /^\/(dev\/(stdin$|stdout$|stderr$|fd\/)|proc\/[^/]+\/(task\/[^/]+\/)?fd\/)/;
/** As the system tells of it. */
const isFolder = () => Object.assign(new Error("it is a folder"), { code: "EISDIR" });
/** As many as Linux follows. */
const mostLinks = 40;

/**
 * What the name of an output means.
 * @throws FILE_NOT_WRITABLE where its links lead in a circle; what the file system throws
 */
export async function findOutput(named: string): Promise<OutputPlace> {
  let file = named;
  for (let links = 0; links <= mostLinks; links++) {
    if (openStreams.test(path.resolve(file))) return { file, isStream: true };
    const found = await lstat(file).catch((thrown) => {
      if (systemCode(thrown) === "ENOENT") return undefined;
      throw thrown;
    });
    if (!found?.isSymbolicLink()) {
      const isStream = found !== undefined && !found.isFile() && !found.isDirectory();
      return { file, isStream, found };
    }
    file = path.resolve(await realpath(path.dirname(file)), await readlink(file));
  }
  const reason = "its links lead in a circle";
  throw new BridleError("FILE_NOT_WRITABLE", { file: named, reason });
}

/**
 * Writes an output: a file whole or not at all, with the rights it had; a device or a pipe as it comes.
 * @throws WRITE_FAILED naming the file; FILE_NOT_WRITABLE where its links lead in a circle; what `write` throws of ours
 */
export async function writeOutput(
  named: string,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const place = await findOutput(named).catch((thrown) => {
    throw writeFailed(thrown, named);
  });
  if (place.isStream) return await writeStream(place.file, write);
  const { file, found } = place;
  // Before any work for it: at its end nothing could take the folder's place.
  if (found?.isDirectory()) throw writeFailed(isFolder(), named);
  await writeAtomically(file, async (handle) => {
    if (found !== undefined) {
      // What others keep read-only, as DVC its cache, is not replaced through a link.
      if (file !== named) await access(file, constants.W_OK);
      // Only root may give a file away, and only root would take it from anybody.
      await handle.chown(found.uid, found.gid).catch(() => {});
      await handle.chmod(found.mode & 0o777);
    }
    await write(handle);
  });
}

async function writeStream(
  file: string,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    // Behind what is there already, where standard output leads to a file.
    handle = await open(file, constants.O_WRONLY | constants.O_APPEND);
    await write(handle);
  } catch (thrown) {
    throw writeFailed(thrown, file);
  } finally {
    await handle?.close();
  }
}
