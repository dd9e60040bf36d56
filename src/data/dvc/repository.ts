// A DVC repository: its folder, settings, cache, stages and Git, as everything else here needs them.
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import nodePath from "node:path";
import { BridleError } from "../../errors/error.js";
import { folderError, writeError } from "../../errors/file-errors.js";
import { booleanOption, type DvcConfig, loadConfig } from "./config-file.js";
import { diskError } from "./disk-errors.js";
import { type DvcLock, takeDvcLock } from "./dvc-lock.js";
import { GitRepository } from "./git-tree.js";
import { HashMemory } from "./hash-memory.js";
import { IgnoreRules } from "./ignore-rules.js";
import type { ParsingOptions } from "./interpolation.js";
import { ObjectCache } from "./object-cache.js";
import { ObjectPool, type WorkOptions } from "./object-pool.js";
import type { LinkType } from "./object-work.js";
import { resolveInside } from "./output.js";
import { withRepoLock } from "./repo-lock.js";
import { type SourceTree, WorkingTree } from "./source-tree.js";
import { collectStages, type StageIndex } from "./stages.js";
import type { Hashing, LookOptions } from "./working-files.js";

export interface OpenOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Threads that hash and copy (default: one a core, at most 8). */
  readonly threads?: number;
  /** How long another process's change is waited for, in ms. */
  readonly lockWaitMs?: number;
}

const linkTypes = ["reflink", "hardlink", "symlink", "copy"] as const satisfies LinkType[];

async function isFolder(place: string): Promise<boolean> {
  return await access(nodePath.join(place, ".")).then(
    () => true,
    () => false,
  );
}

/** The nearest folder at or above one that holds .dvc. @throws DVC_REPO_NOT_FOUND */
export async function findRoot(folder: string): Promise<string> {
  const start = nodePath.resolve(folder);
  for (let root = start; ; root = nodePath.dirname(root)) {
    if (await isFolder(nodePath.join(root, ".dvc"))) return root;
    if (nodePath.dirname(root) === root) {
      throw new BridleError("DVC_REPO_NOT_FOUND", { folder: start });
    }
  }
}

const dvcIgnoreText = `# Add patterns of files dvc should ignore, which could improve
# the performance. Learn more at
# https://dvc.org/doc/user-guide/dvcignore
`;

/**
 * Makes a folder into a repository, with the files dvc makes.
 * @throws DVC_REPO_EXISTS, DVC_DISK_FULL, DVC_NOT_WRITABLE
 */
export async function initRepository(folder: string): Promise<string> {
  const root = nodePath.resolve(folder);
  const place = nodePath.join(root, ".dvc");
  if (await isFolder(place)) throw new BridleError("DVC_REPO_EXISTS", { folder: root });
  const hasGit = (await GitRepository.find(root)) !== undefined;
  try {
    await mkdir(place, { recursive: true }).catch((thrown) => {
      throw folderError(thrown, place);
    });
    if (hasGit) {
      await writeFile(nodePath.join(place, ".gitignore"), "/config.local\n/tmp\n/cache\n");
    }
    await writeFile(nodePath.join(root, ".dvcignore"), dvcIgnoreText, { flag: "wx" }).catch(
      (thrown) => {
        if (thrown.code !== "EEXIST") throw thrown;
      },
    );
    // Last, as it is what makes the folder a repository to those that look for its settings.
    await writeFile(nodePath.join(place, "config"), "");
  } catch (thrown) {
    throw diskError(writeError(thrown, place), "bridle data init", root);
  }
  return root;
}

/** An open repository; `close` ends its threads and keeps what it learned of files' hashes. */
export class DvcRepository {
  readonly root: string;
  readonly config: DvcConfig;
  readonly cache: ObjectCache;
  readonly tree: WorkingTree;
  readonly pool: ObjectPool;
  readonly memory: HashMemory;
  private readonly options: OpenOptions;
  private gitFound: Promise<GitRepository | undefined> | undefined;
  private ignoredFound: IgnoreRules | undefined;

  private constructor(root: string, config: DvcConfig, options: OpenOptions) {
    this.root = root;
    this.config = config;
    this.options = options;
    this.tree = new WorkingTree(root);
    this.cache = new ObjectCache(cacheFolder(root, config));
    this.pool = new ObjectPool(options.threads);
    this.memory = new HashMemory(nodePath.join(root, ".dvc", "tmp", "bridle", "hashes"));
  }

  /** @param folder the repository's or one in it @throws DVC_REPO_NOT_FOUND, DVC_FILE_INVALID */
  static async open(folder: string, options: OpenOptions = {}): Promise<DvcRepository> {
    const root = await findRoot(folder);
    return new DvcRepository(root, await loadConfig(root, options.env), options);
  }

  async close(): Promise<void> {
    await this.pool.close();
  }

  /** Link types for the working folder, best first (`cache.type`). @throws DVC_FILE_INVALID */
  get links(): readonly LinkType[] {
    const written = this.config.sections.cache?.type ?? "reflink,copy";
    return written.split(",").map((raw) => {
      const type = linkTypes.find((each) => each === raw.trim().toLowerCase());
      if (type === undefined) {
        const reason = `cache.type names ${JSON.stringify(raw.trim())}, which is none of ${linkTypes.join(", ")}`;
        throw new BridleError("DVC_FILE_INVALID", { file: ".dvc/config", reason });
      }
      return type;
    });
  }

