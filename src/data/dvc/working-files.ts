// Looks at tracked paths in the working folder: which files there are, and what they hash to.
import fs from "node:fs";
import { realpath } from "node:fs/promises";
import nodePath from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BridleError } from "../../errors/error.js";
import { readError, systemCode } from "../../errors/file-errors.js";
import type { FileMark, HashedFile } from "./file-pieces.js";
import type { HashMemory } from "./hash-memory.js";
import type { IgnoreRules } from "./ignore-rules.js";
import { directoryObject } from "./object-cache.js";
import type { DirectoryEntry, HashName } from "./object-hash.js";
import type { ObjectPool, WorkOptions } from "./object-pool.js";
import { type Content, joinPath } from "./output.js";

/** A file of the working folder. */
export interface FoundFile extends FileMark {
  /** From the tracked path; empty for a path that is a file itself. */
  readonly relpath: string;
  readonly file: string;
  readonly isExecutable: boolean;
}

/** A tracked path as it is on disk. */
export interface FoundPath {
  readonly isFolder: boolean;
  readonly files: readonly FoundFile[];
}

export interface LookOptions {
  /** The repository's root. */
  readonly root: string;
  readonly ignored: IgnoreRules;
  /** The cache's folder, which links may lead to. */
  readonly cache: string;
}

/** Looking is quickest without promises; the event loop gets its turn after so many ms. */
const turnMs = 20;

/**
 * The files of a path; undefined where there is nothing, or DVC ignores it.
 * @throws DVC_LINK_UNFIT for a link that leads out of the repository or nowhere; DVC_NAME_UNFIT
 */
export async function findFiles(
  path: string,
  options: LookOptions,
): Promise<FoundPath | undefined> {
  const place = nodePath.join(options.root, ...path.split("/"));
  checkFolders(path, options);
  const found = entryAt(place);
  if (found === undefined) return undefined;
  const isLink = found.isSymbolicLink();
  if (isLink) await checkLink(place, options);
  const isFolder = isLink ? fs.statSync(place).isDirectory() : found.isDirectory();
  if (await options.ignored.ignores(path, isFolder)) return undefined;
  if (!isFolder) return { isFolder, files: [foundFile(place, "", lookAt(place))] };
  const files: FoundFile[] = [];
  await walk(path, "", { ...options, turn: turns() }, files);
  return { isFolder, files };
}

/** Waits for the event loop now and then. */
function turns(): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < turnMs) return undefined;
    return nextTurn().then(() => {
      last = performance.now();
    });
  };
}

function lookAt(file: string): fs.Stats {
  try {
    return fs.statSync(file);
  } catch (thrown) {
    throw readError(thrown, file);
  }
}

function foundFile(
  file: string,
  relpath: string,
  { mtimeMs, ino, size, mode }: fs.Stats,
): FoundFile {
  return {
    relpath,
    file,
    mtimeMs,
    inode: ino,
    sizeBytes: size,
    isExecutable: (mode & 0o111) !== 0,
  };
}

async function walk(
  path: string,
  folder: string,
  options: LookOptions & { readonly turn: () => Promise<void> | undefined },
  files: FoundFile[],
): Promise<void> {
  const whole = joinPath(path, folder).replace(/\/$/, "");
  const place = nodePath.join(options.root, ...whole.split("/"));
  const isLeftOut = await options.ignored.filterOf(whole);
  const entries = entriesOf(place);
  for (const entry of entries) {
    const { name } = entry;
    const isFolder = entry.isDirectory();
    if (name.includes("\ufffd")) {
      const reason = "it is not UTF-8, which a list of files must be";
      throw new BridleError("DVC_NAME_UNFIT", { path: joinPath(whole, name), reason });
    }
    if (isLeftOut(name, isFolder)) continue;
    if (name === ".dvcignore") {
      const reason = "a .dvcignore inside a tracked folder would change what the folder is";
      throw new BridleError("DVC_NAME_UNFIT", { path: joinPath(whole, name), reason });
    }
    const relpath = joinPath(folder, name);
    const file = place + nodePath.sep + name;
    await options.turn();
    if (isFolder) await walk(path, relpath, options, files);
    else if (entry.isSymbolicLink()) {
      await checkLink(file, options);
      const stats = lookAt(file);
      // As dvc does, a link to a folder is not followed.
      if (stats.isFile()) files.push(foundFile(file, relpath, stats));
    } else if (entry.isFile()) files.push(foundFile(file, relpath, lookAt(file)));
    else {
      const reason = "it is neither a file nor a folder";
      throw new BridleError("DVC_PATH_UNFIT", { path: joinPath(whole, name), reason });
    }
  }
}

function entriesOf(place: string): fs.Dirent[] {
  try {
    return fs.readdirSync(place, { withFileTypes: true });
  } catch (thrown) {
    throw readError(thrown, place);
  }
}

function entryAt(place: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(place);
  } catch (thrown) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown))) return undefined;
    throw readError(thrown, place);
  }
}

