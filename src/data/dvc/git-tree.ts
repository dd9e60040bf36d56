// The files of a commit, read from Git's own objects, and what else is asked of a Git repository.
import fs from "node:fs";
import { access } from "node:fs/promises";
import nodePath from "node:path";
import { BridleError } from "../../errors/error.js";
import { joinPath } from "./output.js";
import type { SourceTree, TreeEntry } from "./source-tree.js";

type IsomorphicGit = typeof import("isomorphic-git").default;

/** A Git repository around or above a DVC repository. */
export class GitRepository {
  /** Its working folder. */
  readonly root: string;
  /** Where the DVC repository lies in it; empty for the root. */
  readonly prefix: string;
  private readonly git: IsomorphicGit;
  private readonly gitdir: string;
  /** Objects read once are kept by the library under this. */
  private readonly cache = {};

  private constructor(git: IsomorphicGit, root: string, prefix: string) {
    this.git = git;
    this.root = root;
    this.prefix = prefix;
    this.gitdir = gitFolder(root);
  }

  /** The repository a folder is in; undefined where it is in none. */
  static async find(folder: string): Promise<GitRepository | undefined> {
    for (let root = folder; ; root = nodePath.dirname(root)) {
      const isHere = await access(nodePath.join(root, ".git")).then(
        () => true,
        () => false,
      );
      if (isHere) {
        const { default: git } = await import("isomorphic-git");
        const prefix = nodePath.relative(root, folder).split(nodePath.sep).join("/");
        return new GitRepository(git, root, prefix);
      }
      if (nodePath.dirname(root) === root) return undefined;
    }
  }

  private get at() {
    return { fs, dir: this.root, gitdir: this.gitdir, cache: this.cache };
  }

  /** The commit a name means: a branch, a tag, a hash or its beginning, HEAD, with ~N and ^ after it. @throws DVC_REVISION_NOT_FOUND */
  async resolve(name: string): Promise<string> {
    const [, base = name, steps = ""] = /^(.*?)((?:~\d*|\^\d*)*)$/s.exec(name) ?? [];
    try {
      let commit = await this.commitOf(base === "" || base === "@" ? "HEAD" : base);
      for (const [, tilde, caret] of steps.matchAll(/~(\d*)|\^(\d*)/g)) {
        if (caret !== undefined) commit = await this.parentOf(commit, Number(caret || 1));
        else for (let i = 0; i < Number(tilde || 1); i++) commit = await this.parentOf(commit, 1);
      }
      return commit;
    } catch (cause) {
      throw new BridleError(
        "DVC_REVISION_NOT_FOUND",
        { revision: name, folder: this.root },
        { cause },
      );
    }
  }

  private async commitOf(name: string): Promise<string> {
    const oid = await this.git
      .resolveRef({ ...this.at, ref: name })
      .catch(() => this.git.expandOid({ ...this.at, oid: name }));
    const { oid: commit } = await this.git.readCommit({ ...this.at, oid });
    return commit;
  }

  private async parentOf(commit: string, which: number): Promise<string> {
    if (which === 0) return commit;
    const read = await this.git.readCommit({ ...this.at, oid: commit });
    const parent = read.commit.parent[which - 1];
    if (parent === undefined) {
      throw new BridleError("DVC_REVISION_NOT_FOUND", { revision: commit, folder: this.root });
    }
    return parent;
  }

  /** Whether there is a commit at all. */
  async hasCommits(): Promise<boolean> {
    return await this.commitOf("HEAD").then(
      () => true,
      () => false,
    );
  }

  async branches(): Promise<string[]> {
    return await this.git.listBranches(this.at);
  }

  async tags(): Promise<string[]> {
    return await this.git.listTags(this.at);
  }