  get parsing(): ParsingOptions {
    const { bool, list } = this.config.sections.parsing ?? {};
    return {
      bool: bool === "boolean_optional" ? bool : "store_true",
      list: list === "append" ? list : "nargs",
    };
  }

  /** The Git repository around it; undefined where there is none or `core.no_scm` is set. */
  async git(): Promise<GitRepository | undefined> {
    if (booleanOption(this.config, "core", "no_scm", false)) return undefined;
    this.gitFound ??= GitRepository.find(this.root);
    return await this.gitFound;
  }

  /** @throws DVC_GIT_NOT_FOUND */
  async needGit(): Promise<GitRepository> {
    const git = await this.git();
    if (git === undefined) throw new BridleError("DVC_GIT_NOT_FOUND", { folder: this.root });
    return git;
  }

  /** Rules of .dvcignore for the working folder. */
  get ignored(): IgnoreRules {
    this.ignoredFound ??= IgnoreRules.dvc(this.tree);
    return this.ignoredFound;
  }

  /** Rules of .gitignore and this clone's own for the working folder; undefined without Git. */
  async gitIgnored(): Promise<IgnoreRules | undefined> {
    const git = await this.git();
    if (git === undefined) return undefined;
    const excludes = await readFile(git.excludeFile, "utf8").catch(() => "");
    return IgnoreRules.git(new WorkingTree(git.root), excludes.split("\n"));
  }

  /**
   * Every stage of the working folder or of a commit's tree.
   * @param onInvalid told of files that cannot be used; they end the search unless it is given
   * @throws DVC_FILE_INVALID
   */
  async stages(
    tree: SourceTree = this.tree,
    onInvalid?: (file: string, error: BridleError) => void,
  ): Promise<StageIndex> {
    const isWorking = tree === this.tree;
    const git = isWorking ? await this.git() : undefined;
    const gitIgnored = git?.prefix === "" ? await this.gitIgnored() : undefined;
    const ignored = isWorking ? this.ignored : IgnoreRules.dvc(tree);
    return await collectStages(tree, { ignored, gitIgnored, parsing: this.parsing, onInvalid });
  }

  /** The tree a revision names: `workspace` or nothing for the working folder. @throws DVC_REVISION_NOT_FOUND */
  async treeAt(revision: string | undefined): Promise<SourceTree> {
    if (revision === undefined || revision === "workspace") return this.tree;
    return await (await this.needGit()).treeAt(revision);
  }

  get looking(): LookOptions {
    return { root: this.root, ignored: this.ignored, cache: this.cache.folder };
  }

  get hashing(): Hashing {
    const { pool, memory, root } = this;
    const start = root + nodePath.sep;
    const keyOf = (file: string) =>
      file.startsWith(start) ? file.slice(start.length) : nodePath.relative(root, file);
    return { pool, memory, keyOf };
  }

  /** For files that are not yet whole, on the working folder's disk. */
  get scratch(): string {
    return nodePath.join(this.root, ".dvc", "tmp", "bridle", "part");
  }

  /** A path as typed, from the folder it was typed in, made one from the root. @throws DVC_PATH_UNFIT */
  pathOf(typed: string, folder: string): string {
    const place = nodePath.resolve(folder, typed);
    const inside = nodePath.relative(this.root, place).split(nodePath.sep).join("/");
    const path = resolveInside("", inside);
    if (path === undefined || nodePath.isAbsolute(inside)) {
      throw new BridleError("DVC_PATH_UNFIT", {
        path: typed,
        reason: `it is outside the repository ${this.root}`,
      });
    }
    return path;
  }

  private async keepDvcOut(
    waiting: Parameters<typeof takeDvcLock>[1],
  ): Promise<DvcLock | undefined> {
    // With this setting dvc's lock is the file itself and not a lock on it.
    if (booleanOption(this.config, "core", "hardlink_lock", false)) return undefined;
    return await takeDvcLock(nodePath.join(this.root, ".dvc", "tmp", "lock"), waiting);
  }

  /**
   * Runs work that changes the repository while no other Bridle does.
   * @param againstDvc keep dvc out too, where its lock can be taken; the work is told whether it is
   * @throws DVC_REPO_BUSY, DVC_DISK_FULL, DVC_NOT_WRITABLE
   */
  async locked<Result>(
    command: string,
    work: (isDvcOut: boolean) => Promise<Result>,
    {
      signal,
      againstDvc = false,
    }: Pick<WorkOptions, "signal"> & { readonly againstDvc?: boolean } = {},
  ): Promise<Result> {
    const file = nodePath.join(this.root, ".dvc", "tmp", "bridle", "lock");
    const { lockWaitMs } = this.options;
    const waiting = lockWaitMs === undefined ? { signal } : { signal, waitMs: lockWaitMs };
    try {
      return await withRepoLock(
        file,
        command,
        async () => {
          const dvc = againstDvc ? await this.keepDvcOut(waiting) : undefined;
          try {
            return await work(dvc !== undefined);
          } finally {
            await dvc?.release();
          }
        },
        waiting,
      );
    } catch (thrown) {
      throw diskError(thrown, command, this.root);
    } finally {
      await this.memory.save();
    }
  }
}

function cacheFolder(root: string, config: DvcConfig): string {
  const written = config.sections.cache?.dir;
  if (written === undefined) return nodePath.join(root, ".dvc", "cache");
  return nodePath.resolve(config.folderOf("cache", "dir"), written);
}
