// Which outputs a command is about: all, or those that paths, .dvc files or stages name.
import { BridleError } from "../../errors/error.js";
import type { Output } from "./output.js";
import type { DvcRepository } from "./repository.js";
import { outputAt, outputsUnder, type StageIndex, type StageOutput } from "./stages.js";

export interface Scope {
  /** Paths from the root, .dvc files, or names of stages; all outputs unless said. */
  readonly targets?: readonly string[] | undefined;
}

export interface ScopedOutput extends StageOutput {
  /** Only this of a tracked folder, from the folder; all of it where undefined. */
  readonly filter: string | undefined;
}

/** @throws DVC_PATH_NOT_TRACKED */
export async function outputsInScope(
  repository: DvcRepository,
  { targets = [] }: Scope,
  index?: StageIndex,
): Promise<ScopedOutput[]> {
  const all = index ?? (await repository.stages());
  if (targets.length === 0) return allOutputs(all).map((each) => ({ ...each, filter: undefined }));
  const chosen = new Map<Output, ScopedOutput>();
  for (const target of targets) {
    for (const each of resolveTarget(all, target)) {
      const before = chosen.get(each.output);
      // Of two parts of one folder the whole is taken.
      const filter =
        before === undefined || before.filter === each.filter ? each.filter : undefined;
      chosen.set(each.output, { ...each, filter });
    }
  }
  return [...chosen.values()];
}

export function allOutputs({ stages }: StageIndex): StageOutput[] {
  return stages.flatMap((stage) => stage.outputs.map((output) => ({ stage, output })));
}

function resolveTarget(index: StageIndex, target: string): ScopedOutput[] {
  const stages = index.stages.filter(
    ({ file, address, name }) =>
      address === target ||
      file === target ||
      (name !== undefined && (address.split("@")[0] === target || name === target)),
  );
  if (stages.length > 0) {
    return stages.flatMap((stage) =>
      stage.outputs.map((output) => ({ stage, output, filter: undefined })),
    );
  }
  const path = target.replace(/\/+$/, "");
  const found = outputAt(index, path);
  if (found !== undefined) {
    const whole = found.output.path ?? path;
    const filter = whole === path ? undefined : path.slice(whole.length + 1);
    return [{ ...found, filter }];
  }
  const below = outputsUnder(index, path);
  if (below.length === 0) throw new BridleError("DVC_PATH_NOT_TRACKED", { path: target });
  return below.map((each) => ({ ...each, filter: undefined }));
}
