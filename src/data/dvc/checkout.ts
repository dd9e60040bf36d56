// Brings the working folder to what the .dvc and dvc.lock files say, from the cache.
import { statSync } from "node:fs";
import { chmod, readdir, rm, rmdir } from "node:fs/promises";
import nodePath from "node:path";
import { BridleError } from "../../errors/error.js";
import { writeError } from "../../errors/file-errors.js";
import { rememberedBytes, rememberObject, type StepOptions, stepOf } from "./add.js";
import { checkRoom } from "./disk-room.js";
import { type DirectoryEntry, isDirectoryId, type ObjectRef } from "./object-hash.js";
import type { PlacedFile } from "./object-work.js";
import { folderOf, joinPath, type Output } from "./output.js";
import { compareStrings } from "./python-text.js";
import type { DvcRepository } from "./repository.js";
import { outputsInScope, type Scope } from "./scope.js";
import {
  checkFolders,
  type FoundFile,
  type FoundPath,
  findFiles,
  hashFiles,
} from "./working-files.js";

export interface CheckoutOptions extends StepOptions {
  /** Give up files of the working folder that no cache holds. */
  readonly force?: boolean | undefined;
  /** Leave out what the cache has not got, in place of failing. */
  readonly allowMissing?: boolean | undefined;
  /** Make links of the kind set now, also where the content is right. */
  readonly relink?: boolean | undefined;
}

export interface CheckedOut {
  /** Outputs by what happened to them; folders end in a slash and come first. */
  readonly added: readonly string[];
  readonly modified: readonly string[];
  readonly deleted: readonly string[];
  /** Files by what happened to them. */
  readonly files: { readonly modified: number; readonly added: number; readonly deleted: number };
  /** Folders inside tracked ones that went with their last file; dvc counts them among the files deleted. */
  readonly foldersDeleted: number;
  /** Outputs that were left out, as the cache has not got them. */
  readonly missing: readonly string[];
}

interface Plan {
  readonly output: Output;
  readonly path: string;
  readonly isFolder: boolean;
  readonly change: "added" | "modified" | "deleted" | undefined;
  readonly placed: readonly (PlacedFile & { readonly sizeBytes: number })[];
  readonly deleted: readonly FoundFile[];
  /** Files that others take the place of. */
  readonly replaced: readonly string[];
  readonly madeExecutable: readonly string[];
  readonly counts: CheckedOut["files"];
  readonly foldersDeleted: number;
  /** Files that would be lost, as no cache holds them. */
  readonly unsaved: readonly string[];
  /** What the cache has not got. */
  readonly missing: readonly { readonly path: string; readonly id: string }[];
}

/**
 * @throws DVC_OBJECT_MISSING, DVC_FILES_UNSAVED before anything is changed; DVC_OBJECT_CORRUPT, DVC_LINK_FAILED,
 *   DVC_PATH_NOT_TRACKED, DVC_REPO_BUSY
 */
export async function checkout(
  repository: DvcRepository,
  scope: Scope = {},
  options: CheckoutOptions = {},
): Promise<CheckedOut> {
  const work = () => checkoutUnlocked(repository, scope, options);
  return await repository.locked("bridle data checkout", work, options);
}

/** As checkout, for who holds the repository's lock. */
export async function checkoutUnlocked(
  repository: DvcRepository,
  scope: Scope,
  options: CheckoutOptions,
): Promise<CheckedOut> {
  const plans: Plan[] = [];
  for (const { output, filter } of await outputsInScope(repository, scope)) {
    if (!output.isCached || output.path === undefined) continue;
    const plan = await planOutput(repository, output, filter, options);
    if (plan !== undefined) plans.push(plan);
  }
  refuse(plans, options);
  const whole = plans.filter(({ missing }) => missing.length === 0);
  checkTargets(repository, whole);
  await apply(repository, whole, options);
  return report(
    whole,
    plans.filter(({ missing }) => missing.length > 0),
  );
}

/** What is placed must come to lie in the repository: a folder in a tracked one may have become a link. */
function checkTargets({ root }: DvcRepository, plans: readonly Plan[]): void {
  let last = "";
  for (const { target } of plans.flatMap(({ placed }) => placed)) {
    const folder = nodePath.dirname(target);
    // Files of one folder follow each other.
    if (folder === last) continue;
    last = folder;
    checkFolders(posix(nodePath.relative(root, target)), { root });
  }
}

