// Tracked data as a tree of folders and files with their hashes, of a commit or of the working folder, and two compared.
import { type StepOptions, stepOf } from "./add.js";
import { type DirectoryEntry, isDirectoryId, type ObjectRef } from "./object-hash.js";
import { compareStrings } from "./python-text.js";
import type { DvcRepository } from "./repository.js";
import { allOutputs } from "./scope.js";
import type { StageIndex } from "./stages.js";
import { contentOf, findFiles, hashFiles } from "./working-files.js";

export interface DataEntry {
  readonly path: string;
  readonly isFolder: boolean;
  /** Undefined for a folder inside a tracked one, or above one. */
  readonly hash: ObjectRef | undefined;
}

export interface DataNode {
  entry?: DataEntry;
  children?: Map<string, DataNode>;
  /** A tracked folder whose list no cache has: what is in it cannot be told. */
  isUnknown?: boolean;
}

/** Paths without their first part are looked up from a node of no name. */
export interface DataIndex {
  readonly root: DataNode;
  /** Paths of the outputs. */
  readonly keys: readonly string[];
}

function nodeAt(root: DataNode, path: string): DataNode {
  let node = root;
  const walked: string[] = [];
  for (const part of path.split("/")) {
    if (walked.length > 0) {
      node.entry ??= { path: walked.join("/"), isFolder: true, hash: undefined };
    }
    walked.push(part);
    node.children ??= new Map();
    const next = node.children.get(part) ?? {};
    node.children.set(part, next);
    node = next;
  }
  return node;
}

function addFolder(
  node: DataNode,
  path: string,
  hash: ObjectRef,
  entries: readonly DirectoryEntry[],
) {
  node.entry = { path, isFolder: true, hash };
  node.children ??= new Map();
  for (const { relpath, md5 } of entries) {
    const whole = `${path}/${relpath}`;
    const file = nodeUnder(node, path, relpath);
    file.entry = { path: whole, isFolder: false, hash: { id: md5, hashName: hash.hashName } };
  }
}

function nodeUnder(node: DataNode, path: string, relpath: string): DataNode {
  let at = node;
  let walked = path;
  const parts = relpath.split("/");
  for (const [index, part] of parts.entries()) {
    walked = `${walked}/${part}`;
    at.children ??= new Map();
    const next: DataNode = at.children.get(part) ?? {};
    at.children.set(part, next);
    at = next;
    if (index < parts.length - 1) at.entry ??= { path: walked, isFolder: true, hash: undefined };
  }
  return at;
}

/** What the .dvc and dvc.lock files of a tree say. @throws DVC_OBJECT_CORRUPT */
export async function recordedIndex(
  { cache }: DvcRepository,
  index: StageIndex,
): Promise<DataIndex> {
  const root: DataNode = {};
  const keys: string[] = [];
  for (const { output } of allOutputs(index)) {
    const { path, content } = output;
    if (!output.isCached || path === undefined || path === "") continue;
    keys.push(path);
    const node = nodeAt(root, path);
    if (content === undefined) {
      node.entry = { path, isFolder: false, hash: undefined };
    } else if (isDirectoryId(content.hash.id)) {
      const entries = await cache.readDirectory(content.hash);
      addFolder(node, path, content.hash, entries ?? []);
      if (entries === undefined) node.isUnknown = true;
    } else node.entry = { path, isFolder: false, hash: content.hash };
  }
  return { root, keys };
}

/** What is in the working folder under the same outputs. */
export async function workingIndex(
  repository: DvcRepository,
  index: StageIndex,
  options: StepOptions,
): Promise<DataIndex> {
  const root: DataNode = {};
  const keys: string[] = [];
  for (const { output } of allOutputs(index)) {
    const { path, hashName } = output;
    if (!output.isCached || path === undefined || path === "") continue;
    keys.push(path);
    const found = await findFiles(path, repository.looking);
    if (found === undefined) continue;
    const { files } = found;
    const hashes = await hashFiles(
      files,
      hashName,
      repository.hashing,
      stepOf("hash", files, options),
    );
    const { content, entries } = contentOf(found, hashes, hashName);
    const node = nodeAt(root, path);
    if (entries === undefined) node.entry = { path, isFolder: false, hash: content.hash };
    else addFolder(node, path, content.hash, entries);
  }
  return { root, keys };
}

