// Finds every stage of a repository: the .dvc and dvc.yaml files of a tree, without what is ignored or an output itself.
import { BridleError } from "../../errors/error.js";
import { readDvcFile } from "./dvc-file.js";
import type { IgnoreRules } from "./ignore-rules.js";
import type { ParsingOptions } from "./interpolation.js";
import { folderOf, joinPath, type Output, type Stage } from "./output.js";
import { readPipeline } from "./pipeline.js";
import type { SourceTree } from "./source-tree.js";

export interface StageOutput {
  readonly stage: Stage;
  readonly output: Output;
}

/** All that the .dvc, dvc.yaml and dvc.lock files of one tree say. */
export interface StageIndex {
  readonly tree: SourceTree;
  readonly stages: readonly Stage[];
  /** Files of metrics and parameters that a dvc.yaml names for itself. */
  readonly metrics: readonly string[];
  readonly params: readonly string[];
  /** Outputs inside the repository by path. */
  readonly outputs: ReadonlyMap<string, StageOutput>;
}

export interface CollectOptions {
  readonly ignored: IgnoreRules;
  /** Of .gitignore, which hides files of DVC's in the working folder. */
  readonly gitIgnored: IgnoreRules | undefined;
  readonly parsing: ParsingOptions;
  /** Told of a file that cannot be used, which is left out then; it ends the search unless said. */
  readonly onInvalid?: ((file: string, error: BridleError) => void) | undefined;
}

/** Whether a file's name makes it one of DVC's. */
export function isStageFile(name: string): boolean {
  return (name.endsWith(".dvc") && name !== ".dvc") || name === "dvc.yaml";
}

/** @throws DVC_FILE_INVALID, unless somebody is told of it */
export async function collectStages(
  tree: SourceTree,
  options: CollectOptions,
): Promise<StageIndex> {
  const stages: Stage[] = [];
  const metrics: string[] = [];
  const params: string[] = [];
  const outputs = new Map<string, StageOutput>();
  const { ignored, gitIgnored, parsing, onInvalid } = options;
  const visit = async (folder: string): Promise<void> => {
    const isLeftOut = await ignored.filterOf(folder);
    const isLeftOutByGit = await gitIgnored?.filterOf(folder);
    const entries = (await tree.list(folder)).filter(({ name, kind }) => {
      const isFolder = kind === "folder";
      return !isLeftOut(name, isFolder) && !(isLeftOutByGit?.(name, isFolder) ?? false);
    });
    for (const { name, kind } of entries) {
      if (kind === "folder" || !isStageFile(name)) continue;
      const file = joinPath(folder, name);
      const read = await readStageFile(tree, file, parsing).catch((thrown: unknown) => {
        if (onInvalid === undefined || !(thrown instanceof BridleError)) throw thrown;
        onInvalid(file, thrown);
        return undefined;
      });
      if (read === undefined) continue;
      stages.push(...read.stages);
      metrics.push(...read.metrics);
      params.push(...read.params);
      for (const stage of read.stages) {
        for (const output of stage.outputs) {
          if (output.path !== undefined) outputs.set(output.path, { stage, output });
        }
      }
    }
    for (const { name, kind } of entries) {
      const path = joinPath(folder, name);
      if (kind === "folder" && !outputs.has(path)) await visit(path);
    }
  };
  await visit("");
  return { tree, stages, metrics, params, outputs };
}

async function readStageFile(tree: SourceTree, file: string, parsing: ParsingOptions) {
  if (!file.endsWith(".dvc")) return await readPipeline(tree, file, parsing);
  const stage = readDvcFile((await tree.readText(file)) ?? "", file);
  return { stages: [stage], metrics: [], params: [] };
}

/** The output a path is, or lies in. */
export function outputAt(index: StageIndex, path: string): StageOutput | undefined {
  for (let at = path; at !== ""; at = folderOf(at)) {
    const found = index.outputs.get(at);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Outputs under a folder that is none itself. */
export function outputsUnder(index: StageIndex, folder: string): StageOutput[] {
  const start = folder === "" ? "" : `${folder}/`;
  return [...index.outputs].filter(([path]) => path.startsWith(start)).map(([, found]) => found);
}
