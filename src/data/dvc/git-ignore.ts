// Entries that keep tracked data out of Git, as dvc writes them into .gitignore files.

import { readFile } from "node:fs/promises";
import nodePath from "node:path";
import { systemCode } from "../../errors/file-errors.js";
import { writeAtomically } from "../../text/files/write-atomically.js";
import { folderOf, joinPath, nameOf } from "./output.js";
import type { DvcRepository } from "./repository.js";

/** A name as a pattern that means it alone. */
function escapePattern(name: string): string {
  return name.replaceAll(/[[\]!*#?]/g, "\\$&");
}

/**
 * Sees to it that Git leaves a path alone.
 * @returns the .gitignore that was changed, from the root; undefined where nothing had to be
 * @throws WRITE_FAILED
 */
export async function ignoreInGit(
  repository: DvcRepository,
  path: string,
  isFolder: boolean,
): Promise<string | undefined> {
  const git = await repository.git();
  if (git === undefined) return undefined;
  const rules = await repository.gitIgnored();
  if (await rules?.ignores(joinPath(git.prefix, path), isFolder)) return undefined;
  const file = joinPath(folderOf(path), ".gitignore");
  const place = nodePath.join(repository.root, ...file.split("/"));
  const text = await readFile(place, "utf8").catch((thrown) => {
    if (systemCode(thrown) === "ENOENT") return "";
    throw thrown;
  });
  const entry = `/${escapePattern(nameOf(path))}`;
  if (text.split(/\r?\n/).includes(entry)) return undefined;
  const separator = text === "" || text.endsWith("\n") ? "" : "\n";
  await writeAtomically(place, (handle) => handle.writeFile(`${text}${separator}${entry}\n`));
  return file;
}