  /** Every commit that a branch, a tag, a remote's branch or HEAD reaches. */
  async allCommits(): Promise<string[]> {
    const remotes = await this.git.listRemotes(this.at);
    const names = [
      ...(await this.branches()).map((name) => `refs/heads/${name}`),
      ...(await this.tags()).map((name) => `refs/tags/${name}`),
      "HEAD",
    ];
    for (const { remote } of remotes) {
      const branches = await this.git.listBranches({ ...this.at, remote });
      names.push(...branches.map((name) => `refs/remotes/${remote}/${name}`));
    }
    const seen = new Set<string>();
    const todo: string[] = [];
    for (const name of names) {
      const commit = await this.commitOf(name).catch(() => undefined);
      if (commit !== undefined) todo.push(commit);
    }
    for (let commit = todo.pop(); commit !== undefined; commit = todo.pop()) {
      if (seen.has(commit)) continue;
      seen.add(commit);
      // A shallow clone ends before its history does.
      const read = await this.git.readCommit({ ...this.at, oid: commit }).catch(() => undefined);
      todo.push(...(read?.commit.parent ?? []));
    }
    return [...seen];
  }

  /** The DVC repository's files at a commit. @throws DVC_REVISION_NOT_FOUND */
  async treeAt(revision: string): Promise<SourceTree> {
    return new GitTree(this.git, this.at, this.prefix, await this.resolve(revision), revision);
  }

  /** Paths from the DVC repository's root that Git's index holds at or under one. */
  async trackedUnder(path: string): Promise<string[]> {
    const files = await this.git.listFiles(this.at);
    const place = joinPath(this.prefix, path);
    return files.filter((file) => file === place || file.startsWith(`${place}/`));
  }

  /** The file of patterns that are of this clone alone. */
  get excludeFile(): string {
    return nodePath.join(this.gitdir, "info", "exclude");
  }
}

/** The folder with Git's objects, also where a worktree names it in a file. */
function gitFolder(root: string): string {
  const place = nodePath.join(root, ".git");
  if (fs.statSync(place).isDirectory()) return place;
  const named = /^gitdir: (.*)$/m.exec(fs.readFileSync(place, "utf8"))?.[1]?.trim();
  if (named === undefined) return place;
  const folder = nodePath.resolve(root, named);
  // Objects and references of a worktree lie in the folder all worktrees share.
  const shared = nodePath.join(folder, "commondir");
  if (!fs.existsSync(shared)) return folder;
  return nodePath.resolve(folder, fs.readFileSync(shared, "utf8").trim());
}

interface GitPlace {
  readonly fs: typeof fs;
  readonly dir: string;
  readonly gitdir: string;
  readonly cache: object;
}

class GitTree implements SourceTree {
  readonly revision: string;
  private readonly git: IsomorphicGit;
  private readonly at: GitPlace;
  private readonly prefix: string;
  private readonly commit: string;

  constructor(git: IsomorphicGit, at: GitPlace, prefix: string, commit: string, revision: string) {
    this.git = git;
    this.at = at;
    this.prefix = prefix;
    this.commit = commit;
    this.revision = revision;
  }

  private async readObject(path: string) {
    const filepath = joinPath(this.prefix, path);
    try {
      return await this.git.readObject({ ...this.at, oid: this.commit, filepath });
    } catch (thrown) {
      const name = thrown instanceof Error ? thrown.name : "";
      if (["NotFoundError", "ObjectTypeError"].includes(name)) return undefined;
      throw thrown;
    }
  }

  async readBytes(path: string): Promise<Buffer | undefined> {
    const found = await this.readObject(path);
    return found?.type === "blob" ? Buffer.from(found.object as Uint8Array) : undefined;
  }

  async readText(path: string): Promise<string | undefined> {
    return (await this.readBytes(path))?.toString("utf8").replace(/^\ufeff/, "");
  }

  async kindOf(path: string): Promise<TreeEntry["kind"] | undefined> {
    const found = await this.readObject(path);
    if (found === undefined) return undefined;
    return found.type === "tree" ? "folder" : "file";
  }

  async list(folder: string): Promise<readonly TreeEntry[]> {
    const filepath = joinPath(this.prefix, folder);
    try {
      const { tree } = await this.git.readTree({
        ...this.at,
        oid: this.commit,
        ...(filepath === "" ? {} : { filepath }),
      });
      return tree.map(({ path, type, mode }) => ({
        name: path,
        kind: type === "tree" ? "folder" : mode === "120000" ? "link" : "file",
      }));
    } catch (thrown) {
      if (thrown instanceof Error && ["NotFoundError", "ObjectTypeError"].includes(thrown.name))
        return [];
      throw thrown;
    }
  }
}
