// A configuration that grows layer by layer, each value with the file and line or the word that it came from.
import { isRecord, type KeyPath, type Plain, pathKey } from "./yaml-file.js";

/** Where a value was said; what nobody said is a default of the schema. */
export type Origin =
  | { readonly kind: "file"; readonly file: string; readonly line: number }
  | { readonly kind: "word"; readonly word: string };

export class Layers {
  readonly plain: Plain = {};
  readonly #origins = new Map<string, Origin>();

  /** Lays a mapping over what is there: mappings are joined key by key, anything else takes the place of what was there. */
  merge(content: Plain, at: KeyPath, originOf: (path: KeyPath) => Origin): void {
    this.#mergeInto(content, at, [], originOf);
  }

  #mergeInto(content: Plain, at: KeyPath, inside: KeyPath, originOf: (path: KeyPath) => Origin) {
    const keys = Object.keys(content);
    if (keys.length === 0 && inside.length > 0) this.#container([...at, ...inside]);
    for (const key of keys) {
      const path = [...inside, key];
      const value = content[key];
      if (isRecord(value)) this.#mergeInto(value, at, path, originOf);
      else this.set([...at, ...path], value, originOf(path));
    }
  }

  /** The mapping at a path, made where there is none. */
  #container(path: KeyPath): Plain {
    let inside = this.plain;
    for (const [index, key] of path.entries()) {
      const next = Object.hasOwn(inside, key) ? inside[key] : undefined;
      if (isRecord(next)) inside = next;
      else {
        this.#forget(path.slice(0, index + 1));
        const made: Plain = {};
        inside[key] = made;
        inside = made;
      }
    }
    return inside;
  }

  /** Puts a value where it belongs, in place of whatever was there. */
  set(path: KeyPath, value: unknown, origin: Origin): void {
    const parent = this.#container(path.slice(0, -1));
    this.#forget(path);
    parent[path.at(-1) as string] = value;
    this.#origins.set(pathKey(path), origin);
  }

  /** Takes a value away. @returns whether there was one */
  remove(path: KeyPath): boolean {
    let inside: unknown = this.plain;
    for (const key of path.slice(0, -1)) {
      inside = isRecord(inside) && Object.hasOwn(inside, key) ? inside[key] : undefined;
    }
    const last = String(path.at(-1));
    if (!isRecord(inside) || !Object.hasOwn(inside, last)) return false;
    delete inside[last];
    this.#forget(path);
    return true;
  }

  #forget(path: KeyPath): void {
    const key = pathKey(path);
    for (const each of this.#origins.keys()) {
      if (each === key || each.startsWith(`${key}\0`)) this.#origins.delete(each);
    }
  }

  /** Where the value at a path was said: there, around it, or at the first thing inside of it. */
  originOf(path: readonly PropertyKey[]): Origin | undefined {
    for (let length = path.length; length > 0; length--) {
      const found = this.#origins.get(pathKey(path.slice(0, length)));
      if (found !== undefined) return found;
    }
    const inside = `${pathKey(path)}\0`;
    for (const [key, origin] of this.#origins) {
      if (path.length > 0 && key.startsWith(inside)) return origin;
    }
    return undefined;
  }
}

/** An origin as people read it: `params.yaml:7`, or the word itself. */
export function describeOrigin(origin: Origin): string {
  return origin.kind === "file" ? `${origin.file}:${origin.line}` : origin.word;
}
