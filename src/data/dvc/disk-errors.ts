// A disk that is full, read-only or not ours, as errors that say what to type next.
import { accessSync, constants, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { BridleError } from "../../errors/error.js";
import { readError, systemCode } from "../../errors/file-errors.js";

/** What a system error's code says of a disk. */
export function diskFault(code: string | undefined): "full" | "denied" | undefined {
  if (code === "ENOSPC" || code === "EDQUOT") return "full";
  return code === "EROFS" || code === "EACCES" || code === "EPERM" ? "denied" : undefined;
}

const readingCalls = new Set([
  "access",
  "lstat",
  "opendir",
  "read",
  "readlink",
  "realpath",
  "scandir",
  "stat",
]);

/** Whether a failure is one of reading; what was opened for reading or writing is told apart by whether it can be read. */
function isReading(thrown: unknown): thrown is Error & { readonly path: string } {
  if (!(thrown instanceof Error && "path" in thrown && "syscall" in thrown)) return false;
  if (readingCalls.has(String(thrown.syscall))) return true;
  if (thrown.syscall !== "open" || systemCode(thrown) === "EROFS") return false;
  try {
    accessSync(String(thrown.path), constants.R_OK);
    return false;
  } catch (denied) {
    return ["EACCES", "EPERM"].includes(systemCode(denied));
  }
}

/** The system's code and the file of a failure to write, whether or not it has crossed from another thread. */
export function writeFailure(thrown: unknown): { code: string; file: string } | undefined {
  if (thrown instanceof BridleError) {
    const { system = "", file = "" } = thrown.details;
    const isWrite = thrown.code === "FILE_NOT_WRITABLE" || thrown.code === "WRITE_FAILED";
    return isWrite ? { code: String(system), file: String(file) } : undefined;
  }
  const code = systemCode(thrown);
  const file = thrown instanceof Error && "path" in thrown ? String(thrown.path) : "";
  return code === "" ? undefined : { code, file };
}

/**
 * A failure of a command, as DVC_DISK_FULL or DVC_NOT_WRITABLE where the disk is why, as FILE_NOT_READABLE where something may
 * not be read; anything else as it is.
 */
export function diskError(thrown: unknown, command: string, root: string): unknown {
  if (diskFault(systemCode(thrown)) === "denied" && isReading(thrown))
    return readError(thrown, thrown.path);
  const failure = writeFailure(thrown);
  const fault = diskFault(failure?.code);
  if (failure === undefined || fault === undefined) return thrown;
  const file = failure.file === "" ? root : failure.file;
  const folder = dirname(file);
  if (fault === "full") {
    const details = { folder, free: freeText(folder), what: `writing ${file}`, needed: "more" };
    return new BridleError("DVC_DISK_FULL", details, { cause: thrown });
  }
  const reason = failure.code === "EROFS" ? "the file system is read-only" : "permission denied";
  return new BridleError("DVC_NOT_WRITABLE", { file, folder, reason, command }, { cause: thrown });
}

/** Room on a folder's disk, as it is told. */
function freeText(folder: string): string {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return megabytes(bavail * bsize);
  } catch {
    return "no room";
  }
}

export function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
