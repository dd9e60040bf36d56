// A package as one tar file: written as a stream, the same bytes for the same package; read without trusting a name in it.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Header, Parser, type ReadEntry } from "tar";
import { BridleError } from "../errors/error.js";
import { readError, writeError } from "../errors/file-errors.js";
import { findOutput } from "../text/files/write-output.js";
import {
  isSafePath,
  type Manifest,
  manifestFile,
  packageLimits,
  readManifest,
} from "./manifest.js";
import {
  checkCancelled,
  checkedBytes,
  createCount,
  type ModelPackage,
  openPackageFolder,
  type PackageWork,
  readBytes,
  syncFolder,
} from "./model-package.js";
import { writeFileFrom } from "./write-package.js";

/** Every file lies in a folder of this name, so that unpacking by hand makes one folder. */
const root = "model";
const block = 512;

/** The block before a file's bytes; sizes from 8 GiB on are written as binary numbers, which every tar reads. */
export function headerOf(path: string, sizeBytes: number): Buffer {
  const header = new Header({
    path: `${root}/${path}`,
    type: "File",
    size: sizeBytes,
    mode: 0o644,
    // The same package gives the same file, whenever and by whomever it is written.
    mtime: new Date(0),
    uid: 0,
    gid: 0,
    uname: "",
    gname: "",
  });
  const bytes = Buffer.alloc(block);
  header.encode(bytes, 0);
  const written = new Header(bytes);
  if (written.path !== header.path || written.size !== sizeBytes)
    throw new BridleError("BUG", { reason: `${path} needs a longer header` });
  return bytes;
}

/** The tar of a package, its manifest first. @throws PACKAGE_ALTERED, CANCELLED */
async function* tarBytes(from: ModelPackage, work: PackageWork): AsyncGenerator<Uint8Array> {
  const { manifest } = from;
  const count = createCount(manifest, work);
  yield headerOf(manifestFile, manifest.bytes.length);
  yield manifest.bytes;
  yield Buffer.alloc(padding(manifest.bytes.length));
  for (const file of manifest.files) {
    yield headerOf(file.path, file.sizeBytes);
    for await (const piece of checkedBytes(from, file, work.signal)) {
      count(file.path, piece.length);
      yield piece;
    }
    yield Buffer.alloc(padding(file.sizeBytes));
  }
  yield Buffer.alloc(2 * block);
}

const padding = (size: number) => (block - (size % block)) % block;

/**
 * Writes a package as one file, whole or not at all.
 * @throws OUTPUT_EXISTS; PACKAGE_ALTERED; FILE_NOT_WRITABLE; CANCELLED
 */
export async function writeArchive(
  from: ModelPackage,
  target: string,
  { overwrite, ...work }: PackageWork & { readonly overwrite?: boolean | undefined } = {},
): Promise<void> {
  const place = await findOutput(resolve(target)).catch((thrown) => {
    throw writeError(thrown, target);
  });
  const { file } = place;
  const draft = join(dirname(file), `.${basename(file)}.${randomUUID()}.tmp`);
  try {
    if (!overwrite && (await exists(file)))
      throw new BridleError("OUTPUT_EXISTS", { file: target });
    if (place.isStream) {
      const reason = "it is no file, and an archive takes the place of nothing else";
      throw new BridleError("FILE_NOT_WRITABLE", { file: target, reason });
    }
    await mkdir(dirname(file), { recursive: true });
    await writeFileFrom(draft, tarBytes(from, work));
    await rename(draft, file);
    await syncFolder(dirname(file));
  } catch (thrown) {
    await rm(draft, { force: true });
    throw thrown instanceof BridleError ? thrown : writeError(thrown, target);
  }
}

