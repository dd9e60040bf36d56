// Holds a package's files against its manifest before they are used; what was hashed and has not been touched is not hashed again.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../errors/error.js";
import { readError, systemCode } from "../errors/file-errors.js";
import { writeAtomically } from "../text/files/write-atomically.js";
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

export interface VerifyOptions extends PackageWork {
  /** Folder where is noted what was hashed; without it everything is hashed. */
  readonly notes?: string | undefined;
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
  const notes = await readNotes(options.notes, manifest.digest);
  const seen = new Map<string, string>();
  const wanted = new Set([manifestFile, ...manifest.files.map(({ path }) => path)]);
  for (const path of await listFiles(folder)) {
    // A file beside them could be read in place of one of them.
    if (!wanted.has(path)) faults.push(altered(folder, { path }, "the package has no such file"));
  }
  for (const file of manifest.files) {
    if (stopAtFirst && faults.length > 0) break;
    try {
      const identity = await checkFile(folder, file, notes.get(file.path), options, count);
      seen.set(file.path, identity);
    } catch (thrown) {
      if (!(thrown instanceof BridleError) || thrown.code !== "PACKAGE_ALTERED") throw thrown;
      faults.push(thrown);
    }
  }
  const isNew = [...seen].some(([path, identity]) => notes.get(path) !== identity);
  if (isNew && faults.length === 0) await writeNotes(options.notes, manifest.digest, seen);
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

const noteOf = (notes: string, digest: string) => join(notes, `${digest}.verified`);

/** Identities by path; empty where nothing is noted. */
async function readNotes(
  notes: string | undefined,
  digest: string,
): Promise<ReadonlyMap<string, string>> {
  if (notes === undefined) return new Map();
  const text = await readFile(noteOf(notes, digest), "utf8").catch(() => "");
  const lines = text.split("\n").map((line) => line.split("\t") as [string, string]);
  return new Map(lines.filter((line) => line.length === 2));
}

/** A folder that cannot be written costs hashing again, and nothing else. */
async function writeNotes(
  notes: string | undefined,
  digest: string,
  seen: ReadonlyMap<string, string>,
): Promise<void> {
  if (notes === undefined) return;
  const text = [...seen].map(([path, identity]) => `${path}\t${identity}\n`).join("");
  try {
    await mkdir(notes, { recursive: true });
    await writeAtomically(noteOf(notes, digest), (handle) => handle.writeFile(text));
  } catch (thrown) {
    const isFull = thrown instanceof BridleError && thrown.code === "WRITE_FAILED";
    if (!isFull && systemCode(thrown) === "") throw thrown;
  }
}
