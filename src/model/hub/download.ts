// Downloads one file of the hub into the cache's blobs: taken up where it stopped, checked, and only then given its name.
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { HubSettings } from "../../config/hub-settings.js";
import { abortError } from "../../errors/abort-error.js";
import { BridleError } from "../../errors/error.js";
import { systemCode, writeError } from "../../errors/file-errors.js";
import { algorithmOf, hashFile } from "./blob-hash.js";
import { type RepositoryCache, sizeOf } from "./cache-folder.js";
import { acquireDownloadLock } from "./download-lock.js";
import type { HubId } from "./hub-id.js";
import { refusal } from "./refusals.js";
import { type Attempt, type HubAnswer, invalid, type Send, withRetries } from "./requests.js";
import { fileUrl, type RemoteFile } from "./revision.js";

export interface DownloadContext {
  readonly send: Send;
  readonly settings: HubSettings;
  readonly cache: RepositoryCache;
  /** The repository, and the commit in place of the revision, so that all files are of one. */
  readonly id: HubId;
  readonly signal?: AbortSignal | undefined;
  /**
   * Told how much of the file is there, in bytes.
   * @param fetched how many of them this call has fetched
   */
  onBytes(file: RemoteFile, there: number, fetched: number): void;
}

const attempts = 5;
/** A download that has got so far since the last failure counts its failures anew. */
const progressBytes = 1 << 20;

/**
 * Brings a file's blob into the cache.
 * @returns false where it was there already
 * @throws HUB_DOWNLOAD_CUT, HUB_HASH_MISMATCH, HUB_ACCESS_DENIED and the other refusals, FILE_NOT_WRITABLE, CANCELLED
 */
export async function downloadBlob(context: DownloadContext, file: RemoteFile): Promise<boolean> {
  const { cache, signal } = context;
  const blob = cache.blob(file.etag);
  const isThere = async () => {
    const size = await sizeOf(blob);
    return size !== undefined && (file.size === undefined || size === file.size);
  };
  const lock = await acquireDownloadLock(
    cache.lock(file.etag),
    isThere,
    async (token) => context.onBytes(file, (await sizeOf(partial(blob, token))) ?? 0, 0),
    signal,
  );
  if (lock === undefined) return false;
  const target = partial(blob, lock.token);
  let done = false;
  try {
    await mkdir(dirname(blob), { recursive: true });
    if (lock.inherited !== undefined) await inherit(partial(blob, lock.inherited), target);
    await fill(context, file, target);
    await rename(target, blob);
    done = true;
    return true;
  } catch (thrown) {
    throw writeError(thrown, target);
  } finally {
    await lock.release(done);
  }
}

/** What huggingface_hub would call a download in progress, so that its tools take it for one. */
function partial(blob: string, token: string): string {
  return `${blob}.${token}.incomplete`;
}

async function inherit(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (thrown) {
    if (systemCode(thrown) !== "ENOENT") throw thrown;
  }
}

/** Fetches what is missing of a file and checks the whole. */
async function fill(context: DownloadContext, file: RemoteFile, target: string): Promise<void> {
  const handle = await open(target, constants.O_RDWR | constants.O_CREAT, 0o666);
  try {
    const resumed = (await handle.stat()).size > 0;
    await fetchRest(context, file, handle);
    let actual = await check(context, file, handle);
    if (actual !== undefined && resumed) {
      // What an earlier run had left was not of this file, or not whole on disk.
      await handle.truncate(0);
      await fetchRest(context, file, handle);
      actual = await check(context, file, handle);
    }
    if (actual !== undefined) {
      await rm(target, { force: true });
      throw new BridleError("HUB_HASH_MISMATCH", {
        file: file.path,
        repo: context.id.repo,
        algorithm: algorithmOf(file.etag),
        actual,
        expected: file.etag,
      });
    }
  } finally {
    await handle.close();
  }
}

/** Makes the file durable and hashes what lies on disk. @returns the hash where it is not the right one */
async function check(
  { signal }: DownloadContext,
  file: RemoteFile,
  handle: FileHandle,
): Promise<string | undefined> {
  const started = performance.now();
  await handle.sync();
  const actual = await hashFile(handle, algorithmOf(file.etag), signal);
  if (signal?.aborted) throw abortError(signal, started);
  return actual === file.etag ? undefined : actual;
}