export interface DataChange {
  readonly type: "added" | "deleted" | "modified" | "renamed" | "unchanged" | "unknown";
  readonly before: DataEntry | undefined;
  readonly after: DataEntry | undefined;
}

export interface CompareOptions {
  /** Look at hashes alone; otherwise a file that became a folder counts too. */
  readonly hashOnly: boolean;
  /** Do not look into a tracked folder. */
  readonly shallow: boolean;
}

/** Every entry of both, with what happened to it. */
export function compareIndexes(
  before: DataIndex,
  after: DataIndex,
  options: CompareOptions,
): DataChange[] {
  const changes: DataChange[] = [];
  compareNodes(before.root, after.root, false, options, changes);
  return detectRenames(changes);
}

function compareNodes(
  before: DataNode | undefined,
  after: DataNode | undefined,
  isUnknown: boolean,
  options: CompareOptions,
  changes: DataChange[],
): void {
  const [old, fresh] = [before?.entry, after?.entry];
  if (old !== undefined || fresh !== undefined) {
    const type = isUnknown ? "unknown" : typeOf(old, fresh, options);
    changes.push({ type, before: old, after: fresh });
  }
  const childrenOf = (node: DataNode | undefined) =>
    options.shallow && node?.entry?.hash !== undefined ? undefined : node?.children;
  const [olds, freshes] = [childrenOf(before), childrenOf(after)];
  const unknown = before?.isUnknown === true || after?.isUnknown === true;
  for (const name of new Set([...(olds?.keys() ?? []), ...(freshes?.keys() ?? [])])) {
    compareNodes(olds?.get(name), freshes?.get(name), unknown, options, changes);
  }
}

function typeOf(
  old: DataEntry | undefined,
  fresh: DataEntry | undefined,
  { hashOnly }: CompareOptions,
): DataChange["type"] {
  const byHash = hashType(old?.hash, fresh?.hash);
  if (hashOnly) return byHash;
  if (old === undefined) return "added";
  if (fresh === undefined) return "deleted";
  return byHash === "unchanged" && old.isFolder === fresh.isFolder ? "unchanged" : "modified";
}

function hashType(old: ObjectRef | undefined, fresh: ObjectRef | undefined): DataChange["type"] {
  if (old === undefined) return fresh === undefined ? "unchanged" : "added";
  if (fresh === undefined) return "deleted";
  return old.id === fresh.id && old.hashName === fresh.hashName ? "unchanged" : "modified";
}

/** What was deleted and has the hash of what was added has another name now; the first of each by name. */
function detectRenames(changes: readonly DataChange[]): DataChange[] {
  const pathOf = ({ before, after }: DataChange) => (after ?? before)?.path ?? "";
  // As Python orders tuples of names.
  const byPath = (a: DataChange, b: DataChange) =>
    compareStrings(pathOf(a).replaceAll("/", "\0"), pathOf(b).replaceAll("/", "\0"));
  const deleted = changes.filter(({ type }) => type === "deleted").toSorted(byPath);
  const queues = new Map<string, DataChange[]>();
  for (const change of deleted) {
    const key = hashKey(change.before);
    const queue = queues.get(key) ?? [];
    queues.set(key, queue);
    queue.push(change);
  }
  const renamed: DataChange[] = [];
  const matched = new Set<DataChange>();
  for (const change of changes.filter(({ type }) => type === "added").toSorted(byPath)) {
    const key = hashKey(change.after);
    const from = key === "" ? undefined : queues.get(key)?.shift();
    if (from === undefined) continue;
    matched.add(change).add(from);
    renamed.push({ type: "renamed", before: from.before, after: change.after });
  }
  return [...changes.filter((change) => !matched.has(change)), ...renamed];
}

function hashKey(entry: DataEntry | undefined): string {
  return entry?.hash === undefined ? "" : `${entry.hash.hashName}:${entry.hash.id}`;
}

/** As DVC shows it: a folder ends in a slash. */
export function shownPath({ path, isFolder }: DataEntry): string {
  return isFolder ? `${path}/` : path;
}

/** Every tracked file, in the order of their names; an output whose list is not here as itself. */
export function listFiles({ root }: DataIndex): string[] {
  const files: string[] = [];
  const visit = ({ entry, children, isUnknown }: DataNode) => {
    if (entry !== undefined && (!entry.isFolder || isUnknown)) files.push(entry.path);
    for (const child of children?.values() ?? []) visit(child);
  };
  visit(root);
  return files.sort(compareStrings);
}
