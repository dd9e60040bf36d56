// Stages of a dvc.yaml file, with what dvc.lock remembers of them: loops and matrices unrolled, `${…}` filled in.
import { BridleError } from "../../errors/error.js";
import { isCollection, loopKey, type ParsingOptions, Variables } from "./interpolation.js";
import {
  folderOf,
  joinPath,
  type Output,
  type ParamsDependency,
  readContent,
  resolveInside,
  type Stage,
} from "./output.js";
import {
  equalValues,
  isRecord,
  type PythonRecord,
  type PythonValue,
  pythonString,
} from "./python-text.js";
import type { SourceTree } from "./source-tree.js";
import { readYaml } from "./yaml-text.js";

export interface Pipeline {
  readonly stages: readonly Stage[];
  /** Metrics and params named for the whole file, from the repository's root. */
  readonly metrics: readonly string[];
  readonly params: readonly string[];
}

/** Reads a dvc.yaml and the dvc.lock beside it. @throws DVC_FILE_INVALID */
export async function readPipeline(
  tree: SourceTree,
  file: string,
  options: ParsingOptions,
): Promise<Pipeline> {
  const text = (await tree.readText(file)) ?? "";
  const content = readYaml(text, file);
  const fail = (reason: string) => new BridleError("DVC_FILE_INVALID", { file, reason });
  if (!isRecord(content)) throw fail("it holds no mapping");
  const { vars = [], stages = {}, metrics = [], params = [] } = content;
  if (!Array.isArray(vars) || !isRecord(stages))
    throw fail("vars must be a list, stages a mapping");
  const folder = folderOf(file);
  const base = await Variables.empty(file, options).loadDefault(tree, folder);
  const variables = await base.load(vars, tree, folder);
  const locked = await readLock(tree, file);
  const reader = { tree, file, folder, locked, fail };
  const read: Stage[] = [];
  for (const [name, definition] of Object.entries(stages)) {
    if (!isRecord(definition)) throw fail(`stage ${name} is no mapping`);
    for (const unrolled of unroll(name, definition, variables, fail)) {
      read.push(await readStage(unrolled, reader));
    }
  }
  return {
    stages: read,
    metrics: topLevel(metrics, variables, folder, fail),
    params: topLevel(params, variables, folder, fail),
  };
}

function topLevel(
  list: PythonValue,
  variables: Variables,
  folder: string,
  fail: (reason: string) => BridleError,
): string[] {
  if (!Array.isArray(list)) throw fail("metrics and params must be lists of files");
  return list.flatMap((item: PythonValue) => {
    const written = variables.resolve(item, "");
    const path = typeof written === "string" ? resolveInside(folder, written) : undefined;
    return path === undefined ? [] : [path];
  });
}

interface Unrolled {
  readonly name: string;
  readonly definition: PythonRecord;
  readonly variables: Variables;
}

/** A stage, or each that its `foreach` or `matrix` makes. */
function unroll(
  name: string,
  definition: PythonRecord,
  variables: Variables,
  fail: (reason: string) => BridleError,
): Unrolled[] {
  if (Object.hasOwn(definition, "foreach")) {
    const { foreach = null, do: template } = definition;
    if (!isRecord(template)) throw fail(`stage ${name} has a foreach without do`);
    const items = variables.resolve(foreach, "foreach");
    const isNamed = isRecord(items);
    return loopItems(items, () =>
      fail(`foreach of stage ${name} is neither a list nor a mapping`),
    ).map(([key, item]) => ({
      name: `${name}@${key}`,
      definition: template,
      variables: variables.withLoop(isNamed ? { item, key } : { item }),
    }));
  }
  if (Object.hasOwn(definition, "matrix")) {
    const { matrix = null, ...template } = definition;
    const axes = variables.resolve(matrix, "matrix");
    if (!isRecord(axes)) throw fail(`matrix of stage ${name} is no mapping`);
    return combinations(axes, () => fail(`an axis of the matrix of stage ${name} is no list`)).map(
      ([key, item]) => ({
        name: `${name}@${key}`,
        definition: template,
        variables: variables.withLoop({ item, key }),
      }),
    );
  }
  return [{ name, definition, variables }];
}

