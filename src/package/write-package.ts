// Writes a package into a folder, which is there whole or not at all; it is a Hugging Face folder besides.
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { BridleError } from "../errors/error.js";
import { systemCode, writeError } from "../errors/file-errors.js";
import { checkReplaceable } from "../model/checkpoint/replaceable-folder.js";
import { manifestFile } from "./manifest.js";
import {
  checkedBytes,
  createCount,
  type ModelPackage,
  type PackageWork,
  syncFolder,
} from "./model-package.js";

export interface WritePackageOptions extends PackageWork {
  /** Replaces a package or a model that is there; any other folder stays. */
  readonly overwrite?: boolean | undefined;
}

/** Bytes of one file, each piece written when the one before it is on its way. @throws what reading throws, FILE_NOT_WRITABLE */
export async function writeFileFrom(file: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(file, "wx", 0o644).catch((thrown) => {
    throw writeError(thrown, file);
  });
  try {
    for await (const piece of bytes) {
      await handle.writeFile(piece).catch((thrown) => {
        throw writeError(thrown, file);
      });
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Every byte is held against the manifest on its way. The folder gets its name when all is there.
 * @throws OUTPUT_EXISTS; OUTPUT_NOT_REPLACEABLE where what is there is no model's folder alone; PACKAGE_ALTERED; FILE_NOT_WRITABLE; CANCELLED
 */
export async function writePackage(
  from: ModelPackage,
  target: string,
  options: WritePackageOptions = {},
): Promise<void> {
  const folder = resolve(target);
  if (!options.overwrite && (await isTaken(folder))) {
    throw new BridleError("OUTPUT_EXISTS", { file: target });
  }
  if (options.overwrite) await checkReplaceable(folder, [manifestFile]);
  const above = dirname(folder);
  const draft = join(above, `.${basename(folder)}.${randomUUID()}.tmp`);
  const count = createCount(from.manifest, options);
  try {
    await mkdir(draft, { recursive: true });
    for (const file of from.manifest.files) {
      const path = join(draft, file.path);
      await mkdir(dirname(path), { recursive: true });
      await writeFileFrom(
        path,
        counted(checkedBytes(from, file, options.signal), file.path, count),
      );
    }
    await writeFileFrom(join(draft, manifestFile), [from.manifest.bytes] as never);
    await syncFolder(draft);
    await (options.overwrite ? replace : put)(draft, folder);
    await syncFolder(above);
  } catch (thrown) {
    await rm(draft, { recursive: true, force: true });
    throw thrown instanceof BridleError ? thrown : writeError(thrown, target);
  }
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  file: string,
  count: (file: string, bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    count(file, piece.length);
    yield piece;
  }
}

/** Whether something other than an empty folder is there. */
async function isTaken(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) return false;
  return !found.isDirectory() || (await readdir(folder)).length > 0;
}

/** Gives a draft its name. @throws OUTPUT_EXISTS where somebody else was quicker */
async function put(draft: string, folder: string): Promise<void> {
  await rmdir(folder).catch(() => {});
  await rename(draft, folder).catch((thrown) => {
    const isTaken = ["EEXIST", "ENOTEMPTY", "ENOTDIR", "EPERM"].includes(systemCode(thrown));
    throw isTaken ? new BridleError("OUTPUT_EXISTS", { file: folder }, { cause: thrown }) : thrown;
  });
}

/** Gives a draft its name; what was there goes when the new one stands in its place. */
async function replace(draft: string, folder: string): Promise<void> {
  // Somebody may have put something else there while the package was written.
  await checkReplaceable(folder, [manifestFile]);
  const aside = `${draft}.old`;
  const moved = await rename(folder, aside).then(
    () => true,
    (thrown) => {
      if (systemCode(thrown) === "ENOENT") return false;
      throw writeError(thrown, folder);
    },
  );
  try {
    await rename(draft, folder);
  } catch (thrown) {
    if (moved) await rename(aside, folder);
    throw thrown;
  }
  if (moved) await rm(aside, { recursive: true, force: true });
}
