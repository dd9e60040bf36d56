// From a model's id on the hub to a folder with its files: out of the cache where it is whole, else downloaded into it.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type HubSettings, readHubSettings } from "../../config/hub-settings.js";
import { BridleError } from "../../errors/error.js";
import { adapterWeightFiles } from "../checkpoint/adapter.js";
import {
  markAbsent,
  placeInSnapshot,
  type RepositoryCache,
  readCommit,
  readKnown,
  repositoryCache,
  sizeOf,
  tagCache,
  writeCommit,
  writeTree,
} from "./cache-folder.js";
import { checkDiskSpace } from "./disk-space.js";
import { type DownloadContext, downloadBlob } from "./download.js";
import { createTally, type DownloadProgress } from "./download-progress.js";
import type { HubId } from "./hub-id.js";
import {
  chooseWeights,
  holdsAdapter,
  type Inventory,
  isIndex,
  missingTokenizer,
  type Need,
  neededInWords,
  readShardNames,
  smallFiles,
  takeInventory,
} from "./model-files.js";
import { createSend, withRetries } from "./requests.js";
import { openRevision, type RemoteFile, type Revision } from "./revision.js";

export interface SnapshotOptions {
  readonly needs: readonly Need[];
  /** Asks the hub what the revision means now, even where the cache is whole. */
  readonly refresh?: boolean | undefined;
  readonly settings?: HubSettings | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Looks at the folder when all but the weights are there; throwing spares the download of what is of no use. */
  readonly check?: ((folder: string) => Promise<void>) | undefined;
}

type Context = Omit<DownloadContext, "onBytes">;

/** Files on their way at once. */
const concurrency = 4;
const attempts = 5;

/**
 * The folder of a model's files.
 * A cache that is whole is used as it is and the hub is not asked, so that a model does not change under a service.
 * @throws HUB_OFFLINE, HUB_UNREACHABLE, HUB_BUSY, HUB_ANSWER_INVALID, HUB_REPO_NOT_FOUND, HUB_REVISION_NOT_FOUND,
 *   HUB_ACCESS_DENIED, HUB_TOKEN_REFUSED, HUB_FILES_MISSING, HUB_DOWNLOAD_CUT, HUB_HASH_MISMATCH, DISK_SPACE_SHORT,
 *   FILE_NOT_WRITABLE, HUB_SETTING_INVALID, CANCELLED, and what `check` throws
 */
export async function openSnapshot(id: HubId, options: SnapshotOptions): Promise<string> {
  const { needs, refresh = false, signal, settings = readHubSettings() } = options;
  const cache = repositoryCache(settings.cacheFolder, id.repo);
  const cached = await lookAtCache(cache, id, needs);
  const usable = cached !== undefined && cached.missing.length === 0 ? cached : undefined;
  if (usable !== undefined && usable.unknown.length === 0 && !refresh) return usable.folder;
  if (settings.offline) {
    if (usable !== undefined) return usable.folder;
    throw new BridleError("HUB_OFFLINE", {
      repo: id.repo,
      folder: cache.folder,
      missing: cached?.missing.join(", ") ?? `the revision ${id.revision}`,
    });
  }
  // What the cache lacks only perhaps is asked for at its commit: a newer one would have to be downloaded whole.
  const fallback = refresh ? undefined : usable;
  const wanted = fallback === undefined ? id : { ...id, revision: fallback.commit };
  const send = createSend(settings, signal);
  let revision: Revision;
  try {
    revision = await withRetries(() => openRevision(send, settings, wanted), {
      attempts: fallback === undefined ? attempts : 1,
      delayMs: settings.retryDelayMs,
      signal,
    });
  } catch (thrown) {
    const isCancelled = !(thrown instanceof BridleError) || thrown.code === "CANCELLED";
    if (fallback === undefined || isCancelled) throw thrown;
    return fallback.folder;
  }
  const pinned = { ...id, revision: revision.commit };
  await fetchFiles({ send, settings, cache, id: pinned, signal }, id, revision, options);
  return cache.snapshot(revision.commit);
}

interface Cached extends Inventory {
  readonly commit: string;
  readonly folder: string;
}

async function lookAtCache(
  cache: RepositoryCache,
  id: HubId,
  needs: readonly Need[],
): Promise<Cached | undefined> {
  const commit = await readCommit(cache, id);
  if (commit === undefined) return undefined;
  const folder = cache.snapshot(commit);
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return undefined;
  const inventory = await takeInventory(folder, await readKnown(cache, commit), needs);
  return { commit, folder, ...inventory };
}

