// Puts a trained tokenizer's files into a folder, where a model may join them.
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BridleError } from "../../errors/error.js";
import { systemCode, writeError } from "../../errors/file-errors.js";
import { writeAtomically } from "../../text/files/write-atomically.js";

/** Files that a tokenizer is read from; one that is left behind would be taken for a part of the new one. */
const tokenizerFiles = [
  "spiece.model",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
];

/** Makes a folder and those above it. Node's own recursive way never ends where the system makes none, as under /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (thrown) {
    if (systemCode(thrown) === "EEXIST") return;
    if (systemCode(thrown) !== "ENOENT") throw thrown;
    await mkdir(dirname(folder), { recursive: true });
    await mkdir(folder);
  }
}

/**
 * Makes the folder if need be, and sees whether a tokenizer may be put there, before one is trained.
 * @param overwrite whether a tokenizer that is there may be replaced
 * @throws OUTPUT_EXISTS, FILE_NOT_WRITABLE
 */
export async function checkTokenizerFolder(folder: string, overwrite: boolean): Promise<void> {
  const probe = join(folder, `.${randomUUID()}.tmp`);
  let present: readonly string[];
  try {
    await makeFolder(folder);
    present = await readdir(folder);
    await (await open(probe, "wx")).close();
    await rm(probe);
  } catch (thrown) {
    throw writeError(thrown, folder);
  }
  const found = tokenizerFiles.find((name) => present.includes(name));
  if (found !== undefined && !overwrite) {
    throw new BridleError("OUTPUT_EXISTS", { file: join(folder, found) });
  }
}

/**
 * Writes the files, each whole or not at all, `spiece.model` last: a folder that has it is whole. Files of another
 * tokenizer are taken away.
 * @throws OUTPUT_EXISTS, FILE_NOT_WRITABLE, WRITE_FAILED
 */
export async function saveTokenizer(
  folder: string,
  { files }: { readonly files: ReadonlyMap<string, Uint8Array> },
  options: { readonly overwrite?: boolean } = {},
): Promise<void> {
  await checkTokenizerFolder(folder, options.overwrite === true);
  try {
    for (const name of tokenizerFiles) {
      if (!files.has(name)) await rm(join(folder, name), { force: true });
    }
  } catch (thrown) {
    throw writeError(thrown, folder);
  }
  for (const [name, bytes] of files) {
    await writeAtomically(join(folder, name), (handle) => handle.writeFile(bytes));
  }
}
