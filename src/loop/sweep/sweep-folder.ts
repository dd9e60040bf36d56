// The folder of a sweep's trials: one sweep's alone, since what lost is deleted there.
import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BridleError } from "../../errors/error.js";
import { folderError, systemCode, writeError } from "../../errors/file-errors.js";

const claimFile = "sweep.json";

export interface FolderClaim {
  readonly sweep: string;
  readonly planSha256: string;
}

/**
 * Makes a folder a sweep's own. One that it has already stays so; an empty one becomes it.
 * @param isNew whether no trial of the sweep was begun: then there must be none in the folder either
 * @throws SWEEP_FOLDER_TAKEN where there is anything of somebody else in it; FILE_NOT_WRITABLE
 */
export async function claimSweepFolder(
  folder: string,
  claim: FolderClaim,
  isNew: boolean,
): Promise<void> {
  const file = join(folder, claimFile);
  await mkdir(folder, { recursive: true }).catch((thrown) => {
    throw writeError(folderError(thrown, folder), folder);
  });
  const content = `${JSON.stringify(claim)}\n`;
  const taken = (found: string) => {
    throw new BridleError("SWEEP_FOLDER_TAKEN", { name: claim.sweep, folder, found });
  };
  const others = async () =>
    (await readdir(folder)).filter(
      (name) => name !== claimFile && !name.startsWith(`${claimFile}.`),
    );
  const [other] = await others();
  const claimed = await readFile(file, "utf8").catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === "ENOENT") return undefined;
    throw thrown;
  });
  if (claimed !== undefined && claimed !== content) return taken(`${claimFile} of another sweep`);
  if (other !== undefined && (isNew || claimed === undefined)) return taken(other);
  if (claimed !== undefined) return;
  // Whole when it appears, and one of two who come at once gets it.
  const own = `${file}.${randomUUID()}`;
  try {
    await writeFile(own, content, { flush: true });
    await link(own, file);
  } catch (thrown) {
    if (systemCode(thrown) !== "EEXIST") throw writeError(thrown, file);
    if ((await readFile(file, "utf8")) !== content) return taken(`${claimFile} of another sweep`);
  } finally {
    await rm(own, { force: true });
  }
}
