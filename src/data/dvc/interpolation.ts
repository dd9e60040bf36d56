// The `${…}` of dvc.yaml: the values it may name, and what text it becomes.
import { BridleError } from "../../errors/error.js";
import { resolveInside } from "./output.js";
import { flatten, readParamsFile } from "./params-file.js";
import {
  isRecord,
  PythonFloat,
  type PythonRecord,
  type PythonValue,
  pythonString,
} from "./python-text.js";
import type { SourceTree } from "./source-tree.js";

const expression = /(?<!\\)\$\{(.*?)\}/gs;

type Sources = ReadonlyMap<string, string>;

/** How booleans and lists of a dict become flags of a command (`parsing` in .dvc/config). */
export interface ParsingOptions {
  readonly bool: "store_true" | "boolean_optional";
  readonly list: "nargs" | "append";
}

/** Values by name, and which file each top-level name came from. */
export class Variables {
  private readonly file: string;
  private readonly options: ParsingOptions;
  readonly values: PythonRecord;
  /** File of every leaf that came from one, by dotted name. */
  private readonly sources: Sources;
  private readonly loaded: ReadonlyMap<string, readonly string[] | undefined>;
  /** What was named so far of what came from files. */
  readonly used: Record<string, Record<string, PythonValue>> = {};

  private constructor(
    file: string,
    options: ParsingOptions,
    values: PythonRecord,
    sources: Sources,
    loaded: ReadonlyMap<string, readonly string[] | undefined>,
  ) {
    this.file = file;
    this.options = options;
    this.values = values;
    this.sources = sources;
    this.loaded = loaded;
  }

  static empty(file: string, options: ParsingOptions): Variables {
    return new Variables(file, options, {}, new Map(), new Map());
  }

  private invalid(reason: string): BridleError {
    return new BridleError("DVC_FILE_INVALID", { file: this.file, reason });
  }

  /**
   * These and what a list of `vars` adds: files (`params.yaml`, `params.yaml:a,b`) and values.
   * @param folder that names of files start from
   * @throws DVC_FILE_INVALID where a file is missing or a name is given twice
   */
  async load(list: readonly PythonValue[], tree: SourceTree, folder: string): Promise<Variables> {
    let result: Variables = this;
    for (const item of list) {
      if (typeof item === "string") result = await result.loadFile(item, tree, folder);
      else if (isRecord(item)) result = result.merged(item, undefined);
      else throw this.invalid("an entry of vars is neither a file nor a mapping");
    }
    return result;
  }

  /** As load, for params.yaml, which is used where it is there. */
  async loadDefault(tree: SourceTree, folder: string): Promise<Variables> {
    const path = resolveInside(folder, "params.yaml");
    if (path === undefined || (await tree.kindOf(path)) === undefined) return this;
    return await this.loadFile("params.yaml", tree, folder);
  }

  private async loadFile(item: string, tree: SourceTree, folder: string): Promise<Variables> {
    const [name = "", keyList = ""] = item.split(/:(.*)/s);
    const keys = keyList === "" ? undefined : keyList.split(",").filter((key) => key !== "");
    const path = resolveInside(folder, name);
    if (path === undefined) throw this.invalid(`vars names ${name}, outside the repository`);
    if (this.loaded.has(path)) {
      const before = this.loaded.get(path);
      if (keys === undefined && before === undefined) return this;
      if (keys === undefined || before === undefined || keys.some((key) => before.includes(key))) {
        throw this.invalid(`cannot load '${item}' as it's loaded already, at least in part`);
      }
    }
    const text = await tree.readText(path);
    if (text === undefined) throw this.invalid(`'${path}' does not exist`);
    const data = readParamsFile(text, path);
    if (!isRecord(data)) throw this.invalid(`expected a dictionary in file '${path}'`);
    for (const key of keys ?? []) {
      if (!Object.hasOwn(data, key)) throw this.invalid(`could not find '${key}' in '${path}'`);
    }
    const chosen =
      keys === undefined
        ? data
        : Object.fromEntries(keys.map((key) => [key, data[key] as PythonValue]));
    const loaded = new Map(this.loaded);
    loaded.set(path, keys === undefined ? undefined : [...(this.loaded.get(path) ?? []), ...keys]);
    const merged = this.merged(chosen, path);
    return new Variables(this.file, this.options, merged.values, merged.sources, loaded);
  }

  private merged(added: PythonRecord, source: string | undefined): Variables {
    const values = this.merge(this.values, added, "");
    const sources = new Map(this.sources);
    if (source !== undefined) for (const name of flatten(added).keys()) sources.set(name, source);
    return new Variables(this.file, this.options, values, sources, this.loaded);
  }

  private merge(into: PythonRecord, added: PythonRecord, prefix: string): PythonRecord {
    const merged: Record<string, PythonValue> = { ...into };
    for (const [key, value] of Object.entries(added)) {
      const before = merged[key];
      if (isRecord(before) && isRecord(value))
        merged[key] = this.merge(before, value, `${prefix}${key}.`);
      else if (before !== undefined) {
        throw this.invalid(`cannot redefine '${prefix}${key}' as it already exists`);
      } else merged[key] = value;
    }
    return merged;
  }

