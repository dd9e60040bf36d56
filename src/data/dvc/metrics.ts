// Metrics and parameters of a revision, and how they differ from another's, as `dvc metrics` and `dvc params` tell it.

import { readFile } from "node:fs/promises";
import { BridleError } from "../../errors/error.js";
import { readError } from "../../errors/file-errors.js";
import { isDirectoryId } from "./object-hash.js";
import { joinPath } from "./output.js";
import { flatten, readParamsFile, selectValues } from "./params-file.js";
import {
  equalValues,
  isRecord,
  numberOf,
  PythonFloat,
  type PythonValue,
  pythonString,
} from "./python-text.js";
import type { DvcRepository } from "./repository.js";
import type { SourceTree } from "./source-tree.js";
import { outputAt, type StageIndex } from "./stages.js";

export type FileData =
  | { readonly data: PythonValue }
  | { readonly error: { readonly type: string; readonly msg: string } };
/** By file, from the root. */
export type FilesData = Readonly<Record<string, FileData>>;

/** A file of a tree, from the cache where it is an output that Git does not hold. */
async function readTracked(
  repository: DvcRepository,
  index: StageIndex,
  path: string,
): Promise<string | undefined> {
  const text = await index.tree.readText(path);
  if (text !== undefined) return text;
  const tracked = outputAt(index, path);
  const content = tracked?.output.content;
  if (tracked === undefined || content === undefined) return undefined;
  let id = content.hash.id;
  if (isDirectoryId(id)) {
    const relpath = path.slice((tracked.output.path ?? "").length + 1);
    const entries = await repository.cache.readDirectory(content.hash);
    id = entries?.find((entry) => entry.relpath === relpath)?.md5 ?? "";
  }
  if (id === "") return undefined;
  const place = repository.cache.pathOf({ id, hashName: content.hash.hashName });
  return await readFile(place, "utf8").catch((thrown) => {
    if (thrown.code === "ENOENT") return undefined;
    throw readError(thrown, place);
  });
}

/** Files in a folder of metrics, or the path itself. */
async function expand(tree: SourceTree, path: string): Promise<string[]> {
  if ((await tree.kindOf(path)) !== "folder") return [path];
  const entries = await tree.list(path);
  const all = await Promise.all(
    entries.map(({ name, kind }) =>
      kind === "folder" ? expand(tree, joinPath(path, name)) : [joinPath(path, name)],
    ),
  );
  return all.flat();
}

async function readEach(
  repository: DvcRepository,
  index: StageIndex,
  files: ReadonlyMap<string, (data: PythonValue) => PythonValue>,
): Promise<Record<string, FileData>> {
  const read: Record<string, FileData> = {};
  for (const [file, take] of files) {
    try {
      const text = await readTracked(repository, index, file);
      if (text === undefined) {
        const msg = `[Errno 2] No such file or directory: '${file}'`;
        read[file] = { error: { type: "FileNotFoundError", msg } };
      } else read[file] = { data: take(readParamsFile(text, file)) };
    } catch (thrown) {
      if (!(thrown instanceof BridleError)) throw thrown;
      read[file] = { error: { type: thrown.code, msg: thrown.message } };
    }
  }
  return read;
}

/** Only what a metric can be: numbers, texts, and dicts of them. */
function metricsIn(value: PythonValue): PythonValue {
  if (numberOf(value) !== undefined || typeof value === "string") return value;
  if (!isRecord(value)) return null;
  const kept: Record<string, PythonValue> = {};
  for (const [key, item] of Object.entries(value)) {
    const inner = metricsIn(item);
    if (inner !== null && !(isRecord(inner) && Object.keys(inner).length === 0)) kept[key] = inner;
  }
  return kept;
}

function orEmpty(value: PythonValue): PythonValue {
  return value === null || value === "" || numberOf(value) === 0 ? {} : value;
}

/** Metrics of a tree. @param paths from the root, in place of those that stages name */
export async function metricsOf(
  repository: DvcRepository,
  tree: SourceTree,
  paths: readonly string[] = [],
): Promise<FilesData> {
  const index = await repository.stages(tree);
  const named = index.stages.flatMap(({ outputs }) =>
    outputs.flatMap(({ isMetric, path }) => (isMetric && path !== undefined ? [path] : [])),
  );
  const wanted = paths.length > 0 ? paths : [...named, ...index.metrics];
  const files = new Map<string, (data: PythonValue) => PythonValue>();
  for (const path of wanted) {
    for (const file of await expand(tree, path))
      files.set(file, (data) => orEmpty(metricsIn(data)));
  }
  return await readEach(repository, index, files);
}

