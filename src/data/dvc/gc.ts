// Deletes objects that no version that must stay needs, from the cache and, when asked, from a remote.
import { rm, stat } from "node:fs/promises";
import { BridleError } from "../../errors/error.js";
import { writeError } from "../../errors/file-errors.js";
import { isBlobStore } from "../../ports/blob-store.js";
import type { StepOptions } from "./add.js";
import { fetchUnlocked } from "./fetch.js";
import { isObjectId, type ObjectRef, objectKey } from "./object-hash.js";
import { type OpenBlobStore, remoteLocation } from "./remote.js";
import type { DvcRepository } from "./repository.js";
import { filesOf, type UsedObject, usedOutputs, type VersionScope } from "./used-objects.js";

export interface GcOptions extends StepOptions {
  /** What else must stay, such as what a registry's versions were trained on. */
  readonly extraRoots?: Iterable<ObjectRef> | AsyncIterable<ObjectRef> | undefined;
  /** Tell what would go, and delete nothing. */
  readonly dryRun?: boolean | undefined;
  /** Delete from this remote too; true for the default one. */
  readonly cloud?: string | true | undefined;
  /**
   * Go on where the list of a tracked folder is neither here nor at a remote, so that its files cannot be known.
   */
  readonly allowMissing?: boolean | undefined;
  /**
   * Objects of the cache that came so recently stay: somebody may be about to name them in a .dvc file. Default: 0 where
   * dvc's own lock can be taken, so that no dvc is adding, else ten minutes.
   */
  readonly graceMs?: number | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

export interface GcResult {
  /** Objects deleted from the cache, or that would be. */
  readonly deleted: number;
  readonly freedBytes: number;
  /** Objects deleted from the remote. */
  readonly deletedInRemote: number;
  /** Objects that stay because a version needs them. */
  readonly kept: number;
  /** Objects that no version needs and that stay because they came within the time of grace. */
  readonly young: number;
}

const graceWithDvcMs = 600_000;

/**
 * Deletes what no root reaches.
 * @throws DVC_REPO_BUSY while another process, dvc's too, changes the repository; DVC_GC_NEEDS_ROOTS where no version is named; DVC_OBJECT_MISSING where a folder's list is nowhere; DVC_REMOTE_*
 *   and BLOB_* where the remote that may have it does not give it
 */
export async function collectGarbage(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  roots: VersionScope,
  options: GcOptions = {},
): Promise<GcResult> {
  const { workspace, allBranches, allTags, allCommits, revisions = [] } = roots;
  if (!workspace && !allBranches && !allTags && !allCommits && revisions.length === 0) {
    throw new BridleError("DVC_GC_NEEDS_ROOTS");
  }
  const work = async (isDvcOut: boolean): Promise<GcResult> => {
    const { graceMs = isDvcOut ? 0 : graceWithDvcMs } = options;
    const live = await liveKeys(
      repository,
      openStore,
      // As with dvc, what the working folder names stays whatever else is named: it may not be committed yet.
      { ...roots, workspace: true },
      options,
    );
    const fromCache = await sweepCache(repository, live, graceMs, options);
    const deletedInRemote = await sweepRemote(repository, openStore, live, options);
    return { ...fromCache, deletedInRemote, kept: live.size };
  };
  return await repository.locked("bridle data gc", work, { ...options, againstDvc: true });
}

/** Keys of all that must stay. */
async function liveKeys(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  roots: VersionScope,
  { extraRoots = [], allowMissing, signal, env }: GcOptions,
): Promise<ReadonlySet<string>> {
  const used: UsedObject[] = await usedOutputs(repository, roots);
  for await (const ref of extraRoots) {
    const rest = { sizeBytes: undefined, filter: undefined, remote: undefined, canPush: true };
    used.push({ ref, path: ref.id, ...rest });
  }
  let found = await filesOf(repository, used);
  if (found.unread.length > 0) {
    // A list that is not here may be at the remote: without it nobody can tell what it keeps.
    const failure = await fetchLists(repository, openStore, roots, { signal, env });
    found = await filesOf(repository, used);
    // A remote that refuses or does not answer may well have it: that is told, and nothing is deleted.
    if (found.unread.length > 0 && failure !== undefined) throw failure;
  }
  const [first] = found.unread;
  if (first !== undefined && !allowMissing) {
    const details = { count: found.unread.length, path: first.path, id: first.ref.id };
    throw new BridleError("DVC_OBJECT_MISSING", details);
  }
  return new Set([...found.files, ...found.lists].map(({ ref }) => objectKey(ref)));
}

/** What says that there is no such list to be had, rather than that nobody could be asked. */
const nowhere: ReadonlySet<string> = new Set([
  "DVC_REMOTE_NOT_SET",
  "DVC_REMOTE_OBJECT_MISSING",
  "BLOB_NOT_FOUND",
  "BLOB_STORE_MISSING",
]);

/** @returns why a remote could not be asked */
async function fetchLists(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  roots: VersionScope,
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly env?: NodeJS.ProcessEnv | undefined;
  },
): Promise<BridleError | undefined> {
  try {
    await fetchUnlocked(repository, openStore, roots, {
      ...options,
      allowMissing: true,
      listsOnly: true,
    });
    return undefined;
  } catch (thrown) {
    const isTold = thrown instanceof BridleError && /^(DVC_REMOTE|BLOB)_/.test(thrown.code);
    if (!isTold) throw thrown;
    return nowhere.has(thrown.code) ? undefined : thrown;
  }
}

async function sweepCache(
  { cache }: DvcRepository,
  live: ReadonlySet<string>,
  graceMs: number,
  { dryRun, signal, onProgress }: GcOptions,
): Promise<Pick<GcResult, "deleted" | "freedBytes" | "young">> {
  let deleted = 0;
  let freedBytes = 0;
  let young = 0;
  const now = Date.now();
  for await (const { ref, place } of cache.list()) {
    if (live.has(objectKey(ref))) continue;
    if (signal?.aborted) throw new BridleError("CANCELLED", {}, { cause: signal.reason });
    const found = await stat(place).catch(() => undefined);
    // When it came under its name: as another name of an old file it has that file's time of change.
    if (found !== undefined && graceMs > 0 && found.ctimeMs > now - graceMs) {
      young++;
      continue;
    }
    if (!dryRun) {
      await rm(place, { force: true }).catch((thrown) => {
        throw writeError(thrown, place);
      });
    }
    deleted++;
    freedBytes += found?.size ?? 0;
    const bytes = { bytes: freedBytes, sizeBytes: freedBytes };
    onProgress?.({ step: "delete", files: deleted, fileCount: deleted, ...bytes });
  }
  cache.forget();
  return { deleted, freedBytes, young };
}

async function sweepRemote(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  live: ReadonlySet<string>,
  { cloud, dryRun, signal, env }: GcOptions,
): Promise<number> {
  if (cloud === undefined) return 0;
  const store = await openStore(
    remoteLocation(repository, cloud === true ? undefined : cloud, env),
  );
  let deleted = 0;
  try {
    if (!isBlobStore(store)) throw new BridleError("BLOB_READ_ONLY", { store: store.name });
    for await (const { key } of store.list("", { signal })) {
      const id = /^(?:files\/md5\/)?([0-9a-f]{2})\/([^/]+)$/.exec(key);
      // Only objects are DVC's to delete.
      if (id === null || !isObjectId(`${id[1]}${id[2]}`) || live.has(key)) continue;
      if (!dryRun) await store.delete(key, { signal });
      deleted++;
    }
  } finally {
    await store.close();
  }
  return deleted;
}
