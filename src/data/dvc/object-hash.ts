// What names an object in a cache or remote, and where it lies there.
import { compareStrings, jsonString } from "./python-text.js";

/**
 * How an object is named. `md5` is what DVC 3 writes. `md5-dos2unix` is what DVC 2 wrote, whose files have no `hash`
 * entry: text is hashed with its line ends as \n, and objects lie straight under the cache's folder.
 */
export type HashName = "md5" | "md5-dos2unix";

/** Hex digits, followed by `.dir` for the list of a folder's files. */
export type ObjectId = string;

export interface ObjectRef {
  readonly id: ObjectId;
  readonly hashName: HashName;
}

export const emptyMd5 = "d41d8cd98f00b204e9800998ecf8427e";

export function isObjectId(text: unknown): text is ObjectId {
  return typeof text === "string" && /^[0-9a-f]{32}(\.dir)?$/.test(text);
}

export function isDirectoryId(id: ObjectId): boolean {
  return id.endsWith(".dir");
}

/** The place of an object under a cache's or remote's folder, with forward slashes. */
export function objectKey({ id, hashName }: ObjectRef): string {
  const place = `${id.slice(0, 2)}/${id.slice(2)}`;
  return hashName === "md5" ? `files/md5/${place}` : place;
}

/** One file of a tracked folder. */
export interface DirectoryEntry {
  /** From the folder, with forward slashes. */
  readonly relpath: string;
  readonly md5: string;
}

/** The bytes of a `.dir` object: its files in the order of Python's strings. */
export function directoryText(entries: readonly DirectoryEntry[]): string {
  const items = entries
    .toSorted((a, b) => compareStrings(a.relpath, b.relpath))
    .map(({ md5, relpath }) => `{"md5": "${md5}", "relpath": ${jsonString(relpath)}}`);
  return `[${items.join(", ")}]`;
}

/** The files a `.dir` object lists; undefined where it is none. */
export function parseDirectory(text: string): DirectoryEntry[] | undefined {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  const entries: DirectoryEntry[] = [];
  for (const item of list) {
    const { md5, relpath } = item ?? {};
    if (!isObjectId(md5) || typeof relpath !== "string" || !isInside(relpath)) return undefined;
    entries.push({ relpath, md5 });
  }
  return entries;
}

/** Whether a path stays in the folder it starts from. */
export function isInside(relpath: string): boolean {
  if (relpath === "" || relpath.startsWith("/") || relpath.includes("\0")) return false;
  return relpath.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
