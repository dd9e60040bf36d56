// Reads a YAML file whose top level is a mapping, and remembers the line that each of its keys stands on.
import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { BridleError } from "../errors/error.js";
import { readError } from "../errors/file-errors.js";

export type Plain = Record<string, unknown>;

/** Keys and list indexes from the top of a file down to a value. */
export type KeyPath = readonly (string | number)[];

export interface YamlFile {
  readonly file: string;
  readonly content: Plain;
  /** The package that a first line such as `# @package _global_` names. */
  readonly package: string | undefined;
  /** The line of a key or list item, from 1; of the nearest one around it where it has none of its own. */
  lineOf(path: KeyPath): number;
  /** How a value is written there, such as `1.0`; undefined where nothing plain stands. */
  writtenAt(path: KeyPath): string | undefined;
}

export function isRecord(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A path as one text, for use as a key of a map. */
export function pathKey(path: readonly PropertyKey[]): string {
  return path.map(String).join("\0");
}

function collectLines(node: unknown, path: KeyPath, add: (path: KeyPath, node: Node) => void) {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const inside = [...path, String(key.value)];
      add(inside, key);
      collectLines(value, inside, add);
    }
  } else if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      const inside = [...path, index];
      if (isScalar(item) || isMap(item) || isSeq(item)) add(inside, item);
      collectLines(item, inside, add);
    }
  }
}

function linesOf(document: Document, counter: LineCounter): Map<string, number> {
  const lines = new Map<string, number>();
  collectLines(document.contents, [], (path, { range }) => {
    if (range) lines.set(pathKey(path), counter.linePos(range[0]).line);
  });
  return lines;
}

/** Refuses what YAML can say and a plain tree of values cannot: a key `__proto__`, and an anchor inside of itself. */
function checkTree(value: unknown, file: string, around: readonly unknown[] = []): void {
  if (typeof value !== "object" || value === null) return;
  if (around.includes(value)) {
    throw new BridleError("YAML_INVALID", { file, reason: "an anchor in it holds itself" });
  }
  const inside = [...around, value];
  for (const [key, child] of Object.entries(value)) {
    if (key === "__proto__") {
      throw new BridleError("YAML_INVALID", { file, reason: "no key is named __proto__" });
    }
    checkTree(child, file, inside);
  }
}

/** @throws YAML_INVALID with the line of the first byte that is no UTF-8 */
function textOf(bytes: Buffer, file: string): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  const lines = bytes.toString("latin1").split("\n");
  const line = lines.findIndex((each) => !isUtf8(Buffer.from(each, "latin1"))) + 1;
  const reason = `line ${line} is not UTF-8 text: convert it, iconv -f ENCODING -t utf-8`;
  throw new BridleError("YAML_INVALID", { file, reason });
}

/**
 * Reads a YAML file; an empty one is an empty mapping.
 * @throws FILE_NOT_FOUND, FILE_NOT_READABLE; YAML_INVALID with line and column of what is no YAML
 */
export async function readYamlFile(file: string): Promise<YamlFile> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw readError(cause, file);
  }
  const text = textOf(bytes, file);
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = counter.linePos(error.pos[0]);
    const reason = `line ${line}, column ${col}: ${error.message.split("\n")[0]}`;
    throw new BridleError("YAML_INVALID", { file, reason });
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (cause) {
    throw new BridleError("YAML_INVALID", { file, reason: (cause as Error).message }, { cause });
  }
  if (!isRecord(content)) {
    throw new BridleError("YAML_INVALID", {
      file,
      reason: "it holds no mapping of keys to values",
    });
  }
  checkTree(content, file);
  const lines = linesOf(document, counter);
  return {
    file,
    content,
    package: /^(?:#.*\n)*?#\s*@package\s+(\S+)/.exec(text.replaceAll("\r\n", "\n"))?.[1],
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const line = lines.get(pathKey(path.slice(0, length)));
        if (line !== undefined) return line;
      }
      return 1;
    },
    writtenAt(path) {
      const node = document.getIn(path, true);
      return isScalar(node) ? node.source : undefined;
    },
  };
}
