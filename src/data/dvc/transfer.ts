// What pushing and fetching share: options, many at once, tries again, which objects a store has.
import { readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { abortError } from "../../errors/abort-error.js";
import { BridleError } from "../../errors/error.js";
import { systemCode } from "../../errors/file-errors.js";
import { type BlobReader, type BlobStore, isBlobStore } from "../../ports/blob-store.js";
import type { StepOptions, StepProgress } from "./add.js";
import { objectKey } from "./object-hash.js";
import { remoteLocation } from "./remote.js";
import type { DvcRepository } from "./repository.js";
import type { UsedFile, UsedObject } from "./used-objects.js";

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

export const defaultJobs = 32;
const tries = 5;
/** Below this many objects each is asked for; above, the remote is listed. */
const askedSingly = 500;
/** Files up to this are sent and kept from memory. */
export const smallBytes = 1 << 20;

/** A remote that is open for one command. */
export interface OpenRemote {
  readonly name: string;
  readonly store: BlobReader | BlobStore;
}

/** Groups what is used by the remote it belongs to. */
export function byRemote(
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

/** Runs work on each item, so many at once; the first failure ends it. */
export async function inLanes<Item>(
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

export interface StepCounter {
  addBytes(count: number): void;
  addFile(): void;
  readonly base: () => { readonly files: number; readonly bytes: number };
  set(files: number, bytes: number): void;
}

export function createProgress(
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

/** Tries again, later each time, what failed for a reason that may pass. */
export async function withRetries<Result>(
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
  if (isBlobStore(store) && store.fileOf !== undefined) {
    const folders = new Set([...keys].map((key) => key.slice(0, key.lastIndexOf("/"))));
    for (const folder of folders) {
      for (const name of await namesIn(store, store.fileOf(folder), folder)) {
        const key = `${folder}/${name}`;
        if (keys.has(key)) present.add(key);
      }
    }
    return present;
  }
  if (isBlobStore(store) && keys.size > askedSingly) {
    const prefix = [...keys].every((key) => key.startsWith("files/md5/")) ? "files/md5/" : "";
    for await (const { key } of store.list(prefix, options)) if (keys.has(key)) present.add(key);
    return present;
  }
  await inLanes([...keys], options.jobs ?? defaultJobs, async (key) => {
    const found = await withRetries(() => store.head(key, options), options.signal);
    if (found !== undefined) present.add(key);
  });
  return present;
}

async function namesIn(store: BlobStore, place: string, key: string): Promise<readonly string[]> {
  try {
    return await readdir(place);
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(cause))) return [];
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BridleError(
      "BLOB_DENIED",
      { store: store.name, key, what: "listing", reason },
      { cause },
    );
  }
}
