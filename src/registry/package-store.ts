// Packages in a blob store: written file by file with the manifest last, opened as verified folders, deleted manifest first.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { type Manifest, manifestFile, readManifest } from "../package/manifest.js";
import {
  altered,
  checkCancelled,
  checkedBytes,
  createCount,
  type ModelPackage,
  openPackageFolder,
  type PackageWork,
} from "../package/model-package.js";
import {
  findFaults,
  type HashedFiles,
  type VerifyOptions,
  verifyPackage,
} from "../package/verify-package.js";
import { writePackage } from "../package/write-package.js";
import type { BlobStore } from "../ports/blob-store.js";

const prefix = "models/";

/** What this process has hashed: a registry may be opened for each name that is looked up. */
const hashed: HashedFiles = new Map();

export interface OpenPackageWork extends PackageWork {
  /** Hashes every byte, also where this process has before and nobody has touched a file since. */
  readonly anew?: boolean | undefined;
}

export interface PackageStore {
  /** How it is called in messages. */
  readonly name: string;
  /** Writes a package; one that is there already and verifies stays as it is. */
  put(from: ModelPackage, work?: PackageWork): Promise<void>;
  /**
   * A folder of this machine with the package: the store's own, or a copy in the cache. Every byte is hashed once in a process,
   * and again where a file was touched since.
   * @throws PACKAGE_ALTERED naming the file, and what the store throws
   */
  open(digest: string, work?: OpenPackageWork): Promise<string>;
  /** The package where it lies, to be read from with checks. @throws PACKAGE_ALTERED */
  read(digest: string, signal?: AbortSignal): Promise<ModelPackage>;
  /** Everything that is wrong with a package, every byte read. */
  findFaults(digest: string, work?: PackageWork): Promise<BridleError[]>;
  /** Every package of which anything is there, whole or not. */
  list(signal?: AbortSignal): Promise<Set<string>>;
  /**
   * Deletes whatever is there of a package.
   * @param check called before each file goes; what it throws ends the work
   * @returns bytes freed
   */
  delete(digest: string, check?: () => void): Promise<number>;
  close(): Promise<void>;
}

export interface PackageStoreSettings {
  /** Folder for copies of what lies elsewhere. */
  readonly cache: string;
}