async function fetchFiles(
  context: Context,
  asked: HubId,
  revision: Revision,
  { needs, onProgress, check }: SnapshotOptions,
): Promise<void> {
  const { cache, settings, id, signal } = context;
  const retry = { attempts, delayMs: settings.retryDelayMs, signal };
  const found = new Map<string, RemoteFile | undefined>();
  const find = async (path: string): Promise<RemoteFile | undefined> => {
    if (!found.has(path)) found.set(path, await withRetries(() => revision.find(path), retry));
    return found.get(path);
  };
  const tally = createTally(
    { repo: id.repo, endpoint: settings.endpoint, folder: cache.folder },
    onProgress,
  );
  const fetchAll = async (files: readonly RemoteFile[]) => {
    await checkDiskSpace(cache, id.repo, files);
    await placeAll({ ...context, onBytes: tally.onBytes }, files);
  };

  const { weights, isAdapter } = await chooseFiles(context, asked, needs, find);
  const small: RemoteFile[] = [];
  for (const path of [
    ...smallFiles(needs, isAdapter),
    ...(weights && isIndex(weights) ? [weights] : []),
  ]) {
    const file = await find(path);
    if (file !== undefined) small.push(file);
  }
  tally.add(small);
  if (weights === undefined) tally.begin();
  await fetchAll(small);
  await tagCache(settings.cacheFolder);
  const folder = cache.snapshot(revision.commit);
  await check?.(folder);
  if (weights !== undefined) {
    const names = isIndex(weights) ? await readShardNames(join(folder, weights)) : [weights];
    const files = await Promise.all(names.map(find));
    const large = files.filter((file) => file !== undefined);
    refuseMissing(
      names.filter((_, i) => files[i] === undefined),
      context,
      asked,
    );
    tally.add(large);
    tally.begin();
    await fetchAll(large);
  }

  await noteFiles(cache, revision, found);
  // Last of all, so that what a name means is always whole.
  await writeCommit(cache, asked, revision.commit);
}

/** Notes what the revision has, so that the cache can tell next time whether it is whole. */
async function noteFiles(
  cache: RepositoryCache,
  { commit, files }: Revision,
  found: ReadonlyMap<string, RemoteFile | undefined>,
): Promise<void> {
  const absent = [...found].filter(([, file]) => file === undefined);
  const notes =
    files === undefined
      ? absent.map(([path]) => markAbsent(cache, commit, path))
      : [writeTree(cache, commit, files)];
  // A cache that is whole and cannot be written is used as well; the hub is only asked again.
  await Promise.allSettled(notes);
}

/**
 * Makes sure that a repository has what is needed before anything is downloaded.
 * @returns the weight file to take, undefined where no weights are needed; and whether it is an adapter's
 * @throws HUB_FILES_MISSING
 */
async function chooseFiles(
  context: Context,
  asked: HubId,
  needs: readonly Need[],
  find: (path: string) => Promise<RemoteFile | undefined>,
): Promise<{ readonly weights: string | undefined; readonly isAdapter: boolean }> {
  const exists = async (path: string) => (await find(path)) !== undefined;
  const absent: string[] = [];
  let weights: string | undefined;
  if (needs.includes("model")) {
    if (!(await exists("config.json"))) absent.push("config.json");
    weights = await chooseWeights(exists, false);
    if (weights === undefined) absent.push("model.safetensors or pytorch_model.bin");
  }
  if (needs.includes("tokenizer")) {
    const tokenizer = await missingTokenizer(exists);
    if (tokenizer !== undefined) absent.push(tokenizer);
  }
  if (absent.length > 0 && (await holdsAdapter(exists))) {
    if (!needs.includes("model")) return { weights: undefined, isAdapter: true };
    const adapter = await chooseWeights(exists, true);
    refuseMissing(adapter === undefined ? [adapterWeightFiles.join(" or ")] : [], context, asked);
    return { weights: adapter, isAdapter: true };
  }
  refuseMissing(absent, context, asked);
  return { weights, isAdapter: false };
}

function refuseMissing(
  absent: readonly string[],
  { settings }: Context,
  { repo, revision }: HubId,
): void {
  if (absent.length === 0) return;
  throw new BridleError("HUB_FILES_MISSING", {
    repo,
    revision,
    files: absent.join(", no "),
    needed: neededInWords,
    url: `${settings.endpoint}/${repo}/tree/${revision}`,
  });
}

/** Downloads several files at once and puts each into the snapshot; the first failure ends the others. */
async function placeAll(context: DownloadContext, files: readonly RemoteFile[]): Promise<void> {
  const { cache, settings, id } = context;
  const failed = new AbortController();
  const signal =
    context.signal === undefined ? failed.signal : AbortSignal.any([context.signal, failed.signal]);
  const inner = { ...context, signal, send: createSend(settings, signal) };
  const waiting = [...files];
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const placed = await sizeOf(join(cache.snapshot(id.revision), file.path));
      if (placed !== undefined && placed === (file.size ?? placed)) {
        context.onBytes(file, placed, 0);
        continue;
      }
      const isNew = await downloadBlob(inner, file);
      const { symlinks } = settings;
      await placeInSnapshot(cache, id.revision, file.path, file.etag, { symlinks, isNew });
    }
  };
  const failures: unknown[] = [];
  const workers = Array.from({ length: concurrency }, () =>
    work().catch((thrown) => {
      failures.push(thrown);
      failed.abort(thrown);
    }),
  );
  await Promise.all(workers);
  if (failures.length > 0) throw failures[0];
}
