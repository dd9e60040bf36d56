// Pushes what versions consist of to a remote: what it has is not sent again, and a folder's list goes last.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { BridleError } from "../../errors/error.js";
import {
  type BlobReader,
  type BlobSource,
  type BlobStore,
  isBlobStore,
} from "../../ports/blob-store.js";
import { isDirectoryId, objectKey } from "./object-hash.js";
import type { OpenBlobStore } from "./remote.js";
import type { DvcRepository } from "./repository.js";
import {
  byRemote,
  createProgress,
  defaultJobs,
  inLanes,
  presentIn,
  type StepCounter,
  smallBytes,
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
 * Pushes what versions consist of. A folder's list follows once all of its files are there.
 * @returns how many objects were pushed
 * @throws DVC_OBJECT_MISSING for what neither cache nor remote has; DVC_OBJECT_CORRUPT, DVC_REMOTE_*, BLOB_*
 */
export async function push(
  repository: DvcRepository,
  openStore: OpenBlobStore,
  scope: VersionScope = {},
  options: TransferOptions = {},
): Promise<{ readonly pushed: number }> {
  const work = async () => {
    const used = (await usedOutputs(repository, scope)).filter(({ canPush }) => canPush);
    let pushed = 0;
    for (const { location, used: group } of byRemote(repository, used, options).values()) {
      const store = await openStore(location);
      try {
        if (!isBlobStore(store)) throw new BridleError("BLOB_READ_ONLY", { store: store.name });
        pushed += await pushTo(repository, { name: location.remote, store }, group, options);
      } finally {
        await store.close();
      }
    }
    return { pushed };
  };
  return await repository.locked("bridle data push", work, options);
}

async function pushTo(
  repository: DvcRepository,
  remote: { readonly name: string; readonly store: BlobStore },
  used: readonly UsedObject[],
  options: TransferOptions,
): Promise<number> {
  const { store } = remote;
  const { files, lists, unread } = await filesOf(repository, used);
  const present = await presentIn(store, [...files, ...lists], options);
  const missing = [...files, ...lists].filter(({ ref }) => !present.has(objectKey(ref)));
  const absent: UsedFile[] = [];
  const todo: UsedFile[] = [];
  for (const each of missing) {
    if (await repository.cache.hasListed(each.ref)) todo.push(each);
    else absent.push(each);
  }
  // A list that only the remote has stands for files that it has too.
  for (const each of unread) if (!present.has(objectKey(each.ref))) absent.push(each);
  const [first] = absent;
  if (first !== undefined) {
    const details = { count: new Set(absent.map(({ ref }) => ref.id)).size, path: first.path };
    throw new BridleError("DVC_OBJECT_MISSING", { ...details, id: first.ref.id });
  }
  const isList = ({ ref }: UsedFile) => isDirectoryId(ref.id);
  const parts = [todo.filter((each) => !isList(each)), todo.filter(isList)];
  const sized = await Promise.all(parts.map((part) => sizesOf(repository, part)));
  const progress = createProgress("push", sized.flat(), options);
  for (const part of sized) {
    if (store.fileOf !== undefined)
      await copyOut(repository, store, store.fileOf.bind(store), part, options, progress);
    else await sendAll(repository, store, part, options, progress);
  }
  return todo.length;
}

interface Sized extends UsedFile {
  readonly sizeBytes: number;
  readonly place: string;
  /** Whether it was hashed when it came into the cache and is unchanged since. */
  readonly isKnown: boolean;
}

async function sizesOf(repository: DvcRepository, files: readonly UsedFile[]): Promise<Sized[]> {
  const { memory, hashing } = repository;
  const sized: Sized[] = [];
  await inLanes(files, 64, async (each) => {
    const place = repository.cache.pathOf(each.ref);
    const { size, mtimeMs, ino } = await stat(place);
    const mark = { sizeBytes: size, mtimeMs, inode: ino };
    const known = await memory.find(hashing.keyOf(place), mark);
    sized.push({ ...each, sizeBytes: size, place, isKnown: known === each.ref.id });
  });
  return sized;
}

/** To a folder: worker threads copy and check. */
async function copyOut(
  repository: DvcRepository,
  store: BlobStore,
  fileOf: (key: string) => string,
  files: readonly Sized[],
  options: TransferOptions,
  progress: StepCounter,
): Promise<void> {
  const copied = files.map(({ ref, place, isKnown }) => ({
    ...ref,
    from: place,
    to: fileOf(objectKey(ref)),
    mode: 0o444,
    isKnown,
  }));
  const { signal } = options;
  const before = progress.base();
  const onProgress = (now: { readonly files: number; readonly bytes: number }) =>
    progress.set(before.files + now.files, before.bytes + now.bytes);
  let problems: Awaited<ReturnType<typeof repository.pool.copy>>;
  try {
    problems = await repository.pool.copy(copied, fileOf("bridle-tmp"), { signal, onProgress });
  } catch (thrown) {
    throw storeFailure(thrown, store);
  }
  const [first] = problems;
  if (first === undefined) return;
  const file = files[first.index];
  const id = file?.ref.id ?? "";
  if (first.reason === "missing") {
    throw new BridleError("DVC_OBJECT_MISSING", { count: problems.length, path: file?.path, id });
  }
  throw new BridleError("DVC_OBJECT_CORRUPT", { place: file?.place, id, actual: first.actual });
}

/** A folder that cannot be written is a store that does not allow it. */
function storeFailure(thrown: unknown, store: BlobReader): unknown {
  if (!(thrown instanceof BridleError) || thrown.code !== "FILE_NOT_WRITABLE") return thrown;
  const { file, reason } = thrown.details;
  const details = { store: store.name, what: "writing", key: file, reason };
  return new BridleError("BLOB_DENIED", details, { cause: thrown });
}

async function sendAll(
  repository: DvcRepository,
  store: BlobStore,
  files: readonly Sized[],
  options: TransferOptions,
  progress: StepCounter,
): Promise<void> {
  await inLanes(files, options.jobs ?? defaultJobs, async (file) => {
    await checkObject(repository, file);
    const source: BlobSource = {
      sizeBytes: file.sizeBytes,
      open: (start = 0, end = file.sizeBytes) =>
        end <= start
          ? noBytes()
          : createReadStream(file.place, { start, end: end - 1, highWaterMark: smallBytes }),
    };
    await withRetries(() => store.put(objectKey(file.ref), source, options), options.signal);
    progress.addBytes(file.sizeBytes);
    progress.addFile();
  });
}

async function* noBytes(): AsyncIterable<Uint8Array> {}

/** What is sent must be what its name says. */
async function checkObject(repository: DvcRepository, { ref, place }: Sized): Promise<void> {
  const name = isDirectoryId(ref.id) ? "md5" : ref.hashName;
  const [hashed] = await repository.pool.hash([place], name, {});
  const actual = hashed?.md5 ?? "";
  if (actual === ref.id.replace(/\.dir$/, "")) return;
  throw new BridleError("DVC_OBJECT_CORRUPT", { place, id: ref.id, actual });
}