function loopItems(items: PythonValue, fail: () => BridleError): [string, PythonValue][] {
  if (isRecord(items)) return Object.entries(items);
  if (!Array.isArray(items)) throw fail();
  const byKey = new Map<string, PythonValue>();
  const hasCollections = items.some(isCollection);
  for (const [index, item] of items.entries()) {
    byKey.set(hasCollections ? String(index) : loopKey(item), item);
  }
  return [...byKey];
}

/** Every choice of one value an axis; the last axis changes fastest. */
function combinations(axes: PythonRecord, fail: () => BridleError): [string, PythonRecord][] {
  let made: { readonly names: readonly string[]; readonly item: PythonRecord }[] = [
    { names: [], item: {} },
  ];
  for (const [axis, values] of Object.entries(axes)) {
    if (!Array.isArray(values)) throw fail();
    made = made.flatMap(({ names, item }) =>
      values.map((value: PythonValue, index: number) => ({
        names: [...names, isCollection(value) ? `${axis}${index}` : loopKey(value)],
        item: { ...item, [axis]: value },
      })),
    );
  }
  return [...new Map(made.map(({ names, item }) => [names.join("-"), item]))];
}

interface Reader {
  readonly tree: SourceTree;
  readonly file: string;
  readonly folder: string;
  readonly locked: PythonRecord;
  fail(reason: string): BridleError;
}

async function readStage(unrolled: Unrolled, reader: Reader): Promise<Stage> {
  const { name } = unrolled;
  const { tree, file, fail, locked } = reader;
  const { vars = [], ...rest } = unrolled.definition;
  if (!Array.isArray(vars)) throw fail(`vars of stage ${name} is no list`);
  const { wdir: writtenFolder } = rest;
  const folderText =
    writtenFolder === undefined
      ? "."
      : pythonString(unrolled.variables.resolve(writtenFolder, "wdir"));
  const folder = resolveInside(reader.folder, folderText);
  if (folder === undefined) throw fail(`wdir of stage ${name} is outside the repository`);
  const variables = await unrolled.variables.load(vars, tree, folder);
  const resolved = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, variables.resolve(value, key)]),
  );
  const lock = locked[name];
  const remembered = isRecord(lock) ? lock : undefined;
  const fresh = new Map([
    ...lockEntries(remembered?.deps, "deps"),
    ...lockEntries(remembered?.outs, "outs"),
  ]);
  const { cmd, deps = [], params = [], frozen, always_changed: alwaysChanged } = resolved;
  if (cmd === undefined) throw fail(`stage ${name} has no cmd`);
  if (!Array.isArray(deps) || !Array.isArray(params))
    throw fail(`deps of stage ${name} is no list`);
  const make = (kind: string, path: string, flags: PythonRecord): Output =>
    pipelineOutput(
      kind,
      path,
      flags,
      fresh.get(`${kind === "deps" ? kind : "outs"}\0${path}`),
      folder,
      file,
    );
  const dependencies = deps.map((path: PythonValue) => make("deps", textOf(path, fail), {}));
  const paramsDependencies = mergeParams(params, fail).map(([path, names]) =>
    paramsDependency(path, names, remembered?.params, folder),
  );
  const outputs = ["outs", "metrics", "plots"].flatMap((kind) => {
    const list = resolved[kind] ?? [];
    if (!Array.isArray(list)) throw fail(`${kind} of stage ${name} is no list`);
    return mergeOutputs(list, fail).map(([path, flags]) => make(kind, path, flags));
  });
  return {
    file,
    name,
    address: file === "dvc.yaml" ? name : `${file}:${name}`,
    folder,
    command: cmd,
    dependencies,
    params: paramsDependencies,
    outputs,
    isFrozen: frozen === true,
    alwaysChanged: alwaysChanged === true,
    commandChanged: remembered !== undefined && !equalValues(remembered.cmd ?? null, cmd),
    checksum: undefined,
    order: [...dependencies, ...paramsDependencies],
    trackedVars: variables.used,
  };
}

