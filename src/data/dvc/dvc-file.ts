// `.dvc` files: read into a stage, written as DVC writes them, changed without losing what people wrote in them.
import { isMap, isScalar, isSeq, parseDocument, Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import { BridleError } from "../../errors/error.js";
import {
  type Content,
  contentEntry,
  folderOf,
  readOutput,
  resolveInside,
  type Stage,
} from "./output.js";
import {
  equalValues,
  isRecord,
  PythonFloat,
  type PythonRecord,
  type PythonValue,
} from "./python-text.js";
import { readYaml, yamlText } from "./yaml-text.js";

/**
 * Reads a .dvc file.
 * @param file from the repository's root, which paths in it start beside
 * @throws DVC_FILE_INVALID
 */
export function readDvcFile(text: string, file: string): Stage {
  const content = readYaml(text, file);
  if (!isRecord(content)) {
    throw new BridleError("DVC_FILE_INVALID", { file, reason: "it holds no mapping" });
  }
  const { outs = [], deps = [], wdir = "." } = content;
  if (!Array.isArray(outs) || !Array.isArray(deps) || typeof wdir !== "string") {
    throw new BridleError("DVC_FILE_INVALID", { file, reason: "outs and deps must be lists" });
  }
  const folder = resolveInside(folderOf(file), wdir) ?? folderOf(file);
  const dependencies = deps.map((entry: PythonValue) => readOutput(entry, file, folder));
  return {
    file,
    name: undefined,
    address: file,
    folder,
    command: content.cmd,
    dependencies: dependencies.map((dependency) => ({ ...dependency, isCached: false })),
    params: [],
    outputs: outs.map((entry: PythonValue) => readOutput(entry, file, folder)),
    isFrozen: content.frozen === true,
    alwaysChanged: content.always_changed === true,
    commandChanged: false,
    checksum: typeof content.md5 === "string" ? content.md5 : undefined,
    order: dependencies,
    trackedVars: {},
  };
}

/** The text of a .dvc file for one path that was just added. @param name of the path in the file's folder */
export function newDvcText(name: string, content: Content): string {
  return yamlText({ outs: [{ ...contentEntry(content), hash: "md5", path: name }] });
}

const contentKeys = ["md5", "size", "nfiles", "isexec", "hash", "cloud", "files"];

/**
 * The text of a .dvc file after one of its outputs has changed. Comments, `meta` and the order of what was there stay.
 * @param definedPath the output's path as the file has it
 */
export function updatedDvcText(
  text: string,
  file: string,
  definedPath: string,
  content: Content,
): string {
  const before = readYaml(text, file) as PythonRecord;
  const outs = (before.outs ?? []) as readonly PythonRecord[];
  const index = outs.findIndex((entry) => entry.path === definedPath);
  const entry = outs[index];
  if (entry === undefined) {
    throw new BridleError("DVC_FILE_INVALID", { file, reason: `it has no output ${definedPath}` });
  }
  const kept = Object.entries(entry).filter(([key]) => !contentKeys.includes(key));
  const wanted: PythonRecord = {
    ...contentEntry(content),
    hash: "md5",
    ...Object.fromEntries(kept),
  };
  const document = parseDocument(text);
  const list = document.get("outs") as YAMLSeq;
  const item = list.items[index];
  if (!isMap(item)) throw new BridleError("DVC_FILE_INVALID", { file, reason: "outs is no list" });
  applyChanges(item, wanted, entry);
  restyle(document.contents);
  return document.toString({ indentSeq: false, lineWidth: 80, singleQuote: true, nullStr: "" });
}

/** Sets what differs in place; a new key goes to the end, as in DVC. */
function applyChanges(map: YAMLMap, wanted: PythonRecord, before: PythonRecord): void {
  for (const [key, value] of Object.entries(wanted)) {
    const old = before[key];
    if (old !== undefined && equalValues(old, value)) continue;
    const node = map.get(key, true);
    if (isScalar(node)) node.value = value instanceof PythonFloat ? value.value : value;
    else map.set(key, value);
  }
  for (const key of Object.keys(before)) if (!Object.hasOwn(wanted, key)) map.delete(key);
}

/** DVC's writer quotes only what needs it, whatever was typed. */
function restyle(node: unknown): void {
  if (isScalar(node)) {
    const isQuoted = node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE;
    if (isQuoted) delete node.type;
  } else if (isMap(node)) {
    for (const { key, value } of node.items) {
      restyle(key);
      restyle(value);
    }
  } else if (isSeq(node)) for (const item of node.items) restyle(item);
}

/** Where the .dvc file of a path stands: beside it. */
export function dvcFileOf(path: string): string {
  return `${path}.dvc`;
}