/** The first folder above a path that is a symbolic link, from the root. */
export function linkedFolderOf(path: string, root: string): string | undefined {
  const parts = path.split("/").slice(0, -1);
  for (let length = 1; length <= parts.length; length++) {
    const folder = parts.slice(0, length).join("/");
    const found = entryAt(nodePath.join(root, folder));
    if (found?.isSymbolicLink()) return folder;
    if (!found?.isDirectory()) return undefined;
  }
  return undefined;
}

/**
 * Makes sure that what is read and written at a path is inside the repository, whatever folders above it are links.
 * @throws DVC_LINK_UNFIT
 */
export function checkFolders(path: string, { root }: Pick<LookOptions, "root">): void {
  const linked = linkedFolderOf(path, root);
  if (linked === undefined) return;
  const place = nodePath.join(root, linked);
  // Folders below the link that are not there yet would be made.
  let folder = nodePath.dirname(path);
  while (entryAt(nodePath.join(root, folder)) === undefined) folder = nodePath.dirname(folder);
  let target: string;
  let inside: string;
  try {
    target = fs.realpathSync(nodePath.join(root, folder));
    inside = nodePath.relative(fs.realpathSync(root), target);
  } catch (cause) {
    throw linkUnfit(place, undefined, "which is not there", cause);
  }
  const [first = ""] = inside.split(nodePath.sep);
  if (first !== ".." && !nodePath.isAbsolute(inside) && first !== ".git" && first !== ".dvc")
    return;
  if (first === ".." || nodePath.isAbsolute(inside)) {
    throw linkUnfit(place, target, "outside the repository");
  }
  throw linkUnfit(place, undefined, "where DVC and Git keep their own files");
}

/** @param target what could be copied in the link's place; undefined where nothing could */
function linkUnfit(
  path: string,
  target: string | undefined,
  reason: string,
  cause?: unknown,
): BridleError {
  const mend =
    target === undefined
      ? `Take it away: \`rm '${path}'\`; or let it lead to what is there.`
      : `Put a copy of what it leads to in its place: \`rm '${path}' && cp -R '${target}' '${path}'\`.`;
  const details = { path, target: target ?? "another place", reason, mend };
  return new BridleError("DVC_LINK_UNFIT", details, { cause });
}

/** A link may lead to what is inside the repository or its cache. */
async function checkLink(place: string, { root, cache }: LookOptions): Promise<void> {
  let target: string;
  try {
    target = await realpath(place);
  } catch (cause) {
    const reason =
      systemCode(cause) === "ELOOP" ? "which leads back to itself" : "which is not there";
    throw linkUnfit(place, undefined, reason, cause);
  }
  const inside = await Promise.all(
    [root, cache].map((folder) => realpath(folder).catch(() => folder)),
  );
  if (inside.some((folder) => target === folder || target.startsWith(folder + nodePath.sep)))
    return;
  throw linkUnfit(place, target, "outside the repository");
}

/** What is hashed, and with what. */
export interface Hashing {
  readonly pool: ObjectPool;
  readonly memory: HashMemory;
  /** How a path is written in the memory: from the root. */
  keyOf(file: string): string;
}

/** The hash of each file; those that are as they were when last hashed are not read. */
export async function hashFiles(
  files: readonly FoundFile[],
  hashName: HashName,
  { pool, memory, keyOf }: Hashing,
  options: WorkOptions,
): Promise<string[]> {
  const hashes: (string | undefined)[] = [];
  const unknown: number[] = [];
  for (const [index, file] of files.entries()) {
    const known = hashName === "md5" ? memory.find(keyOf(file.file), file) : undefined;
    hashes.push(known);
    if (known === undefined) unknown.push(index);
  }
  const asked = unknown.map((index) => files[index]?.file ?? "");
  const results: HashedFile[] = await pool.hash(asked, hashName, options);
  for (const [i, index] of unknown.entries()) {
    const result = results[i];
    if (result === undefined) continue;
    hashes[index] = result.md5;
    if (hashName === "md5") memory.remember(keyOf(asked[i] ?? ""), result);
  }
  return hashes.map((hash) => hash ?? "");
}

/** What a path's content is, from the hashes of its files. */
export function contentOf(
  found: FoundPath,
  hashes: readonly string[],
  hashName: HashName,
): {
  readonly content: Content;
  readonly entries: readonly DirectoryEntry[] | undefined;
  readonly list: Buffer | undefined;
} {
  const sizeBytes = found.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (!found.isFolder) {
    const isExecutable = found.files[0]?.isExecutable ?? false;
    const content = { hash: { id: hashes[0] ?? "", hashName }, sizeBytes, isExecutable };
    return { content, entries: undefined, list: undefined };
  }
  const entries = found.files.map(({ relpath }, index) => ({
    relpath: relpath.split(nodePath.sep).join("/"),
    md5: hashes[index] ?? "",
  }));
  const { id, bytes } = directoryObject(entries);
  const content = { hash: { id, hashName }, sizeBytes, fileCount: entries.length };
  return { content, entries, list: bytes };
}
