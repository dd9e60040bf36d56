// What a run of MLflow has wherever its store is: how it ended, and files that its artifact URI leads to.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { BridleError } from "../../errors/error.js";
import { systemCode } from "../../errors/file-errors.js";
import type { KeepFile, RunEvent } from "../../ports/event-sink.js";
import { artifactOf } from "./foreign-run.js";

type EndStatus = Extract<RunEvent, { type: "end" }>["status"];

/** A number in files, a word in databases. */
const statuses: Readonly<Record<string, EndStatus>> = {
  ...{ "3": "finished", "4": "failed", "5": "stopped" },
  ...{ FINISHED: "finished", FAILED: "failed", KILLED: "stopped" },
};

/** Whatever goes on there does not go on here. */
export function statusOf(status: unknown): EndStatus {
  return statuses[String(status)] ?? "interrupted";
}

/** What is said of points that steps here have no place for, once the rest of the run is imported. */
export function leftOutError(file: string, leftOut: readonly string[]): BridleError {
  const reason = `steps begin at 0, and points before it are left out: ${leftOut.join(", ")}; the rest of the run is imported`;
  return new BridleError("FILE_INVALID", { file, reason });
}

/** Paths of all files below a folder, with forward slashes; none where there is no such folder. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (thrown) => {
      if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown))) return [];
      throw thrown;
    },
  );
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .map((name) => name.split(path.sep).join("/"))
    .sort();
}

/** The folder of a `file:` URI or a path; undefined for what is elsewhere. */
function folderAt(uri: string): string | undefined {
  if (!/^[a-z][a-z0-9+.-]+:/i.test(uri)) return uri === "" ? undefined : path.resolve(uri);
  try {
    return /^file:/i.test(uri) ? fileURLToPath(uri) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The files of a run: those of the first folder that has any, which is one of `folders` or where its artifact URI leads.
 * Where that is elsewhere, in a bucket or on another machine, its place is told as one artifact, `artifacts`.
 * @param folders where they lie beside what is read, wherever that was when the URI was written
 * @param run which run of which experiment, `EXPERIMENT/RUN`
 */
export async function* artifactEvents(
  uri: string,
  folders: readonly string[],
  run: string,
  at: number,
  keep: KeepFile,
): AsyncGenerator<readonly RunEvent[]> {
  const there = folderAt(uri);
  for (const folder of [...folders, ...(there === undefined ? [] : [there])]) {
    const names = await filesBelow(folder);
    for (const name of names) {
      yield [{ type: "artifact", artifact: await artifactOf(path.join(folder, name), name, keep) }];
    }
    if (names.length > 0) return;
  }
  // A folder of the store itself, which MLflow names by where it was then, or one that is there and empty.
  const isNone =
    there !== undefined &&
    (there.split(path.sep).join("/").endsWith(`/${run}/artifacts`) || existsSync(there));
  if (uri === "" || isNone) return;
  const artifact = {
    ...{ name: "artifacts", sha256: "", sizeBytes: 0, blob: "", uri, at },
    mediaType: "application/octet-stream",
  };
  yield [{ type: "artifact", artifact }];
}