/** Fetches a file from where it ends until it has its size, through cut connections and a server's bad moments. */
async function fetchRest(
  context: DownloadContext,
  file: RemoteFile,
  handle: FileHandle,
): Promise<void> {
  const { settings, signal } = context;
  const state = { position: (await handle.stat()).size, fetched: 0, size: file.size };
  if (state.size !== undefined && state.position > state.size) state.position = 0;
  context.onBytes(file, state.position, 0);
  try {
    await withRetries((attempt) => fetchOnce(context, file, handle, state, attempt), {
      attempts,
      delayMs: settings.retryDelayMs,
      signal,
      stubborn: true,
    });
  } catch (thrown) {
    if (!(thrown instanceof BridleError) || thrown.code !== "HUB_UNREACHABLE") throw thrown;
    throw new BridleError(
      "HUB_DOWNLOAD_CUT",
      {
        file: file.path,
        repo: context.id.repo,
        offset: state.position,
        size: state.size ?? "an unknown size",
        reason: `${thrown.details.host}: ${thrown.details.reason}`,
      },
      { cause: thrown },
    );
  }
}

interface FetchState {
  /** Where the next byte goes. */
  position: number;
  fetched: number;
  size: number | undefined;
}

async function fetchOnce(
  context: DownloadContext,
  file: RemoteFile,
  handle: FileHandle,
  state: FetchState,
  attempt: Attempt,
): Promise<void> {
  const { send, settings, id } = context;
  if (state.size !== undefined && state.position === state.size) {
    await handle.truncate(state.size);
    return;
  }
  const what = `${file.path} of ${id.repo}`;
  const url = fileUrl(settings, id.repo, id.revision, file.path);
  const timeoutMs = settings.downloadTimeoutMs;
  const answer = await send({ method: "GET", url, what, from: state.position, timeoutMs });
  const starts = startOf(answer, state.position);
  if (starts === undefined) {
    if (answer.status !== 416) throw await refusal(answer, id, settings, what);
    // There is nothing past what we have, which then is not of this file.
    await answer.discard();
    state.position = 0;
    throw new BridleError("HUB_UNREACHABLE", {
      host: new URL(answer.url).host,
      what,
      reason: "it has no such range",
    });
  }
  state.position = starts;
  state.size ??= wholeSize(answer);
  await handle.truncate(starts);
  const begun = starts;
  for await (const chunk of answer.chunks()) {
    if (state.size !== undefined && state.position + chunk.length > state.size) {
      throw invalid(answer.url, what, `it sends more than the ${state.size} bytes of the file`);
    }
    await writeAll(handle, chunk, state.position);
    state.position += chunk.length;
    state.fetched += chunk.length;
    if (state.position - begun > progressBytes) attempt.failures = 0;
    context.onBytes(file, state.position, state.fetched);
  }
  state.size ??= state.position;
  if (state.position < state.size) {
    throw new BridleError("HUB_UNREACHABLE", {
      host: new URL(answer.url).host,
      what,
      reason: "the connection was cut",
    });
  }
}

/** Where the content of an answer begins in the file; undefined where it brings none. */
function startOf(answer: HubAnswer, asked: number): number | undefined {
  // A server may ignore the range and send everything.
  if (answer.status === 200) return 0;
  if (answer.status !== 206) return undefined;
  const range = /^bytes (\d+)-/.exec(answer.headers.get("content-range") ?? "");
  return Number(range?.[1]) === asked ? asked : undefined;
}

/** The size of the whole file, as an answer that brings it or its end tells. */
function wholeSize({ status, headers }: HubAnswer): number | undefined {
  const told =
    status === 206
      ? /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1]
      : headers.get("content-length");
  return told === null || told === undefined || !/^\d+$/.test(told) ? undefined : Number(told);
}

async function writeAll(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await handle.write(
      chunk,
      written,
      chunk.length - written,
      position + written,
    );
    written += bytesWritten;
  }
}
