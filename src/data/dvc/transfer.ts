// Pushes objects to a remote and fetches them: many at once, each checked against its name, what is done not done twice.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import nodePath from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { abortError } from "../../errors/abort-error.js";
import { BridleError } from "../../errors/error.js";
import { writeError } from "../../errors/file-errors.js";
import {
  type BlobReader,
  type BlobSource,
  type BlobStore,
  isBlobStore,
} from "../../ports/blob-store.js";
import { type StepOptions, type StepProgress, stepOf } from "./add.js";
import { isDirectoryId, isObjectId, type ObjectRef, objectKey } from "./object-hash.js";
import { type OpenBlobStore, remoteLocation } from "./remote.js";
import type { DvcRepository } from "./repository.js";
import {
  filesOf,
  type UsedFile,
  type UsedObject,
  usedOutputs,
  type VersionScope,
} from "./used-objects.js";

export interface TransferOptions extends StepOptions {
  /** Remote by name (default: the one .dvc/config names). */
  readonly remote?: string | undefined;
  /** Transfers at once. */
  readonly jobs?: number | undefined;
  /** Leave out what the remote has not got, in place of failing at the end. */
  readonly allowMissing?: boolean | undefined;
  /** Fetch the lists of folders alone. */
  readonly listsOnly?: boolean | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

const defaultJobs = 32;
const tries = 5;
/** Below this many objects each is asked for; above, the remote is listed. */
const askedSingly = 500;
/** Files up to this are sent and kept from memory. */
const smallBytes = 1 << 20;

/** A remote that is open for one command. */
export interface OpenRemote {
  readonly name: string;
  readonly store: BlobReader | BlobStore;
}

/** Groups what is used by the remote it belongs to. */
function byRemote(
  repository: DvcRepository,
  used: readonly UsedObject[],
  { remote, env }: TransferOptions,
): Map<
  string,
  { readonly location: ReturnType<typeof remoteLocation>; readonly used: UsedObject[] }
> {
  const groups = new Map<
    string,
    { location: ReturnType<typeof remoteLocation>; used: UsedObject[] }
  >();
  for (const each of used) {
    // With a remote named, outputs that have another of their own are no part of it.
    if (remote !== undefined && each.remote !== undefined && each.remote !== remote) continue;
    const location = remoteLocation(repository, remote ?? each.remote, env);
    const group = groups.get(location.remote) ?? { location, used: [] };
    groups.set(location.remote, group);
    group.used.push(each);
  }
  // A remote that is not there is told even where there is nothing to do.
  if (used.length === 0) remoteLocation(repository, remote, env);
  return groups;
}

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
}

async function sizesOf(repository: DvcRepository, files: readonly UsedFile[]): Promise<Sized[]> {
  const sized: Sized[] = [];
  await inLanes(files, 64, async (each) => {
    const place = repository.cache.pathOf(each.ref);
    const { size } = await stat(place);
    sized.push({ ...each, sizeBytes: size, place });
  });
  return sized;
}

/** Runs work on each item, so many at once; the first failure ends it. */
async function inLanes<Item>(
  items: readonly Item[],
  lanes: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0;
  let hasFailed = false;
  const lane = async () => {
    while (next < items.length && !hasFailed) {
      const item = items[next++] as Item;
      try {
        await work(item);
      } catch (thrown) {
        hasFailed = true;
        throw thrown;
      }
    }
  };
  const outcomes = await Promise.allSettled(
    Array.from({ length: Math.min(lanes, items.length) }, lane),
  );
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
}

interface StepCounter {
  addBytes(count: number): void;
  addFile(): void;
  readonly base: () => { readonly files: number; readonly bytes: number };
  set(files: number, bytes: number): void;
}

