// A model package wherever it lies: its manifest, and the bytes of its files, each held against its hash.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { readError, systemCode } from "../errors/file-errors.js";
import { type Manifest, manifestFile, type PackageFile, readManifest } from "./manifest.js";

export interface ModelPackage {
  readonly manifest: Manifest;
  /** How it is called in messages. */
  readonly name: string;
  /** A file's bytes, from one of them up to and without another. */
  open(path: string, startByte?: number, endByte?: number): AsyncIterable<Uint8Array>;
}

/** How far work on a package's bytes is. */
export interface PackageProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Path of the file in work. */
  readonly file: string;
}

export interface PackageWork {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PackageProgress) => void) | undefined;
}

/** Bytes read at once: large enough for a disk, small beside a model. */
export const chunkBytes = 1 << 20;

export function checkCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
}

/** Tells how far a walk over a manifest's files is. */
export function createCount(
  manifest: Pick<Manifest, "sizeBytes">,
  { onProgress }: PackageWork,
): (file: string, bytes: number) => void {
  let doneBytes = 0;
  return (file, bytes) => {
    doneBytes += bytes;
    onProgress?.({ doneBytes, totalBytes: manifest.sizeBytes, file });
  };
}

/** @param endByte without it */
export function readBytes(
  file: string,
  startByte = 0,
  endByte?: number,
): AsyncIterable<Uint8Array> {
  if (endByte !== undefined && endByte <= startByte) return (async function* () {})();
  return createReadStream(file, {
    highWaterMark: chunkBytes,
    start: startByte,
    ...(endByte !== undefined && { end: endByte - 1 }),
  });
}

/**
 * A package that lies in a folder. Its files are not looked at; see verifyPackage.
 * @throws PACKAGE_INVALID; PACKAGE_TOO_NEW; FILE_NOT_READABLE
 */
export async function openPackageFolder(folder: string): Promise<ModelPackage> {
  const file = join(folder, manifestFile);
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (thrown) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown))) {
      const details = { where: folder, reason: `there is no ${manifestFile} in it` };
      throw new BridleError("PACKAGE_INVALID", details, { cause: thrown });
    }
    throw readError(thrown, file);
  }
  const manifest = readManifest(bytes, folder);
  return {
    manifest,
    name: folder,
    open: (path, startByte, endByte) => readBytes(join(folder, path), startByte, endByte),
  };
}

/** Whether a folder says that it is a package. */
export async function isPackageFolder(folder: string): Promise<boolean> {
  return stat(join(folder, manifestFile)).then(
    (found) => found.isFile(),
    () => false,
  );
}

/**
 * A file's bytes as they come, and at their end an error where they are not what the manifest says.
 * @throws PACKAGE_ALTERED
 */
export async function* checkedBytes(
  { name, open: read }: Pick<ModelPackage, "name" | "open">,
  file: PackageFile,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  try {
    for await (const piece of read(file.path)) {
      checkCancelled(signal);
      hash.update(piece);
      sizeBytes += piece.length;
      if (sizeBytes > file.sizeBytes) break;
      yield piece;
    }
  } catch (thrown) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown)))
      throw altered(name, file, "it is not there");
    throw thrown instanceof BridleError ? thrown : readError(thrown, `${name}/${file.path}`);
  }
  checkContent(name, file, sizeBytes, hash.digest("hex"));
}

/** @throws PACKAGE_ALTERED where size or hash are not the manifest's */
export function checkContent(
  name: string,
  file: PackageFile,
  sizeBytes: number,
  hash: string,
): void {
  if (sizeBytes !== file.sizeBytes) {
    const size = sizeBytes > file.sizeBytes ? "more" : `${sizeBytes}`;
    throw altered(name, file, `it has ${size} bytes, not ${file.sizeBytes}`);
  }
  if (hash !== file.sha256) throw altered(name, file, `its SHA-256 is ${hash}, not ${file.sha256}`);
}

export function altered(
  name: string,
  file: Pick<PackageFile, "path">,
  reason: string,
): BridleError {
  return new BridleError("PACKAGE_ALTERED", { file: file.path, package: name, reason });
}

/** A small file of a package, checked. @throws PACKAGE_ALTERED; PACKAGE_INVALID where it is not there or is large */
export async function readPackageFile(
  from: ModelPackage,
  path: string,
  mostBytes = 4 * 1024 * 1024,
): Promise<Buffer> {
  const file = from.manifest.files.find((each) => each.path === path);
  if (file === undefined || file.sizeBytes > mostBytes) {
    const reason =
      file === undefined ? `it holds no ${path}` : `its ${path} has ${file.sizeBytes} bytes`;
    throw new BridleError("PACKAGE_INVALID", { where: from.name, reason });
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of checkedBytes(from, file)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Keeps what a folder lists on disk across a power cut, where the system can. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  // Windows opens no folders.
  await handle?.sync().catch(() => {});
  await handle?.close();
}
