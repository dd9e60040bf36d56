// Files of parameters and metrics: YAML and JSON, with dotted names into them.
import { parseDocument, type Scalar, visit } from "yaml";
import { BridleError } from "../../errors/error.js";
import { isRecord, PythonFloat, type PythonRecord, type PythonValue } from "./python-text.js";
import { readYaml } from "./yaml-text.js";

/**
 * Reads a file by its name's ending: .json as JSON, everything else as YAML, as DVC does.
 * @throws DVC_FILE_INVALID; DVC_FORMAT_UNSUPPORTED for .toml and .py, which are for DVC alone
 */
export function readParamsFile(text: string, file: string): PythonValue {
  const ending = /\.[^./]+$/.exec(file)?.[0].toLowerCase();
  if (ending === ".toml" || ending === ".py") {
    throw new BridleError("DVC_FORMAT_UNSUPPORTED", { file, format: ending.slice(1) });
  }
  return ending === ".json" ? readJson(text, file) : readYaml(text, file);
}

/** JSON with integers and floats told apart, and the NaN and Infinity that Python writes. */
function readJson(text: string, file: string): PythonValue {
  const withoutConstants = text.replaceAll(
    /("(?:[^"\\]|\\.)*")|-?\bInfinity\b|\bNaN\b/g,
    (_, string) => string ?? "null",
  );
  try {
    JSON.parse(withoutConstants);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new BridleError("DVC_FILE_INVALID", { file, reason }, { cause: thrown });
  }
  const document = parseDocument(text, { uniqueKeys: false, schema: "core", logLevel: "silent" });
  visit(document, {
    Scalar(key, node) {
      if (key !== "key") node.value = jsonScalar(node);
    },
  });
  return (document.toJS() as PythonValue) || {};
}

function jsonScalar(node: Scalar): unknown {
  const { value, type, source = "" } = node;
  if (type !== "PLAIN") return value;
  const constants: Record<string, number> = {
    NaN: Number.NaN,
    Infinity: Number.POSITIVE_INFINITY,
    "-Infinity": Number.NEGATIVE_INFINITY,
  };
  const constant = constants[source];
  if (constant !== undefined) return new PythonFloat(constant);
  if (typeof value !== "number") return value;
  return /[.eE]/.test(source) ? new PythonFloat(value) : value;
}

/** The value a dotted name leads to; undefined where there is none. Numbers lead into lists. */
export function valueAt(data: PythonValue, name: string): PythonValue | undefined {
  let value: PythonValue | undefined = data;
  for (const part of name.split(".")) {
    if (Array.isArray(value)) value = /^\d+$/.test(part) ? value[Number(part)] : undefined;
    else if (isRecord(value)) value = Object.hasOwn(value, part) ? value[part] : undefined;
    else return undefined;
    if (value === undefined) return undefined;
  }
  return value;
}

/** Of a file's data only what the names lead to, nested as it was; all of it where there are no names. */
export function selectValues(data: PythonValue, names: readonly string[]): PythonValue {
  if (names.length === 0) return data;
  let selected: PythonRecord = {};
  for (const name of new Set(names)) {
    const value = valueAt(data, name);
    if (value === undefined) continue;
    selected = merge(selected, nest(name.split("."), value));
  }
  return selected;
}

function nest(parts: readonly string[], value: PythonValue): PythonRecord {
  const [first = "", ...rest] = parts;
  return { [first]: rest.length === 0 ? value : nest(rest, value) };
}

function merge(into: PythonRecord, from: PythonRecord): PythonRecord {
  const merged: Record<string, PythonValue> = { ...into };
  for (const [key, value] of Object.entries(from)) {
    const before = merged[key];
    merged[key] = isRecord(before) && isRecord(value) ? merge(before, value) : value;
  }
  return merged;
}

/** A nested dict as one level of dotted names; empty dicts have none. */
export function flatten(record: PythonRecord, prefix = ""): Map<string, PythonValue> {
  const flat = new Map<string, PythonValue>();
  for (const [key, value] of Object.entries(record)) {
    if (isRecord(value)) {
      for (const [inner, item] of flatten(value, `${prefix}${key}.`)) flat.set(inner, item);
    } else flat.set(`${prefix}${key}`, value);
  }
  return flat;
}
