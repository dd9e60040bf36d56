// The local cache: what is there, and the lists of tracked folders in it.

import { hash as hashOf } from "node:crypto";
import { readdirSync } from "node:fs";
import { type FileHandle, mkdir, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { BridleError } from "../../errors/error.js";
import { folderError, readError, systemCode, writeError } from "../../errors/file-errors.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import {
  type DirectoryEntry,
  directoryText,
  isObjectId,
  type ObjectId,
  type ObjectRef,
  parseDirectory,
} from "./object-hash.js";
import { objectPath } from "./object-work.js";
import { makeScratch, scratchName } from "./scratch.js";

export class ObjectCache {
  /** The folder that `files/md5` is in. */
  readonly folder: string;
  private readonly lists = new Map<string, Promise<readonly DirectoryEntry[] | undefined>>();
  private readonly present = new Map<string, ReadonlySet<string>>();

  constructor(folder: string) {
    this.folder = folder;
  }

  pathOf(ref: ObjectRef): string {
    return objectPath(this.folder, ref);
  }

  /** For files that are not yet whole, on the cache's disk. */
  get scratch(): string {
    return path.join(this.folder, "bridle-tmp");
  }

  async has(ref: ObjectRef): Promise<boolean> {
    return await stat(this.pathOf(ref)).then(
      (found) => found.isFile(),
      () => false,
    );
  }

  /** As has, for many: each of the cache's folders is listed once. */
  hasListed(ref: ObjectRef): boolean {
    const prefix = ref.id.slice(0, 2);
    const key = ref.hashName === "md5" ? prefix : `${ref.hashName} ${prefix}`;
    let names = this.present.get(key);
    if (names === undefined) {
      names = namesIn(path.dirname(this.pathOf(ref)));
      this.present.set(key, names);
    }
    return names.has(ref.id.slice(2));
  }

  /** Forgets what hasListed saw. */
  forget(): void {
    this.present.clear();
  }

  /** The files of a tracked folder; undefined where the cache has not got its list. @throws DVC_OBJECT_CORRUPT */
  async readDirectory(ref: ObjectRef): Promise<readonly DirectoryEntry[] | undefined> {
    const key = this.pathOf(ref);
    const known = this.lists.get(key);
    if (known !== undefined) return await known;
    const read = this.load(ref);
    this.lists.set(key, read);
    const found = await read;
    if (found === undefined) this.lists.delete(key);
    return found;
  }

  private async load(ref: ObjectRef): Promise<readonly DirectoryEntry[] | undefined> {
    const place = this.pathOf(ref);
    let bytes: Buffer;
    try {
      bytes = await readFile(place);
    } catch (thrown) {
      if (systemCode(thrown) === "ENOENT") return undefined;
      throw readError(thrown, place);
    }
    const actual = hashOf("md5", bytes, "hex");
    const entries = parseDirectory(bytes.toString("utf8"));
    if (`${actual}.dir` !== ref.id || entries === undefined) {
      throw new BridleError("DVC_OBJECT_CORRUPT", { place, id: ref.id, actual });
    }
    return entries;
  }

  /** Keeps the list of a folder's files. @returns its id @throws FILE_NOT_WRITABLE */
  async writeDirectory(entries: readonly DirectoryEntry[]): Promise<ObjectId> {
    const { id, bytes } = directoryObject(entries);
    await this.writeObject({ id, hashName: "md5" }, bytes);
    return id;
  }

  /** Keeps an object whose bytes are at hand. Among objects is never a part of one, whenever this is killed. */
  async writeObject(ref: ObjectRef, bytes: Uint8Array): Promise<void> {
    if (await this.has(ref)) return;
    const place = this.pathOf(ref);
    try {
      await mkdir(path.dirname(place), { recursive: true }).catch((thrown) => {
        throw folderError(thrown, path.dirname(place));
      });
      await makeScratch(this.scratch);
      const write = async (handle: FileHandle) => {
        await handle.writeFile(bytes);
        await handle.chmod(0o444);
      };
      await writeAtomically(place, write, scratchName(this.scratch));
    } catch (thrown) {
      throw writeError(thrown, place);
    }
  }

  /** Every object here, of either layout. */
  async *list(): AsyncGenerator<{ readonly ref: ObjectRef; readonly place: string }> {
    for (const hashName of ["md5", "md5-dos2unix"] as const) {
      const base = hashName === "md5" ? path.join(this.folder, "files", "md5") : this.folder;
      for (const prefix of await readdir(base).catch(() => [])) {
        if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
        for (const rest of await readdir(path.join(base, prefix)).catch(() => [])) {
          const id = prefix + rest;
          if (isObjectId(id)) yield { ref: { id, hashName }, place: path.join(base, prefix, rest) };
        }
      }
    }
  }
}

function namesIn(folder: string): ReadonlySet<string> {
  try {
    return new Set(readdirSync(folder));
  } catch {
    return new Set();
  }
}

/** The list of a folder's files as an object. */
export function directoryObject(entries: readonly DirectoryEntry[]): {
  readonly id: ObjectId;
  readonly bytes: Buffer;
} {
  const bytes = Buffer.from(directoryText(entries), "utf8");
  return { id: `${hashOf("md5", bytes, "hex")}.dir`, bytes };
}