function textOf(value: PythonValue, fail: (reason: string) => BridleError): string {
  if (isCollection(value) || value === null) throw fail("a path is no text");
  return pythonString(value);
}

function lockEntries(list: PythonValue | undefined, kind: string): [string, PythonRecord][] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: PythonValue) =>
    isRecord(entry) && typeof entry.path === "string" ? [[`${kind}\0${entry.path}`, entry]] : [],
  );
}

function pipelineOutput(
  kind: string,
  definedPath: string,
  flags: PythonRecord,
  locked: PythonRecord | undefined,
  folder: string,
  file: string,
): Output {
  const { content, hashName } =
    locked === undefined
      ? { content: undefined, hashName: "md5" as const }
      : readContent(locked, file.replace(/\.ya?ml$/, ".lock"));
  return {
    definedPath,
    path: resolveInside(folder, definedPath),
    content,
    hashName,
    isCached: kind !== "deps" && flags.cache !== false,
    isMetric: kind === "metrics",
    isPlot: kind === "plots",
    isPersistent: flags.persist === true,
    canPush: flags.push !== false,
    remote: typeof flags.remote === "string" ? flags.remote : undefined,
    entry: flags,
  };
}

function mergeOutputs(
  list: readonly PythonValue[],
  fail: (reason: string) => BridleError,
): [string, PythonRecord][] {
  const merged = new Map<string, PythonRecord>();
  for (const item of list) {
    const entries: [string, PythonValue][] = isRecord(item)
      ? Object.entries(item)
      : [[textOf(item, fail), {}]];
    for (const [path, flags] of entries) {
      merged.set(path, { ...merged.get(path), ...(isRecord(flags) ? flags : {}) });
    }
  }
  return [...merged];
}

/** Names of parameters by file: `lr` is of params.yaml, `{other.yaml: [a]}` of another, `{other.yaml: }` all of it. */
function mergeParams(
  list: readonly PythonValue[],
  fail: (reason: string) => BridleError,
): [string, readonly string[]][] {
  const entries = list.flatMap((item): [string, readonly string[]][] => {
    if (!isRecord(item)) return [["params.yaml", [textOf(item, fail)]]];
    return Object.entries(item).map(([file, names]) => [
      file,
      Array.isArray(names) ? names.map((name: PythonValue) => textOf(name, fail)) : [],
    ]);
  });
  const whole = new Set(entries.filter(([, names]) => names.length === 0).map(([file]) => file));
  const merged = new Map<string, string[]>();
  for (const [file, names] of entries) {
    const before = merged.get(file) ?? [];
    merged.set(file, whole.has(file) ? [] : [...before, ...names]);
  }
  return [...merged];
}

function paramsDependency(
  definedPath: string,
  names: readonly string[],
  locked: PythonValue | undefined,
  folder: string,
): ParamsDependency {
  const remembered = isRecord(locked) ? locked[definedPath] : undefined;
  const all = isRecord(remembered) ? remembered : undefined;
  const kept =
    all === undefined || names.length === 0
      ? all
      : Object.fromEntries(
          names
            .filter((name) => Object.hasOwn(all, name))
            .map((name) => [name, all[name] as PythonValue]),
        );
  return { definedPath, path: resolveInside(folder, definedPath), names, values: kept };
}

/** Stages of the lock file beside a dvc.yaml, by name. */
async function readLock(tree: SourceTree, file: string): Promise<PythonRecord> {
  const lockFile = lockFileOf(file);
  const text = await tree.readText(lockFile);
  if (text === undefined) return {};
  const content = readYaml(text, lockFile);
  if (!isRecord(content)) {
    throw new BridleError("DVC_FILE_INVALID", { file: lockFile, reason: "it holds no mapping" });
  }
  // The first form of the file had its stages at the top.
  const stages = content.schema === undefined ? content : (content.stages ?? {});
  return isRecord(stages) ? stages : {};
}

export function lockFileOf(file: string): string {
  return joinPath(
    folderOf(file),
    `${file.slice(file.lastIndexOf("/") + 1).replace(/\.ya?ml$/, "")}.lock`,
  );
}
