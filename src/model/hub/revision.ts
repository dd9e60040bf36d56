// What a revision of a repository is on the hub: its commit, and each file's size and hash.
import type { HubSettings } from "../../config/hub-settings.js";
import { BridleError } from "../../errors/error.js";
import { type HubId, isCommit } from "./hub-id.js";
import { isNoSuchFile, refusal } from "./refusals.js";
import { type HubAnswer, invalid, type Send } from "./requests.js";

export interface RemoteFile {
  /** Path inside the repository. */
  readonly path: string;
  /** Hash of its content: sha256 in 64 hex digits for large files, git's sha1 of a blob in 40 for the others. */
  readonly etag: string;
  /** In bytes; undefined where the server does not tell. */
  readonly size: number | undefined;
}

export interface Revision {
  /** 40 hex digits. */
  readonly commit: string;
  /** Every file of the revision, where the hub listed them with their hashes. */
  readonly files?: readonly ListedFile[];
  /** A file by its path; undefined where the revision has none of that name. */
  find(path: string): Promise<RemoteFile | undefined>;
}

export interface ListedFile extends RemoteFile {
  readonly size: number;
  /** Git's hash: for a large file that of the pointer in its place. */
  readonly blobId: string;
  readonly isLarge: boolean;
}

/** A file that every model has, to ask for the commit where there is no listing. */
const probe = "config.json";

export function fileUrl({ endpoint }: HubSettings, repo: string, revision: string, path: string) {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return `${endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${encoded}`;
}

/**
 * Asks the hub what a revision is: its listing, or file by file where the server has none (as some mirrors have not).
 * @throws HUB_REPO_NOT_FOUND, HUB_REVISION_NOT_FOUND, HUB_ACCESS_DENIED, HUB_TOKEN_REFUSED, HUB_ANSWER_INVALID,
 *   HUB_UNREACHABLE, HUB_BUSY
 * Source: huggingface_hub, hf_api.py (model_info) and file_download.py (get_hf_file_metadata).
 */
export async function openRevision(
  send: Send,
  settings: HubSettings,
  id: HubId,
): Promise<Revision> {
  // A mistyped path can look like an id.
  const what = `the model ${id.repo}, which is no folder here`;
  const url = `${settings.endpoint}/api/models/${id.repo}/revision/${encodeURIComponent(id.revision)}?blobs=true`;
  const timeoutMs = settings.answerTimeoutMs;
  const answer = await send({ method: "GET", url, what, timeoutMs });
  if (answer.status === 200) return fromListing(await answer.json(), send, settings, id, answer);
  const knowsModels = answer.headers.has("x-error-code") || answer.status === 401;
  if (knowsModels || ![403, 404, 405, 501].includes(answer.status)) {
    throw await refusal(answer, id, settings, what);
  }
  await answer.discard();
  return await fromFiles(send, settings, id);
}

function fromListing(
  listing: unknown,
  send: Send,
  settings: HubSettings,
  id: HubId,
  { url }: HubAnswer,
): Revision {
  const { sha, siblings } = (listing ?? {}) as { sha?: unknown; siblings?: unknown };
  const what = `the model ${id.repo}`;
  if (typeof sha !== "string" || !isCommit(sha)) throw invalid(url, what, "it names no commit");
  if (!Array.isArray(siblings)) throw invalid(url, what, "it lists no files");
  const names = new Set<string>();
  const listed = new Map<string, ListedFile>();
  for (const entry of siblings as unknown[]) {
    const name = (entry as { rfilename?: unknown } | null)?.rfilename;
    if (typeof name !== "string") throw invalid(url, what, "it lists a file without a name");
    names.add(name);
    const file = listedFile(name, entry as Record<string, unknown>);
    if (file !== undefined) listed.set(name, file);
  }
  return {
    commit: sha,
    ...(listed.size === names.size ? { files: [...listed.values()] } : {}),
    async find(path) {
      if (!names.has(path)) return undefined;
      return (
        listed.get(path) ?? (await findFile(send, settings, { ...id, revision: sha }, path))?.file
      );
    },
  };
}

/** A file as listed with `blobs=true`; undefined where the server left the hashes out. */
function listedFile(path: string, entry: Record<string, unknown>): ListedFile | undefined {
  const { size, blobId, lfs } = entry;
  if (!isSize(size) || typeof blobId !== "string" || !isCommit(blobId)) return undefined;
  if (lfs === null || lfs === undefined)
    return { path, size, etag: blobId, blobId, isLarge: false };
  const large = lfs as { sha256?: unknown; oid?: unknown; size?: unknown };
  const etag = large.sha256 ?? large.oid;
  if (typeof etag !== "string" || !isHash(etag) || !isSize(large.size)) return undefined;
  return { path, size: large.size, etag, blobId, isLarge: true };
}

/** A revision of which each file is asked for by itself. */
async function fromFiles(send: Send, settings: HubSettings, id: HubId): Promise<Revision> {
  const first = await findFile(send, settings, id, probe);
  if (first === undefined) {
    const details = { repo: id.repo, revision: id.revision, files: probe };
    const url = `${settings.endpoint}/${id.repo}`;
    throw new BridleError("HUB_FILES_MISSING", { ...details, needed: probe, url });
  }
  const { commit } = first;
  return {
    commit,
    find: async (path) =>
      path === probe
        ? first.file
        : (await findFile(send, settings, { ...id, revision: commit }, path))?.file,
  };
}

async function findFile(
  send: Send,
  settings: HubSettings,
  id: HubId,
  path: string,
): Promise<{ readonly commit: string; readonly file: RemoteFile } | undefined> {
  const what = `${path} of ${id.repo}`;
  const url = fileUrl(settings, id.repo, id.revision, path);
  const answer = await send({ method: "HEAD", url, what, timeoutMs: settings.answerTimeoutMs });
  if (isNoSuchFile(answer)) return undefined;
  const { status, headers } = answer;
  if (status >= 400) throw await refusal(answer, id, settings, what);
  await answer.discard();
  const commit = headers.get("x-repo-commit");
  const etag = (headers.get("x-linked-etag") ?? headers.get("etag") ?? "").replace(
    /^(?:W\/)?"(.*)"$/,
    "$1",
  );
  if (commit === null || !isCommit(commit)) {
    throw invalid(answer.url, what, "its header X-Repo-Commit names no commit");
  }
  if (!isHash(etag)) {
    throw invalid(answer.url, what, `its ETag ${JSON.stringify(etag)} is no hash of the file`);
  }
  const isRedirect = status >= 300;
  const told = headers.get("x-linked-size") ?? (isRedirect ? null : headers.get("content-length"));
  const size = told !== null && /^\d+$/.test(told) ? Number(told) : undefined;
  return { commit, file: { path, etag, size } };
}

function isHash(etag: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag);
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
