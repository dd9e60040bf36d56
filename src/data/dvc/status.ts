// What has changed of each stage, as `dvc status` tells it.
import { type StepOptions, stepOf } from "./add.js";
import { isDirectoryId } from "./object-hash.js";
import type { Content, Output, ParamsDependency, Stage } from "./output.js";
import { readParamsFile, valueAt } from "./params-file.js";
import { equalValues, isRecord, type PythonRecord, type PythonValue } from "./python-text.js";
import type { DvcRepository } from "./repository.js";
import { outputsInScope, type Scope } from "./scope.js";
import { contentOf, findFiles, hashFiles } from "./working-files.js";

/** By path: a word, or a word for each parameter. */
export type Changes = Record<string, string | Record<string, string>>;
export type StageStatus = (string | { "changed deps": Changes } | { "changed outs": Changes })[];

/** Stages that are not as they were, by address, with what DVC says of them; nothing where all is well. */
export async function status(
  repository: DvcRepository,
  scope: Scope = {},
  options: StepOptions = {},
): Promise<Record<string, StageStatus>> {
  const index = await repository.stages();
  const inScope =
    scope.targets === undefined || scope.targets.length === 0
      ? undefined
      : new Set((await outputsInScope(repository, scope, index)).map(({ stage }) => stage));
  const all: Record<string, StageStatus> = {};
  for (const stage of index.stages) {
    if (inScope !== undefined && !inScope.has(stage)) continue;
    const found = await stageStatus(repository, stage, options);
    if (found.length > 0) all[stage.address] = found;
  }
  await repository.memory.save();
  return all;
}

async function stageStatus(
  repository: DvcRepository,
  stage: Stage,
  options: StepOptions,
): Promise<StageStatus> {
  const told: StageStatus = [];
  const deps: Changes = {};
  if (!stage.isFrozen) {
    for (const each of stage.order) {
      if ("names" in each) Object.assign(deps, await paramsStatus(repository, each));
      else Object.assign(deps, await outputStatus(repository, each, options));
    }
  }
  if (Object.keys(deps).length > 0) told.push({ "changed deps": deps });
  const outs: Changes = {};
  for (const output of stage.outputs) {
    Object.assign(outs, await outputStatus(repository, output, options));
  }
  if (Object.keys(outs).length > 0) told.push({ "changed outs": outs });
  const isCallback =
    stage.command !== undefined && stage.order.length === 0 && stage.outputs.length === 0;
  if (isCallback || stage.alwaysChanged) told.push("always changed");
  if (stage.commandChanged) told.push("changed command");
  return told;
}

async function outputStatus(
  repository: DvcRepository,
  output: Output,
  options: StepOptions,
): Promise<Changes> {
  const { path, content, definedPath } = output;
  // What lies elsewhere is not looked at.
  if (path === undefined) return {};
  const name = path === "" ? definedPath : path;
  if (content !== undefined && output.isCached && !(await isInCache(repository, content))) {
    return { [name]: "not in cache" };
  }
  const now = await currentContent(repository, output, options);
  if (now === undefined) return { [name]: "deleted" };
  if (content === undefined) return { [name]: "new" };
  return now.hash.id === content.hash.id ? {} : { [name]: "modified" };
}

/** A path's content as it is in the working folder, hashed as it was before; undefined where it is not there. */
export async function currentContent(
  repository: DvcRepository,
  { path = "", hashName }: Output,
  options: StepOptions,
): Promise<Content | undefined> {
  const found = await findFiles(path, repository.looking);
  if (found === undefined) return undefined;
  const { files } = found;
  const hashes = await hashFiles(
    files,
    hashName,
    repository.hashing,
    stepOf("hash", files, options),
  );
  return contentOf(found, hashes, hashName).content;
}

async function isInCache({ cache }: DvcRepository, { hash }: Content): Promise<boolean> {
  if (!cache.hasListed(hash)) return false;
  if (!isDirectoryId(hash.id)) return true;
  const entries = await cache.readDirectory(hash);
  if (entries === undefined) return false;
  for (const { md5 } of entries) {
    if (!cache.hasListed({ id: md5, hashName: hash.hashName })) return false;
  }
  return true;
}

/** Values of parameters as they are now, by dotted name; undefined without the file. */
export async function currentValues(
  repository: DvcRepository,
  { path, definedPath, names }: ParamsDependency,
): Promise<PythonRecord | undefined> {
  const text = path === undefined ? undefined : await repository.tree.readText(path);
  if (text === undefined) return undefined;
  const data = readParamsFile(text, path ?? definedPath);
  if (names.length === 0) return isRecord(data) ? data : {};
  return Object.fromEntries(
    names.flatMap((name): [string, PythonValue][] => {
      const value = valueAt(data, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

async function paramsStatus(
  repository: DvcRepository,
  dependency: ParamsDependency,
): Promise<Changes> {
  const { path, definedPath, names, values } = dependency;
  const shown = path ?? definedPath;
  const now = await currentValues(repository, dependency);
  if (now === undefined) return { [shown]: "deleted" };
  if (values === undefined) return { [shown]: "new" };
  const all =
    names.length > 0 ? names : [...new Set([...Object.keys(now), ...Object.keys(values)])];
  const changed: Record<string, string> = {};
  for (const name of all) {
    if (!Object.hasOwn(now, name)) changed[name] = "deleted";
    else if (!Object.hasOwn(values, name)) changed[name] = "new";
    else if (!equalValues(now[name] as PythonValue, values[name] as PythonValue)) {
      changed[name] = "modified";
    }
  }
  return Object.keys(changed).length > 0 ? { [shown]: changed } : {};
}
