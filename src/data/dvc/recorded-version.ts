// Which version of versioned data a file is, and that version again, whatever its .dvc file names by then.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import nodePath from "node:path";
import { BridleError } from "../../errors/error.js";
import { readError } from "../../errors/file-errors.js";
import { type StepOptions, stepOf } from "./add.js";
import { fetchUsed } from "./fetch.js";
import { type DirectoryEntry, isDirectoryId, type ObjectRef } from "./object-hash.js";
import type { LinkType } from "./object-work.js";
import { nameOf, type Output } from "./output.js";
import type { OpenBlobStore } from "./remote.js";
import { DvcRepository, findRoot } from "./repository.js";
import { makeScratch, scratchName } from "./scratch.js";
import { outputAt, type StageIndex } from "./stages.js";
import type { TransferOptions } from "./transfer.js";
import { filesOf, type UsedObject } from "./used-objects.js";
import { contentOf, findFiles, hashFiles } from "./working-files.js";

/** A version of a tracked file or folder; the file that is meant may lie in that folder. */
export interface DataVersion {
  /** The tracked path, from the repository's root. */
  readonly path: string;
  /** The MD5 of the file, or the id of the folder's list with its `.dir`. */
  readonly md5: string;
  /** Only where it is not named by `md5` but as DVC 2 named it. */
  readonly hash?: "md5-dos2unix" | undefined;
}

/**
 * The version that each file is now, undefined where it is none: not tracked, or not as its .dvc file or dvc.lock says.
 * @param files as typed in the folder the process runs in
 * @throws CANCELLED; what cannot be read of a repository makes no version
 */
export async function versionsOf(
  files: readonly string[],
  options: StepOptions & { readonly env?: NodeJS.ProcessEnv } = {},
): Promise<(DataVersion | undefined)[]> {
  const opened = new Map<string, { repository: DvcRepository; index: StageIndex }>();
  const open = async (file: string) => {
    const root = await findRoot(nodePath.dirname(nodePath.resolve(file)));
    let found = opened.get(root);
    if (found === undefined) {
      const { env } = options;
      const repository = await DvcRepository.open(root, env === undefined ? {} : { env });
      found = { repository, index: await repository.stages() };
      opened.set(root, found);
    }
    return found;
  };
  const versions: (DataVersion | undefined)[] = [];
  try {
    for (const file of files) {
      try {
        const { repository, index } = await open(file);
        const path = repository.pathOf(file, process.cwd());
        versions.push(await versionAt(repository, index, path, options));
      } catch (thrown) {
        // Whether data is versioned, and how well, is no condition of learning from it.
        const isOfData = thrown instanceof BridleError && /^(DVC|FILE)_/.test(thrown.code);
        if (!isOfData) throw thrown;
        versions.push(undefined);
      }
    }
  } finally {
    for (const { repository } of opened.values()) await repository.close();
  }
  return versions;
}

/** The MD5 of a file, by which it is named once it is versioned; undefined for a folder. @throws FILE_NOT_READABLE, CANCELLED */
export async function md5Of(file: string, signal?: AbortSignal): Promise<string | undefined> {
  const hash = createHash("md5");
  try {
    if ((await stat(file)).isDirectory()) return undefined;
    for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) {
      if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
      hash.update(piece);
    }
  } catch (thrown) {
    throw readError(thrown, file);
  }
  return hash.digest("hex");
}

async function versionAt(
  repository: DvcRepository,
  index: StageIndex,
  path: string,
  options: StepOptions,
): Promise<DataVersion | undefined> {
  const output = outputAt(index, path)?.output;
  if (output?.content === undefined || output.path === undefined || !output.isCached)
    return undefined;
  const found = await findFiles(path, repository.looking);
  if (found === undefined) return undefined;
  const hashing = stepOf("hash", found.files, options);
  const hashes = await hashFiles(found.files, output.hashName, repository.hashing, hashing);
  const now = contentOf(found, hashes, output.hashName);
  if (path === output.path) {
    return now.content.hash.id === output.content.hash.id ? named(output) : undefined;
  }
  // Of a tracked folder only this part matters: it is held against the folder's list.
  const list = await repository.cache.readDirectory(output.content.hash);
  const wanted = list && partOf(list, path.slice(output.path.length + 1));
  const present = now.entries ?? [{ relpath: "", md5: hashes[0] ?? "" }];
  const isSame =
    wanted?.length === present.length &&
    present.every(({ relpath, md5 }) =>
      wanted.some((each) => each.relpath === relpath && each.md5 === md5),
    );
  return isSame ? named(output) : undefined;
}

