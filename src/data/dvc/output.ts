// Outputs and dependencies: what a stage or a .dvc file says of a path, and the entries they are written as.
import { BridleError } from "../../errors/error.js";
import { type HashName, isDirectoryId, isObjectId, type ObjectRef } from "./object-hash.js";
import { isRecord, numberOf, type PythonRecord, type PythonValue } from "./python-text.js";

/** What is remembered of a path's content. */
export interface Content {
  readonly hash: ObjectRef;
  readonly sizeBytes?: number | undefined;
  /** Files of a folder. */
  readonly fileCount?: number | undefined;
  readonly isExecutable?: boolean | undefined;
}

export interface Output {
  /** As written, from the stage's working folder. */
  readonly definedPath: string;
  /** From the repository's root with forward slashes; undefined for a path elsewhere (absolute, or a URL). */
  readonly path: string | undefined;
  /** Undefined until the stage has run or the path was added. */
  readonly content: Content | undefined;
  readonly hashName: HashName;
  /** Whether the content is kept in the cache. */
  readonly isCached: boolean;
  readonly isMetric: boolean;
  readonly isPlot: boolean;
  readonly isPersistent: boolean;
  readonly canPush: boolean;
  /** A remote of its own. */
  readonly remote: string | undefined;
  /** All of the entry as read, for what is not used here (`desc`, `type`, `labels`, `meta`, `cloud`). */
  readonly entry: PythonRecord;
}

/** Values of parameters a stage depends on. */
export interface ParamsDependency {
  /** The file, as written. */
  readonly definedPath: string;
  readonly path: string | undefined;
  /** Dotted names; all of the file where empty. */
  readonly names: readonly string[];
  /** Values when the stage last ran; undefined where it never did. */
  readonly values: PythonRecord | undefined;
}

export interface Stage {
  /** The .dvc or dvc.yaml file, from the repository's root. */
  readonly file: string;
  /** Of a stage in dvc.yaml. */
  readonly name: string | undefined;
  /** As DVC's answers name it: `train`, `sub/dvc.yaml:train`, `data/x.dvc`. */
  readonly address: string;
  /** Folder that paths start from, from the repository's root; empty for the root. */
  readonly folder: string;
  readonly command: PythonValue | undefined;
  readonly dependencies: readonly Output[];
  readonly params: readonly ParamsDependency[];
  readonly outputs: readonly Output[];
  readonly isFrozen: boolean;
  readonly alwaysChanged: boolean;
  /** Whether the command is another than the one in dvc.lock. */
  readonly commandChanged: boolean;
  /** The `md5` of a .dvc file that imports. */
  readonly checksum: string | undefined;
  /** Order of dependencies and parameters as the file gives them, for a status that keeps it. */
  readonly order: readonly (Output | ParamsDependency)[];
  /** Values taken from files in its `${…}`, by file. */
  readonly trackedVars: Readonly<Record<string, PythonRecord>>;
}

/**
 * Reads what an entry of a .dvc or dvc.lock file says of a path's content.
 * @throws DVC_FILE_INVALID
 */
export function readContent(
  entry: PythonRecord,
  file: string,
): { content: Content | undefined; hashName: HashName } {
  const { hash, md5 } = entry;
  const hashName: HashName = hash === undefined ? "md5-dos2unix" : "md5";
  if (hash !== undefined && hash !== "md5") {
    const reason = `hash is ${JSON.stringify(hash)}; only md5 is read`;
    throw new BridleError("DVC_FILE_INVALID", { file, reason });
  }
  if (md5 === undefined || md5 === null) return { content: undefined, hashName };
  const id = typeof md5 === "number" ? String(md5) : md5;
  if (!isObjectId(id)) {
    const reason = `md5 is ${JSON.stringify(id)}, which is no MD5`;
    throw new BridleError("DVC_FILE_INVALID", { file, reason });
  }
  const { size, nfiles, isexec } = entry;
  return {
    hashName,
    content: {
      hash: { id, hashName },
      sizeBytes: numberOf(size),
      fileCount: numberOf(nfiles),
      isExecutable: isexec === true,
    },
  };
}

/** The members of an entry that tell its content, as .dvc files have them. */
export function contentEntry(content: Content): PythonRecord {
  const { hash, sizeBytes, fileCount, isExecutable } = content;
  return {
    md5: hash.id,
    ...(sizeBytes === undefined ? {} : { size: sizeBytes }),
    ...(fileCount === undefined ? {} : { nfiles: fileCount }),
    ...(isExecutable && !isDirectoryId(hash.id) ? { isexec: true } : {}),
  };
}

/** An output of a .dvc file or a dependency of one. */
export function readOutput(entry: PythonValue, file: string, folder: string): Output {
  if (!isRecord(entry) || typeof entry.path !== "string") {
    throw new BridleError("DVC_FILE_INVALID", { file, reason: "an output has no path" });
  }
  const { content, hashName } = readContent(entry, file);
  return {
    definedPath: entry.path,
    path: resolveInside(folder, entry.path),
    content,
    hashName,
    isCached: entry.cache !== false,
    isMetric: isTruthy(entry.metric),
    isPlot: isTruthy(entry.plot),
    isPersistent: entry.persist === true,
    canPush: entry.push !== false,
    remote: typeof entry.remote === "string" ? entry.remote : undefined,
    entry,
  };
}

function isTruthy(value: PythonValue | undefined): boolean {
  return value !== undefined && value !== null && value !== false;
}

/** A path made whole: from a folder of the repository to one from its root; undefined where it leaves the repository. */
export function resolveInside(folder: string, written: string): string | undefined {
  if (written.startsWith("/") || /^[A-Za-z][\w+.-]*:\/\//.test(written)) return undefined;
  const parts: string[] = [];
  for (const part of [...folder.split("/"), ...written.split("/")]) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

/** The folder of a path; empty for the root. */
export function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function joinPath(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
