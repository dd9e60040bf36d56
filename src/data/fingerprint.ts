// What identifies the content of a data file or folder: its size and a hash of its bytes as they lie on disk.
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { BridleError } from "../errors/error.js";
import { readError } from "../errors/file-errors.js";
import { openInputFile } from "./input-file.js";

export interface Fingerprint {
  readonly file: string;
  readonly sizeBytes: number;
  /** Of the bytes; of a folder, of its files' names and hashes in the order of the names. Hexadecimal. */
  readonly sha256: string;
}

/** @throws FILE_NOT_FOUND, FILE_NOT_READABLE, CANCELLED */
export async function fingerprintOf(file: string, signal?: AbortSignal): Promise<Fingerprint> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for (const { name, full } of await filesOf(file)) {
    const inner = name === undefined ? hash : createHash("sha256");
    const { content } = await openInputFile(full, { unpack: false });
    for await (const chunk of content) {
      if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
      inner.update(chunk);
      sizeBytes += chunk.length;
    }
    if (name !== undefined) hash.update(`${name}\0${inner.digest("hex")}\n`);
  }
  return { file, sizeBytes, sha256: hash.digest("hex") };
}

/** The file itself, or every file in a folder with its name from there. */
async function filesOf(file: string): Promise<{ name?: string; full: string }[]> {
  try {
    if (!(await stat(file)).isDirectory()) return [{ full: file }];
    const entries = await readdir(file, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const full = path.join(entry.parentPath, entry.name);
        return { name: path.relative(file, full).split(path.sep).join("/"), full };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (thrown) {
    throw readError(thrown, file);
  }
}
