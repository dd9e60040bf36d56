// Holds a package's files against its manifest before they are used; what this process hashed and nobody has touched it need not hash again.
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BridleError } from "../errors/error.js";
import { readError, systemCode } from "../errors/file-errors.js";
import { manifestFile, type PackageFile } from "./manifest.js";
import {
  altered,
  checkCancelled,
  checkContent,
  createCount,
  type ModelPackage,
  openPackageFolder,
  type PackageWork,
  readBytes,
} from "./model-package.js";

/** What was hashed and found right, by folder and package, and how each file was then. It is not kept: disks rot between two starts. */
export type HashedFiles = Map<string, ReadonlyMap<string, string>>;

export interface VerifyOptions extends PackageWork {
  /** Where is noted what was hashed, and looked up what need not be. Without it everything is hashed. */
  readonly hashed?: HashedFiles | undefined;
  /** Hashes everything all the same, and notes it. */
  readonly anew?: boolean | undefined;
}

/** What a file system tells of a file that changes whenever the file does: its change time cannot be set back. */
async function identityOf(
  file: string,
): Promise<{ identity: string; sizeBytes: number; isFile: boolean }> {
  const found = await stat(file, { bigint: true });
  const { dev, ino, size, mtimeNs, ctimeNs } = found;
  const identity = [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  return { identity, sizeBytes: Number(size), isFile: found.isFile() };
}

/**
 * Checks that a folder holds the package of a digest, every byte of it and no other file.
 * @param digest the package that is expected
 * @throws PACKAGE_ALTERED naming the file; PACKAGE_INVALID; FILE_NOT_READABLE; CANCELLED
 */
export async function verifyPackage(
  folder: string,
  digest: string,
  options: VerifyOptions = {},
): Promise<ModelPackage> {
  const found = await openPackageFolder(folder).catch((thrown: unknown) => {
    const isGone = thrown instanceof BridleError && thrown.code === "PACKAGE_INVALID";
    throw isGone ? altered(folder, { path: manifestFile }, String(thrown.details.reason)) : thrown;
  });
  const { manifest } = found;
  if (manifest.digest !== digest) {
    throw altered(
      folder,
      { path: manifestFile },
      `its SHA-256 is ${manifest.digest}, not ${digest}`,
    );
  }
  const fault = (await findFaults(found, folder, options, true))[0];
  if (fault !== undefined) throw fault;
  return found;
}

/**
 * Everything that is wrong with a package's files.
 * @param stopAtFirst whether one is enough
 */
export async function findFaults(
  { manifest }: ModelPackage,
  folder: string,
  options: VerifyOptions,
  stopAtFirst = false,
): Promise<BridleError[]> {
  const faults: BridleError[] = [];
  const count = createCount(manifest, options);
  const place = `${resolve(folder)} ${manifest.digest}`;
  const notes = options.anew ? undefined : options.hashed?.get(place);
  const seen = new Map<string, string>();
  const wanted = new Set([manifestFile, ...manifest.files.map(({ path }) => path)]);
  for (const path of await listFiles(folder)) {
    // A file beside them could be read in place of one of them.
    if (!wanted.has(path)) faults.push(altered(folder, { path }, "the package has no such file"));
  }
  for (const file of manifest.files) {
    if (stopAtFirst && faults.length > 0) break;
    try {
      const identity = await checkFile(folder, file, notes?.get(file.path), options, count);
      seen.set(file.path, identity);
    } catch (thrown) {
      if (!(thrown instanceof BridleError) || thrown.code !== "PACKAGE_ALTERED") throw thrown;
      faults.push(thrown);
    }
  }
  if (faults.length === 0) options.hashed?.set(place, seen);
  else options.hashed?.delete(place);
  return faults;
}

/** @returns what is to be noted of the file; @throws PACKAGE_ALTERED */
async function checkFile(
  folder: string,
  file: PackageFile,
  noted: string | undefined,
  { signal }: PackageWork,
  count: (file: string, bytes: number) => void,
): Promise<string> {
  const path = join(folder, file.path);
  const before = await identityOf(path).catch((thrown) => {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown)))
      throw altered(folder, file, "it is not there");
    throw readError(thrown, path);
  });
  if (!before.isFile) throw altered(folder, file, "it is no plain file");
  if (before.sizeBytes === file.sizeBytes && before.identity === noted) {
    count(file.path, file.sizeBytes);
    return before.identity;
  }
  if (before.sizeBytes !== file.sizeBytes) checkContent(folder, file, before.sizeBytes, "");
  const hash = createHash("sha256");
  let sizeBytes = 0;
  try {
    for await (const piece of readBytes(path)) {
      checkCancelled(signal);
      hash.update(piece);
      sizeBytes += piece.length;
      count(file.path, piece.length);
    }
  } catch (thrown) {
    throw readError(thrown, path);
  }
  checkContent(folder, file, sizeBytes, hash.digest("hex"));
  // Taken before the bytes were read: a change in the meantime is another identity.
  return before.identity;
}

/** Paths of all files in a folder, with forward slashes. */
async function listFiles(folder: string, above = ""): Promise<string[]> {
  const entries = await readdir(join(folder, above), { withFileTypes: true });
  const nested = entries.map(async (entry) => {
    const path = `${above}${entry.name}`;
    return entry.isDirectory() ? await listFiles(folder, `${path}/`) : [path];
  });
  return (await Promise.all(nested)).flat();
}
