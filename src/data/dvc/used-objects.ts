// Which objects versions of the data consist of: what is pushed, fetched, and kept by gc.

import { BridleError } from "../../errors/error.js";
import { type HashName, isDirectoryId, type ObjectRef, objectKey } from "./object-hash.js";
import type { DvcRepository } from "./repository.js";
import { outputsInScope, type Scope } from "./scope.js";
import type { SourceTree } from "./source-tree.js";
import { outputAt } from "./stages.js";

/** Versions: the working folder's and those of Git that are asked for. */
export interface VersionScope extends Scope {
  readonly allBranches?: boolean | undefined;
  readonly allTags?: boolean | undefined;
  readonly allCommits?: boolean | undefined;
  readonly revisions?: readonly string[] | undefined;
  /** Also what the .dvc and dvc.lock files of the working folder say (default). */
  readonly workspace?: boolean | undefined;
}

export interface UsedObject {
  readonly ref: ObjectRef;
  /** A path that has this content, from the root. */
  readonly path: string;
  readonly sizeBytes: number | undefined;
  /** For a folder's list: only this of it, from the folder. */
  readonly filter: string | undefined;
  /** The remote of its own that an output names. */
  readonly remote: string | undefined;
  readonly canPush: boolean;
}

/** @throws DVC_GIT_NOT_FOUND, DVC_REVISION_NOT_FOUND */
export async function treesOf(
  repository: DvcRepository,
  scope: VersionScope,
): Promise<SourceTree[]> {
  const { workspace = true, allBranches, allTags, allCommits, revisions = [] } = scope;
  const trees: SourceTree[] = workspace ? [repository.tree] : [];
  if (!allBranches && !allTags && !allCommits && revisions.length === 0) return trees;
  const git = await repository.needGit();
  const names = new Set(revisions);
  if (allBranches) for (const name of await git.branches()) names.add(`refs/heads/${name}`);
  if (allTags) for (const name of await git.tags()) names.add(`refs/tags/${name}`);
  const commits = new Set<string>();
  for (const name of names) commits.add(await git.resolve(name));
  if (allCommits) for (const commit of await git.allCommits()) commits.add(commit);
  for (const commit of commits) trees.push(await git.treeAt(commit));
  return trees;
}

/** The content of every output of some versions; a folder's is its list. */
export async function usedOutputs(
  repository: DvcRepository,
  scope: VersionScope,
): Promise<UsedObject[]> {
  const used = new Map<string, UsedObject>();
  let hasTarget = false;
  for (const tree of await treesOf(repository, scope)) {
    const index = await repository.stages(tree);
    const targets = scope.targets?.filter(
      // Of several versions a target may be in some alone.
      (target) => tree === repository.tree || outputAt(index, target) !== undefined,
    );
    if (scope.targets !== undefined && scope.targets.length > 0 && targets?.length === 0) continue;
    hasTarget = true;
    for (const { output, filter } of await outputsInScope(repository, { targets }, index)) {
      const { content, path = output.definedPath, remote, canPush } = output;
      if (content === undefined || !output.isCached) continue;
      // Of outputs with the same content each may have a remote of its own, and one alone may not be pushed.
      const key = [objectKey(content.hash), filter, remote, canPush].join("\0");
      const { hash: ref, sizeBytes } = content;
      used.set(key, { ref, path, sizeBytes, filter, remote, canPush });
    }
  }
  const [target] = scope.targets ?? [];
  if (!hasTarget && target !== undefined)
    throw new BridleError("DVC_PATH_NOT_TRACKED", { path: target });
  return [...used.values()];
}

/** An object that is a file's content. */
export interface UsedFile {
  readonly ref: ObjectRef;
  readonly path: string;
  /** Its size, or what files of its folder have on the whole. */
  readonly sizeBytes: number | undefined;
  /** Whether fetching all those of its folder that are named with it brings as many bytes, and not only about as many. */
  readonly isSizeSure: boolean;
}

/**
 * The files of outputs, folders opened by their lists; each object once.
 * @returns lists that no cache has in `unread`
 */
export async function filesOf(
  { cache }: DvcRepository,
  used: readonly UsedObject[],
): Promise<{
  readonly files: UsedFile[];
  readonly lists: UsedFile[];
  readonly unread: UsedObject[];
}> {
  const files = new Map<string, UsedFile>();
  const lists = new Map<string, UsedFile>();
  const unread: UsedObject[] = [];
  for (const each of used) {
    const { ref, path, sizeBytes, filter } = each;
    if (!isDirectoryId(ref.id)) {
      files.set(objectKey(ref), { ref, path, sizeBytes, isSizeSure: sizeBytes !== undefined });
      continue;
    }
    const entries = await cache.readDirectory(ref);
    lists.set(objectKey(ref), { ref, path, sizeBytes: undefined, isSizeSure: false });
    if (entries === undefined) {
      unread.push(each);
      continue;
    }
    // Lists tell no sizes; the mean is enough to tell how far a transfer is.
    const meanBytes = sizeBytes && Math.floor(sizeBytes / entries.length);
    const inners = new Map<string, UsedFile>();
    for (const { relpath, md5 } of entries) {
      if (filter !== undefined && relpath !== filter && !relpath.startsWith(`${filter}/`)) continue;
      const inner = { id: md5, hashName: ref.hashName satisfies HashName };
      const file = { ref: inner, path: `${path}/${relpath}`, sizeBytes: meanBytes };
      const key = objectKey(inner);
      if (!files.has(key)) inners.set(key, { ...file, isSizeSure: false });
    }
    // Only of a folder that comes whole and holds nothing twice is the mean right for all of it.
    const isSizeSure =
      meanBytes !== undefined &&
      inners.size === entries.length &&
      ![...inners.values()].some((inner) => cache.hasListed(inner.ref));
    for (const [key, inner] of inners) files.set(key, { ...inner, isSizeSure });
  }
  return { files: [...files.values()], lists: [...lists.values()], unread };
}