export function createPackageStore(
  store: BlobStore,
  { cache }: PackageStoreSettings,
): PackageStore {
  const keyOf = (digest: string, path: string) => `${prefix}${digest}/${path}`;
  const nameOf = (digest: string) => `${store.name}/${prefix}${digest}`;
  const folderOf = (digest: string) => store.fileOf?.(`${prefix}${digest}`);

  async function readManifestOf(digest: string, signal?: AbortSignal): Promise<Manifest> {
    const path = manifestFile;
    const pieces: Uint8Array[] = [];
    try {
      for await (const piece of await store.get(keyOf(digest, path), { signal }))
        pieces.push(piece);
    } catch (thrown) {
      const isGone = thrown instanceof BridleError && thrown.code === "BLOB_NOT_FOUND";
      throw isGone ? altered(nameOf(digest), { path }, "it is not there") : thrown;
    }
    const manifest = readManifest(Buffer.concat(pieces), nameOf(digest));
    if (manifest.digest === digest) return manifest;
    throw altered(nameOf(digest), { path }, `its SHA-256 is ${manifest.digest}, not ${digest}`);
  }

  async function read(digest: string, signal?: AbortSignal): Promise<ModelPackage> {
    const manifest = await readManifestOf(digest, signal);
    return {
      manifest,
      name: nameOf(digest),
      async *open(path, startByte = 0, endByte) {
        let left = (endByte ?? Number.POSITIVE_INFINITY) - startByte;
        try {
          for await (const piece of await store.get(keyOf(digest, path), { startByte, signal })) {
            yield piece.subarray(0, left);
            left -= piece.length;
            if (left <= 0) return;
          }
        } catch (thrown) {
          const isGone = thrown instanceof BridleError && thrown.code === "BLOB_NOT_FOUND";
          throw isGone ? altered(nameOf(digest), { path }, "it is not there") : thrown;
        }
      },
    };
  }

  /** Whether all of a package is there; what is spoiled counts as not there. */
  async function isWhole(digest: string, work: PackageWork): Promise<boolean> {
    if ((await store.head(keyOf(digest, manifestFile), work)) === undefined) return false;
    const folder = folderOf(digest);
    if (folder === undefined) return (await missingOf(digest, work)).length === 0;
    return (await faultsIn(folder, digest, { ...work, hashed })).length === 0;
  }

  /** Files of a distant package that are not there at their size. */
  async function missingOf(digest: string, { signal }: PackageWork): Promise<BridleError[]> {
    const { files } = await readManifestOf(digest, signal);
    const faults: BridleError[] = [];
    for (const file of files) {
      const found = await store.head(keyOf(digest, file.path), { signal });
      if (found?.sizeBytes === file.sizeBytes) continue;
      const reason = found
        ? `it has ${found.sizeBytes} bytes, not ${file.sizeBytes}`
        : "it is not there";
      faults.push(altered(nameOf(digest), file, reason));
    }
    return faults;
  }

  async function faultsIn(
    folder: string,
    digest: string,
    options: VerifyOptions,
  ): Promise<BridleError[]> {
    try {
      const found = await openPackageFolder(folder);
      if (found.manifest.digest !== digest) {
        return [altered(folder, { path: manifestFile }, `its SHA-256 is ${found.manifest.digest}`)];
      }
      return await findFaults(found, folder, options);
    } catch (thrown) {
      if (!(thrown instanceof BridleError) || !/^PACKAGE_/.test(thrown.code)) throw thrown;
      return [altered(folder, { path: manifestFile }, String(thrown.details.reason))];
    }
  }

  async function remove(digest: string, check: () => void = () => {}): Promise<number> {
    check();
    // Without its manifest a package is none, whatever is left of it.
    const first = keyOf(digest, manifestFile);
    let freed = (await store.head(first))?.sizeBytes ?? 0;
    await store.delete(first);
    const rest: { readonly key: string; readonly sizeBytes: number }[] = [];
    for await (const blob of store.list(`${prefix}${digest}/`)) rest.push(blob);
    for (const { key, sizeBytes } of rest) {
      check();
      await store.delete(key);
      freed += sizeBytes;
    }
    check();
    const folder = folderOf(digest);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    await rm(join(cache, digest), { recursive: true, force: true });
    return freed;
  }

  return {
    name: store.name,
    read,
    delete: remove,
    async put(from, work = {}) {
      const { digest, files, bytes } = from.manifest;
      if (await isWhole(digest, work)) return;
      const count = createCount(from.manifest, work);
      const { signal } = work;
      for (const file of files) {
        checkCancelled(signal);
        await store.put(keyOf(digest, file.path), sourceOf(from, file, signal), { signal });
        count(file.path, file.sizeBytes);
      }
      const manifest = { sizeBytes: bytes.length, open: () => only(bytes) };
      await store.put(keyOf(digest, manifestFile), manifest, { signal });
      const folder = folderOf(digest);
      // What is read back is what will be read.
      if (folder !== undefined) await verifyPackage(folder, digest, { signal, hashed });
    },
    async open(digest, work = {}) {
      const own = folderOf(digest);
      if (own !== undefined) {
        await verifyPackage(own, digest, { ...work, hashed });
        return own;
      }
      const copy = join(cache, digest);
      // A spoiled copy is fetched anew; the store has the package.
      if ((await faultsIn(copy, digest, { ...work, hashed })).length === 0) return copy;
      await rm(copy, { recursive: true, force: true });
      await writePackage(await read(digest, work.signal), copy, work).catch((thrown: unknown) => {
        // Another process was quicker.
        if (!(thrown instanceof BridleError) || thrown.code !== "OUTPUT_EXISTS") throw thrown;
      });
      await verifyPackage(copy, digest, { signal: work.signal, hashed });
      return copy;
    },
    async findFaults(digest, work = {}) {
      const folder = folderOf(digest);
      if (folder !== undefined) return await faultsIn(folder, digest, work);
      try {
        const from = await read(digest, work.signal);
        const faults: BridleError[] = [];
        for (const file of from.manifest.files) {
          try {
            for await (const _ of checkedBytes(from, file, work.signal));
          } catch (thrown) {
            if (!(thrown instanceof BridleError) || thrown.code !== "PACKAGE_ALTERED") throw thrown;
            faults.push(thrown);
          }
        }
        return faults;
      } catch (thrown) {
        if (!(thrown instanceof BridleError) || !/^PACKAGE_/.test(thrown.code)) throw thrown;
        return [thrown];
      }
    },
    async list(signal) {
      const digests = new Set<string>();
      for await (const { key } of store.list(prefix, { signal })) {
        const digest = /^models\/([0-9a-f]{64})\//.exec(key)?.[1];
        if (digest !== undefined) digests.add(digest);
      }
      return digests;
    },
    close: () => store.close(),
  };
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A file's bytes for a store: all of them checked, or a piece for a store that sends pieces. */
function sourceOf(
  from: ModelPackage,
  file: Manifest["files"][number],
  signal: AbortSignal | undefined,
) {
  return {
    sizeBytes: file.sizeBytes,
    open: (startByte = 0, endByte?: number) =>
      startByte === 0 && (endByte === undefined || endByte >= file.sizeBytes)
        ? checkedBytes(from, file, signal)
        : from.open(file.path, startByte, endByte),
  };
}
