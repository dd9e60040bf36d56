// A folder as a blob store: each blob a file that appears whole.
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { BridleError } from "../../errors/error.js";
import { folderError, systemCode } from "../../errors/file-errors.js";
import type {
  BlobInfo,
  BlobLocation,
  BlobRequest,
  BlobSource,
  BlobStore,
} from "../../ports/blob-store.js";

/** For files that are not yet whole; no key starts so. */
const partFolder = "bridle-tmp";
/** Nobody writes on at what nobody has written to for so long. */
const partKeptMs = 24 * 3600 * 1000;

export class FileBlobStore implements BlobStore {
  readonly name: string;
  private readonly folder: string;
  private readonly start: string;
  private sweeping: Promise<void> | undefined;

  constructor(folder: string) {
    this.name = folder;
    this.folder = folder;
    // Kept ready, as a hundred thousand keys are asked for at once.
    this.start = path.join(folder, path.sep);
  }

  fileOf(key: string): string {
    return this.start + (path.sep === "/" ? key : key.replaceAll("/", path.sep));
  }

  private failure(thrown: unknown, key: string, what: string): BridleError {
    if (thrown instanceof BridleError) return thrown;
    const code = systemCode(thrown);
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const details = { store: this.name, key, what, reason };
    if (code === "ENOENT") return new BridleError("BLOB_NOT_FOUND", details, { cause: thrown });
    if (["EACCES", "EPERM", "EROFS"].includes(code)) {
      return new BridleError("BLOB_DENIED", details, { cause: thrown });
    }
    if (code === "ENOSPC" || code === "EDQUOT") {
      return new BridleError("BLOB_STORE_FULL", details, { cause: thrown });
    }
    return new BridleError("BLOB_UNAVAILABLE", details, { cause: thrown });
  }

  async head(key: string): Promise<BlobInfo | undefined> {
    try {
      const found = await stat(this.fileOf(key));
      return found.isFile() ? { key, sizeBytes: found.size } : undefined;
    } catch (thrown) {
      if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown))) return undefined;
      throw this.failure(thrown, key, "reading");
    }
  }

  async get(
    key: string,
    { startByte = 0, signal }: BlobRequest & { readonly startByte?: number } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const file = this.fileOf(key);
    try {
      const handle = await open(file, "r");
      const options = { start: startByte, autoClose: true, ...(signal ? { signal } : {}) };
      return createReadStream("", { ...options, fd: handle });
    } catch (thrown) {
      throw this.failure(thrown, key, "reading");
    }
  }

  async put(key: string, source: BlobSource, { signal }: BlobRequest = {}): Promise<void> {
    const file = this.fileOf(key);
    const part = path.join(
      this.folder,
      partFolder,
      `${process.pid}-${randomBytes(8).toString("hex")}`,
    );
    try {
      await makeFolder(path.dirname(part));
      this.sweeping ??= dropLeftParts(path.dirname(part));
      const handle = await open(part, "wx", 0o644);
      try {
        for await (const piece of source.open()) {
          signal?.throwIfAborted();
          await handle.writeFile(piece);
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      await makeFolder(path.dirname(file));
      await rename(part, file);
    } catch (thrown) {
      await rm(part, { force: true }).catch(() => {});
      throw this.failure(thrown, key, "writing");
    }
  }

  async *list(prefix: string): AsyncIterable<BlobInfo> {
    const start = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    yield* this.walk(start, prefix);
  }

  private async *walk(folder: string, prefix: string): AsyncIterable<BlobInfo> {
    const place = this.fileOf(folder);
    const entries = await readdir(place, { withFileTypes: true }).catch((thrown) => {
      if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown))) return [];
      throw this.failure(thrown, folder, "listing");
    });
    for (const entry of entries) {
      const key = `${folder}${entry.name}`;
      if (key === partFolder) continue;
      if (entry.isDirectory()) {
        const inner = `${key}/`;
        if (inner.startsWith(prefix) || prefix.startsWith(inner)) yield* this.walk(inner, prefix);
      } else if (key.startsWith(prefix)) {
        const found = await stat(path.join(place, entry.name)).catch(() => undefined);
        if (found !== undefined) yield { key, sizeBytes: found.size };
      }
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.fileOf(key), { force: true }).catch((thrown) => {
      throw this.failure(thrown, key, "deleting");
    });
  }

  async close(): Promise<void> {
    // A folder holds no connections.
  }
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((thrown) => {
    throw folderError(thrown, folder);
  });
}

export async function openFileStore({ url }: BlobLocation): Promise<BlobStore> {
  return new FileBlobStore(url.replace(/^file:\/\//, ""));
}

/** Removes what was being written when its process was killed. What cannot be removed takes room, and nothing else. */
async function dropLeftParts(folder: string): Promise<void> {
  const before = Date.now() - partKeptMs;
  for (const name of await readdir(folder).catch(() => [])) {
    const part = path.join(folder, name);
    const found = await stat(part).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < before)
      await rm(part, { force: true }).catch(() => {});
  }
}