function createProgress(
  step: StepProgress["step"],
  files: readonly { readonly sizeBytes: number | undefined }[],
  { onProgress }: StepOptions,
): StepCounter {
  const sizeBytes = files.reduce((sum, file) => sum + (file.sizeBytes ?? 0), 0);
  const done = { files: 0, bytes: 0 };
  const tell = () =>
    onProgress?.({
      step,
      ...done,
      fileCount: files.length,
      sizeBytes: Math.max(sizeBytes, done.bytes),
    });
  return {
    addBytes(count) {
      done.bytes += count;
      tell();
    },
    addFile() {
      done.files++;
      tell();
    },
    base: () => ({ ...done }),
    set(count, bytes) {
      done.files = count;
      done.bytes = bytes;
      tell();
    },
  };
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
  const copied = files.map(({ ref, place }) => ({
    ...ref,
    from: place,
    to: fileOf(objectKey(ref)),
    mode: 0o444,
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

/** Tries again, later each time, what failed for a reason that may pass. */
async function withRetries<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const started = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (thrown) {
      if (signal?.aborted) throw abortError(signal, started);
      const mayPass = thrown instanceof BridleError && thrown.code === "BLOB_UNAVAILABLE";
      if (!mayPass || attempt === tries) throw thrown;
      const waitMs = Math.min(8000, 100 * 2 ** attempt) * (0.5 + Math.random() / 2);
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    }
  }
}

/** Keys of the objects that a store has. */
export async function presentIn(
  store: BlobReader | BlobStore,
  files: readonly UsedFile[],
  options: TransferOptions,
): Promise<ReadonlySet<string>> {
  const present = new Set<string>();
  const keys = new Set(files.map(({ ref }) => objectKey(ref)));
  const isFolder = isBlobStore(store) && store.fileOf !== undefined;
  if (isBlobStore(store) && (isFolder || keys.size > askedSingly)) {
    const prefixes = isFolder
      ? new Set([...keys].map((key) => key.slice(0, key.lastIndexOf("/") + 1)))
      : [...keys].some((key) => !key.startsWith("files/md5/"))
        ? [""]
        : ["files/md5/"];
    for (const prefix of prefixes) {
      for await (const { key } of store.list(prefix, options)) if (keys.has(key)) present.add(key);
    }
    return present;
  }
  await inLanes([...keys], options.jobs ?? defaultJobs, async (key) => {
    const found = await withRetries(() => store.head(key, options), options.signal);
    if (found !== undefined) present.add(key);
  });
  return present;
}

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
  const used = await usedOutputs(repository, scope);
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
  for (const { ref } of files) if (!(await repository.cache.hasListed(ref))) return false;
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
    lists.map(({ ref, path }) => ({ ref, path, sizeBytes: undefined })),
    options,
  );
  const { files } = options.listsOnly ? { files: [] } : await filesOf(repository, used);
  const todo: UsedFile[] = [];
  for (const each of files) if (!(await repository.cache.hasListed(each.ref))) todo.push(each);
  gone.push(...(await receiveAll(repository, remote, todo, options)));
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
  if (isBlobStore(store) && store.fileOf !== undefined) {
    return await copyIn(repository, remote.name, store.fileOf.bind(store), files, options);
  }
  const progress = createProgress("fetch", files, options);
  const gone: UsedFile[] = [];
  await mkdir(repository.cache.scratch, { recursive: true });
  await inLanes(files, options.jobs ?? defaultJobs, async (file) => {
    try {
      await withRetries(() => receive(repository, remote, file, options, progress), options.signal);
      progress.addFile();
    } catch (thrown) {
      if (!(thrown instanceof BridleError && thrown.code === "BLOB_NOT_FOUND")) throw thrown;
      gone.push(file);
    }
  });
  repository.cache.forget();
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
  options: TransferOptions,
  progress: StepCounter,
): Promise<void> {
  const { ref } = file;
  const target = repository.cache.pathOf(ref);
  const part = nodePath.join(repository.cache.scratch, `${ref.id}.part`);
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
    let written = startByte;
    try {
      for await (const piece of bytes) {
        hash.update(piece);
        await handle.appendFile(piece).catch((thrown) => {
          throw writeError(thrown, part);
        });
        written += piece.length;
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
    if (written >= smallBytes) await handle.sync();
    await handle.chmod(0o444);
  } finally {
    await handle.close();
  }
  if (ref.hashName !== "md5") await checkLegacy(repository, remote.name, file, part);
  await mkdir(nodePath.dirname(target), { recursive: true });
  await rename(part, target);
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
