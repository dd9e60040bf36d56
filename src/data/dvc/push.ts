// Pushes what versions consist of to a remote: what it has is not sent again, and a folder's list goes last.
import { hash as hashOf } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { BridleError } from "../../errors/error.js";
import { readError } from "../../errors/file-errors.js";
import {
  type BlobReader,
  type BlobSource,
  type BlobStore,
  isBlobStore,
} from "../../ports/blob-store.js";
import { diskFault, writeFailure } from "./disk-errors.js";
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
  const absent: Pick<UsedFile, "ref" | "path">[] = [];
  const todo: UsedFile[] = [];
  for (const each of missing) {
    if (repository.cache.hasListed(each.ref)) todo.push(each);
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
  const sized = parts.map((part) => part.map((each) => placed(repository, each)));
  const progress = createProgress("push", sized.flat(), options);
  for (const part of sized) {
    if (store.fileOf !== undefined)
      await copyOut(repository, store, store.fileOf.bind(store), part, options, progress);
    else await sendAll(repository, store, part, options, progress);
  }
  return todo.length;
}

interface Placed extends UsedFile {
  readonly place: string;
  /** Whether it was hashed when it came into the cache and is unchanged since. */
  readonly isKnown: boolean;
}

function placed(
  { cache, memory, hashing }: DvcRepository,
  { ref, path, sizeBytes, isSizeSure }: UsedFile,
): Placed {
  const place = cache.pathOf(ref);
  const key = hashing.keyOf(place);
  if (!memory.has(key)) return { ref, path, sizeBytes, isSizeSure, place, isKnown: false };
  const found = statSync(place, { throwIfNoEntry: false });
  const known =
    found && memory.find(key, { sizeBytes: found.size, mtimeMs: found.mtimeMs, inode: found.ino });
  const size = found?.size ?? sizeBytes;
  return { ref, path, sizeBytes: size, isSizeSure, place, isKnown: known === ref.id };
}

/** To a folder: worker threads copy and check. */
async function copyOut(
  repository: DvcRepository,
  store: BlobStore,
  fileOf: (key: string) => string,
  files: readonly Placed[],
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

/** A folder that cannot be written, or is full, is a store of that kind. */
function storeFailure(thrown: unknown, store: BlobReader): unknown {
  const failure = writeFailure(thrown);
  const fault = diskFault(failure?.code);
  if (failure === undefined || fault === undefined) return thrown;
  const reason = thrown instanceof BridleError ? thrown.details.reason : failure.code;
  const details = { store: store.name, what: "writing", key: failure.file, reason };
  const code = fault === "full" ? "BLOB_STORE_FULL" : "BLOB_DENIED";
  return new BridleError(code, details, { cause: thrown });
}

async function sendAll(
  repository: DvcRepository,
  store: BlobStore,
  files: readonly Placed[],
  options: TransferOptions,
  progress: StepCounter,
): Promise<void> {
  await inLanes(files, options.jobs ?? defaultJobs, async (file) => {
    const source = await checkedSource(repository, file, options);
    await withRetries(() => store.put(objectKey(file.ref), source, options), options.signal);
    progress.addBytes(source.sizeBytes);
    progress.addFile();
  });
}

/** An object to be sent, which must be what its name says; a small one is read once. */
async function checkedSource(
  repository: DvcRepository,
  { ref, place, isKnown }: Placed,
  { signal }: TransferOptions,
): Promise<BlobSource> {
  const name = isDirectoryId(ref.id) ? "md5" : ref.hashName;
  const mustBe = (actual: string) => {
    if (actual === ref.id.replace(/\.dir$/, "")) return;
    throw new BridleError("DVC_OBJECT_CORRUPT", { place, id: ref.id, actual });
  };
  const sizeBytes = await stat(place).then(
    ({ size }) => size,
    (thrown) => {
      throw readError(thrown, place);
    },
  );
  if (sizeBytes <= smallBytes && name === "md5") {
    const bytes = await readFile(place);
    mustBe(hashOf("md5", bytes, "hex"));
    return {
      sizeBytes: bytes.length,
      async *open(start = 0, end = bytes.length) {
        if (end > start) yield bytes.subarray(start, end);
      },
    };
  }
  if (!isKnown) {
    const [hashed] = await repository.pool.hash([place], name, { signal });
    mustBe(hashed?.md5 ?? "");
  }
  return {
    sizeBytes,
    open: (start = 0, end = sizeBytes) =>
      end > start
        ? createReadStream(place, { start, end: end - 1, highWaterMark: smallBytes })
        : noBytes(),
  };
}

async function* noBytes(): AsyncIterable<Uint8Array> {}