/** Parameters of a tree: of params.yaml, of what stages depend on, of what dvc.yaml names and of its `${…}`. */
export async function paramsOf(
  repository: DvcRepository,
  tree: SourceTree,
  {
    paths = [],
    onlyDependencies = false,
  }: { readonly paths?: readonly string[]; readonly onlyDependencies?: boolean } = {},
): Promise<FilesData> {
  const index = await repository.stages(tree);
  const names = new Map<string, readonly string[]>();
  const add = (file: string, more: readonly string[]) => {
    const before = names.get(file);
    // All of a file is more than any of its names.
    names.set(file, before?.length === 0 || more.length === 0 ? [] : [...(before ?? []), ...more]);
  };
  for (const path of paths) add(path, []);
  if (paths.length === 0) {
    for (const { params } of index.stages) {
      for (const each of params) if (each.path !== undefined) add(each.path, each.names);
    }
    if (!onlyDependencies) {
      for (const path of index.params) add(path, []);
      if ((await tree.kindOf("params.yaml")) !== undefined) add("params.yaml", []);
    }
  }
  const files = new Map<string, (data: PythonValue) => PythonValue>();
  for (const [path, wanted] of names) {
    for (const file of await expand(tree, path))
      files.set(file, (data) => selectValues(data, wanted));
  }
  const read = await readEach(repository, index, files);
  if (paths.length > 0) return read;
  const vars: Record<string, Record<string, PythonValue>> = {};
  for (const { trackedVars } of index.stages) {
    for (const [file, values] of Object.entries(trackedVars)) {
      if (Object.hasOwn(read, file)) continue;
      vars[file] = { ...vars[file], ...values };
    }
  }
  for (const [file, data] of Object.entries(vars)) read[file] = { data };
  return read;
}

export type ValueDiff = {
  readonly old: PythonValue;
  readonly new: PythonValue;
  readonly diff?: PythonValue;
};

/** By file, then by dotted name. */
export type FilesDiff = Readonly<Record<string, Readonly<Record<string, ValueDiff>>>>;

/** What differs between two revisions' values; with `all` also what does not. */
export function diffValues(before: FilesData, after: FilesData, all = false): FilesDiff {
  const result: Record<string, Record<string, ValueDiff>> = {};
  for (const file of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const found = diffFile(dataOf(before[file]), dataOf(after[file]), all);
    if (Object.keys(found).length > 0) result[file] = found;
  }
  return result;
}

function dataOf(file: FileData | undefined): PythonValue {
  return file !== undefined && "data" in file ? listsAsText(file.data) : {};
}

/** As DVC compares: a list is its text. */
function listsAsText(value: PythonValue): PythonValue {
  if (Array.isArray(value)) return pythonString(value);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, listsAsText(item)]));
}

function diffFile(old: PythonValue, fresh: PythonValue, all: boolean): Record<string, ValueDiff> {
  if (!isRecord(old) && !isRecord(fresh)) {
    const found = diffValue(old, fresh, all);
    return found === undefined ? {} : { "": found };
  }
  const flat = (value: PythonValue) =>
    isRecord(value) ? flatten(value) : new Map<string, PythonValue>();
  const [a, b] = [flat(old), flat(fresh)];
  const otherwise = (value: PythonValue) => (isRecord(value) ? null : "unable to parse");
  const result: Record<string, ValueDiff> = {};
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    const before = a.get(name) ?? (a.has(name) ? null : otherwise(old));
    const now = b.get(name) ?? (b.has(name) ? null : otherwise(fresh));
    const found = diffValue(before, now, all);
    if (found !== undefined) result[name] = found;
  }
  return result;
}

function diffValue(old: PythonValue, fresh: PythonValue, all: boolean): ValueDiff | undefined {
  if (!all && equalValues(old, fresh)) return undefined;
  const [a, b] = [numberOf(old), numberOf(fresh)];
  if (a === undefined || b === undefined) return { old, new: fresh };
  const isFloat = old instanceof PythonFloat || fresh instanceof PythonFloat;
  return { old, new: fresh, diff: isFloat ? new PythonFloat(b - a) : b - a };
}
