// Remembers the hashes of files that have not changed since, so that they are not read again.
import { readFile } from "node:fs/promises";
import { writeAtomically } from "../../text/files/write-atomically.js";
import type { FileMark, HashedFile } from "./file-pieces.js";

/** Younger than this when it was hashed, a file may have been changed again within one tick of the clock. */
const tickMs = 50;
const header = "bridle-hashes 1";

interface Remembered extends FileMark {
  readonly md5: string;
}

/** Hashes (of the md5 kind) by path; a file that cannot be read or written only makes work slower. */
export class HashMemory {
  private readonly file: string;
  private entries: Map<string, Remembered> | undefined;
  private changed = false;

  constructor(file: string) {
    this.file = file;
  }

  private async load(): Promise<Map<string, Remembered>> {
    if (this.entries !== undefined) return this.entries;
    const entries = new Map<string, Remembered>();
    this.entries = entries;
    const text = await readFile(this.file, "utf8").catch(() => "");
    const [first, ...lines] = text.split("\n");
    if (first !== header) return entries;
    for (const line of lines) {
      const [md5 = "", mtimeMs = "", inode = "", sizeBytes = "", name = ""] = line.split("\t");
      if (name === "") continue;
      const path = JSON.parse(name) as string;
      entries.set(path, {
        md5,
        mtimeMs: Number(mtimeMs),
        inode: Number(inode),
        sizeBytes: Number(sizeBytes),
      });
    }
    return entries;
  }

  /** The hash of a file that is still as it was. */
  async find(path: string, { mtimeMs, inode, sizeBytes }: FileMark): Promise<string | undefined> {
    const found = (await this.load()).get(path);
    if (found === undefined || found.mtimeMs !== mtimeMs) return undefined;
    return found.inode === inode && found.sizeBytes === sizeBytes ? found.md5 : undefined;
  }

  async remember(
    path: string,
    { md5, mtimeMs, inode, sizeBytes, hashedAtMs }: HashedFile,
  ): Promise<void> {
    const entries = await this.load();
    if (hashedAtMs - mtimeMs < tickMs) {
      this.changed = entries.delete(path) || this.changed;
      return;
    }
    entries.set(path, { md5, mtimeMs, inode, sizeBytes });
    this.changed = true;
  }

  async save(): Promise<void> {
    if (!this.changed || this.entries === undefined) return;
    const lines = [header];
    for (const [path, { md5, mtimeMs, inode, sizeBytes }] of this.entries) {
      lines.push(`${md5}\t${mtimeMs}\t${inode}\t${sizeBytes}\t${JSON.stringify(path)}`);
    }
    await writeAtomically(this.file, (handle) => handle.writeFile(`${lines.join("\n")}\n`)).catch(
      () => {},
    );
    this.changed = false;
  }
}
