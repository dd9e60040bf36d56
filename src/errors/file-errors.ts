// What the operating system objects to about a file, as rows of the error table.
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import path from "node:path";
import { BridleError } from "./error.js";

const reasons: Readonly<Record<string, string>> = {
  EISDIR: "it is a folder",
  ENOENT: "its folder does not exist",
  ENOTDIR: "a part of its path is no folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
};

/** The code of a system error, such as ENOENT; empty for anything else. */
export function systemCode(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}

/** Why the operating system would not, in words. */
export function reasonOf(thrown: unknown): string {
  const told = thrown instanceof Error ? thrown.message : String(thrown);
  return reasons[systemCode(thrown)] ?? told;
}

/** What to do where a file's name is at fault; undefined where something else is. */
export function nameHint(thrown: unknown, file: string): { readonly hint?: string } {
  const code = systemCode(thrown);
  if (code === "EISDIR") return { hint: "Name a file, in this folder or another." };
  if (code !== "ENOENT") return {};
  const folder = /[\\/]$/.test(file) ? file : path.dirname(file);
  return { hint: `Make the folder ${folder} first, or name a file in another.` };
}

/**
 * Why a folder could not be made with those above it: Node tells only that it is not there (ENOENT), whether the disk is
 * full, read-only or not ours.
 */
export function folderError(thrown: unknown, folder: string): unknown {
  if (systemCode(thrown) !== "ENOENT") return thrown;
  let first = path.resolve(folder);
  while (!existsSync(path.dirname(first))) first = path.dirname(first);
  try {
    mkdirSync(first);
    rmdirSync(first);
  } catch (actual) {
    return actual;
  }
  return thrown;
}

/** A failure to read `file`, as FILE_NOT_FOUND or FILE_NOT_READABLE; a BridleError stays what it is. */
export function readError(thrown: unknown, file: string): BridleError {
  if (thrown instanceof BridleError) return thrown;
  if (systemCode(thrown) === "ENOENT") {
    return new BridleError("FILE_NOT_FOUND", { file }, { cause: thrown });
  }
  return new BridleError(
    "FILE_NOT_READABLE",
    { file, reason: reasonOf(thrown) },
    { cause: thrown },
  );
}

/** A failure to write `file`, as FILE_NOT_WRITABLE; a BridleError stays what it is. */
export function writeError(thrown: unknown, file: string): BridleError {
  if (thrown instanceof BridleError) return thrown;
  const details = { file, reason: reasonOf(thrown), system: systemCode(thrown) || undefined };
  return new BridleError("FILE_NOT_WRITABLE", details, {
    cause: thrown,
    ...nameHint(thrown, file),
  });
}
