// Reads the files of a folder of golden figures, and says which one is absent or broken.
// @ts-check
import { readFile } from "node:fs/promises";
import path from "node:path";

/** A golden file that cannot be used; the message names it. */
export class GoldenFileError extends Error {}

export class GoldenFolder {
  /** @param {string} root */
  constructor(root) {
    this.root = root;
  }

  /** @param {string} file path within the folder @returns {Promise<Buffer>} */
  async readBytes(file) {
    try {
      return await readFile(path.join(this.root, file));
    } catch (thrown) {
      const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
      const absent = code === "ENOENT" || code === "ENOTDIR";
      throw new GoldenFileError(absent ? `${file} is absent` : `${file} is unreadable (${thrown})`);
    }
  }

  /**
   * A JSON file's content, which must be a record.
   * @param {string} file path within the folder
   * @returns {Promise<Record<string, unknown>>}
   */
  async readJson(file) {
    const bytes = await this.readBytes(file);
    let content;
    try {
      content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (thrown) {
      throw new GoldenFileError(`${file} is not JSON (${thrown})`);
    }
    if (typeof content !== "object" || content === null || Array.isArray(content)) {
      throw new GoldenFileError(`${file} does not hold a record`);
    }
    return content;
  }
}

/**
 * A list that a golden file must hold; an empty one would pass without a single figure compared.
 * @param {Record<string, unknown>} content @param {string} key @param {string} file
 * @returns {unknown[]}
 */
export function listIn(content, key, file) {
  const list = content[key];
  if (!Array.isArray(list) || list.length === 0) {
    throw new GoldenFileError(`${file} has no entries under ${key}`);
  }
  return list;
}
