// dvc.lock as DVC writes it: what each stage was run with and what came out.
import {
  type Content,
  contentEntry,
  type Output,
  type ParamsDependency,
  type Stage,
} from "./output.js";
import { compareStrings, type PythonRecord, type PythonValue } from "./python-text.js";
import { yamlText } from "./yaml-text.js";

/** What is in the working folder now, for one stage. */
export interface StageState {
  contentOf(output: Output): Content | undefined;
  /** Values of the named parameters, or of all. */
  valuesOf(params: ParamsDependency): PythonRecord;
}

function lockOutput({ definedPath }: Output, content: Content | undefined): PythonRecord {
  if (content === undefined) return { path: definedPath };
  const isMd5 = content.hash.hashName === "md5";
  return { path: definedPath, ...(isMd5 ? { hash: "md5" } : {}), ...contentEntry(content) };
}

function byPath<Item extends { readonly definedPath: string }>(items: readonly Item[]): Item[] {
  return items.toSorted((a, b) => compareStrings(a.definedPath, b.definedPath));
}

function lockParams(params: readonly ParamsDependency[], state: StageState): PythonRecord {
  // The default file stands first, whatever its name sorts to.
  const isDefault = ({ definedPath }: ParamsDependency) => definedPath === "params.yaml";
  const sorted = byPath(params).toSorted((a, b) => Number(isDefault(b)) - Number(isDefault(a)));
  return Object.fromEntries(
    sorted.map((each) => {
      const values = Object.entries(state.valuesOf(each));
      return [
        each.definedPath,
        Object.fromEntries(values.toSorted(([a], [b]) => compareStrings(a, b))),
      ];
    }),
  );
}

/** A stage's entry: its command, and every dependency, parameter and output as it is now. */
export function lockEntry(stage: Stage, state: StageState): PythonRecord {
  const deps = byPath(stage.dependencies).map((each) => lockOutput(each, state.contentOf(each)));
  const outs = byPath(stage.outputs).map((each) => lockOutput(each, state.contentOf(each)));
  const params = lockParams(stage.params, state);
  return {
    cmd: stage.command as PythonValue,
    ...(deps.length > 0 ? { deps } : {}),
    ...(Object.keys(params).length > 0 ? { params } : {}),
    ...(outs.length > 0 ? { outs } : {}),
  };
}

/** The text of a lock file with these entries, in the order of the mapping. */
export function lockText(entries: PythonRecord): string {
  return yamlText({ schema: "2.0", stages: entries });
}