async function exists(file: string): Promise<boolean> {
  const { stat } = await import("node:fs/promises");
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** What may stand in an archive beside files: folders, which are made as they are needed. */
const passedOver = new Set(["Directory", "GNUDumpDir"]);

/**
 * Reads a package out of a tar file into a folder of its own, which is removed again where anything is wrong: a name that
 * leads out, a link, a file that the manifest does not name or names otherwise. Holds a few pieces in memory at a time.
 * @param folder where to write; must not be there
 * @throws ARCHIVE_INVALID; PACKAGE_INVALID; PACKAGE_TOO_NEW; PACKAGE_ALTERED; FILE_NOT_FOUND; FILE_NOT_READABLE;
 *   FILE_NOT_WRITABLE; CANCELLED
 */
export async function readArchive(
  file: string,
  folder: string,
  work: PackageWork = {},
): Promise<ModelPackage> {
  const refuse = (reason: string) => new BridleError("ARCHIVE_INVALID", { file, reason });
  let manifest: Manifest | undefined;
  let count: ReturnType<typeof createCount> = () => {};
  let top: string | undefined;
  const written = new Set<string>();
  try {
    await mkdir(folder, { recursive: true });
    for await (const entry of entriesOf(file, refuse, work.signal)) {
      if (passedOver.has(entry.type)) continue;
      const [first = "", ...rest] = entry.path.split("/");
      const path = rest.join("/");
      if (entry.type !== "File" && entry.type !== "OldFile" && entry.type !== "ContiguousFile") {
        throw refuse(
          `${shown(entry.path)} in it is a ${entry.type}, and only plain files are read`,
        );
      }
      top ??= first;
      if (path === "" || first !== top || !isSafePath(path) || !isSafePath(first)) {
        throw refuse(`${shown(entry.path)} is no name that a package has`);
      }
      if (manifest === undefined) {
        if (path !== manifestFile)
          throw refuse(`it begins with ${shown(entry.path)}, not with a manifest`);
        manifest = readManifest(await readSmall(entry, refuse), file);
        count = createCount(manifest, work);
        await writeFileFrom(join(folder, `${manifestFile}.part`), only(manifest.bytes));
        continue;
      }
      const named = manifest.files.find((each) => each.path === path);
      if (named === undefined) throw refuse(`its manifest does not name ${shown(path)}`);
      if (written.has(path)) throw refuse(`${shown(path)} is in it twice`);
      written.add(path);
      const target = join(folder, path);
      await mkdir(dirname(target), { recursive: true });
      const body = { name: file, open: () => entry as AsyncIterable<Uint8Array> };
      const bytes = checkedBytes(body, named, work.signal);
      await writeFileFrom(
        target,
        tapped(bytes, (piece) => count(path, piece.length)),
      );
    }
    if (manifest === undefined) throw refuse("there is nothing in it");
    const missing = manifest.files.find(({ path }) => !written.has(path));
    if (missing !== undefined) throw refuse(`it ends before ${missing.path}`);
    await rename(join(folder, `${manifestFile}.part`), join(folder, manifestFile));
    await syncFolder(folder);
  } catch (thrown) {
    await rm(folder, { recursive: true, force: true });
    throw thrown instanceof BridleError ? thrown : writeError(thrown, folder);
  }
  return await openPackageFolder(folder);
}

const shown = (path: string) => JSON.stringify(path.slice(0, 200));

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* tapped(
  bytes: AsyncIterable<Uint8Array>,
  tap: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    tap(piece);
    yield piece;
  }
}

async function readSmall(
  entry: ReadEntry,
  refuse: (reason: string) => BridleError,
): Promise<Buffer> {
  if (entry.size > packageLimits.manifestBytes)
    throw refuse(`its manifest has ${entry.size} bytes`);
  const pieces: Buffer[] = [];
  for await (const piece of entry as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The entries of a tar file, each to be read to its end before the next is asked for. */
async function* entriesOf(
  file: string,
  refuse: (reason: string) => BridleError,
  signal: AbortSignal | undefined,
): AsyncGenerator<ReadEntry> {
  const parser = new Parser({ strict: true, gzip: false, brotli: false, zstd: false });
  const waiting: ReadEntry[] = [];
  let failure: unknown;
  let ended = false;
  let current: ReadEntry | undefined;
  let wake = (): void => {};
  const fail = (thrown: unknown): void => {
    failure ??= thrown;
    // Whoever reads the entry under way waits for bytes that do not come.
    current?.destroy(failure);
    wake();
  };
  parser.on("entry", (entry: ReadEntry) => {
    waiting.push(entry);
    // It is heard by whoever reads the entry, then or later.
    entry.on("error", () => {});
    wake();
  });
  parser.on("error", (thrown: unknown) => fail(refuse((thrown as Error).message)));
  parser.on("end", () => {
    ended = true;
    wake();
  });
  const stop = new AbortController();
  const feeding = (async () => {
    for await (const piece of readBytes(file)) {
      if (failure !== undefined || stop.signal.aborted) return;
      const bytes = piece as Buffer;
      // Whoever reads the entry says when there is room for more.
      if (!parser.write(bytes)) await once(parser, "drain", { signal: stop.signal });
    }
    parser.end();
  })().catch((thrown) => {
    if (!stop.signal.aborted) fail(readError(thrown, file));
  });
  try {
    for (;;) {
      checkCancelled(signal);
      if (failure !== undefined) throw failure;
      const entry = waiting.shift();
      if (entry !== undefined) {
        current = entry;
        yield entry;
        current = undefined;
        // What nobody wanted to read is in the way of the next one.
        if (!entry.emittedEnd) entry.resume();
      } else if (ended) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (waiting.length > 0 || ended || failure !== undefined) resolve();
        });
      }
    }
  } finally {
    stop.abort();
    await feeding;
  }
}
