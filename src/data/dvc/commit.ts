// Records what is in the working folder as the result of the stages of dvc.yaml, as `dvc commit` does after a run.

import { BridleError } from "../../errors/error.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import { type StepOptions, storeAll } from "./add.js";
import { ignoreInGit } from "./git-ignore.js";
import { lockEntry, lockText } from "./lock-file.js";
import type { Content, Output, ParamsDependency, Stage } from "./output.js";
import { lockFileOf } from "./pipeline.js";
import { equalValues, isRecord, type PythonRecord } from "./python-text.js";
import type { DvcRepository } from "./repository.js";
import { runOrder } from "./stage-graph.js";
import { currentContent, currentValues } from "./status.js";
import { contentOf, findFiles } from "./working-files.js";
import { readYaml } from "./yaml-text.js";

export interface Committed {
  /** Stages whose entry in dvc.lock is new, by address. */
  readonly stages: readonly string[];
  /** The lock files written, from the root. */
  readonly files: readonly string[];
}

/**
 * Keeps every output of the stages in the cache and writes the dvc.lock files, as if the stages had just run.
 * @throws FILE_NOT_FOUND where a dependency or an output is not there
 */
export async function commitStages(
  repository: DvcRepository,
  options: StepOptions = {},
): Promise<Committed> {
  const work = async () => {
    const index = await repository.stages();
    const entries = new Map<string, Record<string, PythonRecord>>();
    for (const stage of runOrder(index)) {
      if (stage.name === undefined) continue;
      const file = lockFileOf(stage.file);
      const before = entries.get(file) ?? {};
      entries.set(file, { ...before, [stage.name]: await entryOf(repository, stage, options) });
    }
    const changed: string[] = [];
    const files: string[] = [];
    for (const [file, fresh] of entries) {
      const names = await writeLock(repository, file, fresh);
      changed.push(...names);
      if (names.length > 0) files.push(file);
    }
    return { stages: changed, files };
  };
  return await repository.locked("bridle data commit", work, { ...options, againstDvc: true });
}

async function entryOf(
  repository: DvcRepository,
  stage: Stage,
  options: StepOptions,
): Promise<PythonRecord> {
  const contents = new Map<Output, Content>();
  const values = new Map<ParamsDependency, PythonRecord>();
  for (const output of [...stage.dependencies, ...stage.outputs]) {
    const content = output.isCached
      ? await keepOutput(repository, output, options)
      : await currentContent(repository, { ...output, hashName: "md5" }, options);
    if (content === undefined) {
      throw new BridleError("FILE_NOT_FOUND", { file: output.path ?? output.definedPath });
    }
    contents.set(output, content);
  }
  for (const each of stage.params) {
    const now = await currentValues(repository, each);
    if (now === undefined) throw new BridleError("FILE_NOT_FOUND", { file: each.definedPath });
    values.set(each, now);
  }
  return lockEntry(stage, {
    contentOf: (output) => contents.get(output),
    valuesOf: (params) => values.get(params) ?? {},
  });
}

async function keepOutput(
  repository: DvcRepository,
  { path = "" }: Output,
  options: StepOptions,
): Promise<Content | undefined> {
  const found = await findFiles(path, repository.looking);
  if (found === undefined) return undefined;
  const hashes = await storeAll(repository, found.files, options);
  const { content, list } = contentOf(found, hashes, "md5");
  if (list !== undefined) await repository.cache.writeObject(content.hash, list);
  await ignoreInGit(repository, path, found.isFolder);
  return content;
}

/** Puts entries into a lock file, where those that were there keep their place. @returns the names that are new */
async function writeLock(
  repository: DvcRepository,
  file: string,
  fresh: Readonly<Record<string, PythonRecord>>,
): Promise<string[]> {
  const text = await repository.tree.readText(file);
  const content = text === undefined ? {} : readYaml(text, file);
  const before =
    isRecord(content) && isRecord(content.stages ?? null) ? (content.stages as PythonRecord) : {};
  const changed = Object.keys(fresh).filter(
    (name) => !equalValues(before[name] ?? null, fresh[name] as PythonRecord),
  );
  if (changed.length === 0) return [];
  const whole = lockText({ ...before, ...fresh });
  await writeAtomically(repository.tree.resolve(file), (handle) => handle.writeFile(whole));
  return changed;
}
