// Whether a folder may be replaced by a model as a whole: one that holds a model may, one that somebody works in never.
import { lstat, readdir, realpath } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { stateFolder } from "../../config/state.js";
import { BridleError } from "../../errors/error.js";
import { readError, systemCode } from "../../errors/file-errors.js";

/** What weights are called that Bridle or Hugging Face's libraries wrote. */
const weights =
  /^(?:(?:adapter_)?model.*\.safetensors|pytorch_model.*\.bin|tf_model.*\.h5|flax_model.*\.msgpack|.*\.onnx)$/;

/** Folders with what cannot be had again. */
const precious: ReadonlySet<string> = new Set([".git", ".hg", ".svn", ".dvc", ".bridle"]);

/**
 * Lets pass what is not there, an empty folder, and one that is recognizably a model's: with one of the marks, or with
 * config.json beside weights or bridle.json.
 * @param marks files by which another kind of folder is known that may be replaced
 * @throws OUTPUT_NOT_REPLACEABLE for all else, for a folder with the working folder or the state in it, and for one with a
 *   repository in it; FILE_NOT_READABLE
 */
export async function checkReplaceable(folder: string, marks: readonly string[]): Promise<void> {
  const refuse = (reason: string) => new BridleError("OUTPUT_NOT_REPLACEABLE", { folder, reason });
  const real = await realpath(folder).catch((thrown) => {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw readError(thrown, folder);
  });
  if (real === undefined) return;
  if (!(await lstat(real)).isDirectory()) throw refuse("it is a file, and no folder");
  const entries = await readdir(real, { withFileTypes: true }).catch((thrown) => {
    throw readError(thrown, folder);
  });
  if (entries.length === 0) return;
  for (const [what, place] of [
    ["the working folder", process.cwd()],
    ["Bridle's state", stateFolder(process.env)],
  ] as const) {
    const inside = path.relative(real, await realpath(place).catch(() => place));
    if (inside !== ".." && !inside.startsWith(`..${path.sep}`) && !path.isAbsolute(inside)) {
      throw refuse(`${what} ${inside === "" ? "is this very folder" : `lies in it: ${inside}`}`);
    }
  }
  const files = new Set(entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name));
  const isModel =
    files.has("config.json") &&
    (files.has("bridle.json") || [...files].some((name) => weights.test(name)));
  if (!isModel && !marks.some((mark) => files.has(mark))) {
    const [first] = entries.map(({ name }) => name).sort();
    throw refuse(`it holds ${first}, and neither a package nor config.json beside weights`);
  }
  const found = await findPrecious(real);
  if (found !== undefined) throw refuse(`${path.relative(real, found)} lies in it`);
}

/** The first folder of a repository or a state, links not followed. @throws FILE_NOT_READABLE */
async function findPrecious(root: string): Promise<string | undefined> {
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await readdir(folder, { withFileTypes: true }).catch((thrown) => {
      throw readError(thrown, root);
    });
    for (const entry of entries) {
      const place = path.join(folder, entry.name);
      if (precious.has(entry.name)) return place;
      if (entry.isDirectory()) folders.push(place);
    }
  }
  return undefined;
}