function refuse(plans: readonly Plan[], { force, allowMissing }: CheckoutOptions): void {
  const missing = plans.flatMap((plan) => plan.missing);
  const [first] = missing;
  if (first !== undefined && !allowMissing) {
    throw new BridleError("DVC_OBJECT_MISSING", { count: missing.length, ...first });
  }
  const unsaved = plans.flatMap((plan) => plan.unsaved);
  if (unsaved.length === 0 || force) return;
  const named = unsaved.slice(0, 5).join(", ");
  const paths = unsaved.length > 5 ? `${named}, …` : named;
  throw new BridleError("DVC_FILES_UNSAVED", { paths, count: unsaved.length });
}

/** What a tracked path should hold: its files, or itself under an empty name. */
async function wantedEntries(
  repository: DvcRepository,
  hash: ObjectRef,
): Promise<readonly DirectoryEntry[] | undefined> {
  if (!isDirectoryId(hash.id)) return [{ relpath: "", md5: hash.id }];
  return await repository.cache.readDirectory(hash);
}

async function planOutput(
  repository: DvcRepository,
  output: Output,
  filter: string | undefined,
  options: CheckoutOptions,
): Promise<Plan | undefined> {
  const { content, path = "", hashName } = output;
  if (content === undefined) return undefined;
  const nothing = { modified: 0, added: 0, deleted: 0 };
  const none = {
    placed: [],
    deleted: [],
    replaced: [],
    madeExecutable: [],
    counts: nothing,
    foldersDeleted: 0,
    unsaved: [],
  };
  const isFolder = isDirectoryId(content.hash.id);
  const entries = await wantedEntries(repository, content.hash);
  if (entries === undefined) {
    const missing = [{ path, id: content.hash.id }];
    return { output, path, isFolder, change: undefined, ...none, missing };
  }
  const inFilter = (relpath: string) =>
    filter === undefined || relpath === filter || relpath.startsWith(`${filter}/`);
  const found = await findFiles(path, repository.looking);
  const present = (found?.files ?? []).filter(({ relpath }) => inFilter(posix(relpath)));
  const hashes = await hashFiles(
    present,
    hashName,
    repository.hashing,
    stepOf("hash", present, options),
  );
  const now = new Map(
    present.map((file, index) => [posix(file.relpath), { file, md5: hashes[index] ?? "" }]),
  );
  // A file where a folder should be, or the other way round, shares no name with what is wanted.
  const isOtherKind = found !== undefined && found.isFolder !== isFolder;
  const placed: Plan["placed"][number][] = [];
  const changed: { readonly file: FoundFile; readonly md5: string }[] = [];
  const replaced: string[] = [];
  const madeExecutable: string[] = [];
  const missing: { path: string; id: string }[] = [];
  const kept = new Set<string>();
  const counts = { modified: 0, added: 0, deleted: 0 };
  for (const { relpath, md5 } of entries) {
    if (!inFilter(relpath)) continue;
    const before = isOtherKind ? undefined : now.get(relpath);
    kept.add(relpath);
    const isExecutable = !isFolder && content.isExecutable === true;
    if (before?.md5 === md5 && !options.relink) {
      if (isExecutable && !before.file.isExecutable) madeExecutable.push(before.file.file);
      continue;
    }
    const ref = { id: md5, hashName };
    const target = joinPath(path, relpath).replace(/\/$/, "");
    if (!repository.cache.hasListed(ref)) {
      missing.push({ path: target, id: md5 });
      continue;
    }
    if (before?.md5 !== md5) {
      counts[before === undefined ? "added" : "modified"]++;
      if (before !== undefined) changed.push(before);
    }
    if (before !== undefined) replaced.push(before.file.file);
    const object = repository.cache.pathOf(ref);
    placed.push({
      ...ref,
      object,
      target: repository.tree.resolve(target),
      isExecutable,
      isKnown: isRemembered(repository, object, md5),
      sizeBytes: Math.round((content.sizeBytes ?? 0) / entries.length),
    });
  }
  const deleted = [...now]
    .filter(([relpath]) => isOtherKind || !kept.has(relpath))
    .map(([, each]) => each);
  counts.deleted += deleted.length;
  const unsaved: string[] = [];
  for (const { file, md5 } of [...changed, ...deleted]) {
    const isSaved = repository.cache.hasListed({ id: md5, hashName });
    if (!isSaved) unsaved.push(nodePath.relative(repository.root, file.file));
  }
  return {
    output,
    path,
    isFolder,
    change: changeOf(found, counts),
    placed,
    deleted: deleted.map(({ file }) => file),
    replaced,
    madeExecutable,
    counts,
    foldersDeleted: foldersGone([...now.keys()], [...kept]),
    unsaved,
    missing,
  };
}

