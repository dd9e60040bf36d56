// Which paths .dvcignore and .gitignore files leave out, folder by folder.
import ignore, { type Ignore } from "ignore";
import { joinPath } from "./output.js";
import type { SourceTree } from "./source-tree.js";

/** What DVC never looks at. */
const always = [".hg/", ".git/", ".git", ".dvc/"];

interface Layer {
  /** Folder the patterns start from, from the root. */
  readonly folder: string;
  readonly patterns: Ignore;
}

/** Ignore files of one name, read as folders are entered. */
export class IgnoreRules {
  private readonly tree: SourceTree;
  private readonly fileName: string;
  private readonly base: readonly Layer[];
  private readonly layers = new Map<string, Promise<readonly Layer[]>>();

  private constructor(tree: SourceTree, fileName: string, patterns: readonly string[]) {
    this.tree = tree;
    this.fileName = fileName;
    this.base = patterns.length > 0 ? [{ folder: "", patterns: ignore().add([...patterns]) }] : [];
  }

  static dvc(tree: SourceTree): IgnoreRules {
    return new IgnoreRules(tree, ".dvcignore", always);
  }

  static git(tree: SourceTree, excludes: readonly string[] = []): IgnoreRules {
    return new IgnoreRules(tree, ".gitignore", [".git", ...excludes]);
  }

  /** Whether a path is left out, by a rule for it or for a folder above it. */
  async ignores(path: string, isFolder: boolean): Promise<boolean> {
    const parts = path.split("/");
    for (let depth = 1; depth <= parts.length; depth++) {
      const part = parts.slice(0, depth).join("/");
      const folder = parts.slice(0, depth - 1).join("/");
      const isLast = depth === parts.length;
      if (matches(await this.layersOf(folder), part, isFolder || !isLast)) return true;
    }
    return false;
  }

  /** A quick test whether an entry of a folder is left out, where the folder itself is not. */
  async filterOf(folder: string): Promise<(name: string, isFolder: boolean) => boolean> {
    const layers = await this.layersOf(folder);
    return (name, isFolder) => matches(layers, joinPath(folder, name), isFolder);
  }

  private layersOf(folder: string): Promise<readonly Layer[]> {
    const known = this.layers.get(folder);
    if (known !== undefined) return known;
    const read = this.readLayers(folder);
    this.layers.set(folder, read);
    return read;
  }

  private async readLayers(folder: string): Promise<readonly Layer[]> {
    const above =
      folder === "" ? this.base : await this.layersOf(folder.split("/").slice(0, -1).join("/"));
    const text = await this.tree.readText(joinPath(folder, this.fileName));
    if (text === undefined) return above;
    return [...above, { folder, patterns: ignore().add(text) }];
  }
}

/** The deepest file that says anything of a path decides. */
function matches(layers: readonly Layer[], path: string, isFolder: boolean): boolean {
  for (const { folder, patterns } of layers.toReversed()) {
    const inside = folder === "" ? path : path.slice(folder.length + 1);
    const { ignored, unignored } = patterns.test(isFolder ? `${inside}/` : inside);
    if (ignored) return true;
    if (unignored) return false;
  }
  return false;
}
