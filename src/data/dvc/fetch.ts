// Fetches what versions consist of into the cache: each object checked, one that was cut off gone on with.
import { createHash } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import nodePath from "node:path";
import { BridleError } from "../../errors/error.js";
import { folderError, writeError } from "../../errors/file-errors.js";
import { isBlobStore } from "../../ports/blob-store.js";
import { rememberedBytes, rememberObject, stepOf } from "./add.js";
import { checkRoom } from "./disk-room.js";
import { isDirectoryId, isObjectId, type ObjectRef, objectKey } from "./object-hash.js";
import { partFiles } from "./part-files.js";
import type { OpenBlobStore } from "./remote.js";
import type { DvcRepository } from "./repository.js";
import { makeScratch } from "./scratch.js";
import {
  byRemote,
  createProgress,
  defaultJobs,
  inLanes,
  type OpenRemote,
  type StepCounter,
  type TransferOptions,
  withRetries,
} from "./transfer.js";
import {
  filesOf,
  type UsedFile,
  type UsedObject,
  usedOutputs,
  type VersionScope,
} from "./used-objects.js";

/**
 * Fetches into the cache what versions consist of.
 * @returns how many objects came; what the remote has not got where that is allowed
 * @throws DVC_REMOTE_OBJECT_MISSING, after all else was fetched; DVC_REMOTE_OBJECT_CORRUPT, DVC_REMOTE_*, BLOB_*
 */
export async function fetch(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  scope: VersionScope = {},
  options: TransferOptions = {},
): Promise<{ readonly fetched: number; readonly missing: readonly string[] }> {
  const work = () => fetchUnlocked(repository, openStore, scope, options);
  return await repository.locked("bridle data fetch", work, options);
}

/** As fetch, for who holds the repository's lock. */
export async function fetchUnlocked(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  scope: VersionScope,
  options: TransferOptions,
): Promise<{ readonly fetched: number; readonly missing: readonly string[] }> {
  return await fetchUsed(repository, openStore, await usedOutputs(repository, scope), options);
}

/** As fetchUnlocked, for objects that are known without looking at what the .dvc and dvc.lock files say. */
export async function fetchUsed(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  used: readonly UsedObject[],
  options: TransferOptions,
): Promise<{ readonly fetched: number; readonly missing: readonly string[] }> {
  let fetched = 0;
  const missing: string[] = [];
  for (const { location, used: group } of byRemote(repository, used, options).values()) {
    // Nothing is asked of a remote whose objects are all here.
    if (await isAllHere(repository, group)) continue;
    const store = await openStore(location);
    try {
      const remote = { name: location.remote, store };
      const came = await fetchFrom(repository, remote, group, options);
      fetched += came.fetched;
      missing.push(...came.missing);
    } finally {
      await store.close();
    }
  }
  return { fetched, missing };
}

async function isAllHere(repository: DvcRepository, used: readonly UsedObject[]): Promise<boolean> {
  const { files, unread } = await filesOf(repository, used);
  if (unread.length > 0) return false;
  for (const { ref } of files) if (!repository.cache.hasListed(ref)) return false;
  return true;
}

async function fetchFrom(
  repository: DvcRepository,
  remote: OpenRemote,
  used: readonly UsedObject[],
  options: TransferOptions,
): Promise<{ fetched: number; missing: string[] }> {
  const { unread } = await filesOf(repository, used);
  const lists = [...new Map(unread.map((each) => [objectKey(each.ref), each])).values()];
  const gone = await receiveAll(
    repository,
    remote,
    lists.map(({ ref, path }) => ({ ref, path, sizeBytes: undefined, isSizeSure: false })),
    options,
  );
  const { files } = options.listsOnly ? { files: [] } : await filesOf(repository, used);
  const todo: UsedFile[] = [];
  for (const each of files) if (!repository.cache.hasListed(each.ref)) todo.push(each);
  gone.push(...(await receiveAll(repository, remote, todo, options)));
  const missing = new Set(gone);
  for (const each of todo) {
    const { ref, sizeBytes = rememberedBytes } = each;
    if (missing.has(each) || ref.hashName !== "md5" || sizeBytes < rememberedBytes) continue;
    await rememberObject(repository, ref.id);
  }
  repository.cache.forget();
  const [first] = gone;
  if (first !== undefined && !options.allowMissing) {
    const details = { remote: remote.name, count: gone.length, path: first.path, id: first.ref.id };
    throw new BridleError("DVC_REMOTE_OBJECT_MISSING", details);
  }
  const fetched = lists.length + todo.length - gone.length;
  return { fetched, missing: gone.map(({ path }) => path) };
}

