// Tracked data between the last commit, the .dvc files and the working folder, as `dvc data status` tells it.
import type { StepOptions } from "./add.js";
import {
  compareIndexes,
  type DataChange,
  type DataEntry,
  type DataIndex,
  recordedIndex,
  shownPath,
  workingIndex,
} from "./data-index.js";
import { compareStrings } from "./python-text.js";
import type { DvcRepository } from "./repository.js";

export interface ChangeLists {
  modified?: string[];
  added?: string[];
  deleted?: string[];
  renamed?: { readonly old: string; readonly new: string }[];
  unknown?: string[];
}

export interface DataStatus {
  readonly not_in_cache: readonly string[];
  /** From the last commit to the .dvc files; empty without Git. */
  readonly committed: ChangeLists;
  /** From the .dvc files to the working folder. */
  readonly uncommitted: ChangeLists;
  readonly unchanged: readonly string[];
}

export interface DataStatusOptions extends StepOptions {
  /** Tell of every file in a tracked folder. */
  readonly granular?: boolean | undefined;
  /** Paths from the root. */
  readonly paths?: readonly string[] | undefined;
}

export async function dataStatus(
  repository: DvcRepository,
  options: DataStatusOptions = {},
): Promise<DataStatus> {
  const { granular = false, paths = [] } = options;
  const stages = await repository.stages();
  const index = await recordedIndex(repository, stages);
  const working = await workingIndex(repository, stages, options);
  await repository.memory.save();
  const inScope = (entry: DataEntry) =>
    paths.length === 0 ||
    paths.some((path) => entry.path === path || entry.path.startsWith(`${path}/`));
  const compare = (old: DataIndex, fresh: DataIndex) =>
    compareIndexes(old, fresh, { hashOnly: true, shallow: !granular }).filter((change) => {
      const entry = change.type === "renamed" ? change.after : (change.before ?? change.after);
      if (entry === undefined || !inScope(entry)) return false;
      const { before, after, type } = change;
      if (type === "unchanged") return before?.hash !== undefined || after?.hash !== undefined;
      return type !== "unknown" || after !== undefined;
    });
  const uncommitted = compare(index, working);
  const head = await headIndex(repository);
  const committed = head === undefined ? [] : compare(head, index);
  const missing: string[] = [];
  for (const { before } of uncommitted) {
    if (before?.hash !== undefined && !repository.cache.hasListed(before.hash)) {
      missing.push(shownPath(before));
    }
  }
  const unchangedIn = (changes: readonly DataChange[]) =>
    new Set(changes.filter(({ type }) => type === "unchanged").map(shown));
  const unchanged = unchangedIn(uncommitted);
  const before = unchangedIn(committed);
  return {
    not_in_cache: missing.sort(compareStrings),
    committed: listsOf(committed),
    uncommitted: listsOf(uncommitted),
    unchanged: [...unchanged]
      .filter((path) => head === undefined || before.has(path))
      .sort(compareStrings),
  };
}

/** The last commit's data; empty where there is no commit, undefined without Git. */
async function headIndex(repository: DvcRepository): Promise<DataIndex | undefined> {
  const git = await repository.git();
  if (git === undefined) return undefined;
  if (!(await git.hasCommits())) return { root: {}, keys: [] };
  return await recordedIndex(repository, await repository.stages(await git.treeAt("HEAD")));
}

function shown({ before, after }: DataChange): string {
  const path = (before ?? after)?.path ?? "";
  return (after ?? before)?.isFolder ? `${path}/` : path;
}

function listsOf(changes: readonly DataChange[]): ChangeLists {
  const lists: ChangeLists = {};
  for (const change of changes) {
    const { type, before, after } = change;
    if (type === "unchanged") continue;
    if (type === "renamed") {
      lists.renamed ??= [];
      if (before !== undefined && after !== undefined) {
        lists.renamed.push({ old: shownPath(before), new: shownPath(after) });
      }
      continue;
    }
    lists[type] ??= [];
    lists[type].push(shown(change));
  }
  for (const list of [lists.modified, lists.added, lists.deleted, lists.unknown])
    list?.sort(compareStrings);
  lists.renamed?.sort((a, b) => compareStrings(a.old, b.old));
  return lists;
}

/** The answer of `dvc data status --json`: only what there is. */
export function dataStatusJson(status: DataStatus, withUnchanged: boolean): object {
  const { unchanged, ...rest } = status;
  const all = withUnchanged ? { ...rest, unchanged } : rest;
  return Object.fromEntries(
    Object.entries(all).filter(
      ([, value]) => (Array.isArray(value) ? value.length : Object.keys(value).length) > 0,
    ),
  );
}
