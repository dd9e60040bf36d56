// Which tracked files differ between two revisions, or a revision and the working folder, as `dvc diff` tells it.
import type { StepOptions } from "./add.js";
import {
  compareIndexes,
  type DataChange,
  type DataEntry,
  recordedIndex,
  shownPath,
  workingIndex,
} from "./data-index.js";
import { compareStrings } from "./python-text.js";
import type { DvcRepository } from "./repository.js";
import type { SourceTree } from "./source-tree.js";

type Hash = string | null;

export interface DataDiff {
  readonly added: readonly { readonly path: string; readonly hash: Hash }[];
  readonly deleted: readonly { readonly path: string; readonly hash: Hash }[];
  readonly modified: readonly {
    readonly path: string;
    readonly hash: { readonly old: Hash; readonly new: Hash };
  }[];
  readonly renamed: readonly {
    readonly path: { readonly old: string; readonly new: string };
    readonly hash: Hash;
  }[];
  /** Of the older side, against the working folder alone. */
  readonly "not in cache": readonly { readonly path: string; readonly hash: Hash }[];
}

/**
 * Compares two trees of the repository.
 * @param paths from the root: only what is one of them or lies in one; everything unless said
 */
export async function diffTrees(
  repository: DvcRepository,
  before: SourceTree,
  after: SourceTree,
  options: StepOptions & { readonly paths?: readonly string[] | undefined } = {},
): Promise<DataDiff> {
  const isWorking = after === repository.tree;
  const old = await recordedIndex(repository, await repository.stages(before));
  const stages = await repository.stages(after);
  const fresh = isWorking
    ? await workingIndex(repository, stages, options)
    : await recordedIndex(repository, stages);
  await repository.memory.save();
  const { paths = [] } = options;
  const inScope = ({ path }: DataEntry) =>
    paths.length === 0 || paths.some((each) => path === each || path.startsWith(`${each}/`));
  const changes = compareIndexes(old, fresh, { hashOnly: false, shallow: false }).filter(
    ({ before: a, after: b }) =>
      !isBareFolder(a) &&
      !isBareFolder(b) &&
      [a, b].some((each) => each !== undefined && inScope(each)),
  );
  const missing: DataChange[] = [];
  if (isWorking) {
    for (const change of changes) {
      const hash = change.before?.hash;
      if (hash !== undefined && !repository.cache.hasListed(hash)) missing.push(change);
    }
  }
  return {
    added: changes
      .filter(({ type }) => type === "added")
      .map(({ after: entry }) => one(entry))
      .sort(byPath),
    deleted: changes
      .filter(({ type }) => type === "deleted")
      .map(({ before: entry }) => one(entry))
      .sort(byPath),
    modified: changes
      .filter(({ type }) => type === "modified")
      .map(({ before: a, after: b }) => ({
        path: one(a).path,
        hash: { old: one(a).hash, new: one(b).hash },
      }))
      .sort(byPath),
    renamed: changes
      .filter(({ type }) => type === "renamed")
      .map(({ before: a, after: b }) => ({
        path: { old: one(a).path, new: one(b).path },
        hash: one(a).hash,
      }))
      .sort((a, b) => compareStrings(a.path.old, b.path.old)),
    "not in cache": missing.map(({ before: entry }) => one(entry)).sort(byPath),
  };
}

/** A folder inside or above a tracked one, of which nothing is kept. */
function isBareFolder(entry: DataEntry | undefined): boolean {
  return entry?.isFolder === true && entry.hash === undefined;
}

function one(entry: DataEntry | undefined): { path: string; hash: Hash } {
  return { path: entry === undefined ? "" : shownPath(entry), hash: entry?.hash?.id ?? null };
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return compareStrings(a.path, b.path);
}

/** The answer of `dvc diff --json`: without hashes, and empty where nothing differs. */
export function diffJson(diff: DataDiff, withHash: boolean, withMissing: boolean): object {
  const { "not in cache": missing, ...rest } = diff;
  const kept = withMissing ? { ...rest, "not in cache": missing } : rest;
  if (Object.values(diff).every((list) => list.length === 0)) return {};
  if (withHash) return kept;
  return Object.fromEntries(
    Object.entries(kept).map(([key, list]) => [
      key,
      list.map(({ path }: { path: unknown }) => ({ path })),
    ]),
  );
}
