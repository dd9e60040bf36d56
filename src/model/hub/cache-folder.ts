// The Hugging Face cache on disk: blobs named by their hash, snapshots that point at them, and refs that name commits.
import { randomBytes } from "node:crypto";
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { systemCode, writeError } from "../../errors/file-errors.js";
import { type HubId, isCommit } from "./hub-id.js";
import type { ListedFile } from "./revision.js";

/** Where a repository lies in the cache. Source: huggingface_hub, file_download.py. */
export interface RepositoryCache {
  readonly folder: string;
  blob(etag: string): string;
  snapshot(commit: string): string;
  lock(etag: string): string;
}

export function repositoryCache(cacheFolder: string, repo: string): RepositoryCache {
  const name = `models--${repo.replace("/", "--")}`;
  const folder = join(cacheFolder, name);
  return {
    folder,
    blob: (etag) => join(folder, "blobs", etag),
    snapshot: (commit) => join(folder, "snapshots", commit),
    // Beside the locks of huggingface_hub, which are of another kind.
    lock: (etag) => join(cacheFolder, ".locks", name, `${etag}.bridle.lock`),
  };
}

/** Ids of the models that have a folder in the cache. */
export async function cachedRepositories(cacheFolder: string): Promise<string[]> {
  const names = await readdir(cacheFolder).catch(() => []);
  return names.flatMap((name) => {
    const [kind, owner, model, ...rest] = name.split("--");
    const isModel = kind === "models" && owner && model && rest.length === 0;
    return isModel ? [`${owner}/${model}`] : [];
  });
}

/** The commit a revision meant when it was last asked for; undefined where the cache does not know it. */
export async function readCommit(
  { folder }: RepositoryCache,
  { revision }: HubId,
): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const text = await readOptional(join(folder, "refs", ...revision.split("/")));
  const commit = text?.trim();
  return commit !== undefined && isCommit(commit) ? commit : undefined;
}

/** Notes which commit a revision means. @throws FILE_NOT_WRITABLE */
export async function writeCommit(
  cache: RepositoryCache,
  id: HubId,
  commit: string,
): Promise<void> {
  if ((await readCommit(cache, id)) === commit) return;
  const file = join(cache.folder, "refs", ...id.revision.split("/"));
  await writing(file, async () => {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, commit);
  });
}

/** Size of a file that was listed, or that a link leads to; undefined where there is none. */
export async function sizeOf(file: string): Promise<number | undefined> {
  return stat(file).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}

/** What the cache knows of a commit's files without looking at them. */
export interface KnownFiles {
  /** Whether the commit is known to have no such file. */
  isAbsent(path: string): boolean;
  /** A file's size in bytes, where it is known. */
  size(path: string): number | undefined;
}

/**
 * Reads a commit's listing and the marks of files that were asked for in vain.
 * Source: huggingface_hub, _tree_cache.py (`trees/`) and file_download.py (`.no_exist/`).
 */
export async function readKnown({ folder }: RepositoryCache, commit: string): Promise<KnownFiles> {
  const absent = new Set(await readdir(join(folder, ".no_exist", commit)).catch(() => []));
  const tree = readTree(await readOptional(join(folder, "trees", `${commit}.json`)));
  return {
    isAbsent: (path) => absent.has(path) || (tree !== undefined && !Object.hasOwn(tree, path)),
    size(path) {
      const entry = tree !== undefined && Object.hasOwn(tree, path) ? tree[path] : undefined;
      const size = entry?.lfs_size ?? entry?.size;
      return typeof size === "number" ? size : undefined;
    },
  };
}

type Tree = Readonly<Record<string, { size?: unknown; lfs_size?: unknown } | null>>;

/** The listing's files; undefined for a file that is damaged or of a version that is not known. */
function readTree(text: string | undefined): Tree | undefined {
  try {
    const { format_version: version, files } = JSON.parse(text ?? "null") ?? {};
    return version === 1 && typeof files === "object" && files !== null ? files : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a commit's listing, so that from now on the cache says by itself whether it is whole. */
export async function writeTree(
  { folder }: RepositoryCache,
  commit: string,
  files: readonly ListedFile[],
): Promise<void> {
  const file = join(folder, "trees", `${commit}.json`);
  const entries = [...files]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, size, etag, blobId, isLarge }) => {
      const large = isLarge ? { lfs_sha256: etag, lfs_size: size } : {};
      return [path, { size, blob_id: blobId, ...large }];
    });
  const tree = { format_version: 1, files: Object.fromEntries(entries) };
  await writing(file, async () => {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, JSON.stringify(tree, null, 1));
  });
}

/** Marks that a commit has no such file. @throws FILE_NOT_WRITABLE */
export async function markAbsent(
  { folder }: RepositoryCache,
  commit: string,
  path: string,
): Promise<void> {
  const file = join(folder, ".no_exist", commit, path);
  await writing(file, async () => {
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, "");
  });
}

/**
 * Puts a blob into a snapshot: a relative link to it, or where links are not allowed the file itself.
 * @throws FILE_NOT_WRITABLE
 */
export async function placeInSnapshot(
  cache: RepositoryCache,
  commit: string,
  path: string,
  etag: string,
  { symlinks, isNew }: { readonly symlinks: boolean; readonly isNew: boolean },
): Promise<void> {
  const blob = cache.blob(etag);
  const target = join(cache.snapshot(commit), path);
  const temporary = `${target}.${randomBytes(4).toString("hex")}.tmp`;
  await writing(target, async () => {
    await mkdir(dirname(target), { recursive: true });
    try {
      if (!(symlinks && (await link(blob, temporary)))) {
        // A new blob is nobody else's yet. An old one may be in other snapshots too.
        if (isNew) await rename(blob, temporary);
        else await copyFile(blob, temporary);
      }
      await rename(temporary, target);
    } catch (thrown) {
      await rm(temporary, { force: true });
      throw thrown;
    }
  });
}

/** False where the system allows no links, as Windows does not without its developer mode. */
async function link(blob: string, from: string): Promise<boolean> {
  try {
    await symlink(relative(dirname(from), blob), from);
    return true;
  } catch (thrown) {
    if (["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "UNKNOWN"].includes(systemCode(thrown))) {
      return false;
    }
    throw thrown;
  }
}

/** The standard's first line, by which backup programs know what to skip. Source: bford.info/cachedir. */
const cacheTag =
  "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of files of the Hugging Face hub.\n";

/** Marks the whole cache as one; where that fails the cache works as well. */
export async function tagCache(cacheFolder: string): Promise<void> {
  await writeFile(join(cacheFolder, "CACHEDIR.TAG"), cacheTag, { flag: "wx" }).catch(() => {});
}

async function readOptional(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}

async function writing(file: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    throw writeError(thrown, file);
  }
}