/** Whether an object is as it was when it was hashed last; only large ones are remembered. */
function isRemembered({ memory, hashing }: DvcRepository, object: string, md5: string): boolean {
  const key = hashing.keyOf(object);
  if (!memory.has(key)) return false;
  const found = statSync(object, { throwIfNoEntry: false });
  if (found === undefined) return false;
  const mark = { mtimeMs: found.mtimeMs, inode: found.ino, sizeBytes: found.size };
  return memory.find(key, mark) === md5;
}

/** Folders that hold something before and nothing after. */
function foldersGone(before: readonly string[], after: readonly string[]): number {
  const foldersOf = (paths: readonly string[]) => {
    const folders = new Set<string>();
    for (const path of paths) {
      for (let at = folderOf(path); at !== "" && !folders.has(at); at = folderOf(at))
        folders.add(at);
    }
    return folders;
  };
  const still = foldersOf(after);
  return [...foldersOf(before)].filter((folder) => !still.has(folder)).length;
}

function posix(relpath: string): string {
  return relpath.split(nodePath.sep).join("/");
}

function changeOf(found: FoundPath | undefined, counts: CheckedOut["files"]): Plan["change"] {
  if (found === undefined) return "added";
  return counts.added + counts.modified + counts.deleted > 0 ? "modified" : undefined;
}

async function apply(
  repository: DvcRepository,
  plans: readonly Plan[],
  options: CheckoutOptions,
): Promise<void> {
  const { root, pool, links, scratch, memory, hashing } = repository;
  const placed = plans.flatMap((plan) => plan.placed);
  // Clones are tried for by the check itself; other links take no room.
  const isCopied = links.find((type) => type !== "reflink") === "copy";
  await checkRoom({
    scratch,
    folder: root,
    what: `placing ${placed.length} files`,
    sizeBytes: isCopied ? placed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) : 0,
    sources: placed.map(({ object }) => object),
    freed: plans.flatMap((plan) => [...plan.replaced, ...plan.deleted.map(({ file }) => file)]),
  });
  for (const { path, deleted, isFolder } of plans) {
    for (const { file } of deleted) {
      await rm(file, { force: true }).catch((thrown) => {
        throw writeError(thrown, file);
      });
    }
    if (deleted.length > 0) {
      const place = nodePath.join(root, ...path.split("/"));
      const emptied = new Set(deleted.map(({ file }) => nodePath.dirname(file)));
      for (const folder of emptied) {
        await removeEmpty(folder, isFolder ? place : nodePath.dirname(place));
      }
    }
  }
  const results = await pool.place(placed, links, scratch, stepOf("place", placed, options));
  for (const [index, result] of results.entries()) {
    const file = placed[index];
    if (file?.hashName !== "md5") continue;
    memory.remember(hashing.keyOf(file.target), result);
    // It was hashed to be placed.
    if (!file.isKnown && result.sizeBytes >= rememberedBytes)
      await rememberObject(repository, file.id);
  }
  for (const file of plans.flatMap((plan) => plan.madeExecutable)) await chmod(file, 0o755);
}

/** Removes a folder with nothing in it, and those above it up to a place that stays. */
async function removeEmpty(folder: string, stays: string): Promise<void> {
  for (let at = folder; at !== stays && at.startsWith(stays); at = nodePath.dirname(at)) {
    const left = await readdir(at).catch(() => [""]);
    if (left.length > 0) return;
    await rmdir(at).catch(() => {});
  }
}

function report(plans: readonly Plan[], left: readonly Plan[]): CheckedOut {
  const named = (change: Plan["change"]) =>
    plans
      .filter((plan) => plan.change === change)
      .map(({ path, isFolder }) => (isFolder ? `${path}/` : path))
      .toSorted(
        (a, b) => Number(b.endsWith("/")) - Number(a.endsWith("/")) || compareStrings(a, b),
      );
  const total = (key: keyof CheckedOut["files"]) =>
    plans.reduce((sum, { counts }) => sum + counts[key], 0);
  return {
    added: named("added"),
    modified: named("modified"),
    deleted: named("deleted"),
    files: { modified: total("modified"), added: total("added"), deleted: total("deleted") },
    foldersDeleted: plans.reduce((sum, plan) => sum + plan.foldersDeleted, 0),
    missing: left.map(({ path }) => path),
  };
}