/** @returns what the remote has not got */
async function receiveAll(
  repository: DvcRepository,
  remote: OpenRemote,
  files: readonly UsedFile[],
  options: TransferOptions,
): Promise<UsedFile[]> {
  const { store } = remote;
  if (files.length === 0) return [];
  const { cache } = repository;
  const fileOf = isBlobStore(store) ? store.fileOf?.bind(store) : undefined;
  await checkRoom({
    scratch: cache.scratch,
    folder: cache.folder,
    what: `fetching ${files.length} files`,
    sizeBytes: files.reduce(
      (sum, { sizeBytes = 0, isSizeSure }) =>
        fileOf !== undefined || isSizeSure ? sum + sizeBytes : sum,
      0,
    ),
    sources: fileOf === undefined ? [] : files.map(({ ref }) => fileOf(objectKey(ref))),
  });
  if (fileOf !== undefined) return await copyIn(repository, remote.name, fileOf, files, options);
  const progress = createProgress("fetch", files, options);
  const gone: UsedFile[] = [];
  await makeScratch(cache.scratch);
  const parts = await partFiles(cache.scratch);
  await inLanes(files, options.jobs ?? defaultJobs, async (file) => {
    const part = await parts.take(file.ref);
    try {
      const work = () => receive(repository, remote, file, part, options, progress);
      await withRetries(work, options.signal);
      progress.addFile();
    } catch (thrown) {
      if (!(thrown instanceof BridleError && thrown.code === "BLOB_NOT_FOUND")) throw thrown;
      gone.push(file);
    } finally {
      parts.giveBack(part);
    }
  });
  cache.forget();
  return gone;
}

async function copyIn(
  repository: DvcRepository,
  remote: string,
  fileOf: (key: string) => string,
  files: readonly UsedFile[],
  options: TransferOptions,
): Promise<UsedFile[]> {
  const copied = files.map(({ ref }) => ({
    ...ref,
    from: fileOf(objectKey(ref)),
    to: repository.cache.pathOf(ref),
    mode: 0o444,
    isKnown: false,
  }));
  const sized = files.map(({ sizeBytes = 0 }) => ({ sizeBytes }));
  const problems = await repository.pool.copy(
    copied,
    repository.cache.scratch,
    stepOf("fetch", sized, options),
  );
  const corrupt = problems.find(({ reason }) => reason === "corrupt");
  const wrong = corrupt === undefined ? undefined : files[corrupt.index];
  if (corrupt !== undefined && wrong !== undefined)
    throw corruptObject(remote, wrong, corrupt.actual);
  repository.cache.forget();
  return problems.flatMap(({ index }) => files[index] ?? []);
}

function corruptObject(remote: string, { ref, path }: UsedFile, actual: string): BridleError {
  return new BridleError("DVC_REMOTE_OBJECT_CORRUPT", {
    remote,
    actual,
    id: ref.id,
    path,
    key: objectKey(ref),
  });
}

/** One object over the network: what an earlier try or run has of it is gone on with. */
async function receive(
  repository: DvcRepository,
  remote: OpenRemote,
  file: UsedFile,
  part: string,
  options: TransferOptions,
  progress: StepCounter,
): Promise<void> {
  const { ref } = file;
  const target = repository.cache.pathOf(ref);
  const hash = createHash("md5");
  const handle = await open(part, "a+", 0o644).catch((thrown) => {
    throw writeError(thrown, part);
  });
  try {
    let startByte = 0;
    for await (const piece of handle.createReadStream({ start: 0, autoClose: false })) {
      hash.update(piece);
      startByte += piece.length;
    }
    const bytes = await remote.store.get(objectKey(ref), { ...options, startByte });
    try {
      for await (const piece of bytes) {
        hash.update(piece);
        await handle.appendFile(piece).catch((thrown) => {
          throw writeError(thrown, part);
        });
        progress.addBytes(piece.length);
      }
    } catch (thrown) {
      if (thrown instanceof BridleError) throw thrown;
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      const details = { store: remote.store.name, key: objectKey(ref), reason };
      throw new BridleError("BLOB_UNAVAILABLE", details, { cause: thrown });
    }
    const actual = hash.digest("hex");
    if (!matches(actual, ref) && ref.hashName === "md5") {
      await rm(part, { force: true });
      throw corruptObject(remote.name, file, actual);
    }
    await handle.chmod(0o444);
  } finally {
    await handle.close();
  }
  if (ref.hashName !== "md5") await checkLegacy(repository, remote.name, file, part);
  try {
    await mkdir(nodePath.dirname(target), { recursive: true }).catch((thrown) => {
      throw folderError(thrown, nodePath.dirname(target));
    });
    await rename(part, target);
  } catch (thrown) {
    throw writeError(thrown, target);
  }
}

function matches(actual: string, { id }: ObjectRef): boolean {
  return isObjectId(id) && actual === id.replace(/\.dir$/, "");
}

/** Objects of DVC 2 are hashed with their line ends changed, which only the threads do. */
async function checkLegacy(
  repository: DvcRepository,
  remote: string,
  file: UsedFile,
  part: string,
): Promise<void> {
  const name = isDirectoryId(file.ref.id) ? "md5" : file.ref.hashName;
  const [hashed] = await repository.pool.hash([part], name, {});
  if (hashed !== undefined && matches(hashed.md5, file.ref)) return;
  await rm(part, { force: true });
  throw corruptObject(remote, file, hashed?.md5 ?? "");
}