  /** These with the `item` and `key` of a loop, which hide what has the same name. */
  withLoop(loop: PythonRecord): Variables {
    const sources = new Map(
      [...this.sources].filter(([name]) => !Object.hasOwn(loop, name.split(".")[0] ?? "")),
    );
    const values = { ...this.values, ...loop };
    return new Variables(this.file, this.options, values, sources, this.loaded);
  }

  /** The value of what stands between the braces. @throws DVC_FILE_INVALID */
  select(written: string): PythonValue {
    const name = written.replaceAll("[", ".").replaceAll("]", "");
    let value: PythonValue | undefined = this.values;
    const path: string[] = [];
    for (const raw of name.split(".")) {
      const part = raw.trim();
      path.push(part);
      if (Array.isArray(value) && /^-?\d+$/.test(part)) value = value.at(Number(part));
      else if (isRecord(value) && Object.hasOwn(value, part)) value = value[part];
      else value = undefined;
      if (value === undefined) throw this.invalid(`Could not find '${written}'`);
    }
    this.track(path.join("."), value as PythonValue);
    return value as PythonValue;
  }

  private track(name: string, value: PythonValue): void {
    // A list is tracked whole, whichever of its items was named.
    for (let at = name; at !== ""; at = at.includes(".") ? at.slice(0, at.lastIndexOf(".")) : "") {
      const source = this.sources.get(at);
      if (source === undefined) continue;
      const file = this.used[source] ?? {};
      this.used[source] = file;
      file[at] = at === name ? value : this.valueOf(at);
      return;
    }
  }

  private valueOf(name: string): PythonValue {
    let value: PythonValue = this.values;
    for (const part of name.split(".")) value = (value as PythonRecord)[part] as PythonValue;
    return value;
  }

  /** Anything of dvc.yaml with its `${…}` filled in. @param key of the stage that it stands under */
  resolve(value: PythonValue, key: string): PythonValue {
    if (typeof value === "string") return this.resolveText(value, key);
    if (Array.isArray(value)) return value.map((item) => this.resolve(item, key));
    if (isRecord(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [
          pythonString(this.resolveText(name, key)),
          this.resolve(item, key),
        ]),
      );
    }
    return value;
  }

  private resolveText(text: string, key: string): PythonValue {
    const matches = [...text.matchAll(expression)];
    const [only] = matches;
    if (matches.length === 1 && only?.[0] === text) {
      const value = this.select(only[1] ?? "");
      const isWhole = key === "foreach" || key === "matrix";
      if (
        !isWhole &&
        (isRecord(value) || Array.isArray(value)) &&
        !(key === "cmd" && isRecord(value))
      ) {
        throw this.invalid(
          `Cannot interpolate a ${Array.isArray(value) ? "list" : "dictionary"} in ${text}`,
        );
      }
      // A command may be a dict alone: its flags.
      return key === "cmd" && isRecord(value) ? this.textOf(value, key) : value;
    }
    return text
      .replaceAll(expression, (_, inner: string) => this.textOf(this.select(inner), key))
      .replaceAll("\\${", "${");
  }

  private textOf(value: PythonValue, key: string): string {
    if (typeof value === "boolean") return String(value);
    if (Array.isArray(value) || (isRecord(value) && key !== "cmd")) {
      throw this.invalid(`Cannot interpolate a ${Array.isArray(value) ? "list" : "dictionary"}`);
    }
    return isRecord(value) ? this.flagsOf(value) : pythonString(value);
  }

  /** `--rate 0.1 --sizes 1 2 --verbose`. */
  private flagsOf(record: PythonRecord): string {
    const { bool, list } = this.options;
    const words: string[] = [];
    for (const [name, value] of flatten(record)) {
      if (typeof value === "boolean") {
        if (value) words.push(`--${name}`);
        else if (bool === "boolean_optional") words.push(`--no-${name}`);
      } else if (Array.isArray(value)) {
        const items = value.map((item: PythonValue) => this.flagItem(item, name));
        if (list === "append") words.push(...items.map((item) => `--${name} ${item}`));
        else if (items.length > 0) words.push(`--${name} ${items.join(" ")}`);
      } else
        words.push(
          `--${name} ${typeof value === "string" ? shellQuote(value) : pythonString(value)}`,
        );
    }
    return words.join(" ");
  }

  private flagItem(item: PythonValue, name: string): string {
    if (Array.isArray(item) || isRecord(item)) {
      throw this.invalid(`Cannot interpolate nested iterable in '${name}'`);
    }
    return typeof item === "string" ? shellQuote(item) : pythonString(item);
  }
}

/** As Python's shlex.quote. */
function shellQuote(text: string): string {
  if (text === "") return "''";
  return /[^\w@%+=:,./-]/.test(text) ? `'${text.replaceAll("'", "'\"'\"'")}'` : text;
}

/** The text of a loop's key: what stands after the @ in a generated stage's name. */
export function loopKey(value: PythonValue): string {
  return typeof value === "boolean" ? String(value) : pythonString(value);
}

export function isCollection(value: PythonValue): boolean {
  return Array.isArray(value) || (isRecord(value) && !(value instanceof PythonFloat));
}
