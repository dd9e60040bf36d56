// The files of a repository as they stand in the working folder or in a commit: what stages are read from.
import { lstat, readdir, readFile } from "node:fs/promises";
import nodePath from "node:path";
import { readError, systemCode } from "../../errors/file-errors.js";

export interface TreeEntry {
  readonly name: string;
  readonly kind: "file" | "folder" | "link";
}

/** Paths start at the repository's root and have forward slashes. */
export interface SourceTree {
  /** The commit; undefined for the working folder. */
  readonly revision: string | undefined;
  /** Undefined where there is no such file. */
  readBytes(path: string): Promise<Buffer | undefined>;
  readText(path: string): Promise<string | undefined>;
  kindOf(path: string): Promise<TreeEntry["kind"] | undefined>;
  /** In the order of their names; none where there is no such folder. */
  list(folder: string): Promise<readonly TreeEntry[]>;
}

/** The working folder. */
export class WorkingTree implements SourceTree {
  readonly revision = undefined;
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Where a path lies on this machine. */
  resolve(path: string): string {
    return nodePath.join(this.root, ...path.split("/"));
  }

  /** @throws FILE_NOT_READABLE */
  async readBytes(path: string): Promise<Buffer | undefined> {
    const file = this.resolve(path);
    try {
      return await readFile(file);
    } catch (thrown) {
      if (["ENOENT", "ENOTDIR", "EISDIR"].includes(systemCode(thrown))) return undefined;
      throw readError(thrown, file);
    }
  }

  async readText(path: string): Promise<string | undefined> {
    return (await this.readBytes(path))?.toString("utf8").replace(/^\ufeff/, "");
  }

  async kindOf(path: string): Promise<TreeEntry["kind"] | undefined> {
    try {
      const found = await lstat(this.resolve(path));
      return found.isSymbolicLink() ? "link" : found.isDirectory() ? "folder" : "file";
    } catch (thrown) {
      if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown))) return undefined;
      throw readError(thrown, this.resolve(path));
    }
  }

  async list(folder: string): Promise<readonly TreeEntry[]> {
    const place = this.resolve(folder);
    try {
      const entries = await readdir(place, { withFileTypes: true });
      return entries
        .map((entry) => ({
          name: entry.name,
          kind: entry.isDirectory()
            ? ("folder" as const)
            : entry.isSymbolicLink()
              ? ("link" as const)
              : ("file" as const),
        }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (thrown) {
      if (["ENOENT", "ENOTDIR"].includes(systemCode(thrown))) return [];
      throw readError(thrown, place);
    }
  }
}