function named({ path = "", content, hashName }: Output): DataVersion | undefined {
  if (content === undefined) return undefined;
  return { path, md5: content.hash.id, ...(hashName === "md5" ? {} : { hash: hashName }) };
}

/** What a folder's list has of a file or folder in it, from there on; a file has an empty name. */
function partOf(list: readonly DirectoryEntry[], part: string): DirectoryEntry[] {
  return list.flatMap(({ relpath, md5 }) => {
    if (relpath === part) return [{ relpath: "", md5 }];
    return relpath.startsWith(`${part}/`) ? [{ relpath: relpath.slice(part.length + 1), md5 }] : [];
  });
}

/** The version that the .dvc files and dvc.lock of the working folder name for a path. @throws DVC_FILE_INVALID */
export async function versionNamed(
  repository: DvcRepository,
  path: string,
): Promise<DataVersion | undefined> {
  const output = outputAt(await repository.stages(), path)?.output;
  return output?.isCached ? named(output) : undefined;
}

/** Where versions are laid apart, beside nothing of the user's; what a killed process left there is dropped. */
export async function makePlaceApart({ root }: DvcRepository): Promise<string> {
  const folder = nodePath.join(root, ".dvc", "tmp", "bridle", "apart");
  await makeScratch(folder);
  return scratchName(folder);
}

/** Second names are as good as copies for what is only read; whatever `cache.type` says, nothing is edited there. */
const linksApart: readonly LinkType[] = ["reflink", "hardlink", "copy"];

/**
 * Lays a version of a file or folder into a folder, under its own name; what the cache has not got of it is fetched.
 * @param path of what is meant, from the repository's root: the tracked path, or one in it
 * @returns where it lies; undefined where the version holds no such path
 * @throws DVC_REMOTE_OBJECT_MISSING, DVC_OBJECT_CORRUPT, DVC_DISK_FULL, DVC_REMOTE_*, BLOB_*
 */
export async function layApart(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  version: DataVersion,
  path: string,
  folder: string,
  options: TransferOptions = {},
): Promise<string | undefined> {
  const { path: tracked, md5: id, hash: hashName = "md5" } = version;
  const isPart = path !== tracked;
  if (isPart && !path.startsWith(`${tracked}/`)) return undefined;
  const filter = isPart ? path.slice(tracked.length + 1) : undefined;
  const ref: ObjectRef = { id, hashName };
  return await repository.locked(
    "bridle reproduce",
    async () => {
      const used = { ref, path: tracked, sizeBytes: undefined, filter, canPush: true };
      await bringIn(repository, openStore, used, options);
      const list = isDirectoryId(id)
        ? ((await repository.cache.readDirectory(ref)) ?? [])
        : [{ relpath: "", md5: id }];
      const entries = filter === undefined ? list : partOf(list, filter);
      if (entries.length === 0) return undefined;
      const place = nodePath.join(folder, nameOf(path));
      const placed = entries.map(({ relpath, md5 }) => {
        const file: ObjectRef = { id: md5, hashName };
        const target = nodePath.join(place, ...relpath.split("/"));
        const object = repository.cache.pathOf(file);
        return { ...file, object, target, isExecutable: false, isKnown: false };
      });
      const { pool, scratch } = repository;
      const sizes = placed.map(() => ({ sizeBytes: 0 }));
      await pool.place(placed, linksApart, scratch, stepOf("place", sizes, options));
      return place;
    },
    options,
  );
}

/** Asks no remote where the cache has all of it. */
async function bringIn(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  needed: Omit<UsedObject, "remote">,
  options: TransferOptions,
): Promise<void> {
  const here = await filesOf(repository, [{ ...needed, remote: undefined }]);
  const isHere =
    here.unread.length === 0 && here.files.every(({ ref }) => repository.cache.hasListed(ref));
  if (isHere) return;
  // The remote of its own that it has now is the best guess at where it was pushed to.
  const remote = outputAt(await repository.stages(), needed.path)?.output.remote;
  await fetchUsed(repository, openStore, [{ ...needed, remote }], options);
}
