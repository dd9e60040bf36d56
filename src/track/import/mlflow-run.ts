// What a run of MLflow has wherever its store is: how it ended, and files that its artifact URI leads to.
import { existsSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
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

/** What of a store may be read. */
export interface StoreReach {
  /** The folders that it is. Runs that somebody else wrote could name any file of this machine. */
  readonly roots: readonly string[];
  /** Whether files are copied from wherever the runs say. */
  readonly followFiles: boolean;
}

/** Whether a folder lies in one of the store's after all links; undefined where there is none. */
export async function isInStore(
  folder: string,
  roots: readonly string[],
): Promise<boolean | undefined> {
  const [place, ...within] = await Promise.all([folder, ...roots].map(realPlace));
  if (place === undefined) return undefined;
  return within.some((root) => root !== undefined && isBelow(root, place));
}

async function realPlace(folder: string): Promise<string | undefined> {
  return await realpath(folder).catch((thrown) => {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown))) return undefined;
    throw thrown;
  });
}

function isBelow(root: string, place: string): boolean {
  const way = path.relative(root, place);
  return way !== ".." && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}

/** Where files of a run may be. */
export interface ArtifactPlaces extends StoreReach {
  /** What the run says itself. */
  readonly uri: string;
  /** Where they lie beside what is read, wherever that was when the URI was written. */
  readonly folders: readonly string[];
  /** Which run of which experiment, `EXPERIMENT/RUN`. */
  readonly run: string;
}

/**
 * The files of a run: those of the first folder that has any, which is one of `folders` or where its artifact URI leads.
 * Where that is elsewhere, in a bucket, on another machine or out of the store, its place is told as one artifact, `artifacts`.
 */
export async function* artifactEvents(
  { uri, folders, run, roots, followFiles }: ArtifactPlaces,
  at: number,
  keep: KeepFile,
): AsyncGenerator<readonly RunEvent[]> {
  const there = folderAt(uri);
  let outside: string | undefined;
  for (const folder of [...folders, ...(there === undefined ? [] : [there])]) {
    if (!followFiles && (await isInStore(folder, roots)) === false) {
      outside ??= folder;
      continue;
    }
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
  if (outside === undefined && (uri === "" || isNone)) return;
  const place = outside === undefined || outside === there ? uri : outside;
  const artifact = {
    ...{ name: "artifacts", sha256: "", sizeBytes: 0, blob: "", uri: place, at },
    mediaType: "application/octet-stream",
  };
  yield [{ type: "artifact", artifact }];
}
