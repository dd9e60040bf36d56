// Writes a file whole or not at all.
import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { BridleError } from "../../errors/error.js";
import { nameHint, reasonOf, systemCode } from "../../errors/file-errors.js";

/**
 * Writes a file of ours through a temporary one, so that a reader sees the old or the new, never a part. What a
 * user names goes through `writeOutput`, which leaves devices and links in their places.
 * @param temporary on the same disk; beside the file where none is given
 * @throws WRITE_FAILED naming the file; the one that was there stays
 */
export async function writeAtomically(
  file: string,
  write: (handle: FileHandle) => Promise<void>,
  temporary = `${file}.${randomUUID()}.tmp`,
): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, "wx");
    await write(handle);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, file);
  } catch (cause) {
    await handle?.close().catch(() => {});
    await rm(temporary, { force: true });
    throw writeFailed(cause, file);
  }
}

/** A failure to write a file as WRITE_FAILED; a BridleError stays what it is. */
export function writeFailed(cause: unknown, file: string): BridleError {
  if (cause instanceof BridleError) return cause;
  const details = {
    file,
    reason: reasonOf(cause),
    system: systemCode(cause) || undefined,
  };
  return new BridleError("WRITE_FAILED", details, { cause, ...nameHint(cause, file) });
}
