// Remembers the hashes of files that have not changed since, so that they are not read again.
import { readFileSync } from "node:fs";
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

  private load(): Map<string, Remembered> {
    if (this.entries !== undefined) return this.entries;
    const entries = new Map<string, Remembered>();
    this.entries = entries;
    let text: string;
    try {
      text = readFileSync(this.file, "utf8");
    } catch {
      return entries;
    }
    const [first, ...lines] = text.split("\n");
    if (first !== header) return entries;
    for (const line of lines) {
      const [md5 = "", mtimeMs = "", inode = "", sizeBytes = "", name = ""] = line.split("\t");
      const path = pathIn(name);
      if (path === undefined) continue;
      entries.set(path, {
        md5,
        mtimeMs: Number(mtimeMs),
        inode: Number(inode),
        sizeBytes: Number(sizeBytes),
      });
    }
    return entries;
  }

  /** Whether there is anything about a file, so that looking at it can pay. */
  has(path: string): boolean {
    return this.load().has(path);
  }

  /** The hash of a file that is still as it was. */
  find(path: string, { mtimeMs, inode, sizeBytes }: FileMark): string | undefined {
    const found = this.load().get(path);
    if (found === undefined || found.mtimeMs !== mtimeMs) return undefined;
    return found.inode === inode && found.sizeBytes === sizeBytes ? found.md5 : undefined;
  }

  remember(path: string, { md5, mtimeMs, inode, sizeBytes, hashedAtMs }: HashedFile): void {
    const entries = this.load();
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

/** A path as it was written; undefined of a line that was cut off, which only makes work slower. */
function pathIn(name: string): string | undefined {
  try {
    const path: unknown = JSON.parse(name);
    return typeof path === "string" ? path : undefined;
  } catch {
    return undefined;
  }
}
