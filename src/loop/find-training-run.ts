// Which tracked run trained the model in a folder: the one that kept the very record of training that lies there.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readError, systemCode } from "../errors/file-errors.js";
import type { Database } from "../ports/database.js";
import { findRunsWithArtifact } from "../track/read.js";
import { recordFile } from "../train/trained-model.js";

/**
 * The id of the finished run whose training the folder's bridle.json is of, wherever the folder lies by now; undefined
 * where the database has no such run or several.
 * @throws FILE_NOT_READABLE, and what the database throws
 */
export async function findTrainingRun(
  database: Database,
  folder: string,
): Promise<string | undefined> {
  const file = join(folder, recordFile);
  const record = await readFile(file).catch((thrown) => {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw readError(thrown, file);
  });
  if (record === undefined) return undefined;
  const sha256 = createHash("sha256").update(record).digest("hex");
  const found = await findRunsWithArtifact(database, { name: recordFile, sha256 });
  return found.length === 1 ? found[0] : undefined;
}
